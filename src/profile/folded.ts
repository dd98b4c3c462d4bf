import type { Frame, FrameKind } from './frame.ts';
import type { About, CallTree, Profile } from './profile.ts';
import { TreeBuilder, textOrder } from './tree.ts';

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
  readonly #known = new Map<string, number>();
  readonly #builder = new TreeBuilder();
  readonly #decoder = new TextDecoder();
  #self = new Float64Array(1024);
  #rest = '';
  /** The line before, its frames' ends and their nodes: sorted stacks begin as the one before. */
  #before = '';
  readonly #ends: number[] = [];
  readonly #nodes: number[] = [];

  push(chunk: Uint8Array): void {
    this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  end(): void {
    this.#take(`${this.#decoder.decode()}\n`);
  }

  #take(text: string): void {
    const all = this.#rest + text;
    let from = 0;
    for (let at = all.indexOf('\n'); at >= 0; at = all.indexOf('\n', from)) {
      if (at > from) this.#line(all.slice(from, all.charCodeAt(at - 1) === 13 ? at - 1 : at));
      from = at + 1;
    }
    this.#rest = all.slice(from);
  }

  #line(line: string): void {
    const blank = line.lastIndexOf(' ');
    const count = Number(line.slice(blank + 1));
    if (blank < 1 || !(count >= 0) || line.length === blank + 1) {
      if (line.trim() === '' || line.startsWith('#')) return;
      this.odd += 1;
      if (this.odd === 1) this.firstOdd = line.slice(0, 200);
      return;
    }
    const node = this.#enter(line.slice(0, blank));
    if (node >= this.#self.length) {
      const larger = new Float64Array(this.#self.length * 2);
      larger.set(this.#self);
      this.#self = larger;
    }
    this.#self[node]! += count;
  }

  #enter(stack: string): number {
    const before = this.#before;
    const ends = this.#ends;
    const nodes = this.#nodes;
    let depth = 0;
    let start = 0;
    while (depth < ends.length) {
      const end = ends[depth]!;
      if (end < stack.length ? stack.charCodeAt(end) !== 59 : end !== stack.length) break;
      if (!sameSlice(before, stack, start, end)) break;
      start = end + 1;
      depth += 1;
    }
    ends.length = depth;
    nodes.length = depth;
    let node = depth > 0 ? nodes[depth - 1]! : 0;
    while (start <= stack.length) {
      let end = stack.indexOf(';', start);
      if (end < 0) end = stack.length;
      node = this.#builder.enter(node, this.#frame(stack.slice(start, end)));
      ends.push(end);
      nodes.push(node);
      start = end + 1;
    }
    this.#before = stack;
    return node;
  }

  #frame(word: string): number {
    let frame = this.#known.get(word);
    if (frame === undefined) {
      frame = this.#frames.push(frameOf(word)) - 1;
      this.#known.set(word, frame);
    }
    return frame;
  }

  profile(about: About): Profile {
    const { tree, place } = this.#builder.finish(this.#frames, this.#self);
    const ends: number[] = [];
    for (let node = 0; node < place.length; node += 1) if (this.#self[node]) ends.push(node);
    const counts = Float64Array.from(ends, (node) => this.#self[node]!);
    return {
      about,
      event: 'samples',
      unit: 'samples',
      frames: this.#frames,
      tree,
      threads: [],
      stacks: {
        node: Int32Array.from(ends, (node) => place[node]!),
        thread: new Int32Array(ends.length).fill(-1),
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

function sameSlice(a: string, b: string, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (a.charCodeAt(at) !== b.charCodeAt(at)) return false;
  return true;
}

/** A whole text of folded stacks. */
export function parseFolded(text: string, about: About): Profile {
  const reader = new FoldedReader();
  reader.push(new TextEncoder().encode(text));
  reader.end();
  return reader.profile(about);
}

/**
 * A frame as it stands in folded text: `;` separates frames and becomes `:`, blanks in a thread's name become `_` as
 * in stackcollapse-perf.pl, and what would end a line is written as the replacement character.
 */
export function foldedFrame(frame: Frame, annotate: boolean): string {
  const name = frame.name.replaceAll(';', ':').replaceAll(/[\n\r]/g, '\ufffd');
  if (frame.kind === 'thread') return name.replaceAll(' ', '_');
  if (!annotate) return name;
  const suffix = { user: '', thread: '', kernel: '_[k]', jit: '_[j]', inlined: '_[i]' }[frame.kind];
  return name + suffix;
}

const CHUNK = 1 << 16;

/**
 * The profile as folded stacks, one line each, in the order of their bytes, as stackcollapse-perf.pl sorts them;
 * frames that are written alike are one. `annotate` puts FlameGraph's `_[k] _[j] _[i]` behind names. In chunks.
 */
export function* foldedChunks(profile: Profile, annotate: boolean): Generator<Uint8Array> {
  const texts = new Map<string, number>();
  const word = profile.frames.map((frame) => {
    const text = foldedFrame(frame, annotate);
    const known = texts.get(text) ?? texts.size;
    texts.set(text, known);
    return known;
  });
  const tree = texts.size === word.length ? profile.tree : mergeAlike(profile, word, [...texts.keys()]);
  const wordOf = tree === profile.tree ? word : [...texts.values()];
  const encoder = new TextEncoder();
  const names = [...texts.keys()].map((text) => encoder.encode(`${text};`));
  yield* lines(tree, wordOf, names, lineRanks([...texts.keys()]));
}

/** The same tree with frames that are written alike as one. */
function mergeAlike(profile: Profile, word: readonly number[], texts: readonly string[]): CallTree {
  const { tree } = profile;
  const builder = new TreeBuilder();
  const node = new Int32Array(tree.frame.length);
  const self = new Float64Array(tree.frame.length);
  self[0] = tree.self[0]!;
  for (let at = 1; at < node.length; at += 1) {
    node[at] = builder.enter(node[tree.parent[at]!]!, word[tree.frame[at]!]!);
    self[node[at]!]! += tree.self[at]!;
  }
  const frames = texts.map((name): Frame => ({ name, kind: 'user', dso: '', unknown: false }));
  return builder.finish(frames, self).tree;
}

/**
 * Where a line that ends in a frame stands among its siblings' (`self`), and where those that go on below it do
 * (`below`): in bytes `a`, `a.part`, `a;b`, for `;` comes behind `.`.
 */
interface LineRanks {
  readonly self: Int32Array;
  readonly below: Int32Array;
}

function lineRanks(texts: readonly string[]): LineRanks {
  const keys = texts.flatMap((text) => [text, `${text};`]);
  const compare = textOrder(texts);
  const order = keys.map((_, at) => at).sort((a, b) => compare(keys[a]!, keys[b]!));
  const ranks = { self: new Int32Array(texts.length), below: new Int32Array(texts.length) };
  order.forEach((key, rank) => {
    if (key % 2 === 0) ranks.self[key >> 1] = rank;
    else ranks.below[key >> 1] = rank;
  });
  return ranks;
}

/**
 * Walks the tree and writes the lines. `out` holds, behind the lines that are done, the stack down to the node that is
 * looked at; a node with one child and no line of its own is passed without looking back.
 */
function* lines(
  tree: CallTree,
  wordOf: ArrayLike<number>,
  names: readonly Uint8Array[],
  ranks: LineRanks,
): Generator<Uint8Array> {
  const { next, self, frame } = tree;
  let out = new Uint8Array(CHUNK * 2);
  /** Where the current stack begins, and ends. */
  let start = 0;
  let end = 0;
  /** Nodes still to be looked at: below zero, the line of a node; above, what is below it. With the length of its stack. */
  const pending: number[] = [];
  const lengths: number[] = [];
  const room = (more: number) => {
    if (end + more <= out.length) return;
    const larger = new Uint8Array((end + more) * 2);
    larger.set(out.subarray(0, end));
    out = larger;
  };
  const append = (node: number) => {
    const name = names[wordOf[frame[node]!]!]!;
    const { length } = name;
    room(length);
    if (length > 32) out.set(name, end);
    else for (let at = 0; at < length; at += 1) out[end + at] = name[at]!;
    end += length;
  };
  const writeLine = (count: string) => {
    const { length } = out.subarray(start, end);
    room(count.length + 1 + length);
    const lineEnd = end;
    out[lineEnd - 1] = 32; // In place of the last frame's `;`.
    for (let at = 0; at < count.length; at += 1) out[lineEnd + at] = count.charCodeAt(at);
    out[lineEnd + count.length] = 10;
    // The next stack begins as this one, behind it.
    const after = lineEnd + count.length + 1;
    out.copyWithin(after, start, lineEnd);
    out[after + length - 1] = 59;
    start = after;
    end = after + length;
  };
  /** Puts off what is below a node, sorted by how its lines begin. */
  const fork = (node: number) => {
    const entries: number[] = [];
    let sorted = true;
    let last = -1;
    for (let child = node + 1; child < next[node]!; child = next[child]!) {
      const word = wordOf[frame[child]!]!;
      if (self[child]) {
        if (ranks.self[word]! < last) sorted = false;
        last = ranks.self[word]!;
        entries.push(-child);
      }
      if (next[child]! > child + 1) {
        if (ranks.below[word]! < last) sorted = false;
        last = ranks.below[word]!;
        entries.push(child);
      }
    }
    if (!sorted) entries.sort((a, b) => rankOf(a) - rankOf(b));
    for (let at = entries.length - 1; at >= 0; at -= 1) {
      pending.push(entries[at]!);
      lengths.push(end - start);
    }
  };
  const rankOf = (entry: number) => {
    const word = wordOf[frame[Math.abs(entry)]!]!;
    return entry < 0 ? ranks.self[word]! : ranks.below[word]!;
  };
  fork(0);
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    if (start > CHUNK) {
      yield out.slice(0, start);
      out.copyWithin(0, start, end);
      end -= start;
      start = 0;
    }
    end = start + lengths.pop()!;
    let node = Math.abs(entry);
    append(node);
    if (entry < 0) {
      writeLine(String(self[node]!));
      continue;
    }
    // One child that has either a line or more below it: no need to put it off.
    for (let child = node + 1; next[child] === next[node]; child = node + 1) {
      const leaf = next[child] === child + 1;
      if (!leaf && self[child]) break;
      append(child);
      node = child;
      if (leaf) break;
    }
    if (next[node] === node + 1) writeLine(String(self[node]!));
    else fork(node);
  }
  if (start > 0) yield out.slice(0, start);
}
