import type { Frame } from './frame.ts';
import { stacksInto } from './paths.ts';
import type { Profile, StackTable, Thread } from './profile.ts';
import { Stacks } from './stacks.ts';
import { treeOf } from './tree.ts';

/** Bytes of a thread's name; the kernel cuts longer ones. Linux include/linux/sched.h, TASK_COMM_LEN. */
const LONGEST_NAME = 15;

/**
 * Maps the names of threads to the names of their pools. The names in a pool differ only in their numbers, which become `*`.
 * A name that the kernel may have cut belongs to the pool that begins in the same way, if there is exactly one. A name that
 * is not like any other, such as `python3`, is in no pool.
 */
export function poolsOf(names: Iterable<string>): Map<string, string> {
  const pools = new Map<string, string[]>();
  for (const name of new Set(names)) {
    // A thread without a name is called by its number, `:7154`, which does not show a pool.
    if (!/\p{L}/u.test(name)) continue;
    const pool = name.replaceAll(/\d+/g, '*');
    const members = pools.get(pool);
    if (members) members.push(name);
    else pools.set(pool, [name]);
  }
  for (const [pool, members] of [...pools]) {
    if (!pool.includes('*') || members.some((name) => Buffer.byteLength(name) !== LONGEST_NAME)) continue;
    const longer = [...pools.keys()].filter((other) => other !== pool && other.startsWith(pool));
    if (longer.length !== 1) continue;
    pools.get(longer[0]!)!.push(...members);
    pools.delete(pool);
  }
  const poolOf = new Map<string, string>();
  for (const [pool, members] of pools)
    if (members.length > 1) for (const name of members) poolOf.set(name, pool);
  return poolOf;
}

/**
 * The profile with the threads of each pool as one: one outermost frame for a pool, and one thread for a pool of a process.
 * Folded stacks have no threads: there the outermost frame is used as the thread, as stackcollapse-perf.pl writes it.
 */
export function mergeThreads(profile: Profile): Profile {
  const { tree, stacks } = profile;
  const { all, outermost } = withPools(profile);
  if (all.length === profile.frames.length) return profile;
  const frame = tree.frame.slice();
  for (const node of threadNodes(profile)) frame[node] = outermost(frame[node]!);
  const { frames, place } = used(all, frame);
  const ends = new Float64Array(frame.length);
  for (let row = 0; row < stacks.node.length; row += 1) ends[stacks.node[row]!] = 1;
  const distinct = new Stacks('root first');
  const number = stacksInto(distinct, { ...tree, frame }, place, ends);
  const self = new Float64Array(distinct.size);
  for (let row = 0; row < stacks.node.length; row += 1)
    self[number[stacks.node[row]!]!]! += stacks.weight[row]!;
  const merged = treeOf(distinct, frames, self);
  const { threads, of } = pooledThreads(profile.threads);
  const rows = mergedRows(
    stacks,
    (row) => merged.place[number[stacks.node[row]!]!]!,
    (row) => of[stacks.thread[row]!] ?? -1,
  );
  const { timeline } = profile;
  return {
    ...profile,
    frames,
    tree: merged.tree,
    threads,
    stacks: rows.table,
    timeline: timeline && { ...timeline, stack: timeline.stack.map((row) => rows.of[row]!) },
  };
}

/**
 * The nodes that stand for threads: those below the root, or below the frames of their owners (owners.ts), which are of the
 * same kind and have threads below them.
 */
function threadNodes({ frames, tree }: Profile): number[] {
  const { frame, next } = tree;
  const isThread = (node: number) => frames[frame[node]!]!.kind === 'thread';
  const found: number[] = [];
  for (let node = 1; node < frame.length; ) {
    if (isThread(node) && node + 1 < next[node]! && isThread(node + 1)) {
      node += 1;
      continue;
    }
    found.push(node);
    node = next[node]!;
  }
  return found;
}

/** The frames, followed by those of the pools; and for each frame, the frame that replaces it as that of a thread. */
function withPools(profile: Profile) {
  const { frames, tree, threads } = profile;
  const nodes = threadNodes(profile);
  const isThread = (frame: Frame) => frame.kind === 'thread' || threads.length === 0;
  const names: string[] = [];
  for (const node of nodes) {
    const frame = frames[tree.frame[node]!]!;
    if (isThread(frame)) names.push(frame.name);
  }
  const pools = poolsOf(names);
  const all = [...frames];
  const numbers = new Map<string, number>();
  const outermost = (at: number): number => {
    const frame = frames[at]!;
    const pool = isThread(frame) ? pools.get(frame.name) : undefined;
    if (pool === undefined) return at;
    const key = `${frame.kind} ${pool}`;
    let known = numbers.get(key);
    if (known === undefined) {
      known = all.push({ ...frame, name: pool }) - 1;
      numbers.set(key, known);
    }
    return known;
  };
  for (const node of nodes) outermost(tree.frame[node]!);
  return { all, outermost };
}

/** The frames that a tree uses, and for each frame its place among them. */
function used(all: readonly Frame[], frame: Int32Array): { frames: Frame[]; place: Int32Array } {
  const place = new Int32Array(all.length).fill(-1);
  for (let node = 1; node < frame.length; node += 1) place[frame[node]!] = 0;
  const frames = all.filter((_, at) => place[at] === 0);
  let next = 0;
  for (let at = 0; at < place.length; at += 1) if (place[at] === 0) place[at] = next++;
  return { frames, place };
}

/** One thread for each pool of a process; `of`: by number of a thread, that of the one it is now. */
function pooledThreads(threads: readonly Thread[]) {
  const pools = poolsOf(threads.map(({ comm }) => comm));
  const pooled: Thread[] = [];
  const numbers = new Map<string, number>();
  const of = threads.map((thread) => {
    const pool = pools.get(thread.comm);
    const key = `${thread.cgroup ?? ''}\n${thread.pid} ${pool}`;
    const known = pool === undefined ? undefined : numbers.get(key);
    if (known !== undefined) {
      const { samples, weight } = pooled[known]!;
      const sums = { samples: samples + thread.samples, weight: weight + thread.weight };
      pooled[known] = { ...pooled[known]!, tid: -1, ...sums };
      return known;
    }
    if (pool !== undefined) numbers.set(key, pooled.length);
    return pooled.push({ ...thread, comm: pool ?? thread.comm }) - 1;
  });
  return { threads: pooled, of };
}

/** The rows of a stack table, those of the same node and thread as one; `of`: by row, the one it is in. */
function mergedRows(
  stacks: StackTable,
  nodeOf: (row: number) => number,
  threadOf: (row: number) => number,
): { table: StackTable; of: Int32Array } {
  const of = new Int32Array(stacks.node.length);
  const isWeighed = stacks.weight.some((each, row) => each !== stacks.samples[row]);
  const known = new Map<string, number>();
  const node: number[] = [];
  const thread: number[] = [];
  const samples: number[] = [];
  const weight: number[] = [];
  const squares: number[] = [];
  for (let row = 0; row < of.length; row += 1) {
    const key = `${nodeOf(row)} ${threadOf(row)}`;
    let into = known.get(key);
    if (into === undefined) {
      into = node.push(nodeOf(row)) - 1;
      known.set(key, into);
      thread.push(threadOf(row));
      samples.push(0);
      weight.push(0);
      squares.push(0);
    }
    of[row] = into;
    samples[into]! += stacks.samples[row]!;
    weight[into]! += stacks.weight[row]!;
    squares[into]! += stacks.squares?.[row] ?? stacks.weight[row]! ** 2 / stacks.samples[row]!;
  }
  const table = {
    node: Int32Array.from(node),
    thread: Int32Array.from(thread),
    samples: Float64Array.from(samples),
    weight: Float64Array.from(weight),
    // Threads that were merged may have had different periods.
    ...(isWeighed && { squares: Float64Array.from(squares) }),
  };
  return { table, of };
}
