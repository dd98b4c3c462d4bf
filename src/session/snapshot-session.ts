import type { ContainerRef } from '../cluster/cluster.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { EXIT, GkeprofError, toolError } from '../errors.ts';
import type { Plan, SnapshotPart } from '../plan/plan.ts';
import { parseSnapshot, type Snapshot } from '../snapshot/snapshot.ts';
import { formatDuration } from '../text/quantity.ts';
import { ask } from './ask.ts';
import { abandonDebugPod, containerOf, createDebugPod, deathOf, removeDebugPod } from './debug-pod.ts';
import { nodeRefusal } from './node-refusal.ts';
import { isSameBySession, MANAGED_BY } from './pod-manifest.ts';
import type { SessionContext } from './session-context.ts';
import { waitForStart } from './start.ts';

/** A node that can be asked for snapshots. */
export interface NodeSession {
  /** A snapshot with these parts. The first question must be the plan's own. */
  ask(parts: readonly SnapshotPart[]): Promise<Snapshot>;
  /** Deletes the debug pod, unless an earlier command left it or it `stays` for the next one; resolves when that is accepted. */
  close(stays: boolean): Promise<void>;
  /** Deletes it after something went wrong. */
  abandon(): Promise<void>;
}

/**
 * Opens a node for questions. A debug pod that an earlier command left lingering there is used; otherwise a new one is
 * created, which takes the plan's snapshot by itself when it starts.
 */
export async function openNode(plan: Plan, context: SessionContext): Promise<NodeSession> {
  const { cluster, interrupts, log } = context;
  const { capture } = plan;
  if (capture.collector !== 'inspect') throw new Error('not a plan for inspect');
  const warm = await lingering(plan, context);
  if (warm) {
    log.trace(`asking ${warm.pod}, which lingers on ${plan.node}`);
    const session: NodeSession = {
      ask: async (parts) => parseSnapshot(await ask({ files: warm, parts, first: false }, context)),
      close: async () => {},
      abandon: async () => {},
    };
    return session;
  }
  const files = containerOf(plan, 'files');
  interrupts.stop.throwIfAborted();
  await createDebugPod([plan], inspect, context);
  if (plan.debugPod.install && capture.parts.includes('links'))
    log.line(
      `no diagnostic image: installing iproute2 into ${plan.debugPod.image} on the node (--image avoids it)`,
    );
  let first = true;
  return {
    async ask(parts) {
      try {
        if (first) await waitForStart(plan, context);
        const text = await ask({ files, parts, first }, context);
        first = false;
        return parseSnapshot(text);
      } catch (error) {
        if (!(error instanceof GkeprofError) || error.code !== EXIT.tool) throw error;
        const refused = await nodeRefusal(plan, cluster).catch(() => undefined);
        throw refused ?? toolError(`${error.message}: ${await deathOf(plan, cluster)}`, error.hint);
      }
    },
    async close(stays) {
      if (!stays) return removeDebugPod(plan, context);
      const line = cluster.kubectlLine('delete', 'pod', '-n', files.namespace, files.pod);
      log.line(
        `the debug pod stops by itself ${formatDuration(capture.lingerSeconds)} after the last question; to delete it sooner: ${line}`,
      );
    },
    async abandon() {
      await abandonDebugPod(plan, context);
    },
  };
}

/** A debug pod that lingers on the node and is in all its fields what this user's plan would make. Others may be anybody's. */
async function lingering(plan: Plan, { cluster }: SessionContext): Promise<ContainerRef | undefined> {
  const { namespace } = plan.debugPod;
  const pods = await cluster.listPods(namespace, MANAGED_BY).catch(() => []);
  const found = pods.find(
    (pod) =>
      pod.metadata?.deletionTimestamp === undefined &&
      pod.status?.containerStatuses?.length === 2 &&
      pod.status.containerStatuses.every((each) => each.state?.running) &&
      isSameBySession(plan, inspect, pod),
  );
  const name = found?.metadata?.name;
  return name === undefined ? undefined : { namespace, pod: name, container: 'files' };
}
