import type { V1SecurityContext } from '@kubernetes/client-node';
import type { CapturePlan, SnapshotPart } from '../plan.ts';

/** Linux capabilities, as Kubernetes names them: without `CAP_`. */
export type Capability =
  | 'DAC_READ_SEARCH'
  | 'IPC_LOCK'
  | 'NET_RAW'
  | 'SYSLOG'
  | 'SYS_ADMIN'
  | 'SYS_CHROOT'
  | 'SYS_PTRACE';

/** What `capture` gets of the node under --least-privilege, in place of everything. */
export interface Privileges {
  /** The node's processes. */
  readonly hostPID: boolean;
  /** The node's network. */
  readonly hostNetwork: boolean;
  /** Sorted by name. */
  readonly capabilities: readonly Capability[];
}

/** Work that a debug pod can do under --least-privilege. */
export interface LimitedWork {
  readonly collector: Exclude<CapturePlan['collector'], 'shell'>;
  readonly scope: CapturePlan['scope'];
  /** inspect: the parts of the snapshots. crictl: `logs`, which needs more than the other subcommands. */
  readonly parts?: readonly string[];
}

const of = (
  node: { readonly pids: boolean; readonly network: boolean },
  ...capabilities: Capability[]
): Privileges => ({ hostPID: node.pids, hostNetwork: node.network, capabilities: capabilities.sort() });

const PIDS = { pids: true, network: false };
const NETWORK = { pids: false, network: true };
const BOTH = { pids: true, network: true };
const NEITHER = { pids: false, network: false };

/** docs/least-privilege.md says of each capability what does not work without it. */
const PROFILE = of(PIDS, 'DAC_READ_SEARCH', 'IPC_LOCK', 'SYSLOG', 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_PTRACE');
const IN_NAMESPACE = of(BOTH, 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE');
const TABLE: Readonly<Record<string, Privileges>> = {
  'perf node': PROFILE,
  'perf pod': PROFILE,
  'perf container': PROFILE,
  'tcpdump node': of(NETWORK, 'NET_RAW'),
  'tcpdump netns': IN_NAMESPACE,
  'tcpdump iface': IN_NAMESPACE,
  'crictl node': of(BOTH, 'SYS_PTRACE'),
  'crictl node logs': of(BOTH, 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_PTRACE'),
};

/** Of each part of a snapshot. The kubelet is told from its imitations by the node's network, which it is in. */
const PARTS: Readonly<Record<SnapshotPart, Privileges>> = {
  processes: of(PIDS, 'SYS_PTRACE'),
  runtime: of(BOTH, 'SYS_PTRACE'),
  sockets: of(PIDS, 'DAC_READ_SEARCH', 'SYS_PTRACE'),
  links: of(BOTH, 'SYS_ADMIN', 'SYS_PTRACE'),
  probe: of(NEITHER),
};

const ALL_PARTS = Object.keys(PARTS) as SnapshotPart[];

/** What a kind of work needs; `parts` as in LimitedWork. Throws for what cannot be done so. */
export function privilegesOf(
  collector: LimitedWork['collector'],
  scope: LimitedWork['scope'],
  parts: readonly string[] = [],
): Privileges {
  if (collector === 'inspect') return together(parts.map((part) => PARTS[part as SnapshotPart]));
  const found = TABLE[[collector, scope, ...parts].join(' ')];
  if (!found) throw new Error(`no privileges are known for ${collector}, scope ${scope}, ${parts.join(',')}`);
  return found;
}

const together = (all: readonly Privileges[]): Privileges =>
  of(
    { pids: all.some((each) => each.hostPID), network: all.some((each) => each.hostNetwork) },
    ...new Set(all.flatMap((each) => each.capabilities)),
  );

/** The kind of work that a plan is. One that lingers may be asked for any part. */
export function limitedWork(plan: CapturePlan): LimitedWork {
  const { collector, scope } = plan;
  if (collector === 'shell') throw new Error('a shell has no least privilege');
  if (collector === 'inspect')
    return { collector, scope, parts: plan.lingerSeconds > 0 ? ALL_PARTS : plan.parts };
  if (collector === 'crictl' && plan.about === 'logs') return { collector, scope, parts: ['logs'] };
  return { collector, scope };
}

/** All work that can occur under --least-privilege: an admission policy takes these and nothing else. */
export const LIMITED_WORK: readonly LimitedWork[] = [
  { collector: 'perf', scope: 'node' },
  { collector: 'perf', scope: 'pod' },
  { collector: 'perf', scope: 'container' },
  { collector: 'tcpdump', scope: 'node' },
  { collector: 'tcpdump', scope: 'netns' },
  { collector: 'tcpdump', scope: 'iface' },
  { collector: 'inspect', scope: 'node', parts: ['processes', 'runtime'] },
  { collector: 'inspect', scope: 'node', parts: ['processes', 'runtime', 'sockets'] },
  { collector: 'inspect', scope: 'node', parts: ['processes', 'runtime', 'links'] },
  { collector: 'inspect', scope: 'node', parts: ['processes', 'runtime', 'sockets', 'links'] },
  { collector: 'inspect', scope: 'node', parts: ['probe'] },
  { collector: 'inspect', scope: 'node', parts: ALL_PARTS },
  { collector: 'crictl', scope: 'node' },
  { collector: 'crictl', scope: 'node', parts: ['logs'] },
];

/**
 * `securityContext` of `capture`. The runtime's own AppArmor profile lets a container look into processes of the same
 * profile alone (containerd contrib/apparmor/template.go: ptrace), so where the node's processes are looked into there
 * is none, as there is none for a privileged container.
 */
export const limitedContext = ({ hostPID, capabilities }: Privileges): V1SecurityContext => ({
  privileged: false,
  allowPrivilegeEscalation: false,
  runAsUser: 0,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'], ...(capabilities.length && { add: [...capabilities] }) },
  seccompProfile: { type: 'RuntimeDefault' },
  ...(hostPID && { appArmorProfile: { type: 'Unconfined' } }),
});
