import type { Frame } from './frame.ts';
import type { CallTree } from './profile.ts';

/** A tree that grows as stacks come; `finish` gives it in preorder. Memory is bounded by the distinct stacks. */
export class TreeBuilder {
  #frame = new Int32Array(1024);
  #parent = new Int32Array(1024);
  /** The child that was entered last: most stacks go the way of the one before. */
  #lastChild = new Int32Array(1024);
  /** Open addressing over (parent, frame); 0 is free, for the root is nobody's child. */
  #table = new Int32Array(4096);
  #size = 1;

  constructor() {
    this.#frame[0] = -1;
    this.#parent[0] = -1;
  }

  get size(): number {
    return this.#size;
  }

  frameOf(node: number): number {
    return this.#frame[node]!;
  }

  parentOf(node: number): number {
    return this.#parent[node]!;
  }

  /** The child of `parent` for `frame`; made when it is new. */
  enter(parent: number, frame: number): number {
    const last = this.#lastChild[parent]!;
    if (last !== 0 && this.#frame[last] === frame) return last;
    const mask = this.#table.length - 1;
    let slot = slotOf(parent, frame) & mask;
    for (let node = this.#table[slot]!; node !== 0; node = this.#table[slot]!) {
      if (this.#frame[node] === frame && this.#parent[node] === parent) {
        this.#lastChild[parent] = node;
        return node;
      }
      slot = (slot + 1) & mask;
    }
    return this.#add(parent, frame, slot);
  }

  #add(parent: number, frame: number, slot: number): number {
    const node = this.#size++;
    if (node === this.#frame.length) this.#grow();
    this.#frame[node] = frame;
    this.#parent[node] = parent;
    this.#lastChild[parent] = node;
    if (node * 2 > this.#table.length) this.#rehash();
    else this.#table[slot] = node;
    return node;
  }

  #grow(): void {
    this.#frame = enlarged(this.#frame);
    this.#parent = enlarged(this.#parent);
    this.#lastChild = enlarged(this.#lastChild);
  }

  #rehash(): void {
    const table = new Int32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let node = 1; node < this.#size; node += 1) {
      let slot = slotOf(this.#parent[node]!, this.#frame[node]!) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = node;
    }
    this.#table = table;
  }

  /**
   * The tree in preorder, children in the byte order of their names; `self` is by the builder's own node numbers,
   * `place` maps those to the preorder.
   */
  finish(frames: readonly Frame[], self: ArrayLike<number>): { tree: CallTree; place: Int32Array } {
    const size = this.#size;
    const rank = ranks(frames);
    const { first, sibling } = this.#links(rank);
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
      if (first[node] !== 0) {
        node = first[node]!;
        continue;
      }
      for (tree.next[place[node]!] = at; node !== 0 && sibling[node] === 0; ) {
        node = this.#parent[node]!;
        tree.next[place[node]!] = at;
      }
      if (node === 0) break;
      node = sibling[node]!;
    }
    for (let node = size - 1; node > 0; node -= 1) tree.total[tree.parent[node]!]! += tree.total[node]!;
    return { tree, place };
  }

  /** Children as linked lists in the order of `rank`: nodes are put in front of their lists, the last rank first. */
  #links(rank: Int32Array): { first: Int32Array; sibling: Int32Array } {
    const size = this.#size;
    const counts = new Int32Array(rank.length + 1);
    for (let node = 1; node < size; node += 1) counts[rank[this.#frame[node]!]! + 1]! += 1;
    for (let at = 1; at < counts.length; at += 1) counts[at]! += counts[at - 1]!;
    const order = new Int32Array(size - 1);
    for (let node = 1; node < size; node += 1) order[counts[rank[this.#frame[node]!]!]!++] = node;
    const first = new Int32Array(size);
    const sibling = new Int32Array(size);
    for (let at = order.length - 1; at >= 0; at -= 1) {
      const node = order[at]!;
      const parent = this.#parent[node]!;
      sibling[node] = first[parent]!;
      first[parent] = node;
    }
    return { first, sibling };
  }
}

const slotOf = (parent: number, frame: number): number => {
  const mixed = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame + 1, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
};

const enlarged = (array: Int32Array): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
};

/** Where each frame stands among all in the byte order of names, then of kinds. */
function ranks(frames: readonly Frame[]): Int32Array {
  const order = frames.map((_, at) => at).sort((a, b) => compareFrames(frames[a]!, frames[b]!) || a - b);
  const rank = new Int32Array(frames.length);
  order.forEach((frame, at) => {
    rank[frame] = at;
  });
  return rank;
}

export const compareFrames = (a: Frame, b: Frame): number =>
  compareText(a.name, b.name) || compareText(a.kind, b.kind);

/** The order of UTF-8 bytes, which is that of code points; JavaScript's own differs above U+FFFF. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    // Surrogates stand for code points above all others: move them behind U+E000 to U+FFFF.
    return (x >= 0xd800 ? (x >= 0xe000 ? x - 0x800 : x + 0x2000) : x) <
      (y >= 0xd800 ? (y >= 0xe000 ? y - 0x800 : y + 0x2000) : y)
      ? -1
      : 1;
  }
  return a.length - b.length;
}
