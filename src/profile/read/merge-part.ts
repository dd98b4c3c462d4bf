import type { Frame } from '../frame.ts';
import type { Stacks } from '../stacks.ts';
import type { NamedContainer } from './comment-lines.ts';
import { notePeriod } from './origins.ts';
import type { ParseWarning, PerfScriptReader } from './perf-script.ts';
import { ticksOf } from './sample-times.ts';

/** The result of a reader as plain data, which can be sent to another thread. */
export interface ReadPart {
  readonly frames: readonly Frame[];
  readonly origins: ReadonlyArray<{
    readonly comm: string;
    readonly pid: number;
    readonly tid: number;
    readonly event: string;
    readonly cgroup?: string;
    readonly frame: number;
    readonly samples: number;
    readonly withoutPeriod: number;
    readonly period: number;
    readonly periodsVary: boolean;
  }>;
  readonly stacks: { readonly arena: Int32Array; readonly ends: Int32Array };
  readonly rows: {
    readonly stack: Int32Array;
    readonly origin: Int32Array;
    readonly samples: Int32Array;
    readonly weight: Float64Array;
    readonly squares: Float64Array;
  };
  readonly timeline: { readonly at: Int32Array; readonly row: Int32Array; readonly whole: boolean };
  readonly warnings: readonly ParseWarning[];
  readonly containers: readonly NamedContainer[];
  readonly lost: number;
  readonly frameLines: number;
  readonly withSymbol: boolean;
  readonly withoutSymbol: boolean;
  readonly firstTime: number;
  readonly lastTime: number;
}

/** Copies, because the reader's own arrays are larger than their content. */
export function partOf(reader: PerfScriptReader): ReadPart {
  const { rows, stacks, timeline } = reader;
  return {
    frames: reader.frames,
    origins: reader.origins,
    stacks: {
      arena: stacks.arena.slice(0, stacks.start(stacks.size)),
      ends: stacks.ends.slice(0, stacks.size),
    },
    rows: {
      stack: rows.stack.slice(0, rows.size),
      origin: rows.origin.slice(0, rows.size),
      samples: rows.samples.slice(0, rows.size),
      weight: rows.weight.slice(0, rows.size),
      squares: rows.squares.slice(0, rows.size),
    },
    timeline: {
      at: timeline.at.slice(0, timeline.size),
      row: timeline.row.slice(0, timeline.size),
      whole: !timeline.givenUp && timeline.binTicks === 0,
    },
    warnings: reader.warnings,
    containers: reader.containers,
    lost: reader.lost,
    frameLines: reader.frameLines,
    withSymbol: reader.withSymbol,
    withoutSymbol: reader.withoutSymbol,
    firstTime: reader.firstTime,
    lastTime: reader.lastTime,
  };
}

/** Appends a part that another thread read. The result is the same as if this reader had read all of the text. */
export function mergePart(reader: PerfScriptReader, part: ReadPart): void {
  const frames = new Int32Array(part.frames.length);
  const origins: number[] = [];
  const addOrigins = (upTo: number) => {
    for (let next = part.origins[origins.length]; next; next = part.origins[origins.length]) {
      if (next.frame > upTo) return;
      const number = reader.originNumber(next.comm, next.pid, next.tid, next.event, next.cgroup);
      const mine = reader.origins[number]!;
      mine.samples += next.samples;
      mine.withoutPeriod += next.withoutPeriod;
      if (!Number.isNaN(next.period)) notePeriod(mine, next.period);
      if (next.periodsVary) mine.periodsVary = true;
      frames[next.frame] = mine.frame;
      origins.push(number);
    }
  };
  // Frames get their numbers as they came, those that bear the names of threads among them.
  part.frames.forEach((frame, at) => {
    if (frame.kind === 'thread') addOrigins(at);
    else frames[at] = reader.frameNumber(frame);
  });
  addOrigins(part.frames.length);
  const { rows, timeline } = part;
  const stacks = renumbered(part.stacks, frames, reader.stacks);
  const row = rows.stack.map((each, at) =>
    reader.rows.addMany(
      stacks[each]!,
      origins[rows.origin[at]!]!,
      rows.samples[at]!,
      rows.weight[at]!,
      rows.squares[at]!,
    ),
  );
  if (Number.isNaN(reader.firstTime)) reader.firstTime = part.firstTime;
  const later = ticksOf(part.firstTime) - ticksOf(reader.firstTime);
  if (!timeline.whole && part.origins.length > 0) reader.timeline.givenUp = true;
  for (let each = 0; each < timeline.at.length; each += 1)
    reader.timeline.add(later + timeline.at[each]!, row[timeline.row[each]!]!);
  if (part.lastTime > reader.lastTime || Number.isNaN(reader.lastTime)) reader.lastTime = part.lastTime;
  reader.lost += part.lost;
  reader.frameLines += part.frameLines;
  reader.withSymbol ||= part.withSymbol;
  reader.withoutSymbol ||= part.withoutSymbol;
  reader.containers.push(...part.containers);
  for (const { kind, line, count } of part.warnings) {
    const known = reader.warnings.find((each) => each.kind === kind);
    if (known) known.count += count;
    else reader.warnings.push({ kind, line, count });
  }
}

/** Stacks with other frames, among those of another reader: by number. */
export function renumbered(
  { arena, ends }: ReadPart['stacks'],
  frames: Int32Array,
  into: Stacks,
): Int32Array {
  const mine = arena.map((frame) => frames[frame]!);
  return ends.map((end, stack) => into.number(mine, stack === 0 ? 0 : ends[stack - 1]!, end));
}
