import { grown } from './columns.ts';
import { compareAsWireshark, type Time, WIDE } from './times.ts';

/** The places of a row's numbers in `counts`. */
const COUNTS = 8;
const FRAMES = 0;
const BYTES = 2;
const START = 4;
const STOP = 6;

const KEYS = 4;

/** One conversation. */
export interface Conversation {
  readonly row: number;
  /** Numbers of Addresses; A is who sent the first packet. */
  readonly a: number;
  readonly b: number;
  readonly six: boolean;
  /** 0 if the table has no ports. */
  readonly aPort: number;
  readonly bPort: number;
  readonly framesToB: number;
  readonly framesToA: number;
  readonly bytesToB: number;
  readonly bytesToA: number;
  /** Seconds since 1970 and the nanoseconds beyond: the earliest packet, and the latest. */
  readonly start: readonly [seconds: number, nanos: number];
  readonly stop: readonly [seconds: number, nanos: number];
}

/**
 * The conversations in order of first appearance; each takes 80 bytes and a place in a hash table. A conversation that begins
 * again with the same addresses and ports gets another row.
 */
export class ConversationTable {
  /** a, b, ports of a and b in one word, version. */
  #keys = new Int32Array(KEYS * 64);
  #counts = new Float64Array(COUNTS * 64);
  #table = new Int32Array(128).fill(-1);
  #rows = 0;
  #last = -1;
  readonly #asWireshark: boolean;

  /** `asWireshark`: times that are far apart are ordered as Wireshark orders them. */
  constructor(asWireshark = false) {
    this.#asWireshark = asWireshark;
  }

  get rows(): number {
    return this.#rows;
  }

  /** The row of the conversation between these two ends; -1 if there is none. */
  find(version: number, src: number, dst: number, sport: number, dport: number): number {
    const there = (sport << 16) | dport;
    const back = (dport << 16) | sport;
    const keys = this.#keys;
    if (this.#last >= 0 && is(keys, KEYS * this.#last, version, src, dst, there, back)) return this.#last;
    const table = this.#table;
    const mask = table.length - 1;
    let slot = hash(src, dst, sport, dport) & mask;
    for (;;) {
      const row = table[slot]!;
      if (row < 0) return -1;
      if (is(keys, KEYS * row, version, src, dst, there, back)) {
        this.#last = row;
        return row;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Adds a row for these two ends, which `find` returns from now on. */
  add(version: number, src: number, dst: number, sport: number, dport: number): number {
    const row = this.#rows;
    this.#rows += 1;
    this.#keys = grown(this.#keys, KEYS * this.#rows);
    this.#counts = grown(this.#counts, COUNTS * this.#rows);
    const at = KEYS * row;
    this.#keys[at] = src;
    this.#keys[at + 1] = dst;
    this.#keys[at + 2] = (sport << 16) | dport;
    this.#keys[at + 3] = version;
    if (2 * this.#rows > this.#table.length) this.#rehash();
    else this.#enter(row);
    this.#last = row;
    return row;
  }

  /** Whether a packet from here goes from A to B. */
  isFromA(row: number, src: number, dst: number, sport: number, dport: number): boolean {
    const at = KEYS * row;
    const keys = this.#keys;
    return keys[at] === src && keys[at + 1] === dst && keys[at + 2] === ((sport << 16) | dport);
  }

  /** Counts a packet of `bytes` on the wire. Untimed ones leave the times alone. */
  count(row: number, fromA: boolean, bytes: number, seconds: number, nanos: number): void {
    const counts = this.#counts;
    const at = COUNTS * row;
    const side = fromA ? 0 : 1;
    const first = counts[at]! + counts[at + 1]! === 0;
    counts[at + FRAMES + side]! += 1;
    counts[at + BYTES + side]! += bytes;
    if (first) {
      counts[at + START] = seconds;
      counts[at + START + 1] = nanos;
      counts[at + STOP] = seconds;
      counts[at + STOP + 1] = nanos;
      return;
    }
    const stop = counts[at + STOP]!;
    if (
      this.#asWireshark &&
      (Math.abs(seconds - stop) >= WIDE || Math.abs(seconds - counts[at + START]!) >= WIDE)
    ) {
      this.#countFar(at, [seconds, nanos]);
      return;
    }
    if (seconds > stop || (seconds === stop && nanos > counts[at + STOP + 1]!)) {
      counts[at + STOP] = seconds;
      counts[at + STOP + 1] = nanos;
      return;
    }
    const start = counts[at + START]!;
    if (seconds < start || (seconds === start && nanos < counts[at + START + 1]!)) {
      counts[at + START] = seconds;
      counts[at + START + 1] = nanos;
    }
  }

  #countFar(at: number, time: Time): void {
    const counts = this.#counts;
    const known = (end: number): Time => [counts[at + end]!, counts[at + end + 1]!];
    const end =
      compareAsWireshark(time, known(STOP)) > 0
        ? STOP
        : compareAsWireshark(time, known(START)) < 0
          ? START
          : undefined;
    if (end === undefined) return;
    counts[at + end] = time[0];
    counts[at + end + 1] = time[1];
  }

  /** Adds the counts of a table with ports to the rows of their addresses. */
  addByAddress(other: ConversationTable): void {
    for (let row = 0; row < other.#rows; row += 1) {
      const key = KEYS * row;
      const from = COUNTS * row;
      const [a, b, version] = [other.#keys[key]!, other.#keys[key + 1]!, other.#keys[key + 3]!];
      const own = this.find(version, a, b, 0, 0);
      // From an address to itself there is one direction only.
      const toB = a === b || this.#keys[KEYS * own] === a ? 0 : 1;
      const toA = a === b ? 0 : 1 - toB;
      const counts = other.#counts;
      this.#add(own, toB, counts[from + FRAMES]!, counts[from + BYTES]!, counts, from);
      this.#add(own, toA, counts[from + FRAMES + 1]!, counts[from + BYTES + 1]!, counts, from);
    }
  }

  #add(row: number, side: number, frames: number, bytes: number, other: Float64Array, from: number): void {
    if (frames === 0) return;
    const counts = this.#counts;
    const at = COUNTS * row;
    const first = counts[at]! + counts[at + 1]! === 0;
    counts[at + FRAMES + side]! += frames;
    counts[at + BYTES + side]! += bytes;
    if (first || isBefore(other, from + START, counts, at + START)) {
      counts[at + START] = other[from + START]!;
      counts[at + START + 1] = other[from + START + 1]!;
    }
    if (first || isBefore(counts, at + STOP, other, from + STOP)) {
      counts[at + STOP] = other[from + STOP]!;
      counts[at + STOP + 1] = other[from + STOP + 1]!;
    }
  }

  read(row: number): Conversation {
    const key = KEYS * row;
    const at = COUNTS * row;
    const keys = this.#keys;
    const counts = this.#counts;
    const ports = keys[key + 2]!;
    return {
      row,
      a: keys[key]!,
      b: keys[key + 1]!,
      six: keys[key + 3] === 6,
      aPort: ports >>> 16,
      bPort: ports & 0xffff,
      framesToB: counts[at + FRAMES]!,
      framesToA: counts[at + FRAMES + 1]!,
      bytesToB: counts[at + BYTES]!,
      bytesToA: counts[at + BYTES + 1]!,
      start: [counts[at + START]!, counts[at + START + 1]!],
      stop: [counts[at + STOP]!, counts[at + STOP + 1]!],
    };
  }

  frames(row: number): number {
    return this.#counts[COUNTS * row]! + this.#counts[COUNTS * row + 1]!;
  }

  isSix(row: number): boolean {
    return this.#keys[KEYS * row + 3] === 6;
  }

  /** Rows by their frames, most first; ties in order of appearance. */
  byFrames(): Uint32Array {
    return mostFirst(this.#rows, (row) => this.frames(row));
  }

  #enter(row: number): void {
    const keys = this.#keys;
    const at = KEYS * row;
    const [src, dst, ports, version] = [keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!];
    const back = (ports << 16) | (ports >>> 16);
    const mask = this.#table.length - 1;
    let slot = hash(src, dst, ports >>> 16, ports & 0xffff) & mask;
    for (;;) {
      const other = this.#table[slot]!;
      // `find` returns the newest row of the same two ends.
      if (other < 0 || is(keys, KEYS * other, version, src, dst, ports, back)) break;
      slot = (slot + 1) & mask;
    }
    this.#table[slot] = row;
  }

  #rehash(): void {
    this.#table = new Int32Array(2 * this.#table.length).fill(-1);
    for (let row = 0; row < this.#rows; row += 1) this.#enter(row);
  }
}

/** Rows by a number of theirs, most first; ties in order of appearance. */
export function mostFirst(rows: number, numberOf: (row: number) => number): Uint32Array {
  const numbers = new Float64Array(rows);
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let isWhole = true;
  for (let row = 0; row < rows; row += 1) {
    const number = numberOf(row);
    numbers[row] = number;
    if (number < least) least = number;
    if (number > most) most = number;
    isWhole &&= Number.isSafeInteger(number);
  }
  const order = new Uint32Array(rows);
  if (rows === 0) return order;
  if (isWhole && most - least <= 4 * rows) {
    // Small numbers are counted and not compared: where the rows of each number begin.
    const places = new Uint32Array(most - least + 2);
    for (let row = 0; row < rows; row += 1) places[most - numbers[row]! + 1]! += 1;
    for (let at = 1; at < places.length; at += 1) places[at]! += places[at - 1]!;
    for (let row = 0; row < rows; row += 1) {
      const at = most - numbers[row]!;
      order[places[at]!] = row;
      places[at]! += 1;
    }
    return order;
  }
  if (isWhole && (most - least + 1) * rows <= Number.MAX_SAFE_INTEGER) {
    // Number and row in one number each sort twenty times as fast as with a comparison of ours.
    for (let row = 0; row < rows; row += 1) numbers[row] = (most - numbers[row]!) * rows + row;
    numbers.sort();
    for (let at = 0; at < rows; at += 1) order[at] = numbers[at]! % rows;
    return order;
  }
  for (let row = 0; row < rows; row += 1) order[row] = row;
  return order.sort((one, other) => numbers[other]! - numbers[one]! || one - other);
}

/** Whether the time at `at` is earlier than another. */
const isBefore = (times: Float64Array, at: number, others: Float64Array, from: number): boolean =>
  times[at]! < others[from]! || (times[at] === others[from] && times[at + 1]! < others[from + 1]!);

/** Whether the key at `at` is of these two, either way. */
const is = (
  keys: Int32Array,
  at: number,
  version: number,
  src: number,
  dst: number,
  there: number,
  back: number,
): boolean =>
  keys[at + 3] === version &&
  ((keys[at] === src && keys[at + 1] === dst && keys[at + 2] === there) ||
    (keys[at] === dst && keys[at + 1] === src && keys[at + 2] === back));

/** The same either way round. */
function hash(src: number, dst: number, sport: number, dport: number): number {
  const mixed = end(src, sport) + end(dst, dport);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function end(address: number, port: number): number {
  let mixed = Math.imul(address ^ Math.imul(port + 1, 0x9e3779b1), 0x85ebca6b);
  mixed ^= mixed >>> 15;
  return Math.imul(mixed, 0xc2b2ae35);
}
