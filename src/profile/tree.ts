import type { Frame } from './frame.ts';
import type { CallTree } from './profile.ts';
import type { Stacks } from './stacks.ts';

/** Siblings that are put in order one by one; more are sorted by the engine. */
const FEW = 24;

/**
 * The tree of all stacks in preorder, with children in the byte order of their names. `self` is indexed by stack; `place` is
 * the node in which each stack ends. Going down from the root, the stacks of a node are put into one list for each frame
 * that comes next. Once a list has a single stack, the rest of that stack needs no lookup.
 */
export function treeOf(
  stacks: Stacks,
  frames: readonly Frame[],
  self: ArrayLike<number>,
): { tree: CallTree; place: Int32Array } {
  const { arena, ends, leafFirst } = stacks;
  const rank = ranks(frames);
  // As many nodes as there are frames in the stacks at the most; memory that is not touched takes no room.
  const most = 1 + (stacks.size ? ends[stacks.size - 1]! : 0);
  const frame = new Int32Array(most);
  const parent = new Int32Array(most);
  const place = new Int32Array(stacks.size);
  /** One more than a stack; 0 for none: the next of its list, by stack, and the first one of a list, by rank. */
  const link = new Int32Array(stacks.size);
  const head = new Int32Array(frames.length);
  const children = new Int32Array(frames.length);
  /** Lists that are still to be processed: their first stack, how many frames they share, and the node these lead to. */
  const pending: number[] = [];
  frame[0] = -1;
  parent[0] = -1;
  let size = 1;
  const deal = (list: number, depth: number, node: number) => {
    let distinct = 0;
    for (let entry = list; entry !== 0; ) {
      const stack = entry - 1;
      entry = link[stack]!;
      const start = stacks.start(stack);
      const end = ends[stack]!;
      if (end - start === depth) {
        place[stack] = node;
        continue;
      }
      const which = rank[arena[leafFirst ? end - 1 - depth : start + depth]!]!;
      if (head[which] === 0) children[distinct++] = which;
      link[stack] = head[which]!;
      head[which] = stack + 1;
    }
    if (distinct > 1) sortFirst(children, distinct);
    for (let at = distinct - 1; at >= 0; at -= 1) {
      const which = children[at]!;
      pending.push(head[which]!, depth, node);
      head[which] = 0;
    }
  };
  for (let stack = stacks.size - 1; stack > 0; stack -= 1) link[stack - 1] = stack + 1;
  if (stacks.size) deal(1, 0, 0);
  while (pending.length) {
    let node = pending.pop()!;
    let depth = pending.pop()!;
    const list = pending.pop()!;
    const start = stacks.start(list - 1);
    const end = ends[list - 1]!;
    const upTo = link[list - 1] === 0 ? end - start : depth + 1;
    for (; depth < upTo; depth += 1) {
      frame[size] = arena[leafFirst ? end - 1 - depth : start + depth]!;
      parent[size] = node;
      node = size++;
    }
    if (link[list - 1] === 0) place[list - 1] = node;
    else deal(list, depth, node);
  }
  const own = new Float64Array(size);
  for (let stack = 0; stack < place.length; stack += 1) own[place[stack]!]! += self[stack]!;
  const up = parent.subarray(0, size);
  return { tree: { frame: frame.subarray(0, size), parent: up, self: own, ...closed(up, own) }, place };
}

/**
 * The tree of these nodes, which are in preorder. Its children are in the byte order of their names, and siblings with the
 * same frame are merged. If that is the case already, the tree uses the given arrays.
 */
export function sortedTree(
  frame: Int32Array,
  parent: Int32Array,
  self: Float64Array,
  frames: readonly Frame[],
): CallTree {
  const rank = ranks(frames);
  /** Nodes below which something is out of order. */
  let unsorted: Uint8Array | undefined;
  const { next, total } = closed(parent, self);
  for (let node = 1; node < frame.length; node += 1) {
    const sibling = next[node]!;
    const up = parent[node]!;
    if (sibling >= next[up]! || rank[frame[node]!]! < rank[frame[sibling]!]!) continue;
    unsorted ??= new Uint8Array(frame.length);
    unsorted[up] = 1;
  }
  if (!unsorted) return { frame, parent, next, self, total };
  for (let node = frame.length - 1; node > 0; node -= 1) if (unsorted[node]) unsorted[parent[node]!] = 1;
  return rearranged({ frame, parent, self }, next, rank, unsorted);
}

/**
 * Rebuilds the parts of a tree that are unsorted: the children of a node are put into one list for each frame, in the order
 * of `rank`, and each list becomes a node.
 */
function rearranged(
  { frame, parent, self }: Pick<CallTree, 'frame' | 'parent' | 'self'>,
  next: Int32Array,
  rank: Int32Array,
  unsorted: Uint8Array,
): CallTree {
  const size = frame.length;
  const ordered = {
    frame: new Int32Array(size),
    parent: new Int32Array(size),
    next: new Int32Array(size),
    self: new Float64Array(size),
  };
  /** Nodes that were rebuilt, and the last child of each. */
  const anew: number[] = [];
  const lastChild = new Int32Array(size);
  /** One more than a node; 0 for none: the next of its list, by node, and the first one of a list, by rank. */
  const link = new Int32Array(size);
  const head = new Int32Array(rank.length);
  const children = new Int32Array(rank.length);
  /** Lists that are still to be processed, of nodes that become one: the first of each, and what they stand below. */
  const pending: number[] = [1, -1];
  let end = 0;
  while (pending.length) {
    const up = pending.pop()!;
    const list = pending.pop()!;
    const first = list - 1;
    if (up >= 0) lastChild[up] = end;
    if (link[first] === 0 && unsorted[first] === 0) {
      const mine = end;
      end = moved({ frame, parent, next, self }, first, ordered, end);
      ordered.parent[mine] = up;
      continue;
    }
    const mine = end++;
    anew.push(mine);
    ordered.frame[mine] = frame[first]!;
    ordered.parent[mine] = up;
    let distinct = 0;
    for (let entry = list; entry !== 0; entry = link[entry - 1]!) {
      const node = entry - 1;
      ordered.self[mine]! += self[node]!;
      for (let child = node + 1; child < next[node]!; child = next[child]!) {
        const which = rank[frame[child]!]!;
        if (head[which] === 0) children[distinct++] = which;
        link[child] = head[which]!;
        head[which] = child + 1;
      }
    }
    sortFirst(children, distinct);
    for (let at = distinct - 1; at >= 0; at -= 1) {
      const which = children[at]!;
      pending.push(head[which]!, mine);
      head[which] = 0;
    }
  }
  for (let node = anew.pop(); node !== undefined; node = anew.pop())
    ordered.next[node] = lastChild[node] ? ordered.next[lastChild[node]!]! : node + 1;
  const up = ordered.parent.subarray(0, end);
  const own = ordered.self.subarray(0, end);
  return {
    frame: ordered.frame.subarray(0, end),
    parent: up,
    next: ordered.next.subarray(0, end),
    self: own,
    total: totals(up, own),
  };
}

/** Appends a node and its whole subtree to the nodes of another tree, and returns the new end of those. */
function moved(
  { frame, parent, next, self }: Omit<CallTree, 'total'>,
  from: number,
  into: Omit<CallTree, 'total'>,
  end: number,
): number {
  const by = end - from;
  const to = next[from]!;
  for (let node = from; node < to; node += 1) {
    into.frame[node + by] = frame[node]!;
    into.parent[node + by] = parent[node]! + by;
    into.next[node + by] = next[node]! + by;
    into.self[node + by] = self[node]!;
  }
  return to + by;
}

/**
 * For each node of a tree in preorder: the first node after its subtree, and the weight of the subtree. One loop, because a
 * tree may have millions of nodes. It runs backwards, so that the children of a node come before it.
 */
export function closed(
  parent: Int32Array,
  self: Float64Array,
): { readonly next: Int32Array; readonly total: Float64Array } {
  const next = new Int32Array(parent.length);
  const total = self.slice();
  next[0] = next.length;
  for (let node = next.length - 1; node > 0; node -= 1) {
    const up = parent[node]!;
    // The last child, which comes first here, sets the end of its parent's subtree; a leaf has no child.
    if (next[node] === 0) next[node] = node + 1;
    if (next[up] === 0) next[up] = next[node]!;
    total[up]! += total[node]!;
  }
  return { next, total };
}

function totals(parent: Int32Array, self: Float64Array): Float64Array {
  const total = self.slice();
  for (let node = total.length - 1; node > 0; node -= 1) total[parent[node]!]! += total[node]!;
  return total;
}

/** Sorts the first `count` numbers in place. */
function sortFirst(numbers: Int32Array, count: number): void {
  if (count > FEW) {
    numbers.subarray(0, count).sort();
    return;
  }
  for (let at = 1; at < count; at += 1) {
    const number = numbers[at]!;
    let to = at;
    for (; to > 0 && numbers[to - 1]! > number; to -= 1) numbers[to] = numbers[to - 1]!;
    numbers[to] = number;
  }
}

/** The rank of each frame in the byte order of names, then of kinds. */
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
 * Compares by UTF-8 bytes, which is the order of code points. JavaScript's own comparison is much faster, and differs only
 * for characters from U+D800 on: those above U+FFFF are written with surrogates, which sort before U+E000.
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
