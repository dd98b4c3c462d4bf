/** What an event line of `perf script` says, but for who it is about. */
export interface EventLine {
  /** `comm pid/tid`, as it stands in the line. */
  readonly who: string;
  /** -1 where the line has none. */
  readonly cpu: number;
  /** Seconds on perf's clock; NaN where the line has none. */
  readonly time: number;
  /** In the event's own unit (nanoseconds for cpu-clock); NaN where the line has none. */
  readonly period: number;
  readonly event: string;
  /** What stands behind the event: a frame in one-line samples, or a tracepoint's text. */
  readonly rest: string;
}

/** With `-F +misc` a letter or two say what the sample was in: Linux tools/perf/builtin-script.c, perf_sample__fprintf_start. */
const WHO = String.raw`(?:(.{0,80}?)\s+)?(-?\d+)(?:\/(-?\d+))?(?:\s+[KUHGgMEST]{1,4})?`;
const WHO_LINE = new RegExp(`^${WHO}$`, 's');
/** What stands before the event: with processor and time, with time, with processor, in the order in which they tell most. */
const ANCHORS = [
  /(?<=^|\s)\[(-?\d+)\]\s+(\d+\.\d+):(?=\s|$)/g,
  /(?<=^|\s)()(\d+\.\d+):(?=\s|$)/g,
  /(?<=^|\s)\[(-?\d+)\]()(?=\s)/g,
] as const;
/** TASK_COMM_LEN of the kernel less its zero. */
const LONGEST_NAME = 15;

/** Whether perf's line is of a record that is no sample: `--show-task-events`, `--show-mmap-events` and the like. */
export const isOtherRecord = (line: string): boolean => /(?:^|\s)PERF_RECORD_[A-Z]/.test(line);

/**
 * An event line of `perf script`, `COMM PID/TID [CPU] TIME: PERIOD EVENT: …` with the fields the user asked for
 * (Linux tools/perf/builtin-script.c, perf_sample__fprintf_start). Anchored on the processor and the time and read
 * from the right, because a thread may call itself anything, that pattern included. An event is `samples` where the
 * line names none.
 */
export function parseEventLine(line: string): EventLine | undefined {
  for (const anchor of ANCHORS) {
    const found = [...line.matchAll(anchor)];
    if (found.length === 0) continue;
    const at = found.findLast((each) => isTracepoint(line, each)) ?? found.at(-1)!;
    const who = line.slice(0, at.index).trim();
    // A time or a processor, but nobody it is of: a lesser form would take them for a name.
    if (parseWho(who) === undefined) return undefined;
    const [, cpu, time] = at as unknown as [string, string, string];
    const what = parseWhat(line.slice(at.index + at[0].length));
    if (!what) continue;
    return {
      who,
      cpu: cpu === '' ? -1 : Number(cpu),
      time: time === '' ? Number.NaN : Number(time),
      ...what,
    };
  }
  return parseTimeless(line);
}

/**
 * Whether a tracepoint, with a text that may hold anything, stands behind this processor and time, and before it a name
 * that the kernel lets a thread have.
 */
function isTracepoint(line: string, at: RegExpExecArray): boolean {
  const what = parseWhat(line.slice(at.index + at[0].length));
  if (!what || what.rest === '' || !/^[\w-]+:[\w-]+$/.test(what.event)) return false;
  const who = parseWho(line.slice(0, at.index).trim());
  return who !== undefined && Buffer.byteLength(who.comm) <= LONGEST_NAME;
}

/** What stands behind the time. */
function parseWhat(text: string): Pick<EventLine, 'period' | 'event' | 'rest'> | undefined {
  const found = /^\s+(?:(\d+)\s+)?(\S+):(?:\s+(.*))?$/s.exec(text);
  if (found) {
    const [, period, event, rest] = found as unknown as [
      string,
      string | undefined,
      string,
      string | undefined,
    ];
    if (!isEventName(event)) return undefined;
    return { period: numberOf(period), event, rest: rest?.trim() ?? '' };
  }
  // Without an event's name: nothing more, the period, or the frame of a one-line sample.
  const plain = /^(?:\s+(\d+))?\s*$|^\s+([0-9a-f]+\s+\S.*\))\s*$/s.exec(text);
  return plain ? { period: numberOf(plain[1]), event: NO_EVENT, rest: plain[2] ?? '' } : undefined;
}

/** With neither processor nor time only the numbers tell where the name ends: without them the thread's would be the period. */
function parseTimeless(line: string): EventLine | undefined {
  const found = /^((?:.*?\s)?-?\d+(?:\/-?\d+)?\s)\s*(?:(\d+)\s+)?(\S+):(?:\s+(.*))?$/s.exec(line);
  // perf puts a blank behind the number; a line that merely ends in one is anything.
  const bare = found ? undefined : /^(\S.*\s-?\d+(?:\/-?\d+)?) +$/s.exec(line);
  const who = (found ?? bare)?.[1]?.trim();
  if (who === undefined || parseWho(who) === undefined || (found && !isEventName(found[3]!)))
    return undefined;
  return {
    who,
    cpu: -1,
    time: Number.NaN,
    period: numberOf(found?.[2]),
    event: found?.[3] ?? NO_EVENT,
    rest: found?.[4]?.trim() ?? '',
  };
}

/** No other record, and no time: what stood before that is part of a name. */
const isEventName = (text: string): boolean => !/^(?:PERF_RECORD_|\d+\.\d+$)/.test(text);

/** What an event is called where perf was not asked for its name. */
const NO_EVENT = 'samples';

const numberOf = (text: string | undefined): number => (text === undefined ? Number.NaN : Number(text));

/** `comm pid/tid`, or `comm tid` as perf prints it by default. The name may be empty, and may hold anything. */
export function parseWho(text: string): { comm: string; pid: number; tid: number } | undefined {
  const found = WHO_LINE.exec(text);
  if (!found) return undefined;
  const [, comm = '', first, second] = found as unknown as [
    string,
    string | undefined,
    string,
    string | undefined,
  ];
  return {
    comm: comm.trim(),
    pid: second === undefined ? -1 : Number(first),
    tid: Number(second ?? first),
  };
}

/** Samples that the kernel could not deliver: `perf script --show-lost-events`. Undefined for any other line. */
export function parseLost(line: string): number | undefined {
  const found = /\sPERF_RECORD_LOST(?:_SAMPLES)?\s+lost\s+(\d+)/.exec(line);
  return found ? Number(found[1]) : undefined;
}

/** A name, blanks up to 16 columns, and two numbers of ten digits. */
const LONGEST_WHO = 40;

const BLANK = 32;
const TAB = 9;
const COLON = 58;
const DOT = 46;
const SLASH = 47;
const OPEN = 91;
const CLOSE = 93;

const isBlank = (byte: number | undefined): boolean => byte === BLANK || byte === TAB;
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 48 && byte <= 57;

/**
 * The usual event line, `… [CPU] TIME: PERIOD EVENT:` with nothing behind it, read from the right out of the bytes.
 * `read` says whether it is one; if so the fields hold what it says. All else is for `parseEventLine`.
 */
export class EventBytes {
  /** Where `comm pid/tid` ends. */
  whoEnd = 0;
  eventStart = 0;
  eventEnd = 0;
  /** Time in seconds and period, in an array: a field would be a new object with each number. */
  readonly #numbers = new Float64Array(2);

  get time(): number {
    return this.#numbers[0]!;
  }

  get period(): number {
    return this.#numbers[1]!;
  }

  /** Reads the line from `start` to `end` (without its line feed). */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    let at = end;
    while (at > start && (isBlank(bytes[at - 1]) || bytes[at - 1] === 13)) at -= 1;
    if (bytes[at - 1] !== COLON) return false;
    at -= 1;
    this.eventEnd = at;
    while (at > start && !isBlank(bytes[at - 1])) at -= 1;
    this.eventStart = at;
    // A time may stand there, where the event's name was not asked for.
    if (at === start || at === this.eventEnd || isDigit(bytes[at])) return false;
    while (at > start && isBlank(bytes[at - 1])) at -= 1;
    this.#numbers[1] = Number.NaN;
    if (isDigit(bytes[at - 1])) {
      const digits = at;
      at = this.#integer(bytes, start, at);
      if (at === digits) return false;
      this.#numbers[1] = this.#value;
      if (!isBlank(bytes[at - 1])) return false;
      while (at > start && isBlank(bytes[at - 1])) at -= 1;
    }
    if (at === start || bytes[at - 1] !== COLON) return false;
    at = this.#seconds(bytes, start, at - 1);
    if (at < 0) return false;
    if (bytes[at - 1] === CLOSE) {
      const digits = at - 1;
      at = this.#integer(bytes, start, digits);
      if (at === digits || bytes[at - 1] !== OPEN || !isBlank(bytes[at - 2])) return false;
      at -= 1;
      while (at > start && isBlank(bytes[at - 1])) at -= 1;
    }
    this.whoEnd = at;
    // A longer one holds more than a name and its numbers: the text of a tracepoint that looks like all this.
    if (at - start > LONGEST_WHO) return false;
    return at > start && isDigit(bytes[at - 1]) && this.#endsInIds(bytes, start, at);
  }

  #value = 0;
  /** Ten to the power of how many digits were read. */
  #power = 1;

  /** Reads the digits that end before `end`, and returns where they begin. */
  #integer(bytes: Uint8Array, start: number, end: number): number {
    let at = end;
    let value = 0;
    let power = 1;
    for (; at > start && isDigit(bytes[at - 1]); power *= 10) {
      at -= 1;
      value += (bytes[at]! - 48) * power;
    }
    this.#value = value;
    this.#power = power;
    return at;
  }

  /** Reads `SECONDS.FRACTION` and the blanks before it; -1 if it is none. */
  #seconds(bytes: Uint8Array, start: number, end: number): number {
    let at = this.#integer(bytes, start, end);
    if (at === end || bytes[at - 1] !== DOT) return -1;
    const fraction = this.#value / this.#power;
    const whole = at - 1;
    at = this.#integer(bytes, start, whole);
    if (at === whole || !isBlank(bytes[at - 1])) return -1;
    this.#numbers[0] = this.#value + fraction;
    while (at > start && isBlank(bytes[at - 1])) at -= 1;
    return at;
  }

  /** Whether what ends before `end` is `PID/TID` or `TID` with a blank, or the line's start, before it. */
  #endsInIds(bytes: Uint8Array, start: number, end: number): boolean {
    let at = end;
    while (at > start && (isDigit(bytes[at - 1]) || bytes[at - 1] === SLASH || bytes[at - 1] === 45)) at -= 1;
    return at === start || isBlank(bytes[at - 1]);
  }
}
