import type { V1SecurityContext } from '@kubernetes/client-node';
import type { NodeTask } from '../plan/plan.ts';

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
  readonly collector: Exclude<NodeTask['collector'], 'shell'>;
  readonly scope: NodeTask['scope'];
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
const TABLE: Readonly<Record<string, Privileges>> = {
  'perf node': PROFILE,
  'perf pod': PROFILE,
  'perf container': PROFILE,
  'tcpdump node': of(NETWORK, 'NET_RAW'),
  'tcpdump netns': of(PIDS, 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE'),
  'tcpdump iface': of(BOTH, 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE'),
  'crictl node': of(BOTH, 'SYS_PTRACE'),
  'crictl node logs': of(BOTH, 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_PTRACE'),
  // The parts of a snapshot. The kubelet is told from its imitations by the node's network, which it is in.
  'inspect node processes': of(PIDS, 'SYS_PTRACE'),
  'inspect node runtime': of(BOTH, 'SYS_PTRACE'),
  'inspect node sockets': of(PIDS, 'DAC_READ_SEARCH', 'SYS_PTRACE'),
  'inspect node links': of(BOTH, 'SYS_PTRACE'),
  'inspect node probe': of(NEITHER),
};

/** What a kind of work needs; `parts` as in LimitedWork. Throws for what cannot be done so. */
export function privilegesOf(
  collector: LimitedWork['collector'],
  scope: LimitedWork['scope'],
  parts: readonly string[] = [],
): Privileges {
  const keys =
    collector === 'inspect'
      ? parts.map((part) => `inspect ${scope} ${part}`)
      : [[collector, scope, ...parts].join(' ')];
  const found = keys.map((key) => {
    if (!Object.hasOwn(TABLE, key)) throw new Error(`no privileges are known for ${key}`);
    return TABLE[key]!;
  });
  return {
    hostPID: found.some((each) => each.hostPID),
    hostNetwork: found.some((each) => each.hostNetwork),
    capabilities: [...new Set(found.flatMap((each) => each.capabilities))].sort(),
  };
}

/** The kind of work that a plan is. */
export function limitedWork(plan: NodeTask): LimitedWork {
  const { collector, scope } = plan;
  if (collector === 'shell') throw new Error('a shell has no least privilege');
  if (collector === 'inspect') return { collector, scope, parts: plan.parts };
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
