import type { Frame } from '../frame.ts';
import { stacksInto } from '../paths.ts';
import type { CallTree, Profile } from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { textOrder, treeOf } from '../tree.ts';
import { isPlain, writeDigits } from './digits.ts';

/**
 * A frame as it is written in folded text. `;` separates frames, so within a name it becomes `:`. Blanks in the name of a
 * thread become `_`, as in stackcollapse-perf.pl. A character that would end the line becomes the replacement character.
 */
export function foldedFrame(frame: Frame, annotate: boolean): string {
  const name = frame.name.replaceAll(';', ':').replaceAll(/[\n\r]/g, '\ufffd');
  if (frame.kind === 'thread') return name.replaceAll(' ', '_');
  if (!annotate) return name;
  const suffix = {
    user: '',
    thread: '',
    state: '',
    kernel: '_[k]',
    jit: '_[j]',
    script: '',
    inlined: '_[i]',
  }[frame.kind];
  return name + suffix;
}

const CHUNK = 1 << 16;
const NEWLINE = 10;
const BLANK = 32;
const SEMICOLON = 59;

/**
 * The profile as folded stacks in chunks: one line for each stack, sorted by bytes as stackcollapse-perf.pl does. Frames with
 * the same text are one frame. `annotate` appends FlameGraph's `_[k] _[j] _[i]` to names.
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
  const words = [...texts.keys()];
  yield* lines(tree, wordOf, namesOf(words), lineRanks(words));
}

/** The tree in which frames with the same text are one frame. */
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
 * The order of lines that share the stack above a frame: the rank of the line that ends in the frame (`self`), and that of the
 * lines that continue below it (`below`). These differ, because `;` comes after `.`: the order is `a`, `a.part`, `a;b`.
 */
interface LineRanks {
  readonly self: Int32Array;
  readonly below: Int32Array;
}

function lineRanks(texts: readonly string[]): LineRanks {
  const compare = textOrder(texts);
  const order = texts.map((_, at) => at).sort((a, b) => compare(texts[a]!, texts[b]!));
  const ranks = { self: new Int32Array(texts.length), below: new Int32Array(texts.length) };
  let rank = 0;
  /** The texts that a later text may still continue with a character that comes before `;`. */
  const open: number[] = [];
  const close = (next?: string) => {
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const text = texts[last]!;
      if (next?.startsWith(text) && next.charCodeAt(text.length) < SEMICOLON) return;
      ranks.below[last] = rank++;
      open.pop();
    }
  };
  for (const at of order) {
    close(texts[at]!);
    ranks.self[at] = rank++;
    open.push(at);
  }
  close();
  return ranks;
}

/** The names as they are written in a line, each followed by `;`, in one buffer. */
interface Names {
  readonly view: DataView;
  readonly start: Int32Array;
  readonly length: Int32Array;
}

function namesOf(texts: readonly string[]): Names {
  const encoder = new TextEncoder();
  const start = new Int32Array(texts.length);
  const length = new Int32Array(texts.length);
  const names = texts.map((text) => encoder.encode(`${text};`));
  let size = 0;
  for (const [at, name] of names.entries()) {
    start[at] = size;
    length[at] = name.length;
    size += name.length;
  }
  const bytes = new Uint8Array(size + 4);
  for (const [at, name] of names.entries()) bytes.set(name, start[at]);
  return { view: new DataView(bytes.buffer), start, length };
}

/**
 * Walks the tree and writes the lines. The part of a stack that a line shares with the line before is copied from there. A
 * node with one child and no line of its own needs no entry among the pending ones.
 */
function* lines(
  tree: CallTree,
  wordOf: ArrayLike<number>,
  names: Names,
  ranks: LineRanks,
): Generator<Uint8Array> {
  const { next, self, frame } = tree;
  let out = new Uint8Array(CHUNK * 2);
  let view = new DataView(out.buffer);
  /** Where the present line and the line before begin, and where the written bytes end. */
  let start = 0;
  let before = 0;
  let end = 0;
  /** What is still to be written: the line of node n (-n), or the lines below it (n), each with the length of its stack. */
  const pending: number[] = [];
  const lengths: number[] = [];
  const room = (more: number) => {
    if (end + more <= out.length) return;
    const larger = new Uint8Array((end + more) * 2);
    larger.set(out.subarray(0, end));
    out = larger;
    view = new DataView(out.buffer);
  };
  const append = (node: number) => {
    const word = wordOf[frame[node]!]!;
    const length = names.length[word]!;
    room(length + 4);
    // Copies four bytes at a time; the next name overwrites the bytes that are too many.
    for (let from = names.start[word]!, at = end, to = end + length; at < to; from += 4, at += 4)
      view.setInt32(at, names.view.getInt32(from));
    end += length;
  };
  const writeLine = (count: number) => {
    room(32);
    out[end - 1] = BLANK; // In place of the last frame's `;`.
    if (isPlain(count)) end = writeDigits(out, end, count);
    else for (const digit of String(count)) out[end++] = digit.charCodeAt(0);
    out[end++] = NEWLINE;
    before = start;
    start = end;
  };
  /** Adds the children of a node to the pending entries, in the order of their lines. */
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
    const shared = lengths.pop()!;
    if (end === start) {
      if (before > CHUNK) {
        yield out.slice(0, before);
        out.copyWithin(0, before, start);
        start -= before;
        before = 0;
        end = start;
      }
      room(shared);
      out.copyWithin(start, before, before + shared);
    }
    end = start + shared;
    let node = Math.abs(entry);
    append(node);
    if (entry < 0) {
      writeLine(self[node]!);
      continue;
    }
    // A single child that either ends a line or continues, but not both, is written at once.
    for (let child = node + 1; next[child] === next[node]; child = node + 1) {
      const leaf = next[child] === child + 1;
      if (!leaf && self[child]) break;
      append(child);
      node = child;
      if (leaf) break;
    }
    if (next[node] === node + 1) writeLine(self[node]!);
    else fork(node);
  }
  if (start > 0) yield out.slice(0, start);
}
