import type { Frame } from '../frame.ts';
import { type FunctionWeights, functionWeights } from '../functions.ts';
import { stacksInto } from '../paths.ts';
import {
  type CallTree,
  type Comparison,
  type Profile,
  type SampleEvidence,
  TICKS_PER_SECOND,
} from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { closed, treeOf } from '../tree.ts';
import { evidenceOf, exposureOf } from './compare.ts';

/** A profile whose nodes are known in a tree that it shares with others. */
export interface Side {
  readonly profile: Profile;
  /** By its own node: the node of the common tree. Arrays of the size of that tree are made only for a comparison. */
  readonly nodeOf: Int32Array;
  readonly functions: FunctionWeights;
}

/** Several profiles in one tree: a function has the same number in all of them. */
export interface OneTree {
  readonly frames: readonly Frame[];
  readonly tree: CallTree;
  readonly sides: readonly Side[];
}

/** Puts profiles of the same event and unit into one tree. Frames are equal if they have the same name and kind. */
export function oneTree(profiles: readonly Profile[]): OneTree {
  const frames: Frame[] = [];
  const numbers = new Map<string, number>();
  const stacks = new Stacks('root first');
  const ends = profiles.map(({ frames: own, tree }) => {
    const number = own.map((frame) => {
      const key = `${frame.kind} ${frame.name}`;
      let known = numbers.get(key);
      if (known === undefined) {
        known = frames.push(frame) - 1;
        numbers.set(key, known);
      }
      return known;
    });
    return stacksInto(stacks, tree, number, tree.self);
  });
  const { tree, place } = treeOf(stacks, frames, new Float64Array(stacks.size));
  const sides = profiles.map((profile, at): Side => {
    // Stacks end in leaves and in nodes with a weight: no sample ends in the other nodes.
    const nodeOf = ends[at]!.map((stack) => (stack < 0 ? 0 : place[stack]!));
    const self = selfOf(tree, [{ profile, nodeOf }]);
    const { total } = closed(tree.parent, self);
    return { profile, nodeOf, functions: functionWeights(tree, frames.length, { self, total }) };
  });
  return { frames, tree, sides };
}

/**
 * One profile after the sum of others, as a comparison. The others count as one recording that ran one after another: so
 * their durations add up, and what differs between them is a part of how much they vary over time.
 */
export function againstOthers({ frames, tree }: OneTree, one: Side, others: readonly Side[]): Comparison {
  const beforeSelf = selfOf(tree, others);
  const { total: beforeTotal } = closed(tree.parent, beforeSelf);
  const self = selfOf(tree, [one]);
  const { total } = closed(tree.parent, self);
  const exposures = [one, ...others].map(({ profile }) =>
    profile.about.betweenSamples ? 0 : exposureOf(profile),
  );
  const isTimed = exposures.every((exposure) => exposure > 0) && areAlike([one, ...others]);
  const [to, from] = isTimed
    ? [exposures[0]!, exposures.slice(1).reduce((sum, each) => sum + each, 0)]
    : [total[0]!, beforeTotal[0]!];
  const evidence = [
    together(others, tree.frame.length),
    evidenceBy(one, new Float64Array(tree.frame.length)),
  ] as const;
  return {
    before: evidence[0].about,
    after: one.profile.about,
    event: one.profile.event,
    unit: one.profile.unit,
    frames,
    tree: { ...tree, self, total },
    beforeSelf,
    beforeTotal,
    normalizedBy: isTimed ? 'duration' : 'total',
    beforeFactor: from > 0 && to > 0 ? to / from : 1,
    beforeSamples: Math.round(others.reduce((sum, { profile }) => sum + profile.samples, 0)),
    afterSamples: Math.round(one.profile.samples),
    assumptions: [],
    evidence,
  };
}

/** Whether either all recordings tell how often samples were taken, or none. */
const areAlike = (sides: readonly Side[]): boolean =>
  new Set(sides.map(({ profile }) => profile.about.frequencyHz === undefined)).size === 1;

/** The weight of the samples that end in each node, of all sides together. */
function selfOf({ frame }: CallTree, sides: ReadonlyArray<Pick<Side, 'profile' | 'nodeOf'>>): Float64Array {
  const self = new Float64Array(frame.length);
  for (const { profile, nodeOf } of sides)
    profile.tree.self.forEach((weight, own) => {
      self[nodeOf[own]!]! += weight;
    });
  return self;
}

const evidenceBy = ({ profile, nodeOf }: Side, squares: Float64Array): SampleEvidence =>
  evidenceOf(profile, (own) => nodeOf[own]!, squares);

/** The samples of several recordings, as if each began when the one before ended. */
function together(sides: readonly Side[], size: number): SampleEvidence {
  const seconds = sides.reduce((sum, { profile }) => sum + (profile.about.seconds ?? 0), 0);
  const squares = new Float64Array(size);
  const parts = sides.flatMap((side) => evidenceBy(side, squares).times ?? []);
  const about = { target: 'the others', ...(seconds > 0 && { seconds }) };
  if (parts.length < sides.length) return { about, squares, times: undefined };
  const entries = parts.reduce((sum, { at }) => sum + at.length, 0);
  const at = new Float64Array(entries);
  const node = new Int32Array(entries);
  const weight = new Float64Array(entries);
  let from = 0;
  let start = 0;
  parts.forEach((part, side) => {
    node.set(part.node, from);
    weight.set(part.weight, from);
    for (let entry = 0; entry < part.at.length; entry += 1) at[from + entry] = start + part.at[entry]!;
    from += part.at.length;
    // A recording lasts a little longer than from its first sample to its last one.
    const lasted = (sides[side]!.profile.about.seconds ?? 0) * TICKS_PER_SECOND;
    start += Math.max(lasted, (part.at.at(-1) ?? 0) + 1);
  });
  return { about, squares, times: { at, node, weight } };
}
