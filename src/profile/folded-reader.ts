import { copyOf, enlarged, joinBytes } from './arrays.ts';
import type { Frame, FrameKind } from './frame.ts';
import type { About, Profile } from './profile.ts';
import { Stacks } from './stacks.ts';
import { treeOf } from './tree.ts';
import { Words } from './words.ts';

const SUFFIX: Readonly<Record<string, FrameKind>> = { k: 'kernel', j: 'jit', i: 'inlined' };

/**
 * Reads folded stacks, `thread;caller;callee COUNT` a line (FlameGraph's README, "2. Fold stacks"), as they come.
 * FlameGraph's suffixes `_[k]`, `_[j]` and `_[i]` become the frame's kind. Lines that are not of the form are counted.
 */
export class FoldedReader {
  /** Lines that are not `stack COUNT`: how many, and the first. */
  odd = 0;
  firstOdd = '';
  readonly #frames: Frame[] = [];
  readonly #words = new Words();
  readonly #stacks = new Stacks('root first');
  readonly #decoder = new TextDecoder();
  /** By stack. */
  #counts = new Float64Array(1024);
  #carry = new Uint8Array(0);
  /** The stack of the line before, where its frames end, and their numbers: sorted stacks begin as the one before. */
  #before = new Uint8Array(4096);
  #depth = 0;
  #ends = new Int32Array(256);
  #path = new Int32Array(256);

  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.#carry.length) {
      const feed = chunk.indexOf(NEWLINE);
      const joined = joinBytes(this.#carry, feed < 0 ? chunk : chunk.subarray(0, feed + 1));
      this.#carry = feed < 0 ? joined : new Uint8Array(0);
      if (feed < 0) return;
      this.#line(joined, 0, joined.length - 1);
      from = feed + 1;
    }
    for (let feed = chunk.indexOf(NEWLINE, from); feed >= 0; feed = chunk.indexOf(NEWLINE, from)) {
      this.#line(chunk, from, feed);
      from = feed + 1;
    }
    if (from < chunk.length) this.#carry = copyOf(chunk, from, chunk.length);
  }

  end(): void {
    if (this.#carry.length) this.push(Uint8Array.of(NEWLINE));
  }

  #line(bytes: Uint8Array, from: number, feed: number): void {
    let to = feed;
    while (to > from && (bytes[to - 1] === RETURN || bytes[to - 1] === BLANK)) to -= 1;
    let at = to;
    let count = 0;
    let factor = 1;
    let fraction = false;
    for (; at > from; at -= 1) {
      const byte = bytes[at - 1]!;
      if (byte === DOT && factor > 1 && !fraction) {
        fraction = true;
        count /= factor;
        factor = 1;
      } else if (byte >= 48 && byte <= 57) {
        count += (byte - 48) * factor;
        factor *= 10;
      } else break;
    }
    if (at === to || at - 1 <= from || bytes[at - 1] !== BLANK || to - at > 30) {
      if (to > from && bytes[from] !== HASH) this.#isOdd(bytes, from, to);
      return;
    }
    const stack = this.#enter(bytes, from, at - 1);
    if (stack === this.#counts.length) {
      const larger = new Float64Array(this.#counts.length * 2);
      larger.set(this.#counts);
      this.#counts = larger;
    }
    this.#counts[stack]! += count;
  }

  #isOdd(bytes: Uint8Array, from: number, to: number): void {
    this.odd += 1;
    if (this.odd === 1) this.firstOdd = this.#decoder.decode(bytes.subarray(from, to)).slice(0, 200);
  }

  #enter(bytes: Uint8Array, from: number, to: number): number {
    const length = to - from;
    let depth = this.#common(bytes, from, to);
    let start = depth > 0 ? from + this.#ends[depth - 1]! + 1 : from;
    const same = start - from;
    while (start <= to) {
      let end = start;
      while (end < to && bytes[end] !== SEMICOLON) end += 1;
      const word = this.#words.number(bytes, start, end);
      if (word === this.#frames.length)
        this.#frames.push(frameOf(this.#decoder.decode(bytes.subarray(start, end))));
      if (depth === this.#ends.length) {
        this.#ends = enlarged(this.#ends);
        this.#path = enlarged(this.#path);
      }
      this.#ends[depth] = end - from;
      this.#path[depth] = word;
      depth += 1;
      start = end + 1;
    }
    this.#depth = depth;
    if (length > this.#before.length) {
      this.#before = new Uint8Array(length * 2);
      this.#before.set(bytes.subarray(from, to));
    } else if (same < length) this.#before.set(bytes.subarray(from + same, to), same);
    return this.#stacks.number(this.#path, 0, depth);
  }

  /** How many frames at its beginning the stack shares with the one before. */
  #common(bytes: Uint8Array, from: number, to: number): number {
    const before = this.#before;
    let depth = 0;
    let at = 0;
    while (depth < this.#depth) {
      const end = this.#ends[depth]!;
      if (from + end > to || (from + end < to && bytes[from + end] !== SEMICOLON)) break;
      while (at < end && before[at] === bytes[from + at]) at += 1;
      if (at < end) break;
      depth += 1;
      at += 1;
    }
    return depth;
  }

  profile(about: About): Profile {
    const all = this.#counts.subarray(0, this.#stacks.size);
    const { tree, place } = treeOf(this.#stacks, this.#frames, all);
    const node = place.filter((_, stack) => all[stack]);
    const counts = all.filter((count) => count);
    return {
      about,
      event: 'samples',
      unit: 'samples',
      frames: this.#frames,
      tree,
      threads: [],
      stacks: {
        node,
        thread: new Int32Array(node.length).fill(-1),
        samples: counts,
        weight: counts,
      },
      timeline: undefined,
      samples: tree.total[0]!,
      idle: { samples: 0, leftOut: false },
      lost: 0,
    };
  }
}

const NEWLINE = 10;
const RETURN = 13;
const BLANK = 32;
const HASH = 35;
const DOT = 46;
const SEMICOLON = 59;

const frameOf = (word: string): Frame => {
  const annotated = /^(.+)_\[([kji])\]$/s.exec(word);
  const name = annotated ? annotated[1]! : word;
  return {
    name,
    kind: annotated ? SUFFIX[annotated[2]!]! : 'user',
    dso: '',
    unknown: /^\[.*\]$/.test(name),
  };
};

/** A whole text of folded stacks. */
export function parseFolded(text: string, about: About): Profile {
  const reader = new FoldedReader();
  reader.push(new TextEncoder().encode(text));
  reader.end();
  return reader.profile(about);
}
