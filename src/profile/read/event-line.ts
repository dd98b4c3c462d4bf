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

/**
 * With `-F +misc` a letter or two say what the sample was in, behind the processor; `+tod` is the time of day, before the
 * time: Linux tools/perf/builtin-script.c, perf_sample__fprintf_start. `+machine_pid,+vcpu` stand before it all.
 */
const MISC = '[KUHGgMESTp]{1,5}';
const OF_DAY = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+`;
const BETWEEN = String.raw`(?:${MISC}\s+)?(?:${OF_DAY}\s+)?`;
const WHO_LINE = new RegExp(String.raw`^(?:(.{0,80}?)\s+)?(-?\d+)(?:\/(-?\d+))?(?:\s+${MISC})?$`, 's');
const GUEST = /^VM:(?: {4}\d| {3}\d\d| {2}\d{3}| \d{4}|\d{5,}) (?:VCPU:\d{3,} )?/;
/** What stands before the event: with processor and time, with time, with processor, in the order in which they tell most. */
const ANCHORS = [
  new RegExp(String.raw`(?<=^|\s)\[(-?\d+)\]\s+${BETWEEN}(\d+\.\d+):(?=\s|$)`, 'g'),
  new RegExp(String.raw`(?<=^|\s)()(?:${OF_DAY}\s+)?(\d+\.\d+):(?=\s|$)`, 'g'),
  new RegExp(String.raw`(?<=^|\s)\[(-?\d+)\]()(?=\s)(?:\s+${MISC}(?=\s))?(?:\s+${OF_DAY}(?=\s))?`, 'g'),
  new RegExp(String.raw`(?<=^|\s)()()${OF_DAY}(?=\s)`, 'g'),
] as const;
/** TASK_COMM_LEN of the kernel less its zero. */
const LONGEST_NAME = 15;

/** Whether perf's line is of a record that is no sample: `--show-task-events`, `--show-mmap-events` and the like. */
export const isOtherRecord = (line: string): boolean => /(?:^|\s)PERF_RECORD_[A-Z]/.test(line);

/**
 * An event line of `perf script`, `COMM PID/TID [CPU] TIME: PERIOD EVENT: …` with the fields the user asked for
 * (Linux tools/perf/builtin-script.c, perf_sample__fprintf_start). Anchored on the processor and the time and read
 * from the right, because a thread may call itself anything, that pattern included. An event is `samples` where the
 * line names none. Without `ids` the text names threads, but does not number them.
 */
export function parseEventLine(line: string, ids = true): EventLine | undefined {
  for (const anchor of ANCHORS) {
    const found = [...line.matchAll(anchor)];
    if (found.length === 0) continue;
    const at = found.findLast((each) => isTracepoint(line, each, ids)) ?? found.at(-1)!;
    const who = whoOf(line.slice(0, at.index), ids);
    // A time or a processor, but nobody it is of: a lesser form would take them for a name.
    if (parseWho(who, ids) === undefined) return undefined;
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
  return parseTimeless(line, ids);
}

/** Where threads are not numbered, what the sample was in stands behind the name, and six columns wide. */
const whoOf = (text: string, ids: boolean): string =>
  (ids ? text : text.replace(/(?<=\s)[KUHGgMESTp]{1,5} {2,}$/, '')).trim();

/**
 * Whether a tracepoint, with a text that may hold anything, stands behind this processor and time, and before it a name
 * that the kernel lets a thread have.
 */
function isTracepoint(line: string, at: RegExpExecArray, ids: boolean): boolean {
  const what = parseWhat(line.slice(at.index + at[0].length));
  if (!what || what.rest === '' || !/^[\w-]+:[\w-]+$/.test(what.event)) return false;
  const who = parseWho(line.slice(0, at.index).trim(), ids);
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
  // Without an event's name: nothing more, the period, the frame of a one-line sample, or other columns.
  const plain = /^(?:\s+(\d+))?\s*$|^\s+([0-9a-f]+\s+\S.*\))\s*$/s.exec(text);
  if (plain && !(plain[2] && ALIGNED_PERIOD.test(text)))
    return { period: numberOf(plain[1]), event: NO_EVENT, rest: plain[2] ?? '' };
  const period = ALIGNED_PERIOD.exec(text);
  const rest = text.slice(period?.[0].length ?? 0);
  return COLUMNS.test(rest)
    ? { period: numberOf(period?.[1]?.trim()), event: NO_EVENT, rest: rest.trim() }
    : undefined;
}

/** perf aligns a period to ten columns, and an address to sixteen. */
const ALIGNED_PERIOD = /^\s(?=[ \d]{10,15} |\d{10,} )( *\d+)(?= )/;
/** What may follow where the event has no name: nothing, a number, an address, registers, flags of Intel PT, sizes of pages. */
const COLUMNS =
  /^(?!.*\w(?<!\b(?:ilen|insn)):(?:\s|$))\s*(?:$|[0-9a-f]+(?:\s|$)|ABI:\d|i(?:len|nsn): |N\/A|\d+[KMGT]\b|(?:call|return|jcc|jmp|int|iret|syscall|sysret|async|hw int|tx abrt|tr strt|tr end|vmentry|vmexit)\b)/;

/** With neither processor nor time only the numbers tell where the name ends: without them the thread's would be the period. */
function parseTimeless(line: string, ids: boolean): EventLine | undefined {
  const [named, bare] = ids ? TIMELESS.ids : TIMELESS.names;
  const found = named.exec(line);
  // perf puts a blank behind the number; a line that merely ends in one is anything.
  const [, who, period, event, rest] = found ?? bare.exec(line) ?? [];
  if (who === undefined || parseWho(who.trim(), ids) === undefined || (found && !isEventName(event!)))
    return undefined;
  return {
    who: who.trim(),
    cpu: -1,
    time: Number.NaN,
    period: numberOf(period?.trim()),
    event: event ?? NO_EVENT,
    rest: rest?.trim() ?? '',
  };
}

/** Who, period, event and rest; and where the event has no name, who and the period, aligned. */
const TIMELESS = {
  ids: [
    new RegExp(
      String.raw`^((?:.*?\s)??-?\d+(?:\/-?\d+)?\s(?:\s*${MISC}\s)?)\s*(?:(\d+)\s+)?(\S+):(?:\s+(.*))?$`,
      's',
    ),
    /^(\S.*?\s-?\d+(?:\/-?\d+)?)(?: (?=[ \d]{10,} $)( *\d+))? +$/s,
  ],
  names: [/^(\S.*?)\s+(?:(\d+)\s+)?([^\s:]\S*):(?:\s+(.*))?$/s, /^(\S.*?)(?: (?=[ \d]{10,} $)( *\d+))? +$/s],
} as const;

/** No other record, and no time: what stood before that is part of a name. */
const isEventName = (text: string): boolean => !/^(?:PERF_RECORD_|\d+\.\d+$)/.test(text);

/** What an event is called where perf was not asked for its name. */
export const NO_EVENT = 'samples';

const numberOf = (text: string | undefined): number => (text === undefined ? Number.NaN : Number(text));

/** `comm pid/tid`, or `comm tid` as perf prints it by default; `comm` without `ids`. The name may be empty, and may hold anything. */
export function parseWho(whole: string, ids = true): { comm: string; pid: number; tid: number } | undefined {
  const text = whole.replace(GUEST, '');
  if (!ids) return { comm: text, pid: -1, tid: -1 };
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
const BRACKET = 41;

const isBlank = (byte: number | undefined): boolean => byte === BLANK || byte === TAB;
/** What perf prints for a cgroup that it does not know: `unknown`, and nothing behind it. */
const UNKNOWN = [117, 110, 107, 110, 111, 119, 110] as const;
const isUnknown = (bytes: Uint8Array, from: number, to: number): boolean =>
  to - from === UNKNOWN.length && UNKNOWN.every((byte, at) => bytes[from + at] === byte);

const isHexadecimal = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && byte >= 97 && byte <= 102);
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 48 && byte <= 57;

/**
 * The usual event line, `… [CPU] TIME: PERIOD EVENT:` with nothing or a cgroup behind it, read from the right out of the bytes.
 * `read` says whether it is one; if so the fields hold what it says. All else is for `parseEventLine`.
 */
export class EventBytes {
  /** Where `comm pid/tid` ends. */
  whoEnd = 0;
  eventStart = 0;
  eventEnd = 0;
  /** Where the path of a cgroup begins and ends that stands behind the event (`-F +cgroup`); 0 without one. */
  cgroupStart = 0;
  cgroupEnd = 0;
  /** Where a frame begins that stands behind the cgroup, in one-line samples; 0 without one. */
  besideStart = 0;
  /** Whether the line has both a processor and a period. */
  #isComplete = false;
  /** Time in seconds, period and processor, in an array: a field would be a new object with each number. */
  readonly #numbers = new Float64Array(3);

  get time(): number {
    return this.#numbers[0]!;
  }

  get period(): number {
    return this.#numbers[1]!;
  }

  /** -1 where the line has none. */
  get cpu(): number {
    return this.#numbers[2]!;
  }

  /** Reads the line from `start` to `end` (without its line feed). */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.cgroupEnd = 0;
    this.besideStart = 0;
    return this.#readEvent(bytes, start, end) || this.#readCgroup(bytes, start, end);
  }

  /**
   * Reads a line with a cgroup's path behind two blanks. A container can give its cgroups and its threads any names, such as
   * the rest of an event line, so the first colon counts that ends one: what must stand before it is longer than the name
   * of a thread can be.
   */
  #readCgroup(bytes: Uint8Array, start: number, end: number): boolean {
    const to = bytes[end - 1] === 13 ? end - 1 : end;
    for (let at = bytes.indexOf(COLON, start); at >= 0 && at + 3 < to; at = bytes.indexOf(COLON, at + 1)) {
      if (bytes[at + 1] !== BLANK || bytes[at + 2] !== BLANK) continue;
      if (bytes[at + 3] !== SLASH && !isUnknown(bytes, at + 3, to)) continue;
      if (!this.#readEvent(bytes, start, at + 1) || !this.#isComplete) continue;
      this.cgroupStart = at + 3;
      this.cgroupEnd = to;
      if (bytes[to - 1] === BRACKET) this.#cutFrame(bytes, to);
      return true;
    }
    return false;
  }

  /** Takes a frame off the end of the cgroup: blanks, an address, a blank, and more. */
  #cutFrame(bytes: Uint8Array, to: number): void {
    for (
      let at = bytes.indexOf(BLANK, this.cgroupStart);
      at >= 0 && at < to;
      at = bytes.indexOf(BLANK, at + 1)
    ) {
      let end = at;
      while (bytes[end] === BLANK) end += 1;
      const address = end;
      while (isHexadecimal(bytes[end])) end += 1;
      if (end === address || bytes[end] !== BLANK) continue;
      this.cgroupEnd = at;
      this.besideStart = at;
      return;
    }
  }

  /** The line up to the colon behind the event. */
  #readEvent(bytes: Uint8Array, start: number, end: number): boolean {
    this.#isComplete = false;
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
    this.#numbers[2] = -1;
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
      this.#isComplete = !Number.isNaN(this.#numbers[1]!);
      const digits = at - 1;
      at = this.#integer(bytes, start, digits);
      if (at === digits || bytes[at - 1] !== OPEN || !isBlank(bytes[at - 2])) return false;
      this.#numbers[2] = this.#value;
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
