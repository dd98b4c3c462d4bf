import { eventKind } from './compare/compare.ts';
import { isClock } from './cores.ts';
import type { CpuCounters } from './counters.ts';
import { mergeProfiles } from './merge-profiles.ts';
import { outerFrame, outerNames, withFramesOutside } from './owners.ts';
import type { About, Profile, ThreadOwner } from './profile.ts';
import { closed } from './tree.ts';

/** The pod or the node that a recording is of. */
export interface RecordedPod {
  /** Absent for a node. */
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  /** The container, if only one was recorded or only one runs. */
  readonly container?: string;
}

/** `namespace/name` of a pod, or the name of a node. */
export const recordedName = ({ namespace, name }: RecordedPod): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

/** The profile of one pod, or of one node. */
export interface PodPart {
  readonly pod: RecordedPod;
  readonly profile: Profile;
}

/**
 * The profiles of several pods as one, with pod and container as the outermost frames, as in the recording of a node; or those of
 * several nodes, with the node outside of its pods.
 * Weights are added as they are, so that widths can be compared: if the recordings count differently, `comparable` says how
 * they are made alike. Throws if the recordings are of different events. `target`: what to call all of them.
 */
export function mergeByPod(parts: readonly PodPart[], target?: string): Profile {
  const profiles = comparable(parts.map(({ profile }) => profile));
  const owned = parts.map(({ pod }, at) => ownedBy(pod, profiles[at]!));
  const [only, ...more] = owned;
  const merged =
    more.length === 0
      ? withFramesOutside(only!.profile, only!.outside)
      : mergeProfiles(
          owned.map(({ profile }) => profile),
          (part, thread) => owned[part]!.outside(thread).map(outerFrame),
        );
  return {
    ...merged,
    ...(profiles[0]!.eventNote !== undefined && { eventNote: profiles[0]!.eventNote }),
    about: aboutAll(parts, merged.about, target),
  };
}

/**
 * A profile whose threads are the pod's, with the frames that belong outside of its stacks by thread: the pod, and the
 * container as far as it is known.
 */
function ownedBy(pod: RecordedPod, profile: Profile) {
  const name = recordedName(pod);
  // The stacks of a node begin with its pods already.
  if (pod.namespace === undefined) return { profile, outside: (): readonly string[] => [name] };
  const all: ThreadOwner = {
    kind: 'pod',
    name,
    ...(pod.container !== undefined && { container: pod.container }),
    ...(pod.uid !== undefined && { podUid: pod.uid }),
  };
  const ownerOf = (owner: ThreadOwner | undefined): ThreadOwner => {
    if (!owner) return all;
    // A cgroup that perf did not know is one of the pod's, too.
    return owner.kind === 'pod' ? owner : { ...owner, kind: 'pod', name, container: owner.name };
  };
  const threads = profile.threads.map((thread) => ({ ...thread, owner: ownerOf(thread.owner) }));
  const isBelow = isBelowFrame(profile, name);
  const outside = (thread: number): readonly string[] => {
    if (isBelow) return [];
    const before = profile.threads[thread]?.owner;
    if (!before) return outerNames(all);
    return before.kind === 'pod' ? [] : [name];
  };
  return { profile: { ...profile, threads }, outside };
}

/** Whether all stacks begin with this frame, as in a picture of a recording that tells the containers of its pod apart. */
const isBelowFrame = ({ frames, tree: { frame, next } }: Profile, name: string): boolean =>
  frame.length > 1 &&
  next[1] === frame.length &&
  frames[frame[1]!]!.kind === 'thread' &&
  frames[frame[1]!]!.name === name;

/**
 * The profiles with weights of one kind. Of a clock, samples that were taken at different frequencies, or that only some
 * recordings weigh by their periods, become CPU time. Of another event, all count samples if the periods of one are unknown.
 */
export function comparable(profiles: readonly Profile[]): Profile[] {
  const counted = profiles.filter(({ samples }) => samples > 0);
  const first = counted[0] ?? profiles[0]!;
  const units = new Set(counted.map(({ unit }) => unit));
  const frequencies = new Set(counted.map(({ about }) => about.frequencyHz));
  const isOneEvent = haveOneEvent(profiles);
  const areTicks = counted.every(
    ({ event, unit, about }) => isClock(event) && (unit === 'nanoseconds' || Boolean(about.frequencyHz)),
  );
  const alike = profiles.map((profile): Profile => {
    // perf may have had to fall back to another modifier on one of the nodes.
    const named = isOneEvent ? { ...profile, event: first.event } : profile;
    if (profile.samples === 0) return { ...named, unit: first.unit };
    if (areTicks && (units.size > 1 || (frequencies.size > 1 && first.unit === 'samples')))
      return asCpuTime(named);
    return units.size > 1 ? bySamples(named) : named;
  });
  const unit = alike.find(({ samples }) => samples > 0)?.unit ?? first.unit;
  return alike.map((profile) => (profile.samples === 0 ? { ...profile, unit } : profile));
}

/** Whether all profiles that have samples are of one event, whatever its modifiers are. */
export const haveOneEvent = (profiles: readonly Profile[]): boolean =>
  new Set(profiles.flatMap((profile) => (profile.samples > 0 ? [eventKind(profile)] : []))).size <= 1;

const NANOSECONDS = 1e9;

/** The samples of a clock as CPU time: each stands for one period. */
const asCpuTime = (profile: Profile): Profile =>
  profile.unit === 'nanoseconds'
    ? profile
    : {
        ...weighedAgain(profile, (samples) => (samples * NANOSECONDS) / profile.about.frequencyHz!),
        unit: 'nanoseconds',
      };

const bySamples = (profile: Profile): Profile =>
  profile.unit === 'samples'
    ? profile
    : {
        ...weighedAgain(profile, (samples) => samples),
        unit: 'samples',
        eventNote: 'not weighed by period, because the periods of one recording are not known',
      };

/** The same profile with the weight of each stack as a multiple of its samples. */
function weighedAgain(profile: Profile, weightOf: (samples: number) => number): Profile {
  const { tree, stacks, threads } = profile;
  const { squares: _, ...rest } = stacks;
  const weight = stacks.samples.map(weightOf);
  const self = new Float64Array(tree.frame.length);
  stacks.node.forEach((node, row) => {
    self[node]! += weight[row]!;
  });
  return {
    ...profile,
    tree: { ...tree, self, ...closed(tree.parent, self) },
    stacks: { ...rest, weight },
    threads: threads.map((thread) => ({ ...thread, weight: weightOf(thread.samples) })),
  };
}

/** The shortest recording is at least this part of the longest one if all are as long as each other. */
const ALIKE = 0.9;

/** Whether all recordings ran at the same time, as far as their starts tell; and whether they lasted equally long. */
export function timesOf(abouts: readonly About[]): { readonly together: boolean; readonly alike: boolean } {
  const spans = abouts.map(({ startedAt, seconds = 0 }) => {
    const start = Date.parse(startedAt ?? '') / 1000;
    return [start, start + seconds] as const;
  });
  const seconds = abouts.map((about) => about.seconds ?? 0);
  return {
    // Without a start the comparison is false.
    together: Math.max(...spans.map(([start]) => start)) < Math.min(...spans.map(([, end]) => end)),
    alike: Math.min(...seconds) > 0 && Math.min(...seconds) >= ALIKE * Math.max(...seconds),
  };
}

/**
 * What is known about all recordings. If they ran at the same time and for equally long, the cores that were busy add up: the
 * duration is then the mean that gives their sum. Otherwise no frequency is stated, so that no sum of cores is computed.
 */
function aboutAll(parts: readonly PodPart[], merged: About, target?: string): About {
  const abouts = parts.map(({ profile }) => profile.about);
  const { startedAt, seconds: _, frequencyHz, stacks: __, cpu: ___, ...shared } = merged;
  const names = [...new Set(parts.map(({ pod }) => recordedName(pod)))].sort();
  const kind = parts[0]!.pod.namespace === undefined ? 'nodes' : 'pods';
  const { together, alike } = timesOf(abouts);
  const longest = Math.max(...abouts.map(({ seconds = 0 }) => seconds));
  const starts = abouts.flatMap((about) => about.startedAt ?? []).sort();
  const seconds = together ? (alike ? meanSeconds(parts) : longest) : merged.seconds;
  const stacks = new Set(abouts.map((about) => JSON.stringify(about.stacks)));
  const cpu = sumOfCounters(abouts);
  return {
    ...shared,
    target: target ?? (names.length <= 3 ? names.join(' + ') : `${names.length} ${kind}`),
    ...(together && starts.length > 0 && { startedAt: starts[0]! }),
    ...(seconds !== undefined && seconds > 0 && { seconds }),
    ...(together && alike && frequencyHz !== undefined && { frequencyHz }),
    ...(stacks.size === 1 && abouts[0]!.stacks && { stacks: abouts[0]!.stacks }),
    ...(together && alike && cpu && { cpu }),
  };
}

/** The duration with which all samples give the sum of the cores busy in each recording. */
function meanSeconds(parts: readonly PodPart[]): number {
  let samples = 0;
  let perSecond = 0;
  for (const { profile } of parts) {
    samples += profile.samples;
    perSecond += profile.samples / profile.about.seconds!;
  }
  return samples > 0 ? samples / perSecond : Math.max(...parts.map(({ profile }) => profile.about.seconds!));
}

/** The counters that can be added: a limit, and the time in which at least one thread waited, are of one pod each. */
function sumOfCounters(abouts: readonly About[]): CpuCounters | undefined {
  const all = abouts.map(({ cpu, seconds = 0 }) => ({ ...cpu, seconds: cpu?.seconds ?? seconds }));
  const sum = (of: (cpu: CpuCounters & { seconds: number }) => number | undefined): number | undefined => {
    const values = all.map(of);
    return values.includes(undefined)
      ? undefined
      : values.reduce((total: number, value) => total + value!, 0);
  };
  const usedSeconds = sum((cpu) => cpu.usedSeconds);
  const cores = sum(({ usedSeconds: used, seconds }) =>
    seconds > 0 && used !== undefined ? used / seconds : undefined,
  );
  const throttledSeconds = sum((cpu) => cpu.throttledSeconds);
  const runQueueSeconds = sum((cpu) => cpu.runQueueSeconds);
  const covered = sum(({ usedSeconds: used = 0, runQueueCoverage = 1 }) => used * runQueueCoverage)!;
  if (usedSeconds === undefined || cores === undefined) return undefined;
  return {
    // With this duration the sum gives the sum of the cores, although each counter was read over a slightly different time.
    seconds: cores > 0 ? usedSeconds / cores : Math.max(...all.map(({ seconds }) => seconds)),
    usedSeconds,
    ...(throttledSeconds !== undefined && { throttledSeconds }),
    ...(runQueueSeconds !== undefined && { runQueueSeconds }),
    ...(runQueueSeconds !== undefined && usedSeconds > 0 && { runQueueCoverage: covered / usedSeconds }),
  };
}
