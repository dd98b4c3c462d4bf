import { EXIT, GkeprofError, usageError } from '../../errors.ts';
import { formatBytes } from '../../text/quantity.ts';
import { filterProfile, type ProfileFilter } from '../filter.ts';
import { isMangled } from '../frame.ts';
import { mergeThreads } from '../merge-threads.ts';
import { type NamedPod, withContainers, withOwners } from '../owners.ts';
import type { About, Profile } from '../profile.ts';
import { OFF_CPU } from '../weighing.ts';
import { buildProfile, type Weight } from './build-profile.ts';
import { chooseEvent } from './event-choice.ts';
import { FoldedReader } from './folded-reader.ts';
import { type Kind, SNIFFED } from './input-kind.ts';
import { type Layout, layoutOf } from './layout.ts';
import { mergePart, type ReadPart } from './merge-part.ts';
import { isOffCpu, limitsText, type WaitLimits, type WaitsLeftOut } from './off-cpu.ts';
import { type ParseWarning, PerfScriptReader } from './perf-script.ts';
import { type Sniffed, sniff } from './sniff.ts';
import { TwoColumnsReader } from './two-columns.ts';
import { checkUnderstood } from './understood.ts';

export interface Reading {
  readonly from: Exclude<Kind, 'svg'> | 'picture' | 'flame graph';
  readonly profile: Profile;
  /** Samples of the event before the options left any out. */
  readonly samplesBeforeFilter: number;
  /** Of those, what `from` and `to` left out before, and how long the whole recording is, in seconds. */
  readonly outside?: { readonly samples: number; readonly seconds: number };
  /** Of a recording of waits, those that `minWait` and `maxWait` left out; undefined if they left out no wait. */
  readonly waitsLeftOut?: WaitsLeftOut;
  /** For folded stacks with two columns, which are a comparison: the profile of the first column. */
  readonly before?: Profile;
  /** No stack has a second frame: these may be lines of anything. */
  readonly isFlat?: boolean;
  /** Every event of the input, by its number of samples. Only one is in the profile: different events are never mixed. */
  readonly events: ReadonlyMap<string, number>;
  /** What `--header` of perf script says; the first line of each key. */
  readonly header: ReadonlyMap<string, string>;
  readonly warnings: readonly ParseWarning[];
  /** Why there is no timeline, where there could have been one. */
  readonly timelineGivenUp: boolean;
}

export interface ReadOptions extends ProfileFilter, WaitLimits {
  /** By its name as perf prints it; the first one of the input otherwise. */
  readonly event?: string;
  /** By default what fits the event: the period where periods vary, else the number of samples. */
  readonly weight?: Weight;
  /** The caller can handle folded stacks whose numbers are periods. */
  readonly foldedPeriods?: true;
  /** Seconds since the first sample. */
  readonly from?: number;
  readonly to?: number;
  readonly timeline: boolean;
  /** Names for the cgroups of the samples, if there are any. */
  readonly pods?: readonly NamedPod[];
  /** The threads of a pool as one; those to keep are chosen before, by their own names. */
  readonly mergeThreads?: boolean;
}

/** The rest of the input from this byte on, which another thread reads. */
export interface ParallelPart {
  readonly from: number;
  readonly part: Promise<ReadPart>;
}

/** Starts reading the end of the input in another thread. */
export type ParallelReader = (timeline: boolean, layout: Layout) => Promise<ParallelPart | undefined>;

/** Undoes the mangling of names, as far as it can. */
export type Demangler = (mangled: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Reads the profile from an SVG that this tool wrote; undefined for any other SVG. */
export type PictureReader = (svg: string) => Profile | undefined;

/**
 * Reads `perf script` text, folded stacks, a flame graph, or a profile of pprof or speedscope, recognised by their
 * content; the first two are read chunk by chunk. Throws only if the input is of another kind, or if the options need data
 * that it does not have.
 */
export async function readProfile(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions,
  about: (header: ReadonlyMap<string, string>) => About,
  readPicture: PictureReader,
  readInParallel?: ParallelReader,
  demangle?: Demangler,
): Promise<Reading> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const reading = await readFrom(iterator, options, about, readPicture, readInParallel, demangle);
    return options.mergeThreads ? { ...reading, profile: mergeThreads(reading.profile) } : reading;
  } finally {
    // The file is closed even if reading fails.
    await iterator.return?.();
  }
}

async function readFrom(
  iterator: AsyncIterator<Uint8Array>,
  options: ReadOptions,
  about: (header: ReadonlyMap<string, string>) => About,
  readPicture: PictureReader,
  readInParallel: ParallelReader | undefined,
  demangle: Demangler | undefined,
): Promise<Reading> {
  const sniffed = await sniff(iterator);
  const { kind } = sniffed;
  if (kind === 'perf script') {
    const layout = layoutOf(sniffed.head.toString('utf8', 0, SNIFFED));
    const reader = new PerfScriptReader(options, layout);
    // Seconds count from the first sample, which only the first part has. A wait may begin in one part and end in the other.
    const isWhole =
      options.from === undefined &&
      options.to === undefined &&
      !isOffCpu(sniffed.head.toString('latin1', 0, SNIFFED));
    const parallel =
      isWhole && sniffed.taken < Infinity ? await readInParallel?.(options.timeline, layout) : undefined;
    await readInto(reader, sniffed, parallel?.from);
    reader.end();
    if (parallel) mergePart(reader, await parallel.part);
    const found = chooseEvent(reader.origins, options.event);
    // If no wait is left, no line names the event.
    const chosen = reader.isOfWaits && reader.origins.length === 0 ? { ...found, name: OFF_CPU } : found;
    const limits = limitsText(options);
    if (limits !== undefined && chosen.name !== OFF_CPU && reader.origins.length > 0) throw noWaits();
    const event = limits === undefined ? chosen : { ...chosen, note: limits };
    checkUnderstood(reader, layout);
    const mangled = reader.frames.flatMap(({ name, kind: of }) =>
      of !== 'thread' && isMangled(name) ? [name] : [],
    );
    const demangled = mangled.length > 0 ? await demangle?.([...new Set(mangled)]) : undefined;
    const whole = withOwners(
      buildProfile(reader, event, options.weight, lasting(about(reader.header), reader, options), demangled),
      withContainers(options.pods ?? [], reader.containers),
    );
    return {
      from: kind,
      profile: filterProfile(whole, options),
      samplesBeforeFilter: whole.samples,
      ...(reader.outside > 0 && {
        outside: { samples: reader.outside, seconds: reader.lastTime - reader.firstTime },
      }),
      ...(reader.waitsLeftOut && { waitsLeftOut: reader.waitsLeftOut }),
      events: new Map([
        ...(event.events.size ? [[event.name, whole.samples] as const] : []),
        ...event.others,
      ]),
      header: reader.header,
      warnings: reader.warnings,
      timelineGivenUp: options.timeline && reader.timeline.givenUp,
    };
  }
  if (limitsText(options) !== undefined) throw noWaits();
  refuseWhatIsNotThere(kind, options);
  const plain = { events: new Map(), header: new Map(), warnings: [], timelineGivenUp: false };
  const wanted = (whole: Profile) => ({
    profile: filterProfile(whole, options),
    samplesBeforeFilter: whole.samples,
  });
  const target = about(new Map());
  if (kind === 'folded stacks') {
    const reader = new FoldedReader();
    await readInto(reader, sniffed);
    reader.end();
    const whole = reader.profile(target);
    const isFlat = reader.deepest === 1;
    return { ...plain, ...wanted(whole), from: kind, warnings: unparsedLines(reader), isFlat };
  }
  if (kind === 'two columns') {
    const reader = new TwoColumnsReader();
    await readInto(reader, sniffed);
    reader.end();
    const before = filterProfile(reader.before.profile(target), options);
    return {
      ...plain,
      ...wanted(reader.after.profile(target)),
      before,
      from: kind,
      warnings: unparsedLines(reader),
      isFlat: reader.after.deepest <= 1 && reader.before.deepest <= 1,
    };
  }
  const bytes = await wholeOf(kind, sniffed);
  if (kind !== 'svg') {
    const { profile, events } =
      kind === 'pprof'
        ? (await import('./pprof.ts')).readPprof(bytes, options, target)
        : (await import('./speedscope.ts')).readSpeedscope(bytes.toString('utf8'), options, target);
    return { ...plain, ...wanted(profile), from: kind, events };
  }
  const svg = bytes.toString('utf8');
  const ours = readPicture(svg);
  const whole = ours ?? (await import('./flame-graph.ts')).readFlameGraph(svg, target);
  if (!whole)
    throw new GkeprofError(
      EXIT.failed,
      'an SVG that is neither from kubectl gkeprof nor a flame graph of flamegraph.pl or inferno',
      'give the raw or folded stacks that it was drawn from',
    );
  const events = new Map([[whole.event, whole.samples]]);
  return { ...plain, ...wanted(whole), from: ours ? 'picture' : 'flame graph', events };
}

const unparsedLines = ({
  unparsed,
  firstUnparsed,
}: {
  readonly unparsed: number;
  readonly firstUnparsed: string;
}): ParseWarning[] => (unparsed ? [{ kind: 'folded line', line: firstUnparsed, count: unparsed }] : []);

const noWaits = (): GkeprofError =>
  usageError(
    '--min-wait and --max-wait need the raw stacks of a recording of waits',
    'kubectl gkeprof flamegraph TARGET --off-cpu records them',
  );

/** The name of each kind of file in messages. */
const KINDS: Readonly<Record<Exclude<Kind, 'perf script'>, string>> = {
  'folded stacks': 'folded stacks',
  'two columns': 'folded stacks',
  svg: 'a picture',
  pprof: 'a profile of pprof',
  speedscope: 'a file of speedscope',
};

/** Refuses options that need data which this kind of file does not have: otherwise they would silently do nothing. */
function refuseWhatIsNotThere(kind: Exclude<Kind, 'perf script'>, options: ReadOptions): void {
  const raw = 'the raw stacks (.perf-script.txt.gz) have what that needs';
  const isImported = kind === 'pprof' || kind === 'speedscope';
  const isFolded = kind === 'folded stacks' || kind === 'two columns';
  const knowsPeriods = kind === 'pprof' || (isFolded && options.foldedPeriods);
  for (const [name, value] of [
    ['--event', isImported ? undefined : options.event],
    ['--from', options.from],
    ['--to', options.to],
    ['--weight period', options.weight === 'period' && !knowsPeriods ? 1 : undefined],
  ] as const)
    if (value !== undefined)
      throw new GkeprofError(EXIT.usage, `${name} cannot be used with ${KINDS[kind]}`, raw);
  if (!isFolded) return;
  for (const [name, value] of [
    ['--comm', options.comm],
    ['--tid', options.tid],
  ] as const)
    if (value !== undefined)
      throw new GkeprofError(EXIT.usage, `${name}: folded stacks have no threads`, raw);
}

/** The size limit of files that are read as a whole: much larger than any real one, but small enough for a laptop's memory. */
const MOST_BYTES = 2 ** 29;

/** A file that has to be in memory as a whole. Throws where a small compressed file unpacks to more than that. */
async function wholeOf(kind: Exclude<Kind, 'perf script'>, sniffed: Sniffed): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const push = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > MOST_BYTES)
      throw new GkeprofError(
        EXIT.failed,
        `${KINDS[kind]} of more than ${formatBytes(MOST_BYTES)} is not read`,
      );
    parts.push(Uint8Array.from(chunk));
  };
  await readInto({ push }, sniffed);
  return Buffer.concat(parts);
}

/** Reads the input up to a byte of it, or to its end. */
async function readInto(
  reader: { push(chunk: Uint8Array): void },
  { head, rest, taken }: Sniffed,
  end = Infinity,
): Promise<void> {
  reader.push(head);
  for (let at = taken; at < end || end === Infinity; ) {
    const next = await rest.next();
    if (next.done) return;
    reader.push(end === Infinity ? next.value : next.value.subarray(0, end - at));
    at += next.value.length;
  }
}

/**
 * Adds the duration: of the part that the user asked for, or the span of the samples if nothing better is known. The length
 * of a part is known only if samples come after it, because `--from` and `--to` count from the first sample.
 */
function lasting(about: About, reader: PerfScriptReader, { from, to }: ReadOptions): About {
  const { betweenSamples, ...given } = about;
  const { missed } = reader.looks;
  const rest = { ...given, ...(missed > 0 && { notLookedAt: missed }) };
  const span = reader.lastTime - reader.firstTime;
  // On a busy node perf takes samples a little longer than the script on the node means to record.
  const seconds = Math.max(about.seconds ?? 0, span) || (about.seconds ?? span);
  const part = Math.min(to ?? seconds, seconds) - (from ?? 0);
  const known =
    from === undefined && to === undefined
      ? about.seconds !== undefined && !betweenSamples
      : to !== undefined && to <= span;
  return part > 0
    ? { ...rest, seconds: part, ...(!known && { betweenSamples: true }) }
    : { ...about, ...rest };
}
