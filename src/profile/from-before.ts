import type { Frame } from './frame.ts';
import type { Profile } from './profile.ts';

/**
 * The frame between the state and the kernel's functions of a wait that began before the recording: perf records a stack when a wait
 * begins, so nobody knows which functions of the program led to this one.
 */
export const FROM_BEFORE: Frame = {
  name: '[began before the recording, user stack unknown]',
  kind: 'state',
  dso: '',
  unknown: false,
};

/** Waits that began before the recording, and count from its start. */
export interface WaitsFromBefore {
  /** A thread has at most one. */
  readonly threads: number;
  /** How long they were within the recording, in all; undefined where each wait counts one. */
  readonly seconds?: number;
  /** Of the profile's weight, 0 to 1. */
  readonly share: number;
}

/** By node of the tree, whether its stack is of a wait that began before the recording: 1 or 0. */
export function nodesFromBefore({ frames, tree }: Pick<Profile, 'frames' | 'tree'>): Uint8Array {
  const isOne = Uint8Array.from(frames, ({ name, kind }) =>
    kind === FROM_BEFORE.kind && name === FROM_BEFORE.name ? 1 : 0,
  );
  const found = new Uint8Array(tree.frame.length);
  if (!isOne.includes(1)) return found;
  for (let node = 1; node < found.length; node += 1)
    found[node] = found[tree.parent[node]!]! | isOne[tree.frame[node]!]!;
  return found;
}

/** How many waits of a profile began before the recording, and how much of its weight they have; undefined without one. */
export function waitsFromBefore(profile: Profile): WaitsFromBefore | undefined {
  const { stacks, tree, unit } = profile;
  const isFromBefore = nodesFromBefore(profile);
  let threads = 0;
  let weight = 0;
  for (const [row, node] of stacks.node.entries()) {
    if (!isFromBefore[node]) continue;
    threads += stacks.samples[row]!;
    weight += stacks.weight[row]!;
  }
  if (threads === 0) return undefined;
  return {
    threads,
    ...(unit === 'microseconds' && { seconds: weight / 1e6 }),
    share: weight / (tree.total[0] || 1),
  };
}
