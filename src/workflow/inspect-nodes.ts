import type { V1Pod } from '@kubernetes/client-node';
import type { Context } from '../cli/command.ts';
import type { InspectOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { unlessAborted } from '../interrupts.ts';
import { makePlan, type Plan, type SnapshotPart } from '../plan/plan.ts';
import { type NodeSession, openNode } from '../session/snapshot-session.ts';
import { sweep } from '../session/sweep.ts';
import { Roster } from '../snapshot/owner.ts';
import type { ProcessRow } from '../snapshot/process-list.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { counted } from '../text/quantity.ts';

/** A node at one moment, with the pods of the API that are on it. */
export interface NodeView {
  readonly node: string;
  readonly snapshot: Snapshot;
  readonly pods: readonly V1Pod[];
  readonly roster: Roster;
}

/** Looks at a node, as often as it is asked. */
export interface NodeInspector {
  inspect(): Promise<NodeView>;
}

/** The longest that a debug pod stays, however often it is asked, in seconds. */
const LONGEST_SECONDS = 8 * 3600;

/** The plan of a debug pod that reads these parts of a node. `user`: the name by which the API server knows the user. */
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

/** Creates the debug pods, lets `use` ask their nodes, and deletes the pods whatever happens. */
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
 * Warns about what is incomplete in these rows: command lines and names of users are read only up to a bound. With
 * `isMatched` every command line of the node counts, because each could have matched.
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
      `node ${node}: ${counted(cut, 'command line')} ${cut === 1 ? 'was' : 'were'} not read to the end, because of the length${isMatched ? '; --match saw only what was read' : ''}`,
    );
  const unnamed = shown.filter((proc) => snapshot.isUserCut(proc)).length;
  if (unnamed)
    log.warn(
      `node ${node}: /etc/passwd of ${counted(unnamed, 'process', 'processes')} was not read to the end, so users may have no names`,
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
    // Some calls of the API cannot be cancelled.
    inspect: () => unlessAborted(look(), interrupts.stop),
  };
  async function look(): Promise<NodeView> {
    const listed = cluster.listAllPods(node);
    listed.catch(() => {}); // Its error is reported where it is awaited: trouble of the node comes first.
    const snapshot = await session.ask(parts);
    if (snapshot.isCut)
      log.warn(`node ${node}: the answer was too long to be read whole, so something may be missing`);
    const pods = await listed;
    const roster = new Roster(pods, snapshot.runtime, snapshot.processes);
    // Containers that started while the pods were read are in no status yet: read the pods once more.
    const isBehind = snapshot.processes.some((proc) => {
      const { what, containerId } = roster.ownerOf(proc);
      return what === 'pod' && containerId !== undefined;
    });
    if (!isBehind) return { node, snapshot, pods, roster };
    const again = await cluster.listAllPods(node);
    return { node, snapshot, pods: again, roster: new Roster(again, snapshot.runtime, snapshot.processes) };
  }
}
