import { type ExceptedPod, isOf, KERNEL } from './owners.ts';
import type { Profile, SampleTimes, StackTable } from './profile.ts';
import { closed } from './tree.ts';

/** Which stacks of a profile to keep. */
export interface ProfileFilter {
  /** Keep only stacks with a frame or thread name that matches `include`, and none that matches `exclude`. */
  readonly include?: RegExp;
  readonly exclude?: RegExp;
  /** Keep only threads with this name, or this number. */
  readonly comm?: string;
  readonly tid?: number;
  /** Leave out the threads of this pod. */
  readonly except?: ExceptedPod;
  /** Leave out samples of idle processors. */
  readonly noIdle: boolean;
}

/** The functions of an idle CPU, which are on top of the stack of the idle task. */
const IDLE = /idle|safe_halt|mwait|haltpoll|halt_poll|cpu_startup_entry|xen_hypercall_(?:sched_op|vcpu_op)/;

/**
 * The stacks of the idle task (`swapper`, one for each CPU) while it idles: on top is an idle function, or a function without
 * a name. Interrupts that run on its stack are work.
 */
export function idleRows({ frames, tree, threads, stacks }: Profile): Uint8Array {
  const rows = new Uint8Array(stacks.node.length);
  const swapper = threads.map(
    ({ comm, pid, tid }) => /^swapper/.test(comm) && (pid === 0 || tid <= 0 || pid < 0),
  );
  // In a profile without threads, the frame below the root is the thread's name.
  const named = swappers(frames, tree);
  stacks.node.forEach((node, row) => {
    const thread = stacks.thread[row]!;
    if (thread >= 0 ? !swapper[thread] : !named.some(([from, to]) => node >= from && node < to)) return;
    const leaf = frames[tree.frame[node]!];
    if (leaf && (tree.parent[node] === 0 || leaf.unknown || IDLE.test(leaf.name))) rows[row] = 1;
  });
  return rows;
}

/**
 * The subtrees of threads with the name of the idle task: the first node and the end of each. In a profile of a node they are
 * below the frame of the kernel (owners.ts).
 */
function swappers(frames: Profile['frames'], { frame, next }: Profile['tree']): Array<[number, number]> {
  const found: Array<[number, number]> = [];
  for (let node = 1; node < frame.length; ) {
    const { name } = frames[frame[node]!]!;
    if (/^swapper/.test(name)) found.push([node, next[node]!]);
    node = name === KERNEL ? node + 1 : next[node]!;
  }
  return found;
}

/** The profile with only the stacks that the filter keeps. Idle samples are counted in any case. */
export function filterProfile(profile: Profile, filter: ProfileFilter): Profile {
  const { stacks } = profile;
  const idle = idleRows(profile);
  const matches = nodesThatMatch(profile, filter);
  const { except } = filter;
  const excepted = profile.threads.map(({ owner }) => except !== undefined && isOf(owner, except));
  const idleSamples = stacks.samples.reduce((sum, samples, row) => sum + (idle[row] ? samples : 0), 0);
  return {
    ...keepRows(profile, (row) => {
      const thread = profile.threads[stacks.thread[row]!];
      if (excepted[stacks.thread[row]!]) return false;
      if (idle[row] && filter.noIdle) return false;
      if (filter.comm !== undefined && thread?.comm !== filter.comm) return false;
      if (filter.tid !== undefined && thread?.tid !== filter.tid) return false;
      return matches(stacks.node[row]!);
    }),
    idle: { samples: idleSamples, leftOut: filter.noIdle && idleSamples > 0 },
    ...(except && { except: exceptedSamples(profile, excepted, except) }),
  };
}

/** What `--except` leaves out, whatever else the filter does with it. */
function exceptedSamples(
  { threads }: Profile,
  excepted: readonly boolean[],
  { namespace, name }: ExceptedPod,
): NonNullable<Profile['except']> {
  const of = threads.filter((_, at) => excepted[at]);
  return {
    pod: of[0]?.owner?.name ?? (namespace === undefined ? name : `${namespace}/${name}`),
    samples: of.reduce((sum, { samples }) => sum + samples, 0),
  };
}

function nodesThatMatch(
  { frames, tree }: Profile,
  { include, exclude }: ProfileFilter,
): (node: number) => boolean {
  if (!include && !exclude) return () => true;
  const included = new Uint8Array(tree.frame.length);
  const excluded = new Uint8Array(tree.frame.length);
  const yes = frames.map(({ name }) => (include?.test(name) ? 1 : 0));
  const no = frames.map(({ name }) => (exclude?.test(name) ? 1 : 0));
  for (let node = 1; node < included.length; node += 1) {
    const parent = tree.parent[node]!;
    included[node] = included[parent]! | yes[tree.frame[node]!]!;
    excluded[node] = excluded[parent]! | no[tree.frame[node]!]!;
  }
  return (node) => (!include || included[node] === 1) && excluded[node] === 0;
}

/** The profile with only the wanted rows of the stack table; the same object if all are wanted. */
export function keepRows(profile: Profile, wanted: (row: number) => boolean): Profile {
  const { tree, stacks } = profile;
  const kept: number[] = [];
  for (let row = 0; row < stacks.node.length; row += 1) if (wanted(row)) kept.push(row);
  if (kept.length === stacks.node.length) return profile;
  const through = new Uint8Array(tree.frame.length);
  for (const row of kept) through[stacks.node[row]!] = 1;
  for (let node = through.length - 1; node > 0; node -= 1) if (through[node]) through[tree.parent[node]!] = 1;
  through[0] = 1;
  // Removing nodes from a tree in preorder keeps it in preorder.
  const place = new Int32Array(through.length);
  let size = 0;
  for (let node = 0; node < through.length; node += 1) if (through[node]) place[node] = size++;
  const frame = new Int32Array(size);
  const parent = new Int32Array(size);
  for (let node = 0; node < through.length; node += 1) {
    if (!through[node]) continue;
    frame[place[node]!] = tree.frame[node]!;
    parent[place[node]!] = node === 0 ? -1 : place[tree.parent[node]!]!;
  }
  const self = new Float64Array(size);
  for (const row of kept) self[place[stacks.node[row]!]!]! += stacks.weight[row]!;
  const pick = (values: Float64Array) => Float64Array.from(kept, (row) => values[row]!);
  const table: StackTable = {
    node: Int32Array.from(kept, (row) => place[stacks.node[row]!]!),
    thread: Int32Array.from(kept, (row) => stacks.thread[row]!),
    samples: pick(stacks.samples),
    weight: pick(stacks.weight),
    ...(stacks.squares && { squares: pick(stacks.squares) }),
  };
  const threads = profile.threads.map((thread) => ({ ...thread, samples: 0, weight: 0 }));
  table.thread.forEach((thread, row) => {
    if (thread < 0) return;
    threads[thread]!.samples += table.samples[row]!;
    threads[thread]!.weight += table.weight[row]!;
  });
  return {
    ...profile,
    tree: { frame, parent, self, ...closed(parent, self) },
    stacks: table,
    threads,
    timeline: profile.timeline && keepEntries(profile.timeline, stacks.node.length, kept),
    samples: table.samples.reduce((sum, samples) => sum + samples, 0),
  };
}

function keepEntries(timeline: SampleTimes, rows: number, kept: readonly number[]): SampleTimes {
  const renumbered = new Int32Array(rows).fill(-1);
  kept.forEach((row, at) => {
    renumbered[row] = at;
  });
  const entries: number[] = [];
  timeline.stack.forEach((row, entry) => {
    if (renumbered[row]! >= 0) entries.push(entry);
  });
  return {
    ...timeline,
    at: Uint32Array.from(entries, (entry) => timeline.at[entry]!),
    stack: Int32Array.from(entries, (entry) => renumbered[timeline.stack[entry]!]!),
    samples: timeline.samples && Uint32Array.from(entries, (entry) => timeline.samples![entry]!),
  };
}
