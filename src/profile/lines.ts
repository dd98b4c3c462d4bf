import { enlarged } from './arrays.ts';

/** What a line turned out to be. Values from 0 up are the frame it holds. */
export const END = -1;
/** Several frames, or none: `Lines.several`. */
export const SEVERAL = -2;

const NEWLINE = 10;
/** So many lines of one hash that a look-up takes longer than hashing all of a line. */
const MOST_ALIKE = 32;

/**
 * The distinct lines of a text, each kept once in an arena of bytes with its line feed, found again by their bytes.
 * Most frame lines of a recording have been there before, so they are recognised without being read: the line that
 * followed the last one last time is compared first, then those of the same hash.
 * Memory is bounded by the number of distinct lines that are kept.
 */
export class Lines {
  /** The frame a line holds, or `END`, or `SEVERAL`; by line number, which begins at 1. */
  readonly several = new Map<number, readonly number[]>();
  frame = new Int32Array(4096);
  /** Words of 4 bytes; a line begins at a word. */
  #arena = new Int32Array(1 << 18);
  #bytes = new Uint8Array(this.#arena.buffer);
  #used = 0;
  /** In words. */
  #start = new Int32Array(4096);
  /** In bytes, the line feed included. */
  #length = new Int32Array(4096);
  #hash = new Int32Array(4096);
  /** The line that came after this one the last time; 0 for none. Line 0 stands for the start of a stack. */
  #follower = new Int32Array(4096);
  #table = new Int32Array(8192);
  #size = 1;

  /** Set by `find` and `follow`: where the line ends, its line feed included. */
  end = 0;
  /** Set by `follow`. */
  from = 0;
  last = 0;
  depth = 0;
  #lastHash = 0;
  /** How much of a line is hashed: its address, and a little of its symbol. All of it where that tells too little. */
  #hashedBytes = 24;

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
      let next = followers[line]!;
      const length = lengths[next]!;
      const end = from + length;
      let same = next !== 0 && end <= to;
      if (same) {
        let word = starts[next]!;
        let here = from;
        for (const last = end - 4; here <= last; here += 4, word += 1) {
          if (arena[word] !== view.getInt32(here, true)) {
            same = false;
            break;
          }
        }
        // The rest of the last word, of which the arena holds zeros behind the line.
        if (same && here < end) same = this.#sameTail(word * 4, view, here, end);
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

  #sameTail(byte: number, view: DataView, from: number, to: number): boolean {
    for (let here = from; here < to; here += 1)
      if (this.#bytes[byte + here - from] !== view.getUint8(here)) return false;
    return true;
  }

  /**
   * The number of the line at `at`, whose line feed lies before `to`; 0 when it has not been kept. Then `end` is where
   * it ends.
   */
  find(previous: number, view: DataView, at: number, to: number): number {
    const hash = this.#hashAt(view, at, to);
    const mask = this.#table.length - 1;
    let probes = 0;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const line = this.#table[slot]!;
      if (line === 0) break;
      if (this.#hash[line] !== hash) continue;
      const length = this.#length[line]!;
      if (at + length <= to && this.#same(line, length, view, at)) {
        this.end = at + length;
        this.#follower[previous] = line;
        return line;
      }
      probes += 1;
    }
    if (probes > MOST_ALIKE && this.#hashedBytes !== Number.POSITIVE_INFINITY) {
      this.#hashWhole();
      return this.find(previous, view, at, to);
    }
    this.#lastHash = hash;
    let end = at;
    while (view.getUint8(end) !== NEWLINE) end += 1;
    this.end = end + 1;
    return 0;
  }

  /** Of the line's first bytes, up to its line feed. */
  #hashAt(view: DataView, at: number, to: number): number {
    let hash = 0;
    let here = at;
    const last = Math.min(to, at + this.#hashedBytes) - 4;
    for (; here <= last; here += 4) {
      const word = view.getInt32(here, true);
      // Whether one of the four bytes is a line feed: Warren, Hacker's Delight, 6-1.
      const zeros = word ^ 0x0a0a0a0a;
      if (((zeros - 0x01010101) & ~zeros & 0x80808080) !== 0) break;
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    if (here > last && here === at + this.#hashedBytes) return hash ^ (hash >>> 13);
    for (let byte = view.getUint8(here); byte !== NEWLINE; byte = view.getUint8(here)) {
      hash = Math.imul(hash ^ byte, 0x85ebca6b);
      here += 1;
    }
    return hash ^ (hash >>> 13);
  }

  /** Many lines begin alike: from now on all of a line is hashed. */
  #hashWhole(): void {
    this.#hashedBytes = Number.POSITIVE_INFINITY;
    const view = new DataView(this.#arena.buffer);
    for (let line = 1; line < this.#size; line += 1) {
      const start = this.#start[line]! * 4;
      this.#hash[line] = this.#hashAt(view, start, start + this.#length[line]!);
    }
    this.#rehash(this.#table.length);
  }

  /** Keeps the line that `find` has just looked for in vain, and returns its number. */
  keep(previous: number, bytes: Uint8Array, at: number, frame: number): number {
    const length = this.end - at;
    const words = (length + 3) >> 2;
    while (this.#used + words > this.#arena.length) this.#enlargeArena();
    const line = this.#size++;
    if (line === this.#start.length) this.#enlargeIndex();
    this.#bytes.set(bytes.subarray(at, this.end), this.#used * 4);
    this.#start[line] = this.#used;
    this.#length[line] = length;
    this.#hash[line] = this.#lastHash;
    this.frame[line] = frame;
    this.#used += words;
    this.#follower[previous] = line;
    if (line * 2 > this.#table.length) this.#rehash(this.#table.length * 2);
    else this.#put(line);
    return line;
  }

  #same(line: number, length: number, view: DataView, at: number): boolean {
    const arena = this.#arena;
    let word = this.#start[line]!;
    let here = at;
    for (const last = at + length - 4; here <= last; here += 4) {
      if (arena[word] !== view.getInt32(here, true)) return false;
      word += 1;
    }
    return this.#sameTail(word * 4, view, here, at + length);
  }

  #put(line: number): void {
    const mask = this.#table.length - 1;
    let slot = this.#hash[line]! & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = line;
  }

  #rehash(length: number): void {
    this.#table = new Int32Array(length);
    for (let line = 1; line < this.#size; line += 1) this.#put(line);
  }

  #enlargeArena(): void {
    this.#arena = enlarged(this.#arena);
    this.#bytes = new Uint8Array(this.#arena.buffer);
  }

  #enlargeIndex(): void {
    this.#start = enlarged(this.#start);
    this.#length = enlarged(this.#length);
    this.#hash = enlarged(this.#hash);
    this.#follower = enlarged(this.#follower);
    this.frame = enlarged(this.frame);
  }
}
