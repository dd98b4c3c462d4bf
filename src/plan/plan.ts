import { randomBytes } from 'node:crypto';
import { usageError } from '../errors.ts';
import type { Unwinding } from '../profile/unwinding.ts';
import { ownerSuffix } from './owner.ts';
import type { Target } from './target.ts';

/** CPU samples by perf. */
export interface PerfTask {
  readonly collector: 'perf';
  readonly scope: 'node' | 'pod' | 'container';
  readonly frequencyHz: number;
  /** How the callers of a sampled function are found; `auto`: the node chooses, by what runs there. */
  readonly stacks: 'auto' | Unwinding;
  /** How much of the stack is copied with each sample, if it is unwound by DWARF: a multiple of 8, as perf wants it. */
  readonly stackBytes: number;
  /** With --pid: the process whose container is profiled, by its pid on the node. */
  readonly pid?: number;
  /** The samples of a pod tell which of its containers each is of. Those of a node always do. */
  readonly byContainer?: true;
  /** The waits of threads are recorded, and not what runs; then `frequencyHz` means nothing. */
  readonly offCpu?: true;
  /** The node asks the client for the way of stacks, because the command has other debug pods too. Only with `auto`. */
  readonly agree?: true;
}

/** Packets by tcpdump. Its options and its filter are lists of words, which nothing joins or splits. */
export interface TcpdumpTask {
  readonly collector: 'tcpdump';
  readonly scope: 'node' | 'iface' | 'netns';
  /** `any`, `default` (the interface of the default route) or a name; undefined: the one that belongs to the scope. */
  readonly interface?: string;
  /** The value of tcpdump's `-y`: the filter is compiled for this link type. */
  readonly linkType?: string;
  /** The capture stops after this number of packets; 0: no such limit. */
  readonly count: number;
  readonly options: readonly string[];
  readonly filter: readonly string[];
}

/** What the threads of a pod or of a container wait for, by looks at /proc. */
export interface WaitsTask {
  readonly collector: 'waits';
  readonly scope: 'pod' | 'container';
  /** Looks per second. The node lowers this by itself if the looks cost too much. */
  readonly rateHz: number;
}

export type NodeTask = PerfTask | TcpdumpTask | WaitsTask | SnapshotTask | NodeCommand;

/** A part of a snapshot of a node: collectors/snapshot/snapshot.sh has a function for each. */
export type SnapshotPart = 'processes' | 'runtime' | 'sockets' | 'links' | 'probe';

/** Snapshots of a node: the first at the start, others on request while the pod lingers. */
export interface SnapshotTask {
  readonly collector: 'inspect';
  readonly scope: 'node';
  readonly parts: readonly SnapshotPart[];
  /** Seconds that the pod stays after the last request; 0: it ends after its first answer. */
  readonly lingerSeconds: number;
}

/** When a capture stops by itself, and how long the node keeps its files for the client. */
export interface Limits {
  readonly durationSeconds: number;
  /** Bytes that the tool writes on the node, before compression. */
  readonly maxBytes: number;
  /** The capture stops when less of the file system of its files is free: below 10 % of a disk the kubelet evicts pods. */
  readonly minFreePercent: number;
  readonly keepSeconds: number;
}

/** A command on the node whose output the user sees while it runs: crictl or a shell. */
export interface NodeCommand {
  readonly collector: 'crictl' | 'shell';
  readonly scope: 'node';
  /** crictl's subcommand, for the audit log. */
  readonly about: string;
  /** `KEY=VALUE` arguments of collectors/command/command.sh. */
  readonly keys: readonly string[];
  readonly words: readonly string[];
  /** Whether it reads what the user types. */
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** Where and with what the debug pod runs. */
export interface DebugPodPlan {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  /** The image is a plain Debian, in which the tools are installed at the start. */
  readonly install: boolean;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  /** The pod is not privileged, and gets only what collectors/privileges.ts lists for its task. */
  readonly leastPrivilege: boolean;
  /** Where the files are until the client has them: on the node's disk, in a volume, or in memory, where the pod has no volume. */
  readonly scratch: 'disk' | 'memory';
}

/** What the user chooses of a debug pod; the rest follows from the task. */
export type DebugPodChoice = Omit<DebugPodPlan, 'name' | 'scratch'>;

/**
 * The frozen decision that everything else is a function of: the pod, its arguments, the file names, the
 * receipt. One plan is for one target, which one recorder of a debug pod records. The plans of one debug pod differ in
 * target, task and nonce alone.
 */
export interface Plan {
  readonly version: 1;
  /** The nonce tells the events of this recorder from those of others. */
  readonly session: { readonly id: string; readonly nonce: string };
  /** Which recorder of its debug pod this plan is for, from 1; absent if the debug pod has only one. */
  readonly recorder?: number;
  /** How many recorders its debug pod has; absent if it has only one. */
  readonly recorders?: number;
  readonly node: string;
  readonly target: Target;
  readonly capture: NodeTask;
  readonly limits: Limits;
  readonly debugPod: DebugPodPlan;
  /** The name by which the API server knows the user; undefined if it does not tell. */
  readonly user?: string;
  readonly reason?: string;
}

/** What one recorder does. */
export interface RecorderWork {
  readonly target: Target;
  readonly capture: NodeTask;
}

/** What all plans of a debug pod have in common. */
interface DebugPodInput {
  readonly limits: Limits;
  readonly debugPod: DebugPodChoice;
  readonly user?: string;
  readonly reason?: string;
}

export interface PlanInput extends RecorderWork, DebugPodInput {
  /** 16 random bytes; tests give their own. */
  readonly random?: Uint8Array;
}

export interface PlansInput extends DebugPodInput {
  /** One for each recorder: at least one, at most MOST_RECORDERS, all on the same node and by the same collector. */
  readonly works: readonly RecorderWork[];
  /** 16 random bytes, and 11 more for each work after the first; tests give their own. */
  readonly random?: Uint8Array;
}

/** How many recorders a debug pod may have: an admission policy has to check the arguments of each (policy/pod-rules.ts). */
export const MOST_RECORDERS = 100;

export const makePlan = ({ target, capture, ...input }: PlanInput): Plan =>
  makePlans({ ...input, works: [{ target, capture }] })[0]!;

/** The plans of one debug pod. Throws a usage error if there are more works than one debug pod can do. */
export function makePlans({ works, limits, debugPod, user, reason, random }: PlansInput): Plan[] {
  const [first] = works;
  if (!first) throw new Error('a debug pod has at least one recorder');
  const { node } = first.target;
  if (works.length > MOST_RECORDERS)
    throw usageError(
      `${works.length} of the targets are on the node ${node}, and a debug pod records at most ${MOST_RECORDERS}`,
      'choose fewer targets, for example by a longer --selector',
    );
  const { collector } = first.capture;
  if (works.some(({ target, capture }) => target.node !== node || capture.collector !== collector))
    throw new Error('the recorders of a debug pod are on one node and have one collector');
  const bytes = Buffer.from(random ?? randomBytes(ID_BYTES + NONCE_BYTES * works.length));
  if (bytes.length < ID_BYTES + NONCE_BYTES * works.length) throw new Error('too few random bytes');
  const id = bytes.toString('hex', 0, ID_BYTES);
  const scratch: DebugPodPlan['scratch'] = fitsInMemory(works, limits, debugPod) ? 'memory' : 'disk';
  return works.map(({ target, capture }, at) => {
    const from = ID_BYTES + NONCE_BYTES * at;
    return Object.freeze({
      version: 1,
      session: { id, nonce: bytes.toString('hex', from, from + NONCE_BYTES) },
      ...(works.length > 1 && { recorder: at + 1, recorders: works.length }),
      node,
      target,
      capture,
      limits,
      debugPod: { ...debugPod, name: debugPodName(collector, id, user), scratch },
      ...(user !== undefined && { user }),
      ...(reason !== undefined && { reason }),
    });
  });
}

const ID_BYTES = 5;
const NONCE_BYTES = 11;

/** The longest profile that is kept in memory, in seconds, and how many samples of each CPU it may have. */
const MOST_IN_MEMORY = { seconds: 10, samples: 1000 };
/** Nobody's memory is used for longer than this after the end of a recording, in seconds. */
const MOST_KEPT_IN_MEMORY = 600;

/**
 * Whether the files are small for certain: 1,000 samples have 0.3 MB, and 17 MB if the node chooses copies of stacks. Then the
 * pod needs no volume, and starts about 0.3 s earlier: the kubelet looks only every 300 ms whether the volumes of a pod are mounted
 * (kubernetes pkg/kubelet/volumemanager, podAttachAndMountRetryInterval). Only a privileged container can see the node's cgroups
 * without a volume, and write to its own root file system.
 */
function fitsInMemory(
  works: readonly RecorderWork[],
  { durationSeconds, keepSeconds }: Limits,
  { leastPrivilege, install }: DebugPodChoice,
): boolean {
  const [{ capture }] = works as readonly [RecorderWork];
  if (leastPrivilege || install || works.length > 1 || keepSeconds > MOST_KEPT_IN_MEMORY) return false;
  if (capture.collector !== 'perf') return capture.collector === 'inspect';
  const { stacks, offCpu, frequencyHz } = capture;
  return (
    durationSeconds <= MOST_IN_MEMORY.seconds &&
    durationSeconds * frequencyHz <= MOST_IN_MEMORY.samples &&
    stacks !== 'dwarf' &&
    !offCpu
  );
}

/**
 * `gkeprof-COLLECTOR-SESSION-USER`: the name tells whose pod it is, because an admission policy learns only the name of a
 * pod when somebody calls exec in it.
 */
export function debugPodName(collector: NodeTask['collector'], session: string, user?: string): string {
  const owner = user === undefined ? undefined : ownerSuffix(user);
  return `gkeprof-${collector}-${session}${owner === undefined ? '' : `-${owner}`}`;
}

/** The first user id for `files`, and how many there are. */
export const FILES_USERS = { first: 2_000_000_000, count: 2 ** 27 };

/**
 * The user and group that the container `files` runs as, another one for each session: it shares the PID namespace of the
 * node, where processes of the same user can inspect each other. Nothing else allocates ids in this range: it is above
 * those of OpenShift (up to 1999999999) and of systemd's containers (up to 1879048191), and below systemd's foreign users
 * (from 2147352576; systemd docs/UIDS-GIDS.md).
 */
export const filesUser = (session: string): number =>
  FILES_USERS.first + (Number.parseInt(session, 16) % FILES_USERS.count);

/** The target as a user types it. */
export const targetText = (target: Target): string =>
  target.kind === 'node' ? `node/${target.node}` : `pod/${target.name}`;

/** Seconds in which a plain image downloads and installs the tools. */
const INSTALL_SECONDS = 240;
const PULL_SECONDS = 300;
/** Seconds from the end of a capture to its finished artifacts, in addition to the duration of the capture; collectors/perf/perf.sh keeps to it. */
const FINISH_SECONDS = 300;
/**
 * The recorders of a debug pod take turns when they finish, because that may take much of a CPU and of the memory. For so many
 * seconds, times the other recorders, each waits for its turn at most; node/capture.sh keeps to it.
 */
const TURN_SECONDS = 30;
/** Seconds in which a client has to copy the files, however often it renews its lease. */
const LEASE_SECONDS = 3600;

/** Seconds from the container's start within which the capture is over and its artifacts are finished. */
export const captureSeconds = (plan: Plan): number =>
  Math.ceil(
    (plan.debugPod.install ? INSTALL_SECONDS : 0) +
      2 * plan.limits.durationSeconds +
      FINISH_SECONDS +
      TURN_SECONDS * ((plan.recorders ?? 1) - 1),
  );

/** Seconds after which the pod has ended even if its client is gone. */
export const boundSeconds = (plan: Plan): number => captureSeconds(plan) + Math.ceil(plan.limits.keepSeconds);

/** `activeDeadlineSeconds`: later than every timer of the scripts, because nothing can be copied after it. */
export const deadlineSeconds = (plan: Plan): number =>
  PULL_SECONDS + captureSeconds(plan) + Math.max(LEASE_SECONDS, Math.ceil(plan.limits.keepSeconds));

/** The identities of the target as `KEY=VALUE` words for the script on the node. */
export function targetArguments(target: Target): string[] {
  if (target.kind === 'node') return ['host_network=1'];
  return [
    `pod_namespace=${target.namespace}`,
    `pod_uid=${target.cgroupUids.join(',')}`,
    `pod_ips=${target.ips.join(',')}`,
    `host_network=${target.hostNetwork ? 1 : 0}`,
    `container_ids=${target.containers
      .map((each) => each.id)
      .filter(Boolean)
      .join(',')}`,
    ...(target.container ? [`container_id=${target.container.id}`] : []),
  ];
}
