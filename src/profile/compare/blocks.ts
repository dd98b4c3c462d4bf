import type { FunctionWeights } from '../functions.ts';
import type { CallTree, SampleEvidence } from '../profile.ts';
import { TICKS_PER_SECOND } from '../profile.ts';

/** The weights of functions in each of the parts that a recording is cut into. */
export interface TimeBlock {
  readonly functions: FunctionWeights;
  /** Of all samples of the block. */
  readonly all: number;
}

/** The number of blocks: with more, each has too few samples; with fewer, their variance is not known well enough. */
const MOST_BLOCKS = 24;
const LEAST_BLOCKS = 6;
/** Samples of a block. */
const LEAST_SAMPLES = 8;

/**
 * A recording cut into blocks of time, one behind the other: of the same length where that is known and `seconds` says
 * it, else of the same number of samples. Undefined where samples have no times, or are too few.
 */
export function blocksOf(
  { times }: SampleEvidence,
  tree: CallTree,
  frames: number,
  seconds?: number,
): readonly TimeBlock[] | undefined {
  if (!times) return undefined;
  const entries = times.at.length;
  const many = Math.min(MOST_BLOCKS, Math.floor(entries / LEAST_SAMPLES));
  if (many < LEAST_BLOCKS) return undefined;
  const ticks = seconds === undefined ? 0 : Math.max(seconds * TICKS_PER_SECOND, times.at.at(-1)! + 1);
  const block = (entry: number) =>
    ticks ? Math.floor((times.at[entry]! * many) / ticks) : Math.floor((entry * many) / entries);
  const blocks: TimeBlock[] = [];
  // A block has few of the nodes of a large tree: so their callers are walked, and not the whole tree.
  const self = new Float64Array(tree.frame.length);
  const counted = new Int32Array(frames);
  let walk = 0;
  for (let entry = 0, at = 0; at < many; at += 1) {
    const ends: number[] = [];
    for (; entry < entries && block(entry) === at; entry += 1) {
      const node = times.node[entry]!;
      if (self[node] === 0) ends.push(node);
      self[node]! += times.weight[entry]!;
    }
    const functions = { self: new Float64Array(frames), total: new Float64Array(frames) };
    let all = 0;
    for (const node of ends) {
      const weight = self[node]!;
      self[node] = 0;
      all += weight;
      if (node > 0) functions.self[tree.frame[node]!]! += weight;
      walk += 1;
      for (let up = node; up > 0; up = tree.parent[up]!) {
        const frame = tree.frame[up]!;
        // A function that is several times on a stack counts once.
        if (counted[frame] === walk) continue;
        counted[frame] = walk;
        functions.total[frame]! += weight;
      }
    }
    blocks.push({ functions, all });
  }
  return blocks;
}
