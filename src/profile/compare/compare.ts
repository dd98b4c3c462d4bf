import { usageError } from '../../errors.ts';
import { foldedFrame } from '../export/folded.ts';
import type { Frame } from '../frame.ts';
import { stacksInto } from '../paths.ts';
import type { Comparison, Profile, SampleEvidence } from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { closed, treeOf } from '../tree.ts';

export interface CompareOptions {
  /** `share`: compare by the totals even if both durations are known. */
  readonly by?: 'time' | 'share';
  /** False if it is not known how many samples the weights of one stand for: then nothing is tested. */
  readonly samplesKnown?: boolean;
  readonly assumptions?: readonly string[];
}

/**
 * Merges two profiles into one tree. Frames are equal if they have the same name and kind, or only the same name if one
 * profile, such as folded stacks, has no kinds. The profile before is normalized by the durations, and for samples also by
 * the frequencies, or by the totals where these are unknown. Throws if the profiles have different units.
 */
export function compare(
  one: Profile,
  other: Profile,
  { by = 'time', samplesKnown = true, assumptions = [] }: CompareOptions = {},
): Comparison {
  if (one.unit !== other.unit || !sameEvent(eventKind(one), eventKind(other)))
    throw usageError(
      `diff: ${one.event} (${one.unit}) and ${other.event} (${other.unit}) cannot be compared`,
      one.unit === 'microseconds' || other.unit === 'microseconds'
        ? 'time on the CPU and time off it are different things: compare two recordings of the same kind'
        : 'choose with --event and --weight what both have',
    );
  const { before, after, keyOf } = matched(one, other);
  const frames: Frame[] = [];
  const numbers = new Map<string, number>();
  const stacks = new Stacks('root first');
  const enter = ({ frames: own, tree }: Profile) => {
    const number = own.map((frame) => {
      const key = keyOf(frame);
      let known = numbers.get(key);
      if (known === undefined) {
        known = frames.push(frame) - 1;
        numbers.set(key, known);
      } else if (frames[known]!.kind === 'user') frames[known] = frame; // It may tell the kind.
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
  const nodeOf = (side: 0 | 1) => (own: number) => (own === 0 ? 0 : place[ends[side][own]!]!);
  const exposures = [exposureOf(before), exposureOf(after)] as const;
  const totals = [before.tree.total[0]!, after.tree.total[0]!] as const;
  const because = by === 'share' ? '' : whyByTotals(before, after, exposures);
  const [from, to] = because === undefined ? exposures : totals;
  return {
    before: before.about,
    after: after.about,
    event: after.event,
    unit: after.unit,
    frames,
    tree,
    beforeSelf,
    beforeTotal,
    normalizedBy: because === undefined ? 'duration' : 'total',
    ...(because && { byTotalBecause: because }),
    // An empty profile cannot be normalized, so both stay as they were counted.
    beforeFactor: from > 0 && to > 0 ? to / from : 1,
    beforeSamples: samplesKnown ? Math.round(before.samples) : undefined,
    afterSamples: samplesKnown ? Math.round(after.samples) : undefined,
    assumptions,
    evidence: samplesKnown
      ? [
          evidenceOf(before, nodeOf(0), new Float64Array(tree.frame.length)),
          evidenceOf(after, nodeOf(1), new Float64Array(tree.frame.length)),
        ]
      : undefined,
  };
}

/** Two profiles with what frames are the same by: their names as folded text has them where one comes from there. */
function matched(before: Profile, after: Profile) {
  const sides = [before, after];
  const isText = ({ threads, frames }: Profile) =>
    threads.length === 0 && !frames.some(({ kind }) => kind === 'thread');
  if (!sides.some(isText)) return { before, after, keyOf: ({ kind, name }: Frame) => `${kind} ${name}` };
  const tellsKinds = ({ frames }: Profile) => frames.some(({ kind }) => kind !== 'user' && kind !== 'thread');
  const annotate = sides.every(tellsKinds);
  const threads = new Set(
    sides.flatMap(({ frames }) =>
      frames.flatMap((frame) => (frame.kind === 'thread' ? [foldedFrame(frame, false)] : [])),
    ),
  );
  const owners = new Set(sides.flatMap(ownerFrames));
  const [from, to] = sides.map((side) => (isText(side) ? withThreads(side, threads, owners) : side));
  return {
    before: from!,
    after: to!,
    keyOf: (frame: Frame) => `${frame.kind === 'thread' ? 'thread ' : ''}${foldedFrame(frame, annotate)}`,
  };
}

/** The frames of the owners of threads: of the same kind, and with threads below them (owners.ts). */
function ownerFrames({ frames, tree: { frame, next } }: Profile): string[] {
  const names: string[] = [];
  const isThread = (node: number) => frames[frame[node]!]!.kind === 'thread';
  for (let node = 1; node < frame.length; node = isThread(node) ? node + 1 : next[node]!)
    if (isThread(node) && node + 1 < next[node]! && isThread(node + 1))
      names.push(foldedFrame(frames[frame[node]!]!, false));
  return names;
}

/**
 * The profile of folded text with the frames below the root, and below those of owners, as threads where they bear the name of
 * one.
 */
function withThreads(profile: Profile, threads: ReadonlySet<string>, owners: ReadonlySet<string>): Profile {
  const frames = [...profile.frames];
  const frame = profile.tree.frame.slice();
  const known = new Map<number, number>();
  for (let node = 1; node < frame.length; ) {
    const own = frame[node]!;
    const name = foldedFrame(frames[own]!, false);
    if (threads.has(name)) {
      if (!known.has(own)) known.set(own, frames.push({ ...frames[own]!, kind: 'thread' }) - 1);
      frame[node] = known.get(own)!;
    }
    node = owners.has(name) ? node + 1 : profile.tree.next[node]!;
  }
  return { ...profile, frames, tree: { ...profile.tree, frame } };
}

/** Why two profiles cannot be normalized by their durations; undefined if they can. */
function whyByTotals(before: Profile, after: Profile, exposures: readonly [number, number]) {
  const unknown = [before, after].map(({ about }) => !about.seconds || about.betweenSamples === true);
  if (unknown[0] || unknown[1]) {
    const which =
      unknown[0] && unknown[1] ? 'either profile' : unknown[0] ? 'the profile before' : 'the profile after';
    return `it is not known how long ${which} was recorded (--seconds BEFORE,AFTER states it)`;
  }
  // Samples per second cannot be compared if only one of the two says how often samples were taken.
  if (after.unit === 'samples' && !before.about.frequencyHz !== !after.about.frequencyHz)
    return `it is not known how often samples were taken ${before.about.frequencyHz ? 'after' : 'before'}`;
  return exposures[0] > 0 && exposures[1] > 0 ? undefined : 'one of the recordings has no duration';
}

/** The samples of a profile by the nodes of another tree: `nodeOf` maps its own nodes to these. Adds to `squares`. */
export function evidenceOf(
  { about, stacks, timeline }: Profile,
  nodeOf: (own: number) => number,
  squares: Float64Array,
): SampleEvidence {
  const node = stacks.node.map(nodeOf);
  const perSample = stacks.weight.map((weight, row) => weight / (stacks.samples[row] || 1));
  node.forEach((at, row) => {
    squares[at]! += stacks.squares?.[row] ?? stacks.samples[row]! * perSample[row]! ** 2;
  });
  return {
    about,
    squares,
    times: timeline && {
      at: timeline.at,
      node: timeline.stack.map((row) => node[row]!),
      weight: Float64Array.from(
        timeline.stack,
        (row, entry) => perSample[row]! * (timeline.samples?.[entry] ?? 1),
      ),
    },
  };
}

/** What a count goes with: for how long samples were taken, times how often where each counts one. */
export const exposureOf = ({ about: { seconds = 0, frequencyHz = 1 }, unit }: Profile): number =>
  unit === 'samples' ? seconds * frequencyHz : seconds;

/** Folded stacks do not say which event they are of: `samples`. */
const sameEvent = (a: string, b: string): boolean => a === b || a === 'samples' || b === 'samples';

/** perf may have had to fall back to a modifier: `cycles:P`, `cycles:ppp` are one kind of event. */
export const eventKind = ({ event }: Profile): string => event.replace(/:[ukhGHpPSDWeI]+$/, '');
