import { usageError } from '../errors.ts';
import type { Frame } from './frame.ts';
import { stacksInto } from './paths.ts';
import type { Comparison, Profile } from './profile.ts';
import { Stacks } from './stacks.ts';
import { closed, treeOf } from './tree.ts';

/**
 * Two profiles in one tree, by frames of the same name and kind. The one before is made comparable by how long both
 * were recorded, samples also by how often they were taken, or, where that is not known, by their totals. Throws where
 * they do not count the same.
 */
export function compare(before: Profile, after: Profile): Comparison {
  if (before.unit !== after.unit || !sameEvent(eventKind(before), eventKind(after)))
    throw usageError(
      `diff: ${before.event} (${before.unit}) and ${after.event} (${after.unit}) cannot be compared`,
      'choose with --event and --weight what both have',
    );
  const frames: Frame[] = [];
  const numbers = new Map<string, number>();
  const stacks = new Stacks('root first');
  const enter = ({ frames: own, tree }: Profile) => {
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
  };
  const ends = [enter(before), enter(after)] as const;
  const weights = [before, after].map(({ tree }, which) => {
    const values = new Float64Array(stacks.size);
    ends[which]!.forEach((stack, node) => {
      if (stack >= 0) values[stack]! += tree.self[node]!;
    });
    return values;
  });
  const { tree, place } = treeOf(stacks, frames, weights[1]!);
  const beforeSelf = new Float64Array(tree.frame.length);
  weights[0]!.forEach((weight, stack) => {
    beforeSelf[place[stack]!] = weight;
  });
  const beforeTotal = closed(tree.parent, beforeSelf).total;
  const exposures = [exposureOf(before), exposureOf(after)] as const;
  const totals = [before.tree.total[0]!, after.tree.total[0]!] as const;
  // Samples a second of one cannot be told from those of the other where only one says how many it took.
  const byDuration =
    exposures[0] > 0 &&
    exposures[1] > 0 &&
    (after.unit !== 'samples' || !before.about.frequencyHz === !after.about.frequencyHz);
  const [from, to] = byDuration ? exposures : totals;
  return {
    before: before.about,
    after: after.about,
    event: after.event,
    unit: after.unit,
    frames,
    tree,
    beforeSelf,
    beforeTotal,
    normalizedBy: byDuration ? 'duration' : 'total',
    // Nothing can be made comparable with nothing: both stay as they were counted.
    beforeFactor: from > 0 && to > 0 ? to / from : 1,
    beforeSamples: before.samples,
    afterSamples: after.samples,
  };
}

/** What a count goes with: for how long samples were taken, times how often where each counts one. */
const exposureOf = ({ about: { seconds = 0, frequencyHz = 1 }, unit }: Profile): number =>
  unit === 'samples' ? seconds * frequencyHz : seconds;

/** Folded stacks do not say which event they are of: `samples`. */
const sameEvent = (a: string, b: string): boolean => a === b || a === 'samples' || b === 'samples';

/** perf may have had to fall back to a modifier: `cycles:P`, `cycles:ppp` are one kind of event. */
const eventKind = ({ event }: Profile): string => event.replace(/:[ukhGHpPSDWeI]+$/, '');
