import { enlarged } from '../arrays.ts';

/** The distinct words of a text, kept as bytes in an arena, numbered as they come, and found again by their bytes. */
export class Words {
  size = 0;
  #bytes = new Uint8Array(1 << 16);
  #arena = new DataView(this.#bytes.buffer);
  #used = 0;
  #start = new Int32Array(1024);
  #length = new Int32Array(1024);
  #hash = new Int32Array(1024);
  /** Open addressing; one more than the word's number, 0 for none. */
  #table = new Int32Array(4096);

  /**
   * The number of the word from `from` to `to`, whose `hashOfWord` is `hash`; a new one, equal to `size` before, where
   * it has not been there.
   */
  number(view: DataView, from: number, to: number, hash: number): number {
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    for (let entry = this.#table[slot]!; entry !== 0; entry = this.#table[slot]!) {
      if (this.#hash[entry - 1] === hash && this.#same(entry - 1, view, from, to)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(view, from, to, hash, slot);
  }

  /** In bytes. */
  length(word: number): number {
    return this.#length[word]!;
  }

  /** Whether the bytes from `from` on, as many as it has, are the word. */
  isAt(word: number, view: DataView, from: number): boolean {
    return sameBytes(this.#arena, this.#start[word]!, view, from, from + this.#length[word]!);
  }

  #same(word: number, view: DataView, from: number, to: number): boolean {
    if (this.#length[word] !== to - from) return false;
    return sameBytes(this.#arena, this.#start[word]!, view, from, to);
  }

  #add(view: DataView, from: number, to: number, hash: number, slot: number): number {
    const word = this.size++;
    if (word === this.#start.length) {
      this.#start = enlarged(this.#start);
      this.#length = enlarged(this.#length);
      this.#hash = enlarged(this.#hash);
    }
    if (this.#used + to - from > this.#bytes.length) {
      const larger = new Uint8Array((this.#used + to - from) * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#arena = new DataView(larger.buffer);
    }
    this.#bytes.set(new Uint8Array(view.buffer, view.byteOffset + from, to - from), this.#used);
    this.#start[word] = this.#used;
    this.#length[word] = to - from;
    this.#hash[word] = hash;
    this.#used += to - from;
    if (this.size * 2 > this.#table.length) this.#rehash();
    else this.#table[slot] = word + 1;
    return word;
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 2);
    const mask = this.#table.length - 1;
    for (let word = 0; word < this.size; word += 1) {
      let slot = this.#hash[word]! & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = word + 1;
    }
  }
}

/** Whether the bytes of `mine` from `start` on are those of `view` from `from` to `to`: eight at a time, then four. */
export function sameBytes(mine: DataView, start: number, view: DataView, from: number, to: number): boolean {
  const away = start - from;
  let at = sameEights(mine, away, view, from, to);
  for (; at + 4 <= to; at += 4) if (mine.getInt32(at + away, true) !== view.getInt32(at, true)) return false;
  for (; at < to; at += 1) if (mine.getUint8(at + away) !== view.getUint8(at)) return false;
  return true;
}

/**
 * How far from `from` on the bytes of `mine`, `away` from there, are surely those of `view`, eight at a time. As floats,
 * which are the only eight bytes that are compared at once. What no text holds is left to a closer look: NaN is not
 * equal to itself, and zero is to minus zero.
 */
export function sameEights(mine: DataView, away: number, view: DataView, from: number, to: number): number {
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const eight = view.getFloat64(at, true);
    if (mine.getFloat64(at + away, true) !== eight || eight === 0) break;
  }
  return at;
}

/** Goes on with a hash by four bytes, or those that are left, the first one lowest. `hashEnd` must be called last. */
export const hashOn = (hash: number, bytes: number): number => Math.imul(hash ^ bytes, 0x9e3779b1);

/** Lets the lower bits, by which tables are entered, know of the upper ones: multiplying only carries upwards. */
export const hashEnd = (hash: number): number => hash ^ (hash >>> 15);

/** Of the bytes from `from` to `to`, wherever they stand. */
export function hashOfBytes(view: DataView, from: number, to: number): number {
  let hash = to - from;
  let at = from;
  for (; at + 4 <= to; at += 4) hash = hashOn(hash, view.getInt32(at, true));
  return hashEnd(at < to ? hashOn(hash, lastBytes(view, at, to)) : hash);
}

/** Fewer than four bytes as a number, the first one lowest. */
export function lastBytes(view: DataView, from: number, to: number): number {
  let bytes = 0;
  for (let at = to - 1; at >= from; at -= 1) bytes = (bytes << 8) | view.getUint8(at);
  return bytes;
}
