import { enlarged } from './arrays.ts';
import type { Frame } from './frame.ts';
import type { CallTree } from './profile.ts';

/** A tree that grows as stacks come; `finish` gives it in preorder. Memory is bounded by the distinct stacks. */
export class TreeBuilder {
  #frame = new Int32Array(1024);
  #parent = new Int32Array(1024);
  /** The child that was entered last: most stacks go the way of the one before. */
  #lastChild = new Int32Array(1024);
  /** The children of a node are a list that begins with its first one; 0 ends it, for the root is nobody's child. */
  #firstChild = new Int32Array(1024);
  #sibling = new Int32Array(1024);
  /** Children that are not the first: open addressing over (parent, frame), 0 is free. Most nodes have one child. */
  #table = new Int32Array(4096);
  #inTable = 0;
  #size = 1;

  constructor() {
    this.#frame[0] = -1;
    this.#parent[0] = -1;
  }

  get size(): number {
    return this.#size;
  }

  /** Frame and parent of each node, copied; a parent comes before its children. */
  nodes(): { frame: Int32Array; parent: Int32Array } {
    return { frame: this.#frame.slice(0, this.#size), parent: this.#parent.slice(0, this.#size) };
  }

  /** The child of `parent` for `frame`; made when it is new. */
  enter(parent: number, frame: number): number {
    const last = this.#lastChild[parent]!;
    if (last === 0) {
      const node = this.#add(parent, frame);
      this.#firstChild[parent] = node;
      return node;
    }
    if (this.#frame[last] === frame) return last;
    const first = this.#firstChild[parent]!;
    if (this.#frame[first] === frame) {
      this.#lastChild[parent] = first;
      return first;
    }
    return this.#enterOther(parent, frame, first);
  }

  #enterOther(parent: number, frame: number, first: number): number {
    const mask = this.#table.length - 1;
    let slot = slotOf(parent, frame) & mask;
    for (let node = this.#table[slot]!; node !== 0; node = this.#table[slot]!) {
      if (this.#frame[node] === frame && this.#parent[node] === parent) {
        this.#lastChild[parent] = node;
        return node;
      }
      slot = (slot + 1) & mask;
    }
    const node = this.#add(parent, frame);
    this.#sibling[node] = this.#sibling[first]!;
    this.#sibling[first] = node;
    this.#table[slot] = node;
    this.#inTable += 1;
    if (this.#inTable * 2 > this.#table.length) this.#rehash();
    return node;
  }

  #add(parent: number, frame: number): number {
    const node = this.#size++;
    if (node === this.#frame.length) this.#grow();
    this.#frame[node] = frame;
    this.#parent[node] = parent;
    this.#lastChild[parent] = node;
    return node;
  }

  #grow(): void {
    this.#frame = enlarged(this.#frame);
    this.#parent = enlarged(this.#parent);
    this.#lastChild = enlarged(this.#lastChild);
    this.#firstChild = enlarged(this.#firstChild);
    this.#sibling = enlarged(this.#sibling);
  }

  #rehash(): void {
    const old = this.#table;
    this.#table = new Int32Array(old.length * 2);
    const mask = this.#table.length - 1;
    for (const node of old) {
      if (node === 0) continue;
      let slot = slotOf(this.#parent[node]!, this.#frame[node]!) & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = node;
    }
  }

  /**
   * The tree in preorder, children in the byte order of their names; `self` is by the builder's own node numbers,
   * `place` maps those to the preorder. Nothing can be entered any more.
   */
  finish(frames: readonly Frame[], self: ArrayLike<number>): { tree: CallTree; place: Int32Array } {
    const size = this.#size;
    const rank = ranks(frames);
    const place = new Int32Array(size);
    const tree: CallTree = {
      frame: new Int32Array(size),
      parent: new Int32Array(size),
      next: new Int32Array(size),
      self: new Float64Array(size),
      total: new Float64Array(size),
    };
    let at = 0;
    for (let node = 0; ; ) {
      place[node] = at;
      tree.frame[at] = this.#frame[node]!;
      tree.parent[at] = node === 0 ? -1 : place[this.#parent[node]!]!;
      tree.self[at] = tree.total[at] = self[node] ?? 0;
      at += 1;
      const first = this.#firstChild[node]!;
      if (first !== 0) {
        node = this.#sibling[first] === 0 ? first : this.#sortChildren(node, rank);
        continue;
      }
      for (tree.next[place[node]!] = at; node !== 0 && this.#sibling[node] === 0; ) {
        node = this.#parent[node]!;
        tree.next[place[node]!] = at;
      }
      if (node === 0) break;
      node = this.#sibling[node]!;
    }
    for (let node = size - 1; node > 0; node -= 1) tree.total[tree.parent[node]!]! += tree.total[node]!;
    return { tree, place };
  }

  /** Puts the list of a node's children in order, and returns the first. */
  #sortChildren(parent: number, rank: Int32Array): number {
    const children: number[] = [];
    for (let child = this.#firstChild[parent]!; child !== 0; child = this.#sibling[child]!)
      children.push(child);
    children.sort((a, b) => rank[this.#frame[a]!]! - rank[this.#frame[b]!]!);
    const head = children[0]!;
    this.#firstChild[parent] = head;
    for (let at = 0; at < children.length; at += 1) this.#sibling[children[at]!] = children[at + 1] ?? 0;
    return head;
  }
}

const slotOf = (parent: number, frame: number): number => {
  const mixed = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame + 1, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
};

/** Where each frame stands among all in the byte order of names, then of kinds. */
function ranks(frames: readonly Frame[]): Int32Array {
  const compare = textOrder(frames.map((frame) => frame.name));
  const order = frames
    .map((_, at) => at)
    .sort((a, b) => {
      const [x, y] = [frames[a]!, frames[b]!];
      return compare(x.name, y.name) || compare(x.kind, y.kind) || a - b;
    });
  const rank = new Int32Array(frames.length);
  order.forEach((frame, at) => {
    rank[frame] = at;
  });
  return rank;
}

/**
 * The order of UTF-8 bytes, which is that of code points. JavaScript's own, much faster, differs only where there are
 * characters from U+D800 on: above U+FFFF they are written with surrogates, which come before U+E000.
 */
export function textOrder(texts: readonly string[]): (a: string, b: string) => number {
  return texts.some((text) => /[\ud800-\uffff]/.test(text))
    ? compareText
    : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
}

/** The order of UTF-8 bytes for any text. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    // Surrogates stand for code points above all others: move them behind U+E000 to U+FFFF.
    if (x !== y) return (isSurrogate(x) ? x + 0x10000 : x) - (isSurrogate(y) ? y + 0x10000 : y);
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;
