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
 * Puts the stacks that end in a tree's leaves, and in its nodes where `weights` has any, among others, frames renumbered
 * by `number`. By node: which stack ends in it; -1 where none does.
 */
export function stacksInto(
  stacks: Stacks,
  { frame, parent, next }: CallTree,
  number: ArrayLike<number>,
  ...weights: ReadonlyArray<Float64Array>
): Int32Array {
  const ends = new Int32Array(frame.length).fill(-1);
  /** The nodes from the root, which is not among them, to the one that is looked at, and their frames. */
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
