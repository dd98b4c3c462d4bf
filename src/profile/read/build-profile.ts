import { GkeprofError } from '../../errors.ts';
import { keepRows } from '../filter.ts';
import { shortName } from '../frame.ts';
import { type About, type Profile, type SampleTimes, TICKS_PER_SECOND, type Unit } from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { treeOf } from '../tree.ts';
import { OFF_CPU } from '../weighing.ts';
import type { ChosenEvent } from './event-choice.ts';
import { renumbered } from './merge-part.ts';
import type { Origin } from './origins.ts';
import type { PerfScriptReader } from './perf-script.ts';
import { Rows } from './rows.ts';

export type Weight = 'samples' | 'period';

/** The part of a reader's data from which a profile is made. */
type Read = Pick<PerfScriptReader, 'origins' | 'rows' | 'frames' | 'stacks' | 'lost' | 'firstTime'> & {
  readonly timeline: Pick<
    PerfScriptReader['timeline'],
    'at' | 'row' | 'size' | 'samples' | 'binTicks' | 'givenUp'
  >;
};

/**
 * The profile of an event out of what was read. Without a `weight` it is the period where periods vary, as perf report
 * has it, and the number of samples otherwise. Throws when the period is asked for and only some samples have one.
 */
export function buildProfile(
  reader: PerfScriptReader,
  { name: event, events, note, others }: ChosenEvent,
  weight: Weight | undefined,
  about: About,
  demangled: ReadonlyMap<string, string> = new Map(),
): Profile {
  const read = events.size > 1 || demangled.size > 0 ? renamed(reader, events, demangled) : reader;
  const { origins, rows, frames } = read;
  const unit = unitOf(
    event,
    origins.filter((origin) => events.has(origin.event)),
    weight,
  );
  const { size } = rows;
  const samples = Float64Array.from(rows.samples.subarray(0, size));
  const weights = unit === 'samples' ? samples : rows.weight.subarray(0, size);
  const self = new Float64Array(reader.stacks.size);
  for (let row = 0; row < size; row += 1) self[rows.stack[row]!]! += weights[row]!;
  const { tree, place } = treeOf(read.stacks, frames, self);
  const node = rows.stack.subarray(0, size).map((each) => place[each]!);
  const thread = rows.origin.subarray(0, size);
  const counts = origins.map(() => ({ samples: 0, weight: 0 }));
  for (let row = 0; row < size; row += 1) {
    const count = counts[thread[row]!]!;
    count.samples += samples[row]!;
    count.weight += weights[row]!;
  }
  const whole: Profile = {
    about,
    event,
    ...(note !== undefined && { eventNote: note }),
    unit,
    frames,
    tree,
    threads: origins.map(({ comm, pid, tid, cgroup }, at) => ({
      ...{ comm, pid, tid, ...counts[at]! },
      ...(cgroup !== undefined && { cgroup }),
    })),
    stacks: {
      node,
      thread,
      samples,
      weight: weights,
      ...(unit !== 'samples' && weightsDiffer(rows) && { squares: rows.squares.subarray(0, size) }),
    },
    timeline: timelineOf(read),
    samples: counts.reduce((sum, count) => sum + count.samples, 0),
    idle: { samples: 0, leftOut: false },
    // perf script does not print losses unless it was asked to, so no loss is not the same as no information.
    lost: reader.lost || undefined,
  };
  return others.size > 0 ? keepRows(whole, (row) => events.has(origins[thread[row]!]!.event)) : whole;
}

/**
 * The same with several events as one, where a thread has one name and one row for each stack in all of them, and with
 * other names of functions: those that have the same name then are one.
 */
function renamed(read: Read, events: ReadonlySet<string>, demangled: ReadonlyMap<string, string>): Read {
  const { origins, rows, timeline } = read;
  const named = read.frames.map((frame) => {
    const name = frame.kind === 'thread' ? undefined : demangled.get(frame.name);
    return name === undefined ? frame : { ...frame, name: shortName(name) };
  });
  const numbers = new Map<string, number>();
  const frames = Int32Array.from(named, ({ name, kind, unknown }, at) => {
    if (kind === 'thread' || unknown) return at;
    const key = `${kind} ${name}`;
    if (!numbers.has(key)) numbers.set(key, at);
    return numbers.get(key)!;
  });
  const firstOf = new Map<string, number>();
  const firstFrame = new Map<string, number>();
  const thread = origins.map(({ comm, pid, tid, event, cgroup, frame }, at) => {
    if (!events.has(event)) return at;
    const { name } = read.frames[frame]!;
    if (!firstFrame.has(name)) firstFrame.set(name, frame);
    frames[frame] = firstFrame.get(name)!;
    const key = `${cgroup ?? ''}\n${pid}/${tid} ${comm}`;
    if (!firstOf.has(key)) firstOf.set(key, at);
    return firstOf.get(key)!;
  });
  const { size, arena, ends } = read.stacks;
  const stacks = new Stacks('leaf first');
  const stack = renumbered(
    { arena: arena.slice(0, read.stacks.start(size)), ends: ends.slice(0, size) },
    frames,
    stacks,
  );
  const merged = new Rows();
  const row = Int32Array.from({ length: rows.size }, (_, at) =>
    merged.addMany(
      stack[rows.stack[at]!]!,
      thread[rows.origin[at]!]!,
      rows.samples[at]!,
      rows.weight[at]!,
      rows.squares[at]!,
    ),
  );
  return {
    origins,
    frames: named,
    stacks,
    rows: merged,
    timeline: {
      at: timeline.at,
      row: timeline.row.map((each, entry) => (entry < timeline.size ? row[each]! : 0)),
      size: timeline.size,
      samples: timeline.samples,
      binTicks: timeline.binTicks,
      givenUp: timeline.givenUp,
    },
    lost: read.lost,
    firstTime: read.firstTime,
  };
}

/** The periods of clocks carry no information: each is the time between two ticks. */
const CLOCK = /^(?:cpu|task)-clock(?::|$)/;

/** Whether samples of one row weigh differently; sums of doubles are not exact. */
function weightsDiffer({ size, samples, weight, squares }: Rows): boolean {
  for (let row = 0; row < size; row += 1)
    if (squares[row]! * samples[row]! > weight[row]! ** 2 * (1 + 1e-9)) return true;
  return false;
}

/** `cpu-clock` and `task-clock` count nanoseconds: Linux kernel/events/core.c, perf_swevent_hrtimer. */
function unitOf(event: string, origins: readonly Origin[], weight: Weight | undefined): Unit {
  if (event === OFF_CPU && weight !== 'samples') return 'microseconds';
  if (weight === 'samples' || (weight === undefined && (CLOCK.test(event) || !periodsVary(origins))))
    return 'samples';
  const samples = origins.reduce((sum, origin) => sum + origin.samples, 0);
  const without = origins.reduce((sum, origin) => sum + origin.withoutPeriod, 0);
  if (without === samples) return 'samples';
  if (without > 0 && weight === undefined) return 'samples';
  if (without > 0)
    throw new GkeprofError(
      1,
      `${without} of ${samples} samples have no period: they can't be weighed by it`,
      'leave --weight period out, and each sample counts one',
    );
  return CLOCK.test(event) ? 'nanoseconds' : 'events';
}

const periodsVary = (origins: readonly Origin[]): boolean =>
  origins.some((origin) => origin.periodsVary) ||
  new Set(origins.map(({ period }) => period).filter((period) => !Number.isNaN(period))).size > 1;

function timelineOf({ timeline, firstTime }: Read): SampleTimes | undefined {
  const { size, binTicks, givenUp } = timeline;
  if (givenUp || size === 0) return undefined;
  const order = inTimeOrder(timeline.at, size);
  const first = order ? order[0]! : 0;
  const earliest = timeline.at[first]!;
  const at = new Uint32Array(size);
  const stack = new Int32Array(size);
  const samples = timeline.samples && new Uint32Array(size);
  for (let entry = 0; entry < size; entry += 1) {
    const from = order ? order[entry]! : entry;
    at[entry] = timeline.at[from]! - earliest;
    stack[entry] = timeline.row[from]!;
    if (samples) samples[entry] = timeline.samples![from]!;
  }
  const start = firstTime + earliest / TICKS_PER_SECOND;
  return { start, at, stack, samples, binSeconds: binTicks / TICKS_PER_SECOND };
}

/** Entries by their ticks; of equal ones the first stays the first. Undefined where they are in order. */
function inTimeOrder(at: Int32Array, size: number): Float64Array | undefined {
  let sorted = true;
  for (let each = 1; each < size; each += 1) if (at[each]! < at[each - 1]!) sorted = false;
  if (sorted) return undefined;
  const keys = new Float64Array(size);
  for (let each = 0; each < size; each += 1) keys[each] = (at[each]! + 2 ** 31) * 2 ** 21 + each;
  keys.sort();
  for (let each = 0; each < size; each += 1) keys[each] = keys[each]! % 2 ** 21;
  return keys;
}
