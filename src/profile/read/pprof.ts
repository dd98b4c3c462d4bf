import {
  type Location,
  type Mapping,
  Profile as Pprof,
  type Function as PprofFunction,
  type Sample,
} from 'pprof-format';
import { EXIT, GkeprofError, reasonOf, usageError } from '../../errors.ts';
import { type Frame, frameKindOf } from '../frame.ts';
import type { About, Profile, Unit } from '../profile.ts';
import { OFF_CPU } from '../weighing.ts';
import { ProfileBuilder } from './builder.ts';
import { pprofFields } from './pprof-fields.ts';

/** What a file of another tool gives: the profile of one event, and how many samples each event has. */
export interface Imported {
  readonly profile: Profile;
  readonly events: ReadonlyMap<string, number>;
}

export interface ImportOptions {
  readonly event?: string;
  readonly weight?: 'samples' | 'period';
}

/** One of the things that are counted in the file: which of a sample's values are its count and its weight. */
interface Counted {
  readonly event: string;
  readonly count: number | undefined;
  readonly value: number;
  readonly unit: string;
}

/** Seconds, and parts of them, in nanoseconds. */
const NANOSECONDS: Readonly<Record<string, number>> = {
  nanoseconds: 1,
  microseconds: 1e3,
  milliseconds: 1e6,
  seconds: 1e9,
};

/**
 * A profile in pprof's protocol buffers, not compressed (profile.proto of google/pprof). Of several kinds of values one is
 * taken: the one by which pprof itself would show it, or `--event`. A count of samples beside another value is not one
 * more event, but what `--weight samples` counts. What `--format pprof` writes comes back with its threads and labels.
 */
export function readPprof(bytes: Uint8Array, options: ImportOptions, target: About): Imported {
  // The library makes up what is not there.
  if (!pprofFields(bytes).areWhole)
    throw new GkeprofError(EXIT.failed, 'the profile of pprof is cut short', 'copy the file again');
  let data: Pprof;
  try {
    data = Pprof.decode(bytes);
  } catch (error) {
    throw new GkeprofError(EXIT.failed, `the profile of pprof cannot be read: ${reasonOf(error)}`);
  }
  const text = (at: number | bigint): string => data.stringTable.strings[Number(at)] ?? '';
  const kinds = countedKinds(data, text);
  const wanted = options.event ?? defaultKind(data, kinds, text);
  const kind = kinds.find(({ event }) => event === wanted);
  if (!kind)
    throw usageError(
      `--event: no sample of ${wanted}`,
      `the input has ${kinds.map(({ event }) => event).join(', ') || 'no event at all'}`,
    );
  const isTime = NANOSECONDS[kind.unit] !== undefined;
  const varies = valuesVary(data.sample, kind);
  // What is no time is weighed where it varies, as that of perf script is.
  const { unit, factor } = unitOf(kind, options.weight ?? (varies && !isTime ? 'period' : undefined));
  const builder = new ProfileBuilder();
  const framesOf = frameReader(data, text, builder);
  const rows = new Map(kinds.map(({ event }) => [event, 0]));
  let about: About = { ...target, ...facts(data, text) };
  for (const sample of data.sample) {
    for (const each of kinds) {
      const value = Number(sample.value[each.value] ?? 0);
      const count = each.count === undefined ? (value ? 1 : 0) : Number(sample.value[each.count] ?? 0);
      rows.set(each.event, rows.get(each.event)! + count);
      if (each !== kind || (value === 0 && count === 0)) continue;
      const labels = labelsOf(sample, text);
      about = { ...about, ...placeOf(labels) };
      const { path, thread } = stackOf(sample, labels, framesOf, builder);
      builder.add(path, thread, count, value * factor);
    }
  }
  const profile = builder.profile(about, kind.event, unit);
  return {
    profile: varies && unit !== 'samples' ? { ...profile, weightsVary: true } : profile,
    events: rows,
  };
}

/** Whether samples weigh differently, as far as the sums of rows tell; they are rounded to whole numbers. */
function valuesVary(samples: readonly Sample[], { count, value }: Counted): boolean {
  if (count === undefined) return false;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const sample of samples) {
    const of = Number(sample.value[count] ?? 0);
    if (of <= 0) continue;
    const each = Number(sample.value[value] ?? 0) / of;
    least = Math.min(least, each);
    most = Math.max(most, each);
  }
  return most - least > 1 + most * 1e-6;
}

function countedKinds(data: Pprof, text: (at: number | bigint) => string): Counted[] {
  const types = data.sampleType.map(({ type, unit }) => ({ type: text(type), unit: text(unit) }));
  const count = types.findIndex(({ type, unit }) => type === 'samples' && unit === 'count');
  const others = types.flatMap(({ type, unit }, at) =>
    at === count ? [] : [{ event: type, unit, value: at, count: count < 0 ? undefined : count }],
  );
  if (others.length) return others;
  return count < 0 ? [] : [{ event: 'samples', unit: 'count', value: count, count }];
}

/** As pprof does: the one that the file names, else the last. */
function defaultKind(data: Pprof, kinds: readonly Counted[], text: (at: number | bigint) => string): string {
  const named = text(data.defaultSampleType);
  return (kinds.find(({ event }) => event === named) ?? kinds.at(-1))?.event ?? 'samples';
}

/** Samples are counted where there is a count and nothing else is asked for; otherwise the value is. */
function unitOf(
  { event, count, unit }: Counted,
  weight: ImportOptions['weight'],
): { unit: Unit; factor: number } {
  if (
    event === 'samples' ||
    (count !== undefined && weight !== 'period' && (event !== OFF_CPU || weight !== undefined))
  )
    return { unit: 'samples', factor: 1 };
  if (event === OFF_CPU && unit === 'microseconds') return { unit: 'microseconds', factor: 1 };
  const factor = NANOSECONDS[unit];
  return factor === undefined ? { unit: 'events', factor: 1 } : { unit: 'nanoseconds', factor };
}

type Labels = ReadonlyMap<string, string>;

const labelsOf = (sample: Sample, text: (at: number | bigint) => string): Labels =>
  new Map(sample.label.map(({ key, str, num }) => [text(key), text(str) || String(num)]));

function placeOf(labels: Labels): Partial<About> {
  const place: Record<string, string> = {};
  for (const key of ['namespace', 'pod', 'container', 'node']) {
    const value = labels.get(key);
    if (value) place[key] = value;
  }
  return place;
}

function stackOf(
  sample: Sample,
  labels: Labels,
  framesOf: (location: number | bigint) => readonly number[],
  builder: ProfileBuilder,
): { path: Int32Array; thread: number } {
  const path = [...sample.locationId].reverse().flatMap((location) => framesOf(location));
  const comm = labels.get('thread');
  const number = (key: string): number => Number.parseInt(labels.get(key) ?? '-1', 10);
  // The thread, and whose it is, as our own export names them.
  const outer = ['owner', 'owner_container', 'thread'].flatMap((key) => labels.get(key) ?? []);
  if (comm !== undefined)
    path.unshift(...outer.map((name) => builder.frame({ name, kind: 'thread', dso: '', unknown: false })));
  if (path.length === 0)
    path.push(builder.frame({ name: '[unknown]', kind: 'user', dso: '', unknown: true }));
  const known = comm !== undefined || labels.has('tid') || labels.has('pid');
  const thread = known ? builder.thread(comm ?? '', number('pid'), number('tid')) : -1;
  return { path: Int32Array.from(path), thread };
}

/** The frames of a location, the caller first: of what was inlined, the last line is the function itself. */
function frameReader(
  data: Pprof,
  text: (at: number | bigint) => string,
  builder: ProfileBuilder,
): (location: number | bigint) => readonly number[] {
  const functions = new Map(data.function.map((each): [number, PprofFunction] => [Number(each.id), each]));
  const mappings = new Map(data.mapping.map((each): [number, Mapping] => [Number(each.id), each]));
  const locations = new Map(data.location.map((each): [number, Location] => [Number(each.id), each]));
  const known = new Map<number, readonly number[]>();
  return (id) => {
    const found = known.get(Number(id));
    if (found) return found;
    const location = locations.get(Number(id));
    const dso = text(mappings.get(Number(location?.mappingId ?? 0))?.filename ?? 0);
    const names = (location?.line ?? []).map(({ functionId }) => {
      const { name = 0, systemName = 0 } = functions.get(Number(functionId)) ?? {};
      return text(name) || text(systemName);
    });
    const kind = frameKindOf(dso);
    const frames = names.reverse().map((name, at): Frame => {
      const unknown = name === '' || /^\[.*\]$/.test(name);
      return { name: name || objectName(dso), kind: at > 0 ? 'inlined' : kind, dso, unknown };
    });
    if (frames.length === 0) frames.push({ name: objectName(dso), kind, dso, unknown: true });
    const numbers = frames.map((frame) => builder.frame(frame));
    known.set(Number(id), numbers);
    return numbers;
  };
}

const objectName = (dso: string): string => (dso ? `[${dso.slice(dso.lastIndexOf('/') + 1)}]` : '[unknown]');

/** When and for how long was recorded, and how often; what the file is of, where it is one of ours. */
function facts(data: Pprof, text: (at: number | bigint) => string): Partial<About> {
  const { type = 0, unit = 0 } = data.periodType ?? {};
  const period = Number(data.period ?? 0) * (text(type) === 'cpu' ? (NANOSECONDS[text(unit)] ?? 0) : 0);
  const seconds = Number(data.durationNanos ?? 0) / 1e9;
  const time = Number(data.timeNanos ?? 0) / 1e6;
  const target = /^kubectl-gkeprof \S+: (.+)$/s.exec(text(data.comment[0] ?? 0))?.[1];
  return {
    ...(target !== undefined && { target }),
    ...(time > 0 && { startedAt: new Date(time).toISOString() }),
    ...(seconds > 0 && { seconds }),
    ...(period > 0 && { frequencyHz: Math.round(1e9 / period) }),
  };
}
