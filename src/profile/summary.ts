import { counted, formatDuration } from '../text/quantity.ts';
import { COLUMNS, shorten, wrap } from '../text/wrap.ts';
import { coresOf, coresOfThread, coresText } from './cores.ts';
import { type CpuCounters, countersText } from './counters.ts';
import { type WaitsFromBefore, waitsFromBefore } from './from-before.ts';
import { type OwnerRow, ownerLines, ownerRows } from './owner-rows.ts';
import type { Profile, Unit } from './profile.ts';
import { FEW_SAMPLES, type Quality, qualityOf } from './quality.ts';
import { textOrder } from './tree.ts';
import { eventText, OFF_CPU, sampleWord } from './weighing.ts';

export interface Share {
  readonly name: string;
  readonly samples: number;
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
  /** The share of one core; undefined if it cannot be computed from the samples (cores.ts). */
  readonly cores?: number;
}

/** Threads of one name, where there are several: the workers of a pool, the processes of a server. */
export interface ThreadGroup {
  readonly comm: string;
  readonly threads: number;
  readonly processes: number;
  readonly samples: number;
  /** Of the profile's weight, 0 to 1. */
  readonly share: number;
  readonly cores?: number;
}

/** The value of --call-graph that finds callers which are missing now; undefined if none does. */
export const betterWay = ({ quality }: ProfileSummary): string | undefined =>
  quality.limits.find(({ callGraph }) => callGraph !== undefined)?.callGraph;

export interface ProfileSummary {
  readonly samples: number;
  /** Undefined if the input does not say. */
  readonly lost?: number;
  readonly event: string;
  readonly eventNote?: string;
  /** What a sample counts. */
  readonly unit: Unit;
  readonly seconds: number;
  /** 0 where it is not known. */
  readonly frequencyHz: number;
  /** Mean cores busy, by the samples that are not idle; undefined if it cannot be computed from them (cores.ts). */
  readonly cores?: number;
  /** What the kernel counted about the CPU of the target. */
  readonly cpu?: CpuCounters;
  /** Samples of the idle task; `idleLeftOut`: not among `samples`. */
  readonly idle: number;
  readonly idleLeftOut: boolean;
  readonly quality: Quality;
  /** Whose the samples of a node are, the busiest first; undefined if the input does not say. */
  readonly owners?: readonly OwnerRow[];
  /** Samples of a pod that `--except` left out. */
  readonly except?: Profile['except'];
  /** Why the threads were off the CPU, by the shares of the time; only in a recording of waits. */
  readonly states?: readonly Share[];
  /** How long the threads were off the CPU, summed over all of them; only in a recording of waits whose lengths count. */
  readonly offCpuSeconds?: number;
  /** Waits that began before the recording; only in a recording of waits that has some. */
  readonly fromBefore?: WaitsFromBefore;
  readonly hottest: readonly Share[];
  readonly busiest: readonly BusyThread[];
  /** The busiest first. */
  readonly groups: readonly ThreadGroup[];
}

const TOP = 5;
/** How many limits of the quality are printed, the most important first; JSON has all. */
const NOTES = 3;

/** The figures that stand below a flame graph. Pure. */
export function summarize(profile: Profile): ProfileSummary {
  const { frequencyHz = 0, seconds = 0, cpu } = profile.about;
  const { samples, lost, idle } = profile;
  const cores = coresOf(profile, samples - (idle.leftOut ? 0 : idle.samples));
  const owners = ownerRows(profile);
  const fromBefore = profile.event === OFF_CPU ? waitsFromBefore(profile) : undefined;
  return {
    samples,
    ...(lost !== undefined && { lost }),
    event: profile.event,
    ...(profile.eventNote !== undefined && { eventNote: profile.eventNote }),
    unit: profile.unit,
    seconds,
    frequencyHz,
    ...(cores !== undefined && { cores }),
    ...(cpu && { cpu }),
    idle: idle.samples,
    idleLeftOut: idle.leftOut,
    quality: qualityOf(profile),
    ...(owners && { owners }),
    ...(profile.except && { except: profile.except }),
    ...(profile.event === OFF_CPU && { states: shares(profile, states(profile)) }),
    ...(profile.event === OFF_CPU &&
      profile.unit === 'microseconds' && { offCpuSeconds: (profile.tree.total[0] ?? 0) / 1e6 }),
    ...(fromBefore && { fromBefore }),
    hottest: shares(profile, hottest(profile).slice(0, TOP)),
    busiest: profile.threads
      .filter((thread) => thread.pid !== 0 && thread.samples > 0)
      .sort((a, b) => b.weight - a.weight || a.tid - b.tid)
      .slice(0, TOP)
      .map((thread) => {
        const busy = coresOfThread(profile, thread);
        return {
          comm: thread.comm,
          pid: thread.pid,
          tid: thread.tid,
          samples: thread.samples,
          main: thread.pid === thread.tid,
          share: thread.weight / (profile.tree.total[0] || 1),
          ...(busy !== undefined && { cores: busy }),
        };
      }),
    groups: threadGroups(profile),
  };
}

type Weights = { samples: number; weight: number };

const shares = ({ tree }: Profile, weights: ReadonlyArray<readonly [string, Weights]>): Share[] =>
  weights.map(([name, { samples, weight }]) => ({ name, samples, share: weight / (tree.total[0] || 1) }));

/** The states in which threads were off the CPU, the longest first. */
function states({ frames, tree, stacks }: Profile): Array<[string, Weights]> {
  const stateOf = new Int32Array(tree.frame.length).fill(-1);
  for (let node = 1; node < stateOf.length; node += 1) {
    const frame = tree.frame[node]!;
    const outer = stateOf[tree.parent[node]!]!;
    stateOf[node] = outer < 0 && frames[frame]!.kind === 'state' ? frame : outer;
  }
  const found = new Map<string, Weights>();
  stacks.node.forEach((node, row) => {
    const name = frames[stateOf[node]!]?.name;
    if (name === undefined) return;
    const known = found.get(name) ?? { samples: 0, weight: 0 };
    known.samples += stacks.samples[row]!;
    known.weight += stacks.weight[row]!;
    found.set(name, known);
  });
  return [...found].sort((a, b) => b[1].weight - a[1].weight || (a[0] < b[0] ? -1 : 1));
}

/** Threads with the same name, if there are more of them than the busiest ones, which are listed one by one. */
function threadGroups(profile: Profile): ThreadGroup[] {
  const groups = new Map<
    string,
    { threads: number; processes: Set<number>; samples: number; weight: number }
  >();
  for (const { comm, pid, samples, weight } of profile.threads) {
    if (pid === 0 || samples === 0 || comm === '') continue;
    const group = groups.get(comm) ?? { threads: 0, processes: new Set(), samples: 0, weight: 0 };
    group.threads += 1;
    group.processes.add(pid);
    group.samples += samples;
    group.weight += weight;
    groups.set(comm, group);
  }
  return [...groups]
    .filter(([, { threads }]) => threads > TOP)
    .sort((a, b) => b[1].weight - a[1].weight || (a[0] < b[0] ? -1 : 1))
    .slice(0, TOP)
    .map(([comm, { threads, processes, samples, weight }]) => {
      const cores = coresOf(profile, samples);
      return {
        ...{ comm, threads, processes: processes.size, samples },
        share: weight / (profile.tree.total[0] || 1),
        ...(cores !== undefined && { cores: Math.min(threads, cores) }),
      };
    });
}

/** Functions by the weight of the samples in which they were on top of the stack, the most first. Threads are no functions. */
function hottest({ frames, tree, stacks }: Profile): Array<[string, Weights]> {
  const self = new Float64Array(frames.length);
  const samples = new Float64Array(frames.length);
  stacks.node.forEach((node, row) => {
    if (node <= 0) return;
    self[tree.frame[node]!]! += stacks.weight[row]!;
    samples[tree.frame[node]!]! += stacks.samples[row]!;
  });
  const byName = new Map<string, Weights>();
  frames.forEach(({ name, kind }, frame) => {
    if (kind === 'thread' || !self[frame]) return;
    const known = byName.get(name) ?? { samples: 0, weight: 0 };
    known.samples += samples[frame]!;
    known.weight += self[frame]!;
    byName.set(name, known);
  });
  const compare = textOrder([...byName.keys()]);
  return [...byName].sort((a, b) => b[1].weight - a[1].weight || compare(a[0], b[0]));
}

/** The quality of the profile as two shares. */
export const qualityFacts = ({ unnamedInnermost, wholeStacks }: Quality, word = 'sample'): string[] => [
  `the innermost function is unknown in ${percent(unnamedInnermost)} of the ${word}s`,
  ...(wholeStacks === undefined
    ? []
    : [`${percent(wholeStacks)} of the stacks reach the start of their thread`]),
];

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** How many threads waited when the recording began, and how long they then waited. */
export const fromBeforeText = ({ threads, seconds }: WaitsFromBefore): string =>
  [
    counted(threads, 'thread'),
    ...(seconds === undefined ? [] : [`${formatDuration(seconds)}, counted from the recording's start`]),
  ].join(', ');

/** The figures as lines for people, which fit into 80 columns. */
export function summaryLines(summary: ProfileSummary): string[] {
  const { samples, cores, quality } = summary;
  const few = samples < FEW_SAMPLES;
  const word = sampleWord(summary.event);
  const { offCpuSeconds } = summary;
  // How many waits there were says little: one of a deadlock may be the whole recording.
  const fewText = (part: { readonly samples: number; readonly share: number }) =>
    offCpuSeconds === undefined ? counted(part.samples, word) : formatDuration(part.share * offCpuSeconds);
  const much = (part: { readonly samples: number; readonly share: number }) =>
    few ? fewText(part) : percent(part.share);
  const lines = [
    [
      counted(samples, word),
      summary.lost !== undefined && `${summary.lost} lost`,
      // Folded stacks do not tell of which event they are.
      summary.event !== 'samples' && `event ${eventText(summary)}`,
    ]
      .filter(Boolean)
      .join(', '),
  ];
  if (cores !== undefined) lines.push(`${coresText(cores, samples)} cores busy on average`);
  if (!few) lines.push(...qualityFacts(quality, word));
  const counters = summary.cpu && countersText(summary.cpu, summary.seconds);
  if (counters) lines.push(`by the kernel's counters, ${counters}`);
  if (summary.idle)
    lines.push(
      `${counted(summary.idle, 'sample is', 'samples are')} of idle processors${summary.idleLeftOut ? ' and left out' : ' (swapper)'}`,
    );
  if (summary.except) {
    const { pod, samples: count } = summary.except;
    lines.push(
      `${counted(count, 'sample')} of the pod ${pod} ${count === 1 ? 'is' : 'are'} left out (--except)`,
    );
  }
  if (summary.owners?.length) lines.push(...ownerLines(summary.owners));
  if (summary.states?.length)
    lines.push(`time off the CPU: ${summary.states.map((each) => `${each.name} ${much(each)}`).join(', ')}`);
  if (summary.fromBefore)
    lines.push(
      `waits that began before the recording: ${fromBeforeText(summary.fromBefore)}; --max-wait leaves out long waits`,
    );
  if (summary.hottest.length) {
    lines.push(summary.states ? 'functions that waited longest:' : 'hottest functions:');
    const width = few ? 10 : 7;
    for (const each of summary.hottest) {
      const share = `  ${much(each).padStart(width)}  `;
      lines.push(share + shorten(each.name, COLUMNS - share.length));
    }
  }
  if (summary.busiest.length) {
    lines.push(summary.states ? 'threads that waited longest:' : 'busiest threads:');
    for (const thread of summary.busiest) {
      const alike = summary.busiest.filter((each) => each.comm === thread.comm && each.main);
      const which = thread.main
        ? `main thread${alike.length > 1 ? ` of pid ${thread.pid}` : ''}`
        : thread.tid < 0
          ? 'its threads together'
          : `thread ${thread.tid}`;
      const of = thread.tid < 0 ? 'cores' : 'of one core';
      lines.push(`  ${thread.comm || `:${thread.tid}`}, ${which}: ${busyText(thread, of)}`);
    }
    for (const group of summary.groups)
      lines.push(
        `  all ${group.threads} threads ${group.comm} of ${counted(group.processes, 'process', 'processes')}: ${busyText(group, 'cores')}`,
      );
  }
  for (const { text } of quality.limits.slice(0, NOTES)) lines.push(`note: ${text}`);
  return lines.flatMap((line) => wrap(line));

  function busyText(part: { samples: number; share: number; cores?: number }, of: string): string {
    return part.cores === undefined ? much(part) : `${coresText(part.cores, part.samples)} ${of}`;
  }
}
