import type { V1Pod } from '@kubernetes/client-node';
import type { Context } from '../cli/command.ts';
import type { InspectOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { unlessAborted } from '../interrupts.ts';
import { makePlan, type Plan, type SnapshotPart } from '../plan/plan.ts';
import { debugPod } from '../session/pod-manifest.ts';
import { type NodeSession, openNode } from '../session/snapshot-session.ts';
import { sweep } from '../session/sweep.ts';
import { Roster } from '../snapshot/owner.ts';
import type { ProcessRow } from '../snapshot/process-list.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { counted } from '../text/quantity.ts';
import { printPods } from './preview.ts';

/** A node at one moment, with the pods of the API that are on it. */
export interface NodeView {
  readonly node: string;
  readonly snapshot: Snapshot;
  readonly pods: readonly V1Pod[];
  readonly roster: Roster;
}

/** A node that can be looked at again. */
export interface NodeInspector {
  inspect(): Promise<NodeView>;
}

/** For how long a debug pod stays at most, however often it is asked. */
const LONGEST_SECONDS = 8 * 3600;

/** `user`: whom the API server takes the user for, whose the debug pod will be. */
export function inspectPlan(
  node: string,
  parts: readonly SnapshotPart[],
  options: InspectOptions,
  user: string | undefined,
): Plan {
  const { lingerSeconds } = options;
  return makePlan({
    target: { kind: 'node', node },
    capture: { collector: 'inspect', scope: 'node', parts, lingerSeconds },
    limits: {
      durationSeconds: lingerSeconds > 0 ? LONGEST_SECONDS : 30,
      maxBytes: 2 ** 28,
      minFreePercent: 0,
      keepSeconds: 60,
    },
    debugPod: options.debugPod,
    ...(user !== undefined && { user }),
    ...(options.reason !== undefined && { reason: options.reason }),
  });
}

/** Prints the pods that would be created. True when that was all that was asked for. */
export async function isDryRun(
  plans: readonly Plan[],
  options: InspectOptions,
  cluster: Cluster,
  context: Context,
): Promise<boolean> {
  if (!options.dryRun) return false;
  const pods = plans.map((plan) => debugPod(plan, inspect));
  const shown =
    options.dryRun === 'server' ? await Promise.all(pods.map((pod) => cluster.createPod(pod, true))) : pods;
  await printPods(shown, options.format, context);
  return true;
}

/** Opens the plans' nodes, hands them on, and takes the debug pods away whatever happens. */
export async function inspectNodes<T>(
  plans: readonly Plan[],
  { lingerSeconds }: InspectOptions,
  cluster: Cluster,
  context: Context,
  use: (outlooks: readonly NodeInspector[]) => Promise<T>,
): Promise<T> {
  const release = context.interrupts.hold();
  const swept = sweep(cluster, plans[0]!.debugPod.namespace, context.now());
  const opened = await Promise.allSettled(plans.map((plan) => openNode(plan, { ...context, cluster })));
  const sessions = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    const failed = opened.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
    const result = await use(plans.map((plan, at) => nodeInspector(plan, sessions[at]!, cluster, context)));
    context.log.end();
    await Promise.all(sessions.map((session) => session.close(lingerSeconds > 0)));
    release();
    for (const name of await swept) context.log.line(`removed ${name}, which an earlier command had left`);
    return result;
  } catch (error) {
    context.log.end();
    await Promise.all(sessions.map((session) => session.abandon()));
    throw error;
  } finally {
    release();
  }
}

/**
 * Says what is not all of these rows: command lines and names of users that were read to a bound only. With `isMatched`
 * every command line of the node counts, because any could have matched.
 */
export function sayCuts(
  { node, snapshot }: NodeView,
  rows: readonly ProcessRow[],
  isMatched: boolean,
  { log }: Context,
): void {
  const shown = rows.filter((row) => row.node === node).map(({ proc }) => proc);
  const cut = (isMatched ? snapshot.processes : shown).filter(({ argvCut }) => argvCut).length;
  if (cut)
    log.warn(
      `node ${node}: ${counted(cut, 'command line')} ${cut === 1 ? 'was' : 'were'} not read to the end: too long, or too many long ones${isMatched ? '; what is not read is not matched' : ''}`,
    );
  const unnamed = shown.filter((proc) => snapshot.isUserCut(proc)).length;
  if (unnamed)
    log.warn(
      `node ${node}: /etc/passwd of ${counted(unnamed, 'process', 'processes')} was not read to the end, and has no name for their users as far as it was`,
    );
}

function nodeInspector(
  plan: Plan,
  session: NodeSession,
  cluster: Cluster,
  { log, interrupts }: Context,
): NodeInspector {
  const { capture, node } = plan;
  if (capture.collector !== 'inspect') throw new Error('not a plan for inspect');
  const { parts } = capture;
  return {
    // Not every call of the API can be ended.
    inspect: () => unlessAborted(look(), interrupts.stop),
  };
  async function look(): Promise<NodeView> {
    const listed = cluster.listAllPods(node);
    listed.catch(() => {}); // Told when it is needed: the node's own trouble comes first.
    const snapshot = await session.ask(parts);
    if (snapshot.isCut)
      log.warn(`node ${node}: there is more on it than is read at once, so something may be missing`);
    const pods = await listed;
    const roster = new Roster(pods, snapshot.runtime, snapshot.processes);
    // What began while the pods were read is in no status yet: they are read once more.
    const isBehind = snapshot.processes.some((proc) => {
      const { what, containerId } = roster.ownerOf(proc);
      return what === 'pod' && containerId !== undefined;
    });
    if (!isBehind) return { node, snapshot, pods, roster };
    const again = await cluster.listAllPods(node);
    return { node, snapshot, pods: again, roster: new Roster(again, snapshot.runtime, snapshot.processes) };
  }
}
