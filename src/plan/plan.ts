import { randomBytes } from 'node:crypto';
import { ownerSuffix } from './owner.ts';
import type { Target } from './target.ts';

/** CPU samples by perf. */
export interface PerfTask {
  readonly collector: 'perf';
  readonly scope: 'node' | 'pod' | 'container';
  readonly frequencyHz: number;
  /** The process that the container was named by. */
  readonly pid?: number;
}

/** Packets by tcpdump. Words are tcpdump's own and stay words: nothing joins or splits them again. */
export interface TcpdumpTask {
  readonly collector: 'tcpdump';
  readonly scope: 'node' | 'iface' | 'netns';
  /** `any`, `default` (the interface of the default route) or a name; undefined: the scope's own. */
  readonly interface?: string;
  /** `-y` of tcpdump, when given: filters are checked against it. */
  readonly linkType?: string;
  /** Ends after so many packets; 0: no such end. */
  readonly count: number;
  readonly options: readonly string[];
  readonly filter: readonly string[];
}

export type NodeTask = PerfTask | TcpdumpTask | SnapshotTask | NodeCommand;

/** What a snapshot of a node may hold: collectors/snapshot/snapshot.sh has a function for each. */
export type SnapshotPart = 'processes' | 'runtime' | 'sockets' | 'links' | 'probe';

/** Snapshots of a node: one at once, others as long as it lingers. */
export interface SnapshotTask {
  readonly collector: 'inspect';
  readonly scope: 'node';
  readonly parts: readonly SnapshotPart[];
  /** How long after the last question the pod stays; 0: until the first is answered. */
  readonly lingerSeconds: number;
}

/** When a capture ends by itself, and how long the files wait to be collected. */
export interface Limits {
  readonly durationSeconds: number;
  /** Of what the tool writes on the node, before compression. */
  readonly maxBytes: number;
  /** The node's scratch file system is never filled beyond this: the kubelet evicts at 10 % free. */
  readonly minFreePercent: number;
  readonly keepSeconds: number;
}

/** Something that runs on the node for somebody who looks on: crictl, or a shell. */
export interface NodeCommand {
  readonly collector: 'crictl' | 'shell';
  readonly scope: 'node';
  /** crictl's subcommand, for the audit log. */
  readonly about: string;
  /** Arguments of collectors/command/command.sh. */
  readonly keys: readonly string[];
  readonly words: readonly string[];
  /** Whether something may be written to it. */
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** Where and with what the debug pod runs. */
export interface DebugPodPlan {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  /** A plain Debian: the tools are installed at start. */
  readonly install: boolean;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  /** Not privileged: only what collectors/privileges.ts says that the work needs. */
  readonly leastPrivilege: boolean;
}

/**
 * The frozen decision that everything else is a function of: the pod, its arguments, the file names, the
 * receipt. One plan is one debug pod on one node, for one target.
 */
export interface Plan {
  readonly version: 1;
  readonly session: { readonly id: string; readonly nonce: string };
  readonly node: string;
  readonly target: Target;
  readonly capture: NodeTask;
  readonly limits: Limits;
  readonly debugPod: DebugPodPlan;
  /** Whom the API server takes the user for; undefined where it does not say. */
  readonly user?: string;
  readonly reason?: string;
}

export interface PlanInput {
  readonly target: Target;
  readonly capture: NodeTask;
  readonly limits: Limits;
  readonly debugPod: Omit<DebugPodPlan, 'name'>;
  readonly user?: string;
  readonly reason?: string;
  /** 16 random bytes; tests give their own. */
  readonly random?: Uint8Array;
}

export function makePlan(input: PlanInput): Plan {
  const random = Buffer.from(input.random ?? randomBytes(16)).toString('hex');
  const id = random.slice(0, 10);
  return Object.freeze({
    version: 1,
    session: { id, nonce: random.slice(10) },
    node: input.target.node,
    target: input.target,
    capture: input.capture,
    limits: input.limits,
    debugPod: { ...input.debugPod, name: debugPodName(input.capture.collector, id, input.user) },
    ...(input.user !== undefined && { user: input.user }),
    ...(input.reason !== undefined && { reason: input.reason }),
  });
}

/**
 * `gkeprof-COLLECTOR-SESSION-USER`: the name says whose the pod is, because that is all that an admission policy is told
 * of a pod when somebody execs into it.
 */
export function debugPodName(collector: NodeTask['collector'], session: string, user?: string): string {
  const owner = user === undefined ? undefined : ownerSuffix(user);
  return `gkeprof-${collector}-${session}${owner === undefined ? '' : `-${owner}`}`;
}

/** The first user id for `files`, and how many there are. */
export const FILES_USERS = { first: 2_000_000_000, count: 2 ** 27 };

/**
 * The user and group that `files` runs as, one of its own for each session: it shares the node's pids, and processes of
 * one user may look into each other. The range is one that nothing else hands out: it lies behind OpenShift's (up to
 * 1999999999) and systemd's containers (up to 1879048191), and before systemd's foreign users (from 2147352576;
 * systemd docs/UIDS-GIDS.md).
 */
export const filesUser = (session: string): number =>
  FILES_USERS.first + (Number.parseInt(session, 16) % FILES_USERS.count);

/** A person's name for a target, as it was or could have been typed. */
export const targetText = (target: Target): string =>
  target.kind === 'node' ? `node/${target.node}` : `pod/${target.name}`;

/** Seconds for what a plain image must fetch and unpack before it can capture. */
const INSTALL_SECONDS = 240;
const PULL_SECONDS = 300;
/** From the end of a capture to its finished artifacts, besides as long again as was captured: collectors/perf/perf.sh keeps to it. */
const FINISH_SECONDS = 300;
/** The longest that a client may take to collect, however often it renews its lease. */
const LEASE_SECONDS = 3600;

/** Seconds from the container's start within which the capture is over and its artifacts are finished. */
export const captureSeconds = (plan: Plan): number =>
  Math.ceil((plan.debugPod.install ? INSTALL_SECONDS : 0) + 2 * plan.limits.durationSeconds + FINISH_SECONDS);

/** Seconds after which the pod is gone though its client vanished. */
export const boundSeconds = (plan: Plan): number => captureSeconds(plan) + Math.ceil(plan.limits.keepSeconds);

/** `activeDeadlineSeconds`: behind every timer of the scripts, because after it nothing can be copied any more. */
export const deadlineSeconds = (plan: Plan): number =>
  PULL_SECONDS + captureSeconds(plan) + Math.max(LEASE_SECONDS, Math.ceil(plan.limits.keepSeconds));

/** `KEY=VALUE` words for the node's script about the target: identities only. */
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
