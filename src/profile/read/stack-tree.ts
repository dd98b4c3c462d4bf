import { enlarged } from '../arrays.ts';
import type { Frame } from '../frame.ts';
import { stacksInto } from '../paths.ts';
import type { CallTree } from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { sortedTree, treeOf } from '../tree.ts';

/** The initial capacity in nodes. It is large, because untouched memory costs nothing, but growing has to copy. */
const ROOM = 1 << 21;

/**
 * The tree of stacks that come sorted, as folded text does: a stack begins as the one before, and the rest of it is
 * added behind all others, which is preorder already, and nothing is looked up. Once a stack comes that should have come
 * before, they are kept as `Stacks` does, so that memory goes by distinct stacks whatever their order.
 */
export class StackTree {
  readonly #frames: readonly Frame[];
  #size = 1;
  #frame = new Int32Array(ROOM);
  #parent = new Int32Array(ROOM);
  #self = new Float64Array(ROOM);
  /** The nodes of the stack that came last, the outermost first. */
  #way = new Int32Array(256);
  /** In place of the nodes, once the order was broken, and how often each of them was there. */
  #stacks: Stacks | undefined;
  #counts = new Float64Array(1024);

  /** `frames` may grow while stacks are added. */
  constructor(frames: readonly Frame[]) {
    this.#frames = frames;
    this.#frame[0] = -1;
    this.#parent[0] = -1;
  }

  /**
   * Adds a stack of `depth` frames, the outermost first, of which the first `shared` are those of the stack before;
   * `sorted`: false where it should have come before that one.
   */
  add(path: Int32Array, shared: number, depth: number, count: number, sorted: boolean): void {
    if (!sorted && !this.#stacks) this.#takeApart();
    if (this.#stacks) {
      this.#count(this.#stacks.number(path, 0, depth), count);
      return;
    }
    const node = this.#append(path, shared, depth);
    this.#self[node]! += count;
  }

  #append(path: Int32Array, shared: number, depth: number): number {
    let size = this.#size;
    if (size + depth > this.#frame.length) this.#enlarge(size + depth);
    if (depth > this.#way.length) this.#way = enlarged(this.#way, depth);
    const frame = this.#frame;
    const parent = this.#parent;
    const way = this.#way;
    let node = shared === 0 ? 0 : way[shared - 1]!;
    for (let at = shared; at < depth; at += 1) {
      frame[size] = path[at]!;
      parent[size] = node;
      way[at] = size;
      node = size++;
    }
    this.#size = size;
    return node;
  }

  #count(stack: number, count: number): void {
    if (stack >= this.#counts.length) this.#counts = longer(this.#counts, 2 * this.#counts.length);
    this.#counts[stack]! += count;
  }

  /** All stacks so far; none is added afterwards. */
  tree(): CallTree {
    if (this.#stacks) return treeOf(this.#stacks, this.#frames, this.#counts).tree;
    const { frame, parent, self } = this.#nodes();
    return sortedTree(frame, parent, self, this.#frames);
  }

  #nodes() {
    return {
      frame: this.#frame.subarray(0, this.#size),
      parent: this.#parent.subarray(0, this.#size),
      self: this.#self.subarray(0, this.#size),
    };
  }

  #takeApart(): void {
    const tree = this.tree();
    this.#stacks = new Stacks('root first');
    const number = Int32Array.from(this.#frames, (_, at) => at);
    const ends = stacksInto(this.#stacks, tree, number, tree.self);
    for (let node = 1; node < ends.length; node += 1)
      if (ends[node]! >= 0) this.#count(ends[node]!, tree.self[node]!);
    // Their memory is free again.
    this.#frame = this.#parent = new Int32Array(0);
    this.#self = new Float64Array(0);
  }

  #enlarge(least: number): void {
    this.#frame = enlarged(this.#frame, least);
    this.#parent = enlarged(this.#parent, least);
    this.#self = longer(this.#self, this.#frame.length);
  }
}

function longer(numbers: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(numbers);
  return larger;
}
