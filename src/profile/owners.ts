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
  const { tree, stacks } = profile;
  const ownerOf = ownerReader(pods);
  const inKernel = kernelThreads(profile);
  const threads = profile.threads.map((thread, at): Thread => {
    if (thread.cgroup === undefined) return thread;
    return { ...thread, owner: ownerOf(thread.cgroup, inKernel[at] === 1) };
  });
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
  const outer = threads.map(({ owner }) => (owner ? outerNames(owner).map(numberOf) : []));
  const distinct = new Stacks('root first');
  const stackOf = Int32Array.from(stacks.node, (node, row) => {
    const path = Int32Array.from([...(outer[stacks.thread[row]!] ?? []), ...pathOf(tree, node)]);
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
    threads,
    stacks: { ...stacks, node: stackOf.map((stack) => place[stack]!) },
  };
}

/** The frame of an owner. It is no function, as the name of a thread is none. */
const outerFrame = (name: string): Frame => ({ name, kind: 'thread', dso: '', unknown: false });

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

/** Where a process enters the kernel: arch/x86/entry/entry_64.S and arch/arm64/kernel/entry.S of Linux. */
const ENTRY = /^(?:entry_|do_syscall_|el0t?_)/;

/**
 * The threads that never run code of a process. The kernel's own threads are in the root of all cgroups, as processes can be
 * that nobody put elsewhere, but these have a frame of their own in their stacks, or at least (while they start or end)
 * that of a system call.
 */
function kernelThreads({ frames, tree, threads, stacks }: Profile): Uint8Array {
  const own = new Uint8Array(tree.frame.length);
  const inKernel = new Uint8Array(threads.length).fill(1);
  const isOwn = frames.map(({ kind, unknown, dso }) =>
    // An address in no object may be one of the kernel's.
    kind === 'thread' || kind === 'kernel' || (unknown && /^(?:|\[unknown\])$/.test(dso)) ? 0 : 1,
  );
  const isEntry = frames.map(({ name, kind }) => (kind === 'kernel' && ENTRY.test(name) ? 1 : 0));
  for (let node = 1; node < own.length; node += 1) {
    const up = tree.parent[node]!;
    const isOutermost = frames[tree.frame[up]!]?.kind === 'thread';
    own[node] =
      own[up]! | isOwn[tree.frame[node]!]! | (isOutermost ? isEntry[tree.frame[node]!]! : 0);
  }
  stacks.node.forEach((node, row) => {
    const thread = stacks.thread[row]!;
    if (thread >= 0 && own[node]) inKernel[thread] = 0;
  });
  return inKernel;
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
