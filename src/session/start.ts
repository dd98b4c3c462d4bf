import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError, type GkeprofError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { deletedByAnother, readIfThere } from './debug-pod.ts';
import { patiently } from './patience.ts';
import type { SessionContext } from './session-context.ts';

/** What the status of the pod says about its start. */
export type StartState =
  | { readonly kind: 'started' }
  /** It waits; `why` is the reason in the cluster's words. */
  | { readonly kind: 'waiting'; readonly why: string }
  | { readonly kind: 'failed'; readonly error: GkeprofError };

/** Reasons of a waiting container that do not go away by themselves. */
const HOPELESS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/**
 * Reads the status of a pod, or undefined for a pod that does not exist: the capture has begun, waits for something, or can
 * never begin. A failure is reported as soon as the kubelet reports it, without waiting for a time-out. Pure.
 */
export function startState(pod: V1Pod | undefined, plan: Plan): StartState {
  const statuses = pod?.status?.containerStatuses ?? [];
  const capture = statuses.find((status) => status.name === 'capture');
  if (capture?.state?.running || capture?.state?.terminated) return { kind: 'started' };
  if (!pod || pod.metadata?.deletionTimestamp)
    return { kind: 'failed', error: deletedByAnother(plan, 'before it had started') };
  if (pod.status?.phase === 'Failed') {
    const reason = pod.status.reason ?? 'Failed';
    const message = printable(pod.status.message ?? '');
    return {
      kind: 'failed',
      error: clusterError(
        `node "${plan.node}" did not take the debug pod: ${reason}${message ? `: ${message}` : ''}`,
        /^OutOf|Evicted|Pressure/.test(reason) ? `kubectl describe node ${plan.node}` : undefined,
      ),
    };
  }
  const waiting = [capture, ...statuses]
    .map((status) => status?.state?.waiting)
    .find((each) => HOPELESS.has(each?.reason ?? ''));
  if (waiting) return { kind: 'failed', error: cannotRun(waiting.reason!, waiting.message ?? '', plan) };
  return { kind: 'waiting', why: waitingFor(pod, capture) };
}

function cannotRun(reason: string, message: string, plan: Plan): GkeprofError {
  const words = `${reason}${message ? `: ${printable(message)}` : ''}`;
  return /Image|Registry/.test(reason)
    ? clusterError(
        `node "${plan.node}" cannot pull the image "${plan.debugPod.image}": ${words}`,
        'check --image, --image-pull-policy and --image-pull-secret',
      )
    : clusterError(`the debug pod cannot run on node "${plan.node}": ${words}`);
}

function waitingFor(pod: V1Pod, capture: V1ContainerStatus | undefined): string {
  const unready = pod.status?.conditions?.find(
    (each) => each.type === 'PodScheduled' && each.status === 'False',
  );
  if (unready) return printable(unready.message ?? unready.reason ?? 'scheduling');
  return capture?.state?.waiting?.reason ?? 'the kubelet';
}

/** How often the status is read while the pod starts. Reading is cheap, and the kubelet's status is half a second late. */
const POLL_MS = 200;
const SAY_AFTER_MS = 4000;

/**
 * Waits until the capture container runs or has run. Rejects as soon as the cluster says that it cannot run. An API server
 * that is away is waited for, because the kubelet starts the pod without it.
 */
export async function waitForStart(plan: Plan, context: SessionContext): Promise<void> {
  const { cluster, interrupts, log, sleep, now } = context;
  const signal = interrupts.stop;
  const { namespace, name } = plan.debugPod;
  const began = now();
  let said = began;
  for (;;) {
    signal.throwIfAborted();
    const pod = await patiently(
      () => readIfThere(cluster, { namespace, name }),
      { meanwhile: 'the debug pod starts without this client', signal },
      context,
    );
    const state = startState(pod, plan);
    if (state.kind === 'started') return;
    if (state.kind === 'failed') throw state.error;
    if (now() - began > 300_000) throw await gaveUp(plan, cluster, state.why);
    if (now() - said > SAY_AFTER_MS) {
      said = now();
      log.line(`waiting for the debug pod on ${plan.node}: ${await lastEvent(plan, cluster, state.why)}`);
    }
    await sleep(POLL_MS, signal);
  }
}

async function lastEvent(plan: Plan, cluster: Cluster, fallback: string): Promise<string> {
  const events = await cluster.listPodEvents(plan.debugPod.namespace, plan.debugPod.name).catch(() => []);
  const last = events.at(-1);
  return last ? `${last.reason}: ${printable(last.message ?? '')}` : fallback;
}

async function gaveUp(plan: Plan, cluster: Cluster, why: string): Promise<GkeprofError> {
  return clusterError(
    `the debug pod did not start on node "${plan.node}" within 5 minutes: ${await lastEvent(plan, cluster, why)}`,
    `kubectl describe node ${plan.node}`,
  );
}
