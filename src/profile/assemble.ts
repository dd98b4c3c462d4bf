import { GkeprofError, usageError } from '../errors.ts';
import { keepRows } from './narrow.ts';
import type { Origin } from './origins.ts';
import type { PerfScriptReader } from './perf-script.ts';
import { type About, type Profile, TICKS_PER_SECOND, type Timeline, type Unit } from './profile.ts';
import { treeOf } from './tree.ts';

export type Weight = 'samples' | 'period';

/** Samples of each event of the input, in the order in which they first came. */
export function eventsOf(origins: readonly Origin[]): ReadonlyMap<string, number> {
  const events = new Map<string, number>();
  for (const { event, samples } of origins) events.set(event, (events.get(event) ?? 0) + samples);
  return events;
}

/**
 * The profile of one event out of what was read. `wanted` is the event's name as perf prints it, by default the first
 * of the input. Throws when it is not there, or when some samples have a period and others have none.
 */
export function assemble(
  reader: PerfScriptReader,
  wanted: string | undefined,
  weight: Weight,
  about: About,
): Profile {
  const { origins, rows, frames } = reader;
  const events = eventsOf(origins);
  const event = wanted ?? [...events.keys()][0] ?? 'none';
  if (wanted !== undefined && !events.has(wanted)) {
    const known = [...events.keys()].join(', ') || 'no event at all';
    throw usageError(`--event: no sample of ${wanted}`, `the input has ${known}`);
  }
  const unit = unitOf(
    event,
    origins.filter((origin) => origin.event === event),
    weight,
  );
  const { size } = rows;
  const samples = Float64Array.from(rows.samples.subarray(0, size));
  const weights = unit === 'samples' ? samples : rows.weight.subarray(0, size);
  const self = new Float64Array(reader.stacks.size);
  for (let row = 0; row < size; row += 1) self[rows.stack[row]!]! += weights[row]!;
  const { tree, place } = treeOf(reader.stacks, frames, self);
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
    unit,
    frames,
    tree,
    threads: origins.map(({ comm, pid, tid }, at) => ({ comm, pid, tid, ...counts[at]! })),
    stacks: {
      node,
      thread,
      samples,
      weight: weights,
      ...(unit !== 'samples' && periodsVary(rows) && { squares: rows.squares.subarray(0, size) }),
    },
    timeline: timelineOf(reader),
    samples: counts.reduce((sum, count) => sum + count.samples, 0),
    idle: { samples: 0, leftOut: false },
    lost: reader.lost,
  };
  return events.size > 1 ? keepRows(whole, (row) => origins[thread[row]!]!.event === event) : whole;
}

/** Whether samples of one row weigh differently; sums of doubles are not exact. */
function periodsVary({ size, samples, weight, squares }: PerfScriptReader['rows']): boolean {
  for (let row = 0; row < size; row += 1)
    if (squares[row]! * samples[row]! > weight[row]! ** 2 * (1 + 1e-9)) return true;
  return false;
}

/** `cpu-clock` and `task-clock` count nanoseconds: Linux kernel/events/core.c, perf_swevent_hrtimer. */
function unitOf(event: string, origins: readonly Origin[], weight: Weight): Unit {
  if (weight === 'samples') return 'samples';
  const samples = origins.reduce((sum, origin) => sum + origin.samples, 0);
  const without = origins.reduce((sum, origin) => sum + origin.withoutPeriod, 0);
  if (without === samples) return 'samples';
  if (without > 0)
    throw new GkeprofError(
      1,
      `${without} of ${samples} samples have no period: they can't be weighed by it`,
      'leave --weight period out, and each sample counts one',
    );
  return /^(?:cpu|task)-clock(?::|$)/.test(event) ? 'nanoseconds' : 'events';
}

function timelineOf({ timeline, firstTime }: PerfScriptReader): Timeline | undefined {
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
