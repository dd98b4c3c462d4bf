import type { Cluster } from '../cluster/cluster.ts';
import { apiCode } from '../cluster/refusal.ts';
import type { NodeWork } from '../collectors/collector.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import type { Interrupts } from '../interrupts.ts';
import type { Log } from '../output/log.ts';
import type { Plan } from '../plan.ts';
import { admissionChanges, debugPod } from '../pod.ts';
import { printable } from '../printable.ts';
import { formatDuration } from '../quantity.ts';

/** What a session needs of the world. */
export interface World {
  readonly cluster: Cluster;
  readonly log: Log;
  readonly interrupts: Interrupts;
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Creates the plan's pod, exactly as planned: where admission made another of it, it is removed again. */
export async function createDebugPod(plan: Plan, work: NodeWork, world: World): Promise<void> {
  const { cluster, log } = world;
  const { namespace, name } = plan.debugPod;
  const pod = debugPod(plan, work);
  let mayExist = true;
  try {
    log.phase(`creating the debug pod ${namespace}/${name} on ${plan.node}`);
    const created = await cluster.createPod(pod, false).catch((error: unknown) => {
      // A refusal is final; no answer, or one of a server in trouble, may come after the pod was made.
      const code = apiCode((error as Error).cause);
      mayExist = code === undefined || code >= 500;
      throw withNamespaceHint(error, namespace);
    });
    const changes = admissionChanges(pod, created);
    if (changes.length === 0) return;
    throw clusterError(
      `admission changed the debug pod, so it was removed again: ${changes.join('; ')}`,
      `exempt the namespace ${namespace} from the webhook or LimitRange that does this`,
    );
  } catch (error) {
    log.end();
    if (mayExist) await abandonDebugPod(plan, world);
    throw error;
  }
}

/** Deletes the pod after something else went wrong, which is what is told. */
export const abandonDebugPod = (plan: Plan, world: World): Promise<void> =>
  removeDebugPod(plan, world, 5000).catch((problem: unknown) => world.log.warn(reasonOf(problem)));

/** Deletes the pod, within a bound; what could not be deleted is named with the command that does it. */
export async function removeDebugPod(plan: Plan, { cluster, sleep }: World, withinMs: number): Promise<void> {
  const { namespace, name } = plan.debugPod;
  const answered = new AbortController();
  const late = sleep(withinMs, answered.signal).then(() => {
    throw new Error(`no answer within ${formatDuration(withinMs / 1000)}`);
  });
  late.catch(() => {});
  try {
    await Promise.race([cluster.deletePod(namespace, name, 5), late]);
  } catch (error) {
    const line = cluster.kubectlLine('delete', 'pod', '-n', namespace, name);
    throw new GkeprofError(EXIT.incomplete, `the debug pod was not removed (${reasonOf(error)}): ${line}`);
  } finally {
    answered.abort();
  }
}

export async function deathOf(plan: Plan, cluster: Cluster): Promise<string> {
  const pod = await cluster.readPod(plan.debugPod.namespace, plan.debugPod.name).catch(() => undefined);
  const status = pod?.status?.containerStatuses?.find((each) => each.name === 'capture')?.state?.terminated;
  if (!status) return 'its state is unknown';
  const words = `${status.reason ?? 'ended'} (status ${status.exitCode})`;
  return printable(status.message ? `${words}: ${status.message}` : words);
}

function withNamespaceHint(error: unknown, namespace: string): unknown {
  if (!(error instanceof GkeprofError) || !/namespaces "[^"]*" not found/.test(error.message)) return error;
  return clusterError(
    `the namespace "${namespace}" for debug pods does not exist`,
    'an administrator makes it with: kubectl gkeprof manifests | kubectl apply -f -',
    error,
  );
}
