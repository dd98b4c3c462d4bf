import { enlarged } from './arrays.ts';

/**
 * The distinct stacks of a profile. Each is kept once, as a row of frame numbers in an arena, and is found by a hash of its
 * frames. A frame takes four bytes. The tree is built at the end (tree.ts), because a tree that grows with each stack
 * needs more memory, and a lookup for each frame.
 */
export class Stacks {
  size = 0;
  /** The frames of all stacks, one behind the other. */
  arena = new Int32Array(1 << 14);
  /** The end of each stack in the arena; a stack begins at the end of the one before. */
  ends = new Int32Array(1024);
  readonly leafFirst: boolean;
  #hash = new Int32Array(1024);
  /** A hash table with open addressing: the number of a stack plus one, 0 for an empty slot. */
  #table = new Int32Array(4096);

  /** Whether stacks are passed and kept from the root to the leaf, or with the leaf first. */
  constructor(order: 'root first' | 'leaf first') {
    this.leafFirst = order === 'leaf first';
  }

  /** The number of the stack with these frames. A new stack gets the next number, which is `size` before the call. */
  number(frames: Int32Array, from: number, to: number): number {
    let hash = to - from;
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ frames[at]!, 0x9e3779b1) ^ (hash >>> 15);
    hash ^= hash >>> 15;
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    for (let entry = this.#table[slot]!; entry !== 0; entry = this.#table[slot]!) {
      if (this.#hash[entry - 1] === hash && this.#same(entry - 1, frames, from, to)) return entry - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(frames, from, to, hash, slot);
  }

  /** Where a stack begins in the arena. */
  start(stack: number): number {
    return stack === 0 ? 0 : this.ends[stack - 1]!;
  }

  #same(stack: number, frames: Int32Array, from: number, to: number): boolean {
    const { arena } = this;
    let place = this.start(stack);
    if (this.ends[stack]! - place !== to - from) return false;
    for (let at = from; at < to; at += 1, place += 1) if (arena[place] !== frames[at]) return false;
    return true;
  }

  #add(frames: Int32Array, from: number, to: number, hash: number, slot: number): number {
    const stack = this.size++;
    if (stack === this.ends.length) {
      this.ends = enlarged(this.ends);
      this.#hash = enlarged(this.#hash);
    }
    let place = this.start(stack);
    if (place + to - from > this.arena.length) this.arena = enlarged(this.arena, place + to - from);
    const { arena } = this;
    for (let at = from; at < to; at += 1) arena[place++] = frames[at]!;
    this.ends[stack] = place;
    this.#hash[stack] = hash;
    if (this.size * 2 > this.#table.length) this.#rehash();
    else this.#table[slot] = stack + 1;
    return stack;
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 4);
    const mask = this.#table.length - 1;
    for (let stack = 0; stack < this.size; stack += 1) {
      let slot = this.#hash[stack]! & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = stack + 1;
    }
  }
}
