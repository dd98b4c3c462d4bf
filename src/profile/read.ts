import { EXIT, GkeprofError } from '../errors.ts';
import { absorb, type ReadPart } from './absorb.ts';
import { assemble, eventsOf, type Weight } from './assemble.ts';
import { parseEventLine } from './event-line.ts';
import { FoldedReader } from './folded-reader.ts';
import { type Narrowing, narrow } from './narrow.ts';
import { type Oddity, PerfScriptReader } from './perf-script.ts';
import type { About, Profile } from './profile.ts';

export interface Reading {
  readonly from: 'perf script' | 'folded stacks' | 'picture';
  readonly profile: Profile;
  /** Every event of the input, by its number of samples. Only one is in the profile: events are never mixed. */
  readonly events: ReadonlyMap<string, number>;
  /** What `--header` of perf script says; the first line of each key. */
  readonly header: ReadonlyMap<string, string>;
  readonly oddities: readonly Oddity[];
  /** Why there is no timeline, where there could have been one. */
  readonly timelineGivenUp: boolean;
}

export interface ReadOptions extends Narrowing {
  /** By its name as perf prints it; the first one of the input otherwise. */
  readonly event?: string;
  readonly weight: Weight;
  /** Whoever asks knows what to do with folded stacks whose numbers are periods. */
  readonly foldedPeriods?: true;
  /** Seconds since the first sample. */
  readonly from?: number;
  readonly to?: number;
  readonly timeline: boolean;
}

/** A part of the input that is read by somebody else, from this byte on. */
export interface SecondHalf {
  readonly from: number;
  readonly part: Promise<ReadPart>;
}

/** What makes a profile of an SVG of ours; undefined for any other. */
export type PictureReader = (svg: string) => Profile | undefined;

/**
 * Reads `perf script` text, folded stacks or a picture of ours, told apart by what they hold, chunk by chunk. Throws
 * only when the whole is none of them or the options ask for what it does not have.
 */
export async function readProfile(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions,
  about: (header: ReadonlyMap<string, string>) => About,
  readPicture: PictureReader,
  secondHalf?: (timeline: boolean) => Promise<SecondHalf | undefined>,
): Promise<Reading> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    return await readFrom(iterator, options, about, readPicture, secondHalf);
  } finally {
    // Whatever is said of the input, its file is not left open.
    await iterator.return?.();
  }
}

async function readFrom(
  iterator: AsyncIterator<Uint8Array>,
  options: ReadOptions,
  about: (header: ReadonlyMap<string, string>) => About,
  readPicture: PictureReader,
  secondHalf: ((timeline: boolean) => Promise<SecondHalf | undefined>) | undefined,
): Promise<Reading> {
  const { head, kind } = await sniff(iterator);
  if (kind === 'perf script') {
    const reader = new PerfScriptReader(options);
    // Seconds count from the first sample, which only one half has.
    const isWhole = options.from === undefined && options.to === undefined;
    const half = isWhole ? await secondHalf?.(options.timeline) : undefined;
    await readInto(reader, head, iterator, half?.from);
    reader.end();
    if (half) absorb(reader, await half.part);
    return {
      from: kind,
      profile: narrow(
        assemble(reader, options.event, options.weight, lasting(about(reader.header), reader, options)),
        options,
      ),
      events: eventsOf(reader.origins),
      header: reader.header,
      oddities: reader.oddities,
      timelineGivenUp: options.timeline && reader.timeline.givenUp,
    };
  }
  const isPeriodWanted = options.weight === 'period' && !(options.foldedPeriods && kind === 'folded stacks');
  const raw = 'the raw stacks (.perf-script.txt.gz) have what that needs';
  for (const [name, value] of [
    ['--event', options.event],
    ['--from', options.from],
    ['--to', options.to],
    ['--weight period', isPeriodWanted ? 1 : undefined],
  ] as const)
    if (value !== undefined)
      throw new GkeprofError(EXIT.usage, `${name}: not of ${kind === 'picture' ? 'a picture' : kind}`, raw);
  if (kind === 'folded stacks') {
    for (const [name, value] of [
      ['--comm', options.comm],
      ['--tid', options.tid],
    ] as const)
      if (value !== undefined)
        throw new GkeprofError(EXIT.usage, `${name}: folded stacks have no threads`, raw);
    const reader = new FoldedReader();
    await readInto(reader, head, iterator);
    reader.end();
    return {
      from: kind,
      profile: narrow(reader.profile(about(new Map())), options),
      events: new Map(),
      header: new Map(),
      oddities: reader.odd ? [{ kind: 'folded line', line: reader.firstOdd, count: reader.odd }] : [],
      timelineGivenUp: false,
    };
  }
  const parts: Uint8Array[] = [];
  await readInto({ push: (chunk) => parts.push(Uint8Array.from(chunk)) }, head, iterator);
  const profile = readPicture(Buffer.concat(parts).toString('utf8'));
  if (!profile)
    throw new GkeprofError(
      EXIT.failed,
      'an SVG that is not of kubectl gkeprof: it does not carry its stacks',
      'give the raw or folded stacks that it was drawn from',
    );
  return {
    from: 'picture',
    profile: narrow(profile, options),
    events: new Map([[profile.event, profile.samples]]),
    header: new Map(),
    oddities: [],
    timelineGivenUp: false,
  };
}

/** Reads the input up to a byte of it, or to its end. */
async function readInto(
  reader: { push(chunk: Uint8Array): void },
  head: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
  end = Infinity,
): Promise<void> {
  reader.push(head);
  for (let at = head.length; at < end; ) {
    const next = await iterator.next();
    if (next.done) return;
    reader.push(next.value.subarray(0, end - at));
    at += next.value.length;
  }
}

/**
 * With how long was looked at: as long as the samples span where nothing better is known, or the part asked for. How
 * long a part is can be told only where samples come behind it: `--from` and `--to` count from the first one.
 */
function lasting(about: About, reader: PerfScriptReader, { from, to }: ReadOptions): About {
  const { betweenSamples, ...rest } = about;
  const span = reader.lastTime - reader.firstTime;
  const seconds = about.seconds ?? span;
  const part = Math.min(to ?? seconds, seconds) - (from ?? 0);
  const known =
    from === undefined && to === undefined
      ? about.seconds !== undefined && !betweenSamples
      : to !== undefined && to <= span;
  return part > 0 ? { ...rest, seconds: part, ...(!known && { betweenSamples: true }) } : about;
}

const SNIFFED = 1 << 16;

/** Takes as much from the front as tells what the input is. */
async function sniff(
  iterator: AsyncIterator<Uint8Array>,
): Promise<{ head: Uint8Array; kind: Reading['from'] }> {
  let head = Buffer.alloc(0);
  for (;;) {
    const next = await iterator.next();
    // A copy: the source may read its next piece into the same memory.
    if (!next.done) head = Buffer.concat([head, next.value]);
    const line = firstLine(head.toString('utf8', 0, SNIFFED), next.done === true || head.length >= SNIFFED);
    if (line === undefined && !next.done && head.length < SNIFFED) continue;
    return { head, kind: kindOf(line ?? '') };
  }
}

/** The first line that is neither blank nor a comment; a last one without its line feed only where it is whole. */
function firstLine(text: string, whole: boolean): string | undefined {
  const lines = text.split('\n');
  if (!whole) lines.pop();
  return lines.find((line) => line.trim() !== '' && !line.startsWith('#'));
}

function kindOf(line: string): Reading['from'] {
  if (/^\ufeff?\s*<(?:\?xml|svg|!--)/.test(line)) return 'picture';
  if (line.startsWith('PERFILE'))
    throw new GkeprofError(
      EXIT.failed,
      'this is perf.data, which only perf itself can read',
      'run perf script on the machine it was recorded on, and give what that prints',
    );
  const event = parseEventLine(line);
  if (event && !(Number.isNaN(event.time) && event.cpu < 0)) return 'perf script';
  return /\S \d+(?:\.\d+)?\r?$/.test(line) && !/^\s/.test(line) ? 'folded stacks' : 'perf script';
}
