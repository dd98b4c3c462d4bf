import { copyOf, enlarged, joinBytes } from '../arrays.ts';
import type { Frame, FrameKind } from '../frame.ts';
import type { About, Profile } from '../profile.ts';
import { hashEnd, hashOn, lastBytes, Words } from './byte-interner.ts';
import { StackTree } from './stack-tree.ts';

const SUFFIX: Readonly<Record<string, FrameKind>> = { k: 'kernel', j: 'jit', i: 'inlined' };

/**
 * Reads folded stacks, `thread;caller;callee COUNT` a line (FlameGraph's README, "2. Fold stacks"), as they come.
 * FlameGraph's suffixes `_[k]`, `_[j]` and `_[i]` become the frame's kind. Lines that are not of the form are counted.
 */
export class FoldedReader {
  /** Lines that are not `stack COUNT`: how many, and the first. */
  unparsed = 0;
  firstUnparsed = '';
  /** How many frames the deepest stack has. */
  deepest = 0;
  readonly #frames: Frame[] = [];
  readonly #words = new Words();
  readonly #tree = new StackTree(this.#frames);
  readonly #decoder = new TextDecoder();
  #carry = new Uint8Array(0);
  /** Where the line before begins, -1 for none: sorted stacks begin as the one before. */
  #before = -1;
  /** Where its stack ends from there on, where its frames do, and their numbers. */
  #length = 0;
  #depth = 0;
  #ends = new Int32Array(256);
  #path = new Int32Array(256);

  /** One more than the frame that was last called by each, by one more than its number; 0 for none. */
  #callee = new Int32Array(1024);

  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.#carry.length) {
      const feed = chunk.indexOf(NEWLINE);
      const joined = joinBytes(this.#carry, feed < 0 ? chunk : chunk.subarray(0, feed + 1));
      this.#carry = feed < 0 ? joined : new Uint8Array(0);
      if (feed < 0) return;
      this.#lines(joined, 0);
      from = feed + 1;
    }
    from = this.#lines(chunk, from);
    if (from < chunk.length) this.#carry = copyOf(chunk, from, chunk.length);
  }

  end(): void {
    if (this.#carry.length) this.push(Uint8Array.of(NEWLINE));
  }

  /** Reads whole lines, and returns where they end. */
  #lines(bytes: Uint8Array, begin: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#before = -1;
    let from = begin;
    for (let feed = bytes.indexOf(NEWLINE, from); feed >= 0; feed = bytes.indexOf(NEWLINE, from)) {
      this.#line(bytes, view, from, feed);
      from = feed + 1;
    }
    return from;
  }

  #line(bytes: Uint8Array, view: DataView, begin: number, feed: number): void {
    let to = feed;
    let from = begin;
    // What was copied out of a page may be indented.
    while (from < to && isBlank(bytes[from]!)) from += 1;
    while (to > from && isBlank(bytes[to - 1]!)) to -= 1;
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
    const digits = at;
    while (at > from && isBlank(bytes[at - 1]!)) at -= 1;
    if (digits === to || at === digits || at === from || to - digits > 30) {
      if (to > from && bytes[from] !== HASH) this.#isOdd(bytes, begin, to);
      return;
    }
    this.#stack(view, from, at, count);
  }

  #isOdd(bytes: Uint8Array, from: number, to: number): void {
    this.unparsed += 1;
    if (this.unparsed === 1)
      this.firstUnparsed = this.#decoder.decode(bytes.subarray(from, to)).slice(0, 200);
  }

  #stack(view: DataView, from: number, to: number, count: number): void {
    let depth = this.#common(view, from, to);
    let shared = depth;
    /** One more than the frame that calls the one that is looked at; 0 for none. */
    let caller = depth > 0 ? this.#path[depth - 1]! + 1 : 0;
    for (let start = depth > 0 ? from + this.#ends[depth - 1]! + 1 : from; start <= to; depth += 1) {
      if (depth === this.#ends.length) {
        this.#ends = enlarged(this.#ends);
        this.#path = enlarged(this.#path);
      }
      // What was called there the last time is mostly what is called now: no need to look it up.
      let frame = this.#callee[caller]! - 1;
      if (!this.#isNext(frame, view, start, to)) {
        frame = this.#frame(view, start, to);
        this.#callee[caller] = frame + 1;
      }
      caller = frame + 1;
      // The bytes of the line before are gone where this one begins a chunk, and its frames are not.
      if (shared === depth && depth < this.#depth && this.#path[depth] === frame) shared += 1;
      this.#path[depth] = frame;
      this.#ends[depth] = this.#end - from;
      start = this.#end + 1;
    }
    this.#depth = depth;
    if (depth > this.deepest) this.deepest = depth;
    this.#before = from;
    this.#length = to - from;
    this.#tree.add(this.#path, shared, depth, count, this.#sorted);
  }

  /** Set by `#frame`, and by `#isNext` where it is: where it ends. */
  #end = 0;

  #isNext(frame: number, view: DataView, start: number, to: number): boolean {
    if (frame < 0) return false;
    const end = start + this.#words.length(frame);
    this.#end = end;
    // Most others have another length.
    if (end < to ? view.getUint8(end) !== SEMICOLON : end > to) return false;
    return this.#words.isAt(frame, view, start);
  }

  /** The number of the frame that begins at `start` and ends with a `;`, or the stack. */
  #frame(view: DataView, start: number, to: number): number {
    let hash = 0;
    let at = start;
    for (; ; at += 4) {
      const bytes = at + 4 <= to ? view.getInt32(at, true) : lastBytes(view, at, to);
      // The byte that is a `;` becomes zero, and the first zero byte is found: Warren, Hacker's Delight, 6-1.
      const zeros = bytes ^ 0x3b3b3b3b;
      const found = (zeros - 0x01010101) & ~zeros & 0x80808080;
      if (found !== 0) {
        const bits = 24 - (Math.clz32(found & -found) & ~7);
        hash = hashOn(hash, bytes & ((1 << bits) - 1));
        at += bits >> 3;
        break;
      }
      hash = hashOn(hash, bytes);
      if (at + 4 > to) {
        at = to;
        break;
      }
    }
    this.#end = at;
    const word = this.#words.number(view, start, at, hashEnd(hash));
    if (word === this.#frames.length) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + start, at - start);
      this.#frames.push(frameOf(this.#decoder.decode(bytes)));
      if (word + 1 === this.#callee.length) this.#callee = enlarged(this.#callee);
    }
    return word;
  }

  /** Set by `#common`: false where the stack should have come earlier, as far as that is known. */
  #sorted = true;

  /** How many frames at its beginning the stack shares with the one before. */
  #common(view: DataView, from: number, to: number): number {
    this.#sorted = true;
    if (this.#before < 0) return 0;
    const away = this.#before - from;
    const end = Math.min(to, from + this.#length);
    let at = from;
    while (at + 4 <= end && view.getInt32(at + away, true) === view.getInt32(at, true)) at += 4;
    while (at < end && view.getUint8(at + away) === view.getUint8(at)) at += 1;
    this.#sorted = at < end ? view.getUint8(at) > view.getUint8(at + away) : to - from >= this.#length;
    let depth = 0;
    for (; depth < this.#depth && from + this.#ends[depth]! <= at; depth += 1) {
      const last = from + this.#ends[depth]!;
      if (last < to && view.getUint8(last) !== SEMICOLON) break;
    }
    return depth;
  }

  profile(about: About): Profile {
    const tree = this.#tree.tree();
    const node = nodesWithWeight(tree.self);
    const counts = new Float64Array(node.length);
    for (let row = 0; row < counts.length; row += 1) counts[row] = tree.self[node[row]!]!;
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
      lost: undefined,
    };
  }
}

const NEWLINE = 10;
const TAB = 9;
const RETURN = 13;
const BLANK = 32;
const HASH = 35;
const DOT = 46;
const SEMICOLON = 59;

/** flamegraph.pl takes any space before the count. */
const isBlank = (byte: number): boolean => byte === BLANK || byte === TAB || byte === RETURN;

function nodesWithWeight(self: Float64Array): Int32Array {
  const nodes = new Int32Array(self.length);
  let size = 0;
  for (let node = 0; node < self.length; node += 1) if (self[node]) nodes[size++] = node;
  return nodes.slice(0, size);
}

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
