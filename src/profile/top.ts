import { type Column, table } from '../output/table.ts';
import { coresOfThread, coresText } from './cores.ts';
import type { Frame } from './frame.ts';
import { functionWeights } from './functions.ts';
import { pathOf } from './paths.ts';
import type { Profile, Unit } from './profile.ts';
import { FEW_SAMPLES } from './quality.ts';
import { compareText } from './tree.ts';
import { reasonFor } from './unnamed.ts';
import { eventText } from './weighing.ts';

export interface FunctionRow {
  readonly name: string;
  readonly dso: string;
  readonly kind: Frame['kind'];
  readonly self: number;
  /** A function that is several times on a stack counts once. */
  readonly total: number;
}

export interface UnknownRow {
  readonly dso: string;
  /** The weight of samples with an unnamed frame of this object on top, and of all with a frame of this object on top. */
  readonly unknown: number;
  readonly all: number;
  readonly reason: string;
}

export interface Top {
  readonly event: string;
  readonly eventNote?: string;
  readonly unit: Unit;
  readonly weight: number;
  readonly samples: number;
  readonly bySelf: readonly FunctionRow[];
  readonly byTotal: readonly FunctionRow[];
  readonly threads: ReadonlyArray<{
    readonly comm: string;
    readonly pid: number;
    readonly tid: number;
    readonly weight: number;
    readonly samples: number;
    /** The share of one core; undefined if it cannot be computed from the samples (cores.ts). */
    readonly cores: number | undefined;
  }>;
  readonly chains: ReadonlyArray<{ readonly frames: readonly string[]; readonly weight: number }>;
  readonly unknown: readonly UnknownRow[];
}

/** The first `rows` functions, threads, whole stacks and objects with unnamed frames, by weight. Pure. */
export function topOf(profile: Profile, rows = 20): Top {
  const { tree, frames, stacks, threads } = profile;
  const functions = functionRows(profile);
  const most = (value: (row: FunctionRow) => number) =>
    functions
      .filter((row) => value(row) > 0)
      .sort((a, b) => value(b) - value(a) || compareText(a.name, b.name))
      .slice(0, rows);
  const ends = Array.from(tree.self.keys())
    .filter((node) => tree.self[node]! > 0)
    .sort((a, b) => tree.self[b]! - tree.self[a]! || a - b);
  return {
    event: profile.event,
    ...(profile.eventNote !== undefined && { eventNote: profile.eventNote }),
    unit: profile.unit,
    weight: tree.total[0]!,
    samples: profile.samples,
    bySelf: most((row) => row.self),
    byTotal: most((row) => row.total),
    threads: threads
      .filter((thread) => thread.samples > 0)
      .sort((a, b) => b.weight - a.weight || a.tid - b.tid)
      .slice(0, rows)
      .map(({ comm, pid, tid, weight, samples }) => ({
        comm,
        pid,
        tid,
        weight,
        samples,
        cores: coresOfThread(profile, { tid, samples }),
      })),
    chains: ends.slice(0, rows).map((node) => ({
      frames: pathOf(tree, node).map((frame) => frames[frame]!.name),
      weight: tree.self[node]!,
    })),
    unknown: unknownRows(profile, stacks.node).slice(0, rows),
  };
}

function functionRows({ tree, frames }: Profile): FunctionRow[] {
  const { self, total } = functionWeights(tree, frames.length, tree);
  return frames.flatMap(({ name, dso, kind }, at) =>
    kind === 'thread' ? [] : [{ name, dso, kind, self: self[at]!, total: total[at]! }],
  );
}

function unknownRows({ tree, frames, stacks, lookups }: Profile, nodes: Int32Array): UnknownRow[] {
  const objects = new Map<string, { unknown: number; all: number; kind: Frame['kind'] }>();
  nodes.forEach((node, row) => {
    const frame = frames[tree.frame[node]!];
    if (!frame || frame.kind === 'thread') return;
    const entry = objects.get(frame.dso) ?? { unknown: 0, all: 0, kind: frame.kind };
    entry.all += stacks.weight[row]!;
    if (frame.unknown) entry.unknown += stacks.weight[row]!;
    objects.set(frame.dso, entry);
  });
  return [...objects]
    .filter(([, { unknown }]) => unknown > 0)
    .map(([dso, { unknown, all, kind }]) => ({
      dso: dso || '[unknown]',
      unknown,
      all,
      reason: reasonFor(dso, kind, unknown === all, lookups),
    }))
    .sort((a, b) => b.unknown - a.unknown || compareText(a.dso, b.dso));
}

const LONGEST_CHAIN = 160;
/** The longest name of a function or object in a table; other formats have the whole name. */
const LONGEST_NAME = 100;

/** The same as tables for people. */
export function printTop(top: Top): string {
  const column = (title: string): Column => ({ title, right: true });
  // A share would look more exact than a few samples allow.
  const few = top.samples < FEW_SAMPLES;
  const share = few ? [] : [column('%')];
  const percent = (weight: number) =>
    few ? [] : [`${((100 * weight) / Math.max(top.weight, Number.MIN_VALUE)).toFixed(1)} %`];
  const amount = (weight: number) => formatWeight(weight, top.unit);
  const functions = (rows: readonly FunctionRow[]) =>
    table(
      [
        column('SELF'),
        ...share,
        column('TOTAL'),
        ...share,
        { title: 'FUNCTION', longest: LONGEST_NAME },
        { title: 'KIND' },
        { title: 'OBJECT', longest: LONGEST_NAME },
      ],
      rows.map(({ name, dso, kind, self, total }) => [
        amount(self),
        ...percent(self),
        amount(total),
        ...percent(total),
        name,
        kind,
        dso,
      ]),
    );
  const parts = [
    `By self, ${eventText(top)}:\n${functions(top.bySelf)}`,
    `By total:\n${functions(top.byTotal)}`,
  ];
  if (top.threads.length)
    parts.push(
      `Threads:\n${table(
        [
          column(top.unit === 'samples' ? 'SAMPLES' : 'WEIGHT'),
          ...share,
          ...(top.threads[0]!.cores === undefined ? [] : [column('CORES')]),
          { title: 'THREAD' },
          column('PID'),
          column('TID'),
        ],
        top.threads.map(({ comm, pid, tid, weight, samples, cores }) => [
          amount(weight),
          ...percent(weight),
          ...(cores === undefined ? [] : [coresText(cores, samples)]),
          comm,
          pid < 0 ? '-' : `${pid}`,
          tid < 0 ? '-' : `${tid}`,
        ]),
      )}`,
    );
  parts.push(
    `Hottest stacks:\n${table(
      [column(top.unit === 'samples' ? 'SAMPLES' : 'WEIGHT'), ...share, { title: 'STACK' }],
      top.chains.map(({ frames, weight }) => [amount(weight), ...percent(weight), chain(frames)]),
    )}`,
  );
  if (top.unknown.length)
    parts.push(
      `Frames without a name, on top of the stack:\n${table(
        [
          column('UNKNOWN'),
          column('OF THE OBJECT'),
          { title: 'OBJECT', longest: LONGEST_NAME },
          { title: 'REASON' },
        ],
        top.unknown.map(({ dso, unknown, all, reason }) => [
          ...(few
            ? [amount(unknown), amount(all)]
            : [percent(unknown)[0]!, `${((100 * unknown) / all).toFixed(0)} %`]),
          dso,
          reason,
        ]),
      )}`,
    );
  return parts.join('\n');
}

/** `a → b → c`, with its middle left out where it is long. */
function chain(frames: readonly string[]): string {
  const whole = frames.join(' → ');
  if (whole.length <= LONGEST_CHAIN) return whole;
  const head = frames.slice(0, 2);
  const tail: string[] = [];
  let length = head.join(' → ').length + 12;
  for (let at = frames.length - 1; at >= 2; at -= 1) {
    length += frames[at]!.length + 3;
    if (length > LONGEST_CHAIN && tail.length > 0) break;
    tail.unshift(frames[at]!);
  }
  const left = frames.length - head.length - tail.length;
  return [...head, ...(left ? [`(${left} more)`] : []), ...tail].join(' → ');
}

const secondsText = (seconds: number): string => `${seconds.toFixed(seconds < 1 ? 3 : 2)} s`;

/** Samples and events as counts, CPU time and time off the CPU in seconds. */
export const formatWeight = (weight: number, unit: Unit): string =>
  unit === 'nanoseconds'
    ? secondsText(weight / 1e9)
    : unit === 'microseconds'
      ? secondsText(weight / 1e6)
      : String(Math.round(weight * 100) / 100);
