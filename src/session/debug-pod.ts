import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster, ContainerRef } from '../cluster/cluster.ts';
import type { NodeWork } from '../collectors/collector.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import type { Plan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { formatDuration } from '../text/quantity.ts';
import { admissionChanges, debugPod } from './pod-manifest.ts';
import type { SessionContext } from './session-context.ts';

/** A container of the plan's debug pod: `capture` does the work, `files` hands over what is written. */
export const containerOf = ({ debugPod: pod }: Plan, container: 'capture' | 'files'): ContainerRef => ({
  namespace: pod.namespace,
  pod: pod.name,
  container,
});

/** Creates the plan's pod, exactly as planned: if admission changed it, it is removed again. */
export async function createDebugPod(plan: Plan, work: NodeWork, context: SessionContext): Promise<void> {
  const { cluster, log, interrupts } = context;
  const { namespace, name } = plan.debugPod;
  const pod = debugPod(plan, work);
  let mayExist = true;
  let creating: Promise<unknown> = Promise.resolve();
  try {
    log.phase(`creating the debug pod ${namespace}/${name} on ${plan.node}`);
    const request = cluster.createPod(pod, false).catch((error: unknown) => {
      // After a refusal there is no pod. After no answer, or an error of the server itself, there may be one.
      const code = apiCode((error as Error).cause);
      mayExist = code === undefined || code >= 500;
      throw withNamespaceHint(error, namespace);
    });
    creating = request;
    const created = await unlessAborted(request, interrupts.stop);
    const changes = admissionChanges(pod, created);
    if (changes.length === 0) return;
    throw clusterError(
      `admission changed the debug pod, so it was removed again: ${changes.join('; ')}`,
      `exempt the namespace ${namespace} from the webhook or LimitRange that does this`,
    );
  } catch (error) {
    log.end();
    const isAnswered = await withinMs(creating, CREATION_MS, context);
    if (mayExist) await abandonDebugPod(plan, context, ABANDON_MS - (isAnswered ? 0 : CREATION_MS));
    if (!isAnswered) log.warn(`the debug pod may still be created: ${deleteLine(plan, cluster)}`);
    throw error;
  }
}

/** Milliseconds for a deletion: together with CREATION_MS less than what remains after the second signal (interrupts.ts). */
const ABANDON_MS = 4000;
/** Milliseconds to wait for the answer to a creation after a signal: a deletion before that answer would find no pod. */
const CREATION_MS = 1500;

/** Deletes the pod after something else went wrong. A failure of the deletion is a warning only: the other error is reported. */
export const abandonDebugPod = (plan: Plan, context: SessionContext, boundMs = ABANDON_MS): Promise<void> =>
  removeDebugPod(plan, context, boundMs).catch((problem: unknown) => context.log.warn(reasonOf(problem)));

/**
 * Deletes the pod within `boundMs` milliseconds; a signal makes that shorter. Rejects with exit code 5 and the command that
 * deletes the pod.
 */
export async function removeDebugPod(plan: Plan, context: SessionContext, boundMs: number): Promise<void> {
  const { cluster, sleep, interrupts } = context;
  const { namespace, name } = plan.debugPod;
  const answered = new AbortController();
  const began = context.now();
  const late = async (ms: number, hurry: AbortSignal | undefined): Promise<never> => {
    const signal = hurry ? AbortSignal.any([answered.signal, hurry]) : answered.signal;
    await sleep(ms, signal).catch(() => {});
    if (hurry?.aborted) return late(ABANDON_MS, undefined);
    throw new Error(
      `no answer within ${formatDuration(Math.round((context.now() - began) / 1000) || ms / 1000)}`,
    );
  };
  const tooLate = late(
    boundMs,
    boundMs > ABANDON_MS && !interrupts.next.aborted ? interrupts.next : undefined,
  );
  tooLate.catch(() => {});
  try {
    await Promise.race([cluster.deletePod(namespace, name, 5), tooLate]);
  } catch (error) {
    const line = deleteLine(plan, cluster);
    throw new GkeprofError(EXIT.incomplete, `the debug pod was not removed (${reasonOf(error)}): ${line}`);
  } finally {
    answered.abort();
  }
}

const deleteLine = ({ debugPod: { namespace, name } }: Plan, cluster: Cluster): string =>
  cluster.kubectlLine('delete', 'pod', '-n', namespace, name);

/** Whether the work settled within a time. */
async function withinMs(work: Promise<unknown>, ms: number, { sleep }: SessionContext): Promise<boolean> {
  const ended = new AbortController();
  const isEnded = work.then(
    () => true,
    () => true,
  );
  const late = sleep(ms, ended.signal).then(
    () => false,
    () => false,
  );
  const result = await Promise.race([isEnded, late]);
  ended.abort();
  return result;
}

/** How the capture container ended, in a phrase. */
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
    namespace === 'gkeprof'
      ? 'an administrator creates it: kubectl gkeprof manifests | kubectl apply -f -'
      : `check the name after --debug-namespace, or create the namespace: kubectl create namespace ${namespace}`,
    error,
  );
}
