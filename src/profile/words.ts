import { enlarged } from './arrays.ts';

/** The distinct words of a text, kept as bytes in an arena, numbered as they come, and found again by their bytes. */
export class Words {
  size = 0;
  #arena = new Uint8Array(1 << 16);
  #used = 0;
  #start = new Int32Array(1024);
  #length = new Int32Array(1024);
  #hash = new Int32Array(1024);
  /** Open addressing; one more than the word's number, 0 for none. */
  #table = new Int32Array(4096);

  /** The number of the word from `from` to `to`; a new one, equal to `size` before, where it has not been there. */
  number(bytes: Uint8Array, from: number, to: number): number {
    let hash = to - from;
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x9e3779b1);
    hash ^= hash >>> 15;
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    for (let entry = this.#table[slot]!; entry !== 0; entry = this.#table[slot]!) {
      if (this.#hash[entry - 1] === hash && this.#same(entry - 1, bytes, from, to)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(bytes, from, to, hash, slot);
  }

  #same(word: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#length[word] !== to - from) return false;
    const arena = this.#arena;
    let at = this.#start[word]!;
    for (let here = from; here < to; here += 1, at += 1) if (arena[at] !== bytes[here]) return false;
    return true;
  }

  #add(bytes: Uint8Array, from: number, to: number, hash: number, slot: number): number {
    const word = this.size++;
    if (word === this.#start.length) {
      this.#start = enlarged(this.#start);
      this.#length = enlarged(this.#length);
      this.#hash = enlarged(this.#hash);
    }
    if (this.#used + to - from > this.#arena.length) {
      const larger = new Uint8Array((this.#used + to - from) * 2);
      larger.set(this.#arena);
      this.#arena = larger;
    }
    this.#arena.set(bytes.subarray(from, to), this.#used);
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
