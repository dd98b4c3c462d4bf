import { EXIT, GkeprofError } from '../../errors.ts';
import type { Frame, FrameKind } from '../frame.ts';
import {
  type About,
  type CallTree,
  type Comparison,
  type Profile,
  type SampleTimes,
  type Thread,
  TICKS_PER_SECOND,
  type Unit,
} from '../profile.ts';
import { KINDS } from './browser/appearance.js';

/** Long lists: typed arrays in data that is written, plain arrays in data that was read. */
type Numbers = ArrayLike<number>;

/**
 * What a picture contains of its profile, as JSON. Nodes are in preorder, without the root: `up` is how many levels the
 * tree goes up before a node is added (0: the node is a child of the one before). Sums that follow from the stacks are not
 * stored.
 */
interface Common {
  readonly gkeprof: 1;
  readonly event: string;
  readonly eventNote?: string;
  readonly unit: Unit;
  readonly names: readonly string[];
  /** One letter for each frame: thread, state, user, kernel, jit, script, inlined. */
  readonly kinds: string;
  readonly dsos: readonly string[];
  readonly dso: Numbers;
  /** The frames that perf could not name. */
  readonly unknown: readonly number[];
  readonly up: Numbers;
  readonly frame: Numbers;
}

export interface ProfileData extends Common {
  readonly of: 'profile';
  readonly about: About;
  readonly threads: ReadonlyArray<readonly [comm: string, pid: number, tid: number]>;
  readonly node: Numbers;
  /** Absent if no stack has a thread. `weight` is absent if it is the same as `samples`. */
  readonly thread?: Numbers;
  readonly samples: Numbers;
  readonly weight?: Numbers;
  /** Sums of the squares of the samples' weights; absent if all samples of a row weigh the same. */
  readonly squares?: Numbers;
  readonly weightsVary?: true;
  readonly timeline?: {
    readonly start: number;
    /** The time since the entry before, in ticks. */
    readonly later: Numbers;
    readonly stack: Numbers;
    readonly samples?: Numbers;
    readonly binSeconds: number;
  };
  readonly idle: Profile['idle'];
  readonly lost?: number;
}

export interface ComparisonData extends Common {
  readonly of: 'comparison';
  readonly before: About;
  readonly after: About;
  readonly beforeSelf: Numbers;
  readonly afterSelf: Numbers;
  readonly normalizedBy: Comparison['normalizedBy'];
  readonly beforeFactor: number;
  /** The frames of functions that changed significantly; absent if nothing was tested. */
  readonly changed?: readonly number[];
}

const KIND_OF = Object.fromEntries(
  Object.entries(KINDS).map(([kind, { letter }]) => [letter, kind as FrameKind]),
);

function common(event: string, unit: Unit, frames: readonly Frame[], tree: CallTree): Common {
  const dsos = [...new Set(frames.map((frame) => frame.dso))];
  const dsoNumber = new Map(dsos.map((dso, at) => [dso, at]));
  const up = new Int32Array(tree.frame.length - 1);
  for (let node = 1; node <= up.length; node += 1)
    for (let at = node - 1; at !== tree.parent[node]; at = tree.parent[at]!) up[node - 1]! += 1;
  return {
    gkeprof: 1,
    event,
    unit,
    names: frames.map((frame) => frame.name),
    kinds: frames.map((frame) => KINDS[frame.kind].letter).join(''),
    dsos,
    dso: Int32Array.from(frames, (frame) => dsoNumber.get(frame.dso)!),
    unknown: frames.flatMap((frame, at) => (frame.unknown ? [at] : [])),
    up,
    frame: tree.frame.subarray(1),
  };
}

export function profileData(profile: Profile): ProfileData {
  const { stacks, timeline } = profile;
  const { samples, weight, squares } = stacks;
  return {
    of: 'profile',
    ...common(profile.event, profile.unit, profile.frames, profile.tree),
    ...(profile.eventNote !== undefined && { eventNote: profile.eventNote }),
    about: profile.about,
    threads: profile.threads.map(({ comm, pid, tid }) => [comm, pid, tid]),
    node: stacks.node,
    ...(stacks.thread.some((thread) => thread >= 0) && { thread: stacks.thread }),
    samples,
    ...(weight !== samples && weight.some((each, row) => each !== samples[row]) && { weight }),
    ...(squares && { squares }),
    ...(profile.weightsVary && { weightsVary: true }),
    ...(timeline && {
      timeline: {
        start: timeline.start,
        later: timeline.at.map((at, entry) => at - (entry ? timeline.at[entry - 1]! : 0)),
        stack: timeline.stack,
        ...(timeline.samples && { samples: timeline.samples }),
        binSeconds: timeline.binSeconds,
      },
    }),
    idle: profile.idle,
    ...(profile.lost !== undefined && { lost: profile.lost }),
  };
}

/** `changed` tells for each frame whether its change is significant; it is undefined if nothing was tested. */
export function comparisonData(comparison: Comparison, changed?: Uint8Array): ComparisonData {
  return {
    of: 'comparison',
    ...common(comparison.event, comparison.unit, comparison.frames, comparison.tree),
    before: comparison.before,
    after: comparison.after,
    beforeSelf: comparison.beforeSelf.subarray(1),
    afterSelf: comparison.tree.self.subarray(1),
    normalizedBy: comparison.normalizedBy,
    beforeFactor: comparison.beforeFactor,
    ...(changed && { changed: comparison.frames.flatMap((_, frame) => (changed[frame] ? [frame] : [])) }),
  };
}

/** The profile that a picture's data describes: the inverse of `profileData`. Throws if the data is a comparison. */
export function profileOf(data: ProfileData | ComparisonData): Profile {
  if (data.of === 'comparison')
    throw new GkeprofError(
      EXIT.failed,
      'this SVG is a comparison, not a profile',
      'use the recordings that were compared',
    );
  const frames = data.names.map(
    (name, at): Frame => ({
      name,
      kind: KIND_OF[data.kinds[at]!]!,
      dso: data.dsos[data.dso[at]!]!,
      unknown: false,
    }),
  );
  for (const at of data.unknown) frames[at] = { ...frames[at]!, unknown: true };
  const samples = Float64Array.from(data.samples);
  const weight = data.weight ? Float64Array.from(data.weight) : samples;
  const node = Int32Array.from(data.node);
  const thread = data.thread ? Int32Array.from(data.thread) : new Int32Array(node.length).fill(-1);
  const tree = treeOf(data);
  const threads: Thread[] = data.threads.map(([comm, pid, tid]) => ({
    comm,
    pid,
    tid,
    samples: 0,
    weight: 0,
  }));
  const counts = threads.map(() => ({ samples: 0, weight: 0 }));
  let all = 0;
  for (let row = 0; row < node.length; row += 1) {
    tree.self[node[row]!]! += weight[row]!;
    all += samples[row]!;
    const count = counts[thread[row]!];
    if (count) {
      count.samples += samples[row]!;
      count.weight += weight[row]!;
    }
  }
  tree.total.set(tree.self);
  for (let at = tree.total.length - 1; at > 0; at -= 1) tree.total[tree.parent[at]!]! += tree.total[at]!;
  return {
    about: data.about,
    event: data.event,
    ...(data.eventNote !== undefined && { eventNote: data.eventNote }),
    unit: data.unit,
    ...(data.weightsVary && { weightsVary: true }),
    frames,
    tree,
    threads: threads.map((each, at) => ({ ...each, ...counts[at]! })),
    stacks: {
      node,
      thread,
      samples,
      weight,
      ...(data.squares && { squares: Float64Array.from(data.squares) }),
    },
    timeline: data.timeline && timelineOf(data.timeline),
    samples: all,
    idle: data.idle,
    lost: data.lost,
  };
}

function treeOf({ up, frame }: Common): CallTree {
  const size = frame.length + 1;
  const tree: CallTree = {
    frame: new Int32Array(size),
    parent: new Int32Array(size),
    next: new Int32Array(size),
    self: new Float64Array(size),
    total: new Float64Array(size),
  };
  tree.frame[0] = -1;
  tree.parent[0] = -1;
  tree.frame.set(frame, 1);
  for (let node = 1; node < size; node += 1) {
    let parent = node - 1;
    for (let levels = up[node - 1]!; levels > 0; levels -= 1) {
      tree.next[parent] = node;
      parent = tree.parent[parent]!;
    }
    tree.parent[node] = parent;
  }
  for (let node = size - 1; node >= 0 && tree.next[node] === 0; node = tree.parent[node]!)
    tree.next[node] = size;
  return tree;
}

function timelineOf({
  start,
  later,
  stack,
  samples,
  binSeconds,
}: NonNullable<ProfileData['timeline']>): SampleTimes {
  const at = new Uint32Array(later.length);
  let now = 0;
  for (let entry = 0; entry < later.length; entry += 1) {
    now += later[entry]!;
    at[entry] = now;
  }
  return {
    start,
    at,
    stack: Int32Array.from(stack),
    samples: samples && Uint32Array.from(samples),
    binSeconds,
  };
}

/** The most entries of a timeline in a picture: more would make the file too large to attach, and no screen shows them. */
const MOST_ENTRIES = 200_000;

/**
 * The profile with a timeline of at most so many entries: the samples of a stack within a bin of time become one entry. If bins
 * of a second are still too many, the timeline is left out.
 */
export function thinTimeline(profile: Profile, most = MOST_ENTRIES): Profile {
  const { timeline } = profile;
  if (!timeline || timeline.at.length <= most) return profile;
  let thinned = timeline;
  for (
    let ticks = Math.max(200, 2 * timeline.binSeconds * TICKS_PER_SECOND);
    thinned.at.length > most;
    ticks *= 2
  ) {
    if (ticks > TICKS_PER_SECOND) return { ...profile, timeline: undefined };
    thinned = binned(timeline, ticks);
  }
  return { ...profile, timeline: thinned };
}

function binned(timeline: SampleTimes, ticks: number): SampleTimes {
  const at: number[] = [];
  const stack: number[] = [];
  const samples: number[] = [];
  const inBin = new Map<number, number>();
  let bin = -1;
  for (let entry = 0; entry < timeline.at.length; entry += 1) {
    const here = Math.floor(timeline.at[entry]! / ticks) * ticks;
    if (here !== bin) inBin.clear();
    bin = here;
    const row = timeline.stack[entry]!;
    const count = timeline.samples?.[entry] ?? 1;
    const known = inBin.get(row);
    if (known !== undefined) {
      samples[known]! += count;
      continue;
    }
    inBin.set(row, at.length);
    at.push(here);
    stack.push(row);
    samples.push(count);
  }
  return {
    start: timeline.start,
    at: Uint32Array.from(at),
    stack: Int32Array.from(stack),
    samples: Uint32Array.from(samples),
    binSeconds: ticks / TICKS_PER_SECOND,
  };
}
