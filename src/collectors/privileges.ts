import type { V1SecurityContext } from '@kubernetes/client-node';
import type { NodeTask } from '../plan/plan.ts';
import type { Privileges } from './collector.ts';
import { COLLECTORS, collectorOf } from './index.ts';

/** Work that a debug pod can do under --least-privilege. */
export interface LimitedWork {
  readonly collector: string;
  readonly scope: NodeTask['scope'];
  /** inspect: the parts of the snapshots. crictl: `logs`, which needs more than the other subcommands. */
  readonly parts?: readonly string[];
}

/** What the work needs; `parts` as in LimitedWork. Throws for work that cannot be done with --least-privilege. */
export function privilegesOf(
  collector: string,
  scope: LimitedWork['scope'],
  parts?: readonly string[],
): Privileges {
  const needs = collectorOf(collector).leastPrivilege?.needs ?? {};
  const rows = parts ? parts.map((part) => `${scope} ${part}`) : [scope];
  const found = rows.map((row) => {
    if (!Object.hasOwn(needs, row)) throw new Error(`no privileges are known for ${collector} ${row}`);
    return needs[row]!;
  });
  return added(found);
}

/** What a container needs that does all of that. */
export const added = (needs: readonly Privileges[]): Privileges => ({
  hostPID: needs.some((each) => each.hostPID),
  hostNetwork: needs.some((each) => each.hostNetwork),
  capabilities: [...new Set(needs.flatMap((each) => each.capabilities))].sort(),
});

/** The kind of work that a task is. Throws for a task that cannot be done with --least-privilege. */
export function limitedWork(task: NodeTask): LimitedWork {
  const { collector, scope } = task;
  const { leastPrivilege } = collectorOf(collector);
  if (!leastPrivilege) throw new Error(`a ${collector} has no least privilege`);
  const parts = leastPrivilege.partsOf?.(task);
  return { collector, scope, ...(parts && { parts }) };
}

/** All work that can occur under --least-privilege: an admission policy accepts these and nothing else. */
export const LIMITED_WORK: readonly LimitedWork[] = COLLECTORS.flatMap(({ name, leastPrivilege }) =>
  (leastPrivilege?.works ?? []).map((work) => ({ collector: name, ...work })),
);

/**
 * `securityContext` of `capture`. The runtime's own AppArmor profile lets a container look only into processes that have
 * the same profile (containerd contrib/apparmor/template.go: ptrace). So a container that looks into the node's processes
 * has no profile, just as a privileged container has none.
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
