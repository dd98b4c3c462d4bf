import { placeOf } from '../snapshot/cgroup.ts';
import type { Frame } from './frame.ts';
import { pathOf } from './paths.ts';
import type { Profile, Thread, ThreadOwner } from './profile.ts';
import { Stacks } from './stacks.ts';
import { treeOf } from './tree.ts';

/** A pod with the names by which its cgroups are recognised. */
export interface NamedPod {
  readonly namespace: string;
  readonly name: string;
  /** The UIDs in the names of its cgroup: that of the API, and for a static pod the hash of its manifest. */
  readonly uids: readonly string[];
  readonly containers: ReadonlyArray<{ readonly id: string; readonly name: string }>;
}

/** The names of the API, with what the runtime knows besides: containers that are gone, and pods that the API does not have. */
export function withContainers(
  pods: readonly NamedPod[],
  containers: ReadonlyArray<{
    readonly id: string;
    readonly podUid: string;
    readonly namespace: string;
    readonly pod: string;
    readonly name: string;
  }>,
): NamedPod[] {
  const more = new Map<string, NamedPod>();
  const known = new Map(pods.flatMap((pod) => pod.uids.map((uid) => [uid, pod] as const)));
  for (const { id, podUid, namespace, pod, name } of containers) {
    const old = more.get(podUid) ??
      known.get(podUid) ?? { namespace, name: pod, uids: [podUid], containers: [] };
    if (old.containers.some((each) => each.id === id)) continue;
    more.set(podUid, { ...old, containers: [...old.containers, { id, name }] });
  }
  // The last one that has a UID counts.
  return [...pods, ...more.values()];
}

/** The pod of `--except`: by its UIDs if they are known, else by its name. */
export interface ExceptedPod {
  readonly namespace?: string;
  readonly name: string;
  readonly uids?: readonly string[];
}

/** The outermost frames of the kernel's own threads, and of cgroups that perf does not know. */
export const KERNEL = 'kernel';
const UNKNOWN = 'unknown cgroup';
/** Letters of a cgroup's path in a frame: the end of a longer one tells more than its beginning. */
const LONGEST_PATH = 60;
/** Letters of the id of a container without a name: as many as crictl prints. */
const ID_LENGTH = 13;

/**
 * The profile with the owner of each thread outside of its stacks: pod and container, unit of systemd, or kernel. The same
 * object if the input has no cgroups.
 */
export function withOwners(profile: Profile, pods: readonly NamedPod[]): Profile {
  if (profile.threads.every(({ cgroup }) => cgroup === undefined)) return profile;
  const ownerOf = ownerReader(pods);
  const inKernel = kernelThreads(profile);
  const threads = profile.threads.map((thread, at): Thread => {
    if (thread.cgroup === undefined) return thread;
    return { ...thread, owner: ownerOf(thread.cgroup, inKernel[at] === 1) };
  });
  const outer = threads.map(({ owner }) => (owner ? outerNames(owner) : []));
  return withFramesOutside({ ...profile, threads }, (thread) => outer[thread] ?? []);
}

/**
 * The profile with more frames outside of its stacks: `namesOf` has their names by the number of a thread, the outermost
 * first; -1 is no thread.
 */
export function withFramesOutside(profile: Profile, namesOf: (thread: number) => readonly string[]): Profile {
  const { tree, stacks } = profile;
  const frames = [...profile.frames];
  const numbers = new Map<string, number>();
  const numberOf = (name: string): number => {
    let number = numbers.get(name);
    if (number === undefined) {
      number = frames.push(outerFrame(name)) - 1;
      numbers.set(name, number);
    }
    return number;
  };
  const outer = [-1, ...profile.threads.keys()].map((thread) => namesOf(thread).map(numberOf));
  const distinct = new Stacks('root first');
  const stackOf = Int32Array.from(stacks.node, (node, row) => {
    const path = Int32Array.from([...outer[stacks.thread[row]! + 1]!, ...pathOf(tree, node)]);
    return distinct.number(path, 0, path.length);
  });
  const self = new Float64Array(distinct.size);
  stackOf.forEach((stack, row) => {
    self[stack]! += stacks.weight[row]!;
  });
  const { tree: grown, place } = treeOf(distinct, frames, self);
  return {
    ...profile,
    frames,
    tree: grown,
    stacks: { ...stacks, node: stackOf.map((stack) => place[stack]!) },
  };
}

/** The frame of an owner. It is no function, as the name of a thread is none. */
export const outerFrame = (name: string): Frame => ({ name, kind: 'thread', dso: '', unknown: false });

/** The names of an owner's frames, the outermost first. */
export const outerNames = ({ name, container }: ThreadOwner): string[] =>
  container === undefined ? [name] : [name, container];

/** Reads a cgroup's path, each once. */
function ownerReader(pods: readonly NamedPod[]): (cgroup: string, inKernel: boolean) => ThreadOwner {
  const byUid = new Map(pods.flatMap((pod) => pod.uids.map((uid) => [uid, pod] as const)));
  const known = new Map<string, ThreadOwner>();
  return (cgroup, inKernel) => {
    if (inKernel && cgroup === '/') return { kind: 'kernel', name: KERNEL, cgroup };
    const found = known.get(cgroup) ?? ownerOf(cgroup, byUid);
    known.set(cgroup, found);
    return found;
  };
}

function ownerOf(cgroup: string, byUid: ReadonlyMap<string, NamedPod>): ThreadOwner {
  if (!cgroup.startsWith('/')) return { kind: 'cgroup', name: UNKNOWN, cgroup };
  const place = placeOf([`0::${cgroup}`]);
  if (place.kind === 'node')
    return place.unit === undefined
      ? { kind: 'cgroup', name: `cgroup ${shortPath(cgroup)}`, cgroup }
      : { kind: 'unit', name: place.unit, cgroup };
  const { podUid, containerId } = place;
  const pod = byUid.get(podUid);
  // Only the containers of the pod itself: an id from the status of another pod does not count.
  const container = pod?.containers.find(({ id }) => id === containerId)?.name;
  return {
    kind: 'pod',
    name: pod ? `${pod.namespace}/${pod.name}` : `pod ${podUid}`,
    ...(containerId !== undefined && {
      container: container ?? containerId.slice(0, ID_LENGTH),
      containerId,
    }),
    podUid,
    cgroup,
  };
}

function shortPath(path: string): string {
  if (path.length <= LONGEST_PATH) return path;
  const end = path.slice(1 - LONGEST_PATH);
  const slash = end.indexOf('/');
  return `…${slash < 0 ? end : end.slice(slash)}`;
}

/** Where a thread of the kernel begins: kernel/kthread.c, arch/x86/entry/entry_64.S and arch/arm64/kernel/entry.S of Linux. */
const START = /^(?:ret_from_fork(?:_asm)?|kthread)$/;

/**
 * The kernel's own threads: they begin in the kernel, and never run code of a process. They are in the root of all cgroups, as
 * processes can be that nobody put elsewhere.
 */
function kernelThreads({ frames, tree, threads, stacks }: Profile): Uint8Array {
  const isOwn = frames.map(({ kind, unknown, dso }) =>
    // An address in no object may be one of the kernel's.
    kind === 'thread' || kind === 'kernel' || (unknown && /^(?:|\[unknown\])$/.test(dso)) ? 0 : 1,
  );
  // Without its symbols the kernel's functions have no names.
  const isStart = frames.map(({ kind, name, unknown }) => kind === 'kernel' && (unknown || START.test(name)));
  const runsOwn = new Uint8Array(tree.frame.length);
  const begins = new Uint8Array(tree.frame.length);
  for (let node = 1; node < runsOwn.length; node += 1) {
    const frame = tree.frame[node]!;
    const up = tree.parent[node]!;
    runsOwn[node] = runsOwn[up]! | isOwn[frame]!;
    begins[node] = begins[up]! | (isStart[frame] && frames[tree.frame[up]!]?.kind === 'thread' ? 1 : 0);
  }
  const inKernel = Uint8Array.from(threads, ({ pid }) => (pid === 0 ? 1 : 0));
  const inProcess = new Uint8Array(threads.length);
  stacks.node.forEach((node, row) => {
    const thread = stacks.thread[row]!;
    if (thread < 0) return;
    inKernel[thread]! |= begins[node]!;
    inProcess[thread]! |= runsOwn[node]!;
  });
  return inKernel.map((is, thread) => (inProcess[thread] ? 0 : is));
}

/** Whether a thread is of the pod. */
export const isOf = (owner: ThreadOwner | undefined, { namespace, name, uids }: ExceptedPod): boolean => {
  if (owner?.kind !== 'pod') return false;
  if (uids) return uids.includes(owner.podUid!);
  return namespace === undefined ? owner.name.endsWith(`/${name}`) : owner.name === `${namespace}/${name}`;
};

/** The pods that samples are of, out of those that are known. */
export function sampledPods({ threads }: Profile, pods: readonly NamedPod[]): NamedPod[] {
  const uids = new Set(threads.map(({ owner }) => owner?.podUid));
  return pods.filter((pod) => pod.uids.some((uid) => uids.has(uid)));
}
