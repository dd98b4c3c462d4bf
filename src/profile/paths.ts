import { enlarged } from './arrays.ts';
import type { CallTree } from './profile.ts';
import type { Stacks } from './stacks.ts';

/** The frames from the root to a node, the outermost first. */
export function pathOf({ frame, parent }: CallTree, node: number): number[] {
  const path: number[] = [];
  for (let at = node; at > 0; at = parent[at]!) path.push(frame[at]!);
  return path.reverse();
}

/**
 * Adds the stacks of a tree to others: those that end in a leaf, or in a node with a weight. `number` maps its frames to
 * the new numbers. Returns for each node the stack that ends in it, or -1.
 */
export function stacksInto(
  stacks: Stacks,
  { frame, parent, next }: CallTree,
  number: ArrayLike<number>,
  ...weights: ReadonlyArray<Float64Array>
): Int32Array {
  const ends = new Int32Array(frame.length).fill(-1);
  /** The nodes between the root and the current node, without the root, and their frames. */
  let way = new Int32Array(256);
  let path = new Int32Array(256);
  let depth = 0;
  for (let node = 1; node < frame.length; node += 1) {
    while (depth > 0 && way[depth - 1] !== parent[node]) depth -= 1;
    if (depth === way.length) [way, path] = [enlarged(way), enlarged(path)];
    way[depth] = node;
    path[depth] = number[frame[node]!]!;
    depth += 1;
    if (next[node] === node + 1 || weights.some((weight) => weight[node]))
      ends[node] = stacks.number(path, 0, depth);
  }
  return ends;
}
