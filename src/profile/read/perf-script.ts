import { copyOf, enlarged, joinBytes } from '../arrays.ts';
import { type Frame, parseFrameLine } from '../frame.ts';
import { Stacks } from '../stacks.ts';
import { OFF_CPU } from '../weighing.ts';
import { framesBeside, isColumns, isNoEvent } from './columns.ts';
import { CommentLines } from './comment-lines.ts';
import { EventBytes, isOtherRecord, NO_EVENT, parseEventLine, parseLost } from './event-line.ts';
import { type Layout, USUAL_LAYOUT } from './layout.ts';
import { END, Lines, SEVERAL } from './line-cache.ts';
import {
  CLOCK_EVENT,
  OffCpuWaits,
  parseSwitch,
  SWITCH_EVENT,
  type WaitLimits,
  type WaitsLeftOut,
} from './off-cpu.ts';
import { notePeriod, type Origin, Origins } from './origins.ts';
import { Rows } from './rows.ts';
import { SampleTimesBuilder, ticksOf } from './sample-times.ts';
import { Tails } from './tails.ts';
import { addWait, type CountedWait, openWaits } from './wait-rows.ts';

/** Lines that are not of the format, by kind, with the first of each. */
export interface ParseWarning {
  readonly kind: 'event line' | 'frame line' | 'folded line';
  readonly line: string;
  count: number;
}

export interface ReadFilter extends WaitLimits {
  /** Seconds since the first sample. */
  readonly from?: number;
  readonly to?: number;
  /** Whether the time of each sample is kept. */
  readonly timeline: boolean;
}

const NEWLINE = 10;
const RETURN = 13;
const BLANK = 32;
const TAB = 9;
const HASH = 35;

/**
 * Reads `perf script` text as it comes, in chunks cut anywhere, into stacks that begin with a frame for the thread and
 * event. Call `end` after the last chunk: a last sample needs no blank line. Never throws for what the text
 * holds. Memory is bounded by the distinct lines and stacks, and eight bytes a sample for the timeline.
 *
 * Lines are not read but recognised (line-cache.ts), so that a recording of gigabytes costs a comparison a line.
 */
export class PerfScriptReader {
  readonly #comments = new CommentLines();
  readonly header = this.#comments.header;
  readonly warnings: ParseWarning[] = [];
  readonly containers = this.#comments.containers;
  readonly looks = this.#comments.looks;
  readonly frames: Frame[] = [];
  readonly stacks = new Stacks('leaf first');
  readonly #origins = new Origins(this.frames);
  readonly timeline = new SampleTimesBuilder();
  readonly rows = new Rows();
  /** Samples that the kernel could not deliver, as perf counted them. */
  lost = 0;
  /** Samples left out by `ReadFilter.from` and `to`. */
  outside = 0;
  /** Of the first sample, and the latest, in seconds on perf's clock; NaN before the first. */
  firstTime = Number.NaN;
  lastTime = Number.NaN;

  /** Frames of all samples; whether any line of a frame had a symbol, or none. */
  frameLines = 0;
  withSymbol = false;
  withoutSymbol = false;

  readonly #filter: ReadFilter;
  readonly #layout: Layout;
  readonly #lines = new Lines();
  readonly #tails = new Tails();
  readonly #event = new EventBytes();
  readonly #decoder = new TextDecoder();
  readonly #frameNumbers = new Map<string, number>();
  #carry = new Uint8Array(0);
  #origin = -1;
  #time = 0;
  #period = 0;
  /** The chain of the sample that is being read, the leaf first. */
  #chain = new Int32Array(256);
  #depth = 0;
  #previous = 0;
  /** Of a recording of waits: who left a CPU when. Then the samples are the waits, and not the lines. */
  #waits: OffCpuWaits | undefined;
  /** The line of the switch whose stack is being read. */
  #switch: ReturnType<typeof parseSwitch>;
  /** Frames beside the event, which count where none stand below: else they tell what the event is about (`-F +addr`). */
  #beside: readonly Frame[] = [];

  constructor(filter: ReadFilter, layout: Layout = USUAL_LAYOUT) {
    this.#filter = filter;
    this.#layout = layout;
  }

  get origins(): readonly Origin[] {
    return this.#origins.list;
  }

  /** Whether it is a recording of waits. */
  get isOfWaits(): boolean {
    return this.#waits !== undefined;
  }

  /** The waits that the limits left out; undefined if they left out no wait. */
  get waitsLeftOut(): WaitsLeftOut | undefined {
    return this.#waits?.leftOut;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.#carry.length) {
      const feed = chunk.indexOf(NEWLINE);
      const joined = joinBytes(this.#carry, feed < 0 ? chunk : chunk.subarray(0, feed + 1));
      if (feed < 0) {
        this.#carry = joined;
        return;
      }
      this.#carry = new Uint8Array(0);
      this.#scan(joined, 0, joined.length);
      from = feed + 1;
    }
    const to = chunk.lastIndexOf(NEWLINE) + 1;
    if (to > from) this.#scan(chunk, from, to);
    if (Math.max(to, from) < chunk.length) this.#carry = copyOf(chunk, Math.max(to, from), chunk.length);
  }

  end(): void {
    if (this.#carry.length && !this.#dropCut()) this.push(Uint8Array.of(NEWLINE));
    this.#finish();
    if (!this.#waits) return;
    const { looks } = this;
    if (looks.ended > 0 && !(looks.ended <= this.lastTime)) this.lastTime = looks.ended;
    for (const wait of openWaits(this, this.#waits, looks)) this.#addWait(wait);
  }

  /**
   * Leaves out a last sample that the text is cut in: a part of a frame is a function that nobody has, and its callers
   * are not there. Told by what lines before have: an object in brackets behind frames, the event's name.
   */
  #dropCut(): boolean {
    const line = this.#decoder.decode(this.#carry);
    const isFrame = /^\s+[0-9a-f]+(?:\s|$)/.test(line);
    const isCut = isFrame
      ? !line.trimEnd().endsWith(')') && this.frames.some(({ dso }) => dso !== '')
      : (parseEventLine(line)?.event === NO_EVENT &&
          this.#origins.list.some(({ event }) => event !== NO_EVENT)) ||
        // The beginning of a cgroup's path is another cgroup.
        this.#origins.list.some(({ cgroup }) => cgroup !== undefined);
    if (!isCut) return false;
    this.#carry = new Uint8Array(0);
    this.#odd(isFrame ? 'frame line' : 'event line', line);
    if (isFrame) {
      this.#origin = -1;
      this.#depth = 0;
    }
    return true;
  }

  /** Whole lines only. */
  #scan(bytes: Uint8Array, from: number, to: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const lines = this.#lines;
    for (let at = from; at < to; ) {
      if (this.#origin < 0) {
        at = this.#between(bytes, view, at, to);
        continue;
      }
      if (this.#depth === this.#chain.length) this.#chain = enlarged(this.#chain);
      const line = lines.follow(this.#previous, view, at, to, this.#chain, this.#depth);
      this.#previous = lines.last;
      this.#depth = lines.depth;
      at = lines.from;
      if (line < 0) continue;
      if (line === 0) {
        at = this.#unseen(bytes, view, at);
        continue;
      }
      at = lines.end;
      if (lines.frame[line] === END) {
        this.#finish();
        continue;
      }
      this.#previous = line;
      for (const each of lines.several.get(line)!) this.#add(each);
    }
  }

  #add(frame: number): void {
    if (this.#depth === this.#chain.length) this.#chain = enlarged(this.#chain);
    this.#chain[this.#depth++] = frame;
  }

  /** A line within a sample that has not been there before: `find` has looked for it, and knows where it ends. */
  #unseen(bytes: Uint8Array, view: DataView, at: number): number {
    const lines = this.#lines;
    const { end } = lines;
    const first = bytes[at]!;
    if (isBlankLine(bytes, at, end)) {
      lines.keep(this.#previous, bytes, at, END);
      this.#finish();
      return end;
    }
    const known = this.#tails.frames(bytes, at, end, () => this.#parseFrames(this.#text(bytes, at, end - 1)));
    if (known) {
      this.#keepFrames(bytes, at, known);
      return end;
    }
    // perf puts a tab before a frame. What was copied may have blanks, or nothing; and blanks may also stand before the
    // name in an event line, which then has a time.
    const blank = first === TAB || first === BLANK;
    if (first !== TAB && this.#readEvent(bytes, at, end - 1)) return this.#eventLine(bytes, view, at, end);
    const text = this.#text(bytes, at, end - 1);
    if (isNoEvent(text)) return end;
    if (first !== HASH && first !== TAB && this.#looksLikeEvent(text, blank))
      return this.#eventLine(bytes, view, at, end);
    // Such lines are not kept: there may be one for each sample.
    if (isColumns(text, this.#layout.tabs)) return end;
    const frames = first !== HASH && (blank || text.endsWith(')')) ? this.#framesOf(text) : undefined;
    if (frames || first === HASH) {
      this.#keepFrames(bytes, at, this.#numbersOf(frames ?? []));
      return end;
    }
    if (isOtherRecord(text) || (first === TAB && this.#looksLikeEvent(text, true)))
      return this.#eventLine(bytes, view, at, end);
    // Whatever it is, the sample goes on behind it.
    this.#odd(blank ? 'frame line' : 'event line', text);
    return end;
  }

  /** The numbers of a line's frames, the callee first; undefined where it is no line of a call chain. */
  #parseFrames(text: string): readonly number[] | undefined {
    const frames = this.#framesOf(text);
    return frames && this.#numbersOf(frames);
  }

  #numbersOf(frames: readonly Frame[]): number[] {
    return frames.map((frame) => this.frameNumber(frame)).reverse();
  }

  /** Keeps the line that was looked for with its frames, which are the next ones of the chain. */
  #keepFrames(bytes: Uint8Array, at: number, numbers: readonly number[]): void {
    const line = this.#lines.keep(this.#previous, bytes, at, numbers.length === 1 ? numbers[0]! : SEVERAL);
    if (numbers.length !== 1) this.#lines.several.set(line, numbers);
    this.#previous = line;
    for (const number of numbers) this.#add(number);
  }

  #looksLikeEvent(text: string, timed: boolean): boolean {
    const parsed = parseEventLine(text, this.#layout.ids);
    if (!parsed || !timed || parsed.cpu >= 0 || !Number.isNaN(parsed.time)) return parsed !== undefined;
    // perf aligns the name of a one-line sample to the right.
    return framesBeside(parsed.rest, false).length > 0;
  }

  /** A line between samples: an event line, a comment, a blank line. */
  #between(bytes: Uint8Array, view: DataView, at: number, to: number): number {
    if (bytes[at] === NEWLINE) return at + 1;
    const end = bytes.indexOf(NEWLINE, at) + 1 || to;
    // Below the clock stands the stack of the switch once more, unless perf was asked for other fields.
    if (this.#waits && bytes[at] === TAB) return end;
    if (isBlankLine(bytes, at, end)) return end;
    return this.#eventLine(bytes, view, at, end);
  }

  #eventLine(bytes: Uint8Array, view: DataView, at: number, end: number): number {
    this.#finish();
    const event = this.#event;
    if (this.#readEvent(bytes, at, end - 1)) {
      if (this.#waits) {
        const { time, period, cpu, eventStart, eventEnd } = event;
        if (this.#text(bytes, eventStart, eventEnd) !== CLOCK_EVENT) return end;
        if (Number.isNaN(period)) this.#odd('event line', this.#text(bytes, at, end - 1));
        else this.#readClock(this.#origins.read(bytes, view, at, event), cpu, time, period, this.#waits);
        return end;
      }
      this.#origin = this.#origins.read(bytes, view, at, event);
      this.#time = event.time;
      this.#period = event.period;
      if (event.besideStart > 0)
        this.#beside = framesBeside(this.#text(bytes, event.besideStart, end - 1), false);
      return end;
    }
    const text = this.#text(bytes, at, end - 1);
    this.#switch = this.#waits && parseSwitch(text);
    if (this.#switch) {
      this.#origin = 0;
      return end;
    }
    if (isNoEvent(text)) return end;
    const parsed = parseEventLine(text, this.#layout.ids);
    if (bytes[at] === HASH && !(parsed && !Number.isNaN(parsed.time))) {
      if (this.#comments.read(text)) {
        this.#waits ??= new OffCpuWaits(this.#filter);
        this.firstTime = Number(this.header.get('recording began') ?? Number.NaN);
        this.#origins.madeEvent = OFF_CPU;
      }
      return end;
    }
    const lost = parseLost(text);
    if (lost !== undefined) {
      this.lost += lost;
      this.#waits?.lost();
      return end;
    }
    if (!parsed) {
      if (isOtherRecord(text) || isColumns(text, this.#layout.tabs)) return end;
      this.#odd(/^\s/.test(text) ? 'frame line' : 'event line', text);
      return end;
    }
    if (this.#waits) {
      const { event: name, who, cpu, time, period } = parsed;
      // With perf's own fields a frame stands beside the clock. All other events are no waits.
      if (name === CLOCK_EVENT && cpu >= 0 && period >= 0)
        this.#readClock(this.#origins.parse(who, OFF_CPU, this.#layout.ids), cpu, time, period, this.#waits);
      else if (name === SWITCH_EVENT || name === CLOCK_EVENT) this.#odd('event line', text);
      return end;
    }
    this.#origin = this.#origins.parse(parsed.who, parsed.event, this.#layout.ids);
    this.#time = parsed.time;
    this.#period = parsed.period;
    if (parsed.rest !== '') {
      let from = text.trimEnd().length - parsed.rest.length;
      while (text[from - 1] === ' ') from -= 1;
      this.#beside = framesBeside(text.slice(from), /^[\w-]+:[\w-]+$/.test(parsed.event));
    }
    return end;
  }

  /** The usual event line, which numbers the thread. */
  #readEvent(bytes: Uint8Array, from: number, to: number): boolean {
    return this.#layout.ids && this.#event.read(bytes, from, to);
  }

  #framesOf(text: string): readonly Frame[] | undefined {
    const frames = parseFrameLine(text);
    if (frames && /^\s*[0-9a-f]+(?: \(.*\))?\s*$/.test(text)) this.withoutSymbol = true;
    else if (frames) this.withSymbol = true;
    return frames;
  }

  #takeBeside(): void {
    if (this.#depth === 0)
      for (const frame of [...this.#beside].reverse()) this.#add(this.frameNumber(frame));
    this.withSymbol = true;
    this.#beside = [];
  }

  /** The number of an origin, of a frame; a new one for one that has not been there. */
  originNumber(comm: string, pid: number, tid: number, event: string, cgroup?: string): number {
    return this.#origins.number(comm, pid, tid, event, cgroup);
  }

  frameNumber(frame: Frame): number {
    // What has no name is told by its object, deleted or not: the tables say why.
    const key = frame.unknown ? `${frame.kind} ${frame.name}\n${frame.dso}` : `${frame.kind} ${frame.name}`;
    let number = this.#frameNumbers.get(key);
    if (number === undefined) {
      number = this.frames.push(frame) - 1;
      this.#frameNumbers.set(key, number);
    }
    return number;
  }

  /** The end of a sample, if one was being read: its stack is counted. */
  #finish(): void {
    if (this.#origin < 0) return;
    if (this.#waits) {
      this.#origin = -1;
      this.#previous = 0;
      this.frameLines += this.#depth;
      if (this.#switch) this.#waits.hold({ ...this.#switch, chain: this.#chain.slice(0, this.#depth) });
      this.#depth = 0;
      return;
    }
    const number = this.#origin;
    const origin = this.#origins.list[number]!;
    this.#origin = -1;
    this.#previous = 0;
    if (this.#beside.length > 0) this.#takeBeside();
    this.frameLines += this.#depth;
    this.#add(origin.frame);
    const depth = this.#depth;
    this.#depth = 0;
    const time = this.#time;
    if (Number.isNaN(this.firstTime)) this.firstTime = time;
    if (!(time <= this.lastTime)) this.lastTime = time;
    if (!this.#within(time)) return;
    const stack = this.stacks.number(this.#chain, 0, depth);
    const hasPeriod = !Number.isNaN(this.#period);
    const row = this.rows.add(stack, number, hasPeriod ? this.#period : 0);
    origin.samples += 1;
    if (!hasPeriod) origin.withoutPeriod += 1;
    else if (this.#period !== origin.period) notePeriod(origin, this.#period);
    if (this.#filter.timeline) this.timeline.add(ticksOf(time) - ticksOf(this.firstTime), row);
  }

  /** The clock of a switch: what it counted tells when the thread had come, and so how long it had waited before. */
  #readClock(number: number, cpu: number, time: number, period: number, waits: OffCpuWaits): void {
    if (Number.isNaN(this.firstTime)) this.firstTime = time;
    if (!(time <= this.lastTime)) this.lastTime = time;
    const { tid } = this.#origins.list[number]!;
    const wait = waits.leave(waits.take(cpu, tid), tid, cpu, time, period, number);
    if (wait) this.#addWait({ ...wait, chain: wait.left.chain, state: wait.left.state });
  }

  #addWait(wait: CountedWait): void {
    if (!this.#within(wait.since)) return;
    const row = addWait(this, wait);
    if (this.#filter.timeline) this.timeline.add(ticksOf(wait.since) - ticksOf(this.firstTime), row);
  }

  #within(time: number): boolean {
    const { from, to } = this.#filter;
    if (from === undefined && to === undefined) return true;
    const since = time - this.firstTime;
    if (since >= (from ?? 0) && since < (to ?? Number.POSITIVE_INFINITY)) return true;
    this.outside += 1;
    return false;
  }

  #text(bytes: Uint8Array, from: number, to: number): string {
    const end = to > from && bytes[to - 1] === RETURN ? to - 1 : to;
    return this.#decoder.decode(bytes.subarray(from, end));
  }

  #odd(kind: ParseWarning['kind'], line: string): void {
    const known = this.warnings.find((each) => each.kind === kind);
    if (known) known.count += 1;
    else this.warnings.push({ kind, line: line.slice(0, 200), count: 1 });
  }
}

const isBlankLine = (bytes: Uint8Array, at: number, end: number): boolean => {
  for (let here = at; here < end; here += 1) {
    const byte = bytes[here]!;
    if (byte !== NEWLINE && byte !== RETURN && byte !== BLANK && byte !== TAB) return false;
  }
  return true;
};
