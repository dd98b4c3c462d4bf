import type { CallTree } from './profile.ts';

/** The frames from the root to a node, the outermost first. */
export function pathOf({ frame, parent }: CallTree, node: number): number[] {
  const path: number[] = [];
  for (let at = node; at > 0; at = parent[at]!) path.push(frame[at]!);
  return path.reverse();
}
