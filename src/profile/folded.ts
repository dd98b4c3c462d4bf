import type { Frame } from './frame.ts';
import { stacksInto } from './paths.ts';
import type { CallTree, Profile } from './profile.ts';
import { Stacks } from './stacks.ts';
import { textOrder, treeOf } from './tree.ts';

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
  const stacks = new Stacks('root first');
  const ends = stacksInto(stacks, tree, word, tree.self);
  const self = new Float64Array(stacks.size);
  for (let node = 1; node < ends.length; node += 1)
    if (ends[node]! >= 0) self[ends[node]!]! += tree.self[node]!;
  const frames = texts.map((name): Frame => ({ name, kind: 'user', dso: '', unknown: false }));
  return treeOf(stacks, frames, self).tree;
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
    if (length > 24) out.set(name, end);
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
