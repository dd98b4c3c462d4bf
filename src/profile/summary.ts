import { counted } from '../quantity.ts';
import type { Profile, Unit } from './profile.ts';
import { textOrder } from './tree.ts';
import { eventText } from './weighing.ts';

export interface Share {
  readonly name: string;
  /** Of the profile's weight, 0 to 1. */
  readonly share: number;
}

export interface BusyThread {
  readonly comm: string;
  readonly pid: number;
  readonly tid: number;
  readonly main: boolean;
  readonly samples: number;
  /** Of the profile's weight, 0 to 1. */
  readonly share: number;
  /** Of one core, by samples over frequency and time. */
  readonly cores: number;
}

export interface Summary {
  readonly samples: number;
  readonly lost: number;
  readonly event: string;
  readonly eventNote?: string;
  /** What a sample counts. */
  readonly unit: Unit;
  readonly seconds: number;
  /** 0 where it is not known. */
  readonly frequencyHz: number;
  /** Mean cores busy: samples that are not idle, over frequency and time. */
  readonly cores: number;
  /** Samples of the idle task; `idleLeftOut`: not among `samples`. */
  readonly idle: number;
  readonly idleLeftOut: boolean;
  /** Frames that perf could not name, of all frames, 0 to 1. */
  readonly unknownFrames: number;
  /** Most stacks have only one or two user frames: the programs were built without frame pointers. */
  readonly brokenUnwinding: boolean;
  readonly hottest: readonly Share[];
  readonly busiest: readonly BusyThread[];
}

const TOP = 5;

/** The figures that stand below a flame graph. Pure. */
export function summarize(profile: Profile): Summary {
  const { frequencyHz = 0, seconds = 0 } = profile.about;
  const cores = (samples: number) => (seconds * frequencyHz > 0 ? samples / (frequencyHz * seconds) : 0);
  const { samples, idle } = profile;
  const depths = unwinding(profile);
  return {
    samples,
    lost: profile.lost,
    event: profile.event,
    ...(profile.eventNote !== undefined && { eventNote: profile.eventNote }),
    unit: profile.unit,
    seconds,
    frequencyHz,
    cores: cores(samples - (idle.leftOut ? 0 : idle.samples)),
    idle: idle.samples,
    idleLeftOut: idle.leftOut,
    unknownFrames: depths.frames ? depths.unknown / depths.frames : 0,
    brokenUnwinding: depths.withUserFrames >= 20 && depths.shallow > depths.withUserFrames / 2,
    hottest: hottest(profile)
      .slice(0, TOP)
      .map(([name, weight]) => ({ name, share: weight / (profile.tree.total[0] || 1) })),
    busiest: profile.threads
      .filter((thread) => thread.pid !== 0 && thread.samples > 0)
      .sort((a, b) => b.weight - a.weight || a.tid - b.tid)
      .slice(0, TOP)
      .map((thread) => ({
        comm: thread.comm,
        pid: thread.pid,
        tid: thread.tid,
        samples: thread.samples,
        main: thread.pid === thread.tid,
        share: thread.weight / (profile.tree.total[0] || 1),
        cores: cores(thread.samples),
      })),
  };
}

/** Functions by the weight of the samples in which they were on top of the stack, the most first. Threads are no functions. */
function hottest({ frames, tree, stacks }: Profile): Array<[string, number]> {
  const self = new Float64Array(frames.length);
  stacks.node.forEach((node, row) => {
    if (node > 0) self[tree.frame[node]!]! += stacks.weight[row]!;
  });
  const byName = new Map<string, number>();
  frames.forEach(({ name, kind }, frame) => {
    if (kind !== 'thread' && self[frame]) byName.set(name, (byName.get(name) ?? 0) + self[frame]!);
  });
  const compare = textOrder([...byName.keys()]);
  return [...byName].sort((a, b) => b[1] - a[1] || compare(a[0], b[0]));
}

/** How far stacks go, over all samples; `shallow` ones have only one or two user frames: unwinding ended at once. */
function unwinding({ frames, tree, stacks }: Profile) {
  const isCounted = Uint8Array.from(frames, ({ kind }) => (kind === 'thread' ? 0 : 1));
  const isUnknown = Uint8Array.from(frames, ({ kind, unknown }) => (unknown && kind !== 'thread' ? 1 : 0));
  const isUser = Uint8Array.from(frames, ({ kind }) => (kind === 'thread' || kind === 'kernel' ? 0 : 1));
  // Frames down to a node; of user frames more than three count as three.
  const size = tree.frame.length;
  const counted = new Int32Array(size);
  const unknown = new Int32Array(size);
  const user = new Uint8Array(size);
  for (let node = 1; node < size; node += 1) {
    const frame = tree.frame[node]!;
    const parent = tree.parent[node]!;
    counted[node] = counted[parent]! + isCounted[frame]!;
    unknown[node] = unknown[parent]! + isUnknown[frame]!;
    user[node] = Math.min(3, user[parent]! + isUser[frame]!);
  }
  const sums = { frames: 0, unknown: 0, withUserFrames: 0, shallow: 0 };
  for (let row = 0; row < stacks.node.length; row += 1) {
    const node = stacks.node[row]!;
    const samples = stacks.samples[row]!;
    sums.frames += counted[node]! * samples;
    sums.unknown += unknown[node]! * samples;
    if (user[node]! > 0) sums.withUserFrames += samples;
    if (user[node]! > 0 && user[node]! < 3) sums.shallow += samples;
  }
  return sums;
}

/** The figures as lines for people. */
export function summaryLines(summary: Summary): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const known = summary.frequencyHz > 0 && summary.seconds > 0;
  const busy = known ? `, ${summary.cores.toFixed(2)} cores busy on average` : '';
  const lines = [
    `${counted(summary.samples, 'sample')}, ${summary.lost} lost, event ${eventText(summary)}${busy}, ${percent(summary.unknownFrames)} of frames unknown`,
  ];
  if (summary.idle)
    lines.push(
      `${counted(summary.idle, 'sample is', 'samples are')} of idle processors${summary.idleLeftOut ? ' and left out' : ' (swapper)'}`,
    );
  if (summary.hottest.length) {
    lines.push('hottest functions:');
    for (const { name, share } of summary.hottest) lines.push(`  ${percent(share).padStart(7)}  ${name}`);
  }
  if (summary.busiest.length) {
    lines.push('busiest threads:');
    for (const thread of summary.busiest) {
      const alike = summary.busiest.filter((each) => each.comm === thread.comm && each.main);
      const which = thread.main
        ? `main thread${alike.length > 1 ? ` of pid ${thread.pid}` : ''}`
        : `thread ${thread.tid}`;
      const much = known ? `${thread.cores.toFixed(2)} of one core` : percent(thread.share);
      lines.push(`  ${thread.comm || `:${thread.tid}`}, ${which}: ${much}`);
    }
  }
  if (summary.brokenUnwinding) {
    lines.push('most stacks end after one or two user frames: the program was built without frame pointers');
    lines.push('(build it with -fno-omit-frame-pointer; the hottest functions above are right all the same)');
  }
  return lines;
}
