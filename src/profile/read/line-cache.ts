import { enlarged } from '../arrays.ts';
import { hashEnd, hashOfBytes, hashOn, sameBytes, sameEights } from './byte-interner.ts';

/** The kind of a line. Values from 0 up are the number of its frame. */
export const END = -1;
/** Several frames, or none: `Lines.several`. */
export const SEVERAL = -2;

const NEWLINE = 10;
/** The number of the line that holds nothing. */
const BLANK_LINE = 1;
/** With this many lines of one hash, a lookup takes longer than hashing the whole line. */
const MOST_ALIKE = 32;

/**
 * The distinct lines of a text, each kept once in an arena of bytes with its line feed, found again by their bytes.
 * Most frame lines of a recording have been there before, so they are recognised without being read: the line that
 * followed the last one last time is compared first, then those of the same hash.
 * Memory is bounded by the number of distinct lines that are kept.
 */
export class Lines {
  /** The frame a line holds, or `END`, or `SEVERAL`; by line number. */
  readonly several = new Map<number, readonly number[]>();
  frame = new Int32Array(4096);
  #bytes = new Uint8Array(1 << 20);
  #arena = new DataView(this.#bytes.buffer);
  #used = 0;
  #start = new Int32Array(4096);
  /** With the line feed. */
  #length = new Int32Array(4096);
  #hash = new Int32Array(4096);
  /** The line that came after this one the last time; 0 for none. Line 0 stands for the start of a stack. */
  #follower = new Int32Array(4096);
  #table = new Int32Array(8192);
  #size = 2;

  constructor() {
    this.frame[BLANK_LINE] = END;
  }

  /** Set by `find` and `follow`: where the line ends, its line feed included. */
  end = 0;
  /** Set by `follow`. */
  from = 0;
  last = 0;
  depth = 0;
  #lastHash = 0;
  /** Whether all of a line is hashed, because its address tells too little. */
  #hashesAll = false;

  /**
   * Recognises one line after the other from `at`, and writes their frames to `chain` from `depth` on. Returns the
   * line at which it stopped because it is no single frame: that line's number, 0 for one that is not known, -1 where
   * the bytes or the chain end. Sets `from` and `end`, where that line begins and ends (if it is known), `last`, the
   * frame line before it, and `depth`, how long the chain is.
   */
  follow(previous: number, view: DataView, at: number, to: number, chain: Int32Array, depth: number): number {
    const arena = this.#arena;
    const starts = this.#start;
    const lengths = this.#length;
    const followers = this.#follower;
    const frames = this.frame;
    let line = previous;
    let from = at;
    let used = depth;
    let stopped = -1;
    for (; used < chain.length && from < to; used += 1) {
      if (view.getUint8(from) === NEWLINE) {
        stopped = BLANK_LINE;
        this.end = from + 1;
        break;
      }
      let next = followers[line]!;
      const last = from + lengths[next]! - 4;
      let same = next !== 0 && last + 4 <= to && last >= from;
      if (same) {
        // Eight bytes at a time, then four, and the last four, which may have been looked at before.
        const away = starts[next]! - from;
        let here = sameEights(arena, away, view, from, last + 4);
        while (here < last && arena.getInt32(here + away, true) === view.getInt32(here, true)) here += 4;
        same = here >= last && arena.getInt32(last + away, true) === view.getInt32(last, true);
      }
      if (!same) {
        next = this.find(line, view, from, to);
        if (next === 0) {
          stopped = 0;
          break;
        }
      }
      const frame = frames[next]!;
      if (frame < 0) {
        stopped = next;
        this.end = from + lengths[next]!;
        break;
      }
      chain[used] = frame;
      line = next;
      from += lengths[next]!;
    }
    this.from = from;
    this.last = line;
    this.depth = used;
    return stopped;
  }

  /**
   * The number of the line at `at`, whose line feed lies before `to`; 0 when it has not been kept. Then `end` is where
   * it ends.
   */
  find(previous: number, view: DataView, at: number, to: number): number {
    // The bytes of the next line are hashed too where this one is short: then it is not found, and looked for anew.
    if (!this.#hashesAll && at + HASHED_TO <= to) {
      const line = this.#lookUp(previous, hashOfAddress(view, at), view, at, to);
      if (line !== 0) return line;
    }
    const end = endOfLine(view, at, to);
    this.end = end;
    if (!this.#hashesAll && end - at >= HASHED_TO) return 0;
    return this.#lookUp(previous, hashOfBytes(view, at, end), view, at, to);
  }

  #lookUp(previous: number, hash: number, view: DataView, at: number, to: number): number {
    const mask = this.#table.length - 1;
    let alike = 0;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const line = this.#table[slot]!;
      if (line === 0) break;
      if (this.#hash[line] !== hash) continue;
      const length = this.#length[line]!;
      if (at + length <= to && sameBytes(this.#arena, this.#start[line]!, view, at, at + length)) {
        this.end = at + length;
        this.#follower[previous] = line;
        return line;
      }
      alike += 1;
    }
    this.#lastHash = hash;
    if (alike <= MOST_ALIKE || this.#hashesAll) return 0;
    this.#hashAll();
    return this.find(previous, view, at, to);
  }

  /** Many lines have the same address: from now on all of a line is hashed. */
  #hashAll(): void {
    this.#hashesAll = true;
    for (let line = BLANK_LINE + 1; line < this.#size; line += 1) {
      const start = this.#start[line]!;
      this.#hash[line] = hashOfBytes(this.#arena, start, start + this.#length[line]!);
    }
    this.#rehash(this.#table.length);
  }

  /** Keeps the line that `find` has just looked for in vain, and returns its number. */
  keep(previous: number, bytes: Uint8Array, at: number, frame: number): number {
    const length = this.end - at;
    if (this.#used + length > this.#bytes.length) this.#enlargeArena(length);
    const line = this.#size++;
    if (line === this.#start.length) this.#enlargeIndex();
    this.#bytes.set(bytes.subarray(at, this.end), this.#used);
    this.#start[line] = this.#used;
    this.#length[line] = length;
    this.#hash[line] = this.#lastHash;
    this.frame[line] = frame;
    this.#used += length;
    this.#follower[previous] = line;
    if (line * 2 > this.#table.length) this.#rehash(this.#table.length * 2);
    else this.#put(line);
    return line;
  }

  #put(line: number): void {
    const mask = this.#table.length - 1;
    let slot = this.#hash[line]! & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = line;
  }

  #rehash(length: number): void {
    this.#table = new Int32Array(length);
    for (let line = BLANK_LINE + 1; line < this.#size; line += 1) this.#put(line);
  }

  #enlargeArena(more: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#used + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#arena = new DataView(larger.buffer);
  }

  #enlargeIndex(): void {
    this.#start = enlarged(this.#start);
    this.#length = enlarged(this.#length);
    this.#hash = enlarged(this.#hash);
    this.#follower = enlarged(this.#follower);
    this.frame = enlarged(this.frame);
  }
}

/**
 * perf aligns an address to the right, in the bytes 1 to 16 of a line, and then comes the symbol. All of the address:
 * where unwinding goes astray it is made up, and only its upper digits differ.
 */
const HASHED_FROM = 1;
const HASHED_TO = 21;

/** Of the address and a little of the symbol. */
function hashOfAddress(view: DataView, at: number): number {
  let hash = 0;
  for (let from = HASHED_FROM; from < HASHED_TO; from += 4)
    hash = hashOn(hash, view.getInt32(at + from, true));
  return hashEnd(hash);
}

/** Where the line ends that begins at `at`, its line feed, which lies before `to`, included. */
function endOfLine(view: DataView, at: number, to: number): number {
  let end = at;
  for (; end + 4 <= to; end += 4) {
    // Whether one of the four bytes is a line feed: Warren, Hacker's Delight, 6-1.
    const zeros = view.getInt32(end, true) ^ 0x0a0a0a0a;
    if (((zeros - 0x01010101) & ~zeros & 0x80808080) !== 0) break;
  }
  while (view.getUint8(end) !== NEWLINE) end += 1;
  return end + 1;
}
