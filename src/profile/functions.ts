import type { CallTree } from './profile.ts';

/** By frame: the weight of samples that ended in it, and of those that it was on the stack of. */
export interface FunctionWeights {
  readonly self: Float64Array;
  readonly total: Float64Array;
}

/**
 * What the weights of a tree's nodes, `self` and `total`, are by frame, in one pass. A function that is several times on
 * a stack counts once: on the way down it counts where it comes for the first time.
 */
export function functionWeights(
  { frame, next }: Pick<CallTree, 'frame' | 'next'>,
  frames: number,
  weights: { readonly self: ArrayLike<number>; readonly total: ArrayLike<number> },
): FunctionWeights {
  const self = new Float64Array(frames);
  const total = new Float64Array(frames);
  const active = new Int32Array(frames);
  const open: number[] = [];
  for (let node = 1; node < frame.length; node += 1) {
    while (open.length && next[open.at(-1)!]! <= node) active[frame[open.pop()!]!]! -= 1;
    const at = frame[node]!;
    self[at]! += weights.self[node]!;
    if (active[at] === 0) total[at]! += weights.total[node]!;
    active[at]! += 1;
    open.push(node);
  }
  return { self, total };
}
