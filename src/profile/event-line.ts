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

const WHO = String.raw`(?:(.{0,80}?)\s+)?(-?\d+)(?:\/(-?\d+))?`;
const TAIL = String.raw`(?:(\d+)\s+)?(\S+):(?:\s+(.*))?$`;
const CPU = String.raw`\[(-?\d+)\]`;
const TIME = String.raw`(\d+\.\d+):`;

/** From the most telling form to the least: with processor and time, with time, with processor, with neither. */
const FORMS = [
  { pattern: new RegExp(`^(.*\\s)?${CPU}\\s+${TIME}\\s+${TAIL}`, 's'), cpu: true, time: true },
  { pattern: new RegExp(`^(.*\\s)?${TIME}\\s+${TAIL}`, 's'), cpu: false, time: true },
  { pattern: new RegExp(`^(.*\\s)?${CPU}\\s+${TAIL}`, 's'), cpu: true, time: false },
  // Here only the numbers tell where the name ends: without them in the pattern the thread's would be the period.
  { pattern: new RegExp(`^((?:.*?\\s)?-?\\d+(?:/-?\\d+)?\\s)\\s*${TAIL}`, 's'), cpu: false, time: false },
] as const;

/**
 * An event line of `perf script`, `COMM PID/TID [CPU] TIME: PERIOD EVENT: …` with the fields the user asked for
 * (Linux tools/perf/builtin-script.c, perf_sample__fprintf_start). Anchored on the processor and the time and read
 * from the right, because a thread may call itself anything, that pattern included.
 */
export function parseEventLine(line: string): EventLine | undefined {
  for (const form of FORMS) {
    const found = form.pattern.exec(line);
    if (!found) continue;
    const fields = found.slice(1);
    const who = (fields.shift() ?? '').trim();
    // A time or a processor, but nobody it is of: a lesser form would take them for a name.
    if (parseWho(who) === undefined) return undefined;
    const cpu = form.cpu ? Number(fields.shift()) : -1;
    const time = form.time ? Number(fields.shift()) : Number.NaN;
    const [period, event, rest] = fields as [string | undefined, string, string | undefined];
    return {
      who,
      cpu,
      time,
      period: period === undefined ? Number.NaN : Number(period),
      event,
      rest: rest?.trim() ?? '',
    };
  }
  return undefined;
}

/** `comm pid/tid`, or `comm tid` as perf prints it by default. The name may be empty, and may hold anything. */
export function parseWho(text: string): { comm: string; pid: number; tid: number } | undefined {
  const found = new RegExp(`^${WHO}$`, 's').exec(text);
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
    if (at === start || at === this.eventEnd) return false;
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
    return at > start && isDigit(bytes[at - 1]) && this.#endsInIds(bytes, start, at);
  }

  #value = 0;

  /** Reads the digits that end before `end`, and returns where they begin. */
  #integer(bytes: Uint8Array, start: number, end: number): number {
    let at = end;
    let value = 0;
    for (let factor = 1; at > start && isDigit(bytes[at - 1]); factor *= 10) {
      at -= 1;
      value += (bytes[at]! - 48) * factor;
    }
    this.#value = value;
    return at;
  }

  /** Reads `SECONDS.FRACTION` and the blanks before it; -1 if it is none. */
  #seconds(bytes: Uint8Array, start: number, end: number): number {
    let at = this.#integer(bytes, start, end);
    if (at === end || bytes[at - 1] !== DOT) return -1;
    const fraction = this.#value / 10 ** (end - at);
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
