import type { V1Pod } from '@kubernetes/client-node';
import { apiCode } from '../cluster/api-errors.ts';
import { reasonOf } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { type PodTarget, podTarget } from '../plan/target.ts';
import { patiently } from './patience.ts';
import type { SessionContext } from './session-context.ts';

/** What a second look at the target showed. */
export interface TargetLook {
  /** What happened to the target during the capture, one phrase each; empty if nothing did. */
  readonly changes: readonly string[];
  /** Why it is not known whether the target changed; absent if it is. */
  readonly unknown?: string;
}

/**
 * Reads the target again after the capture and says what has changed since the plan: another pod of the same name, another
 * node, a restarted container. It asks again until `until` is aborted. It never rejects, because the capture does not depend
 * on the answer.
 */
export async function lookAtTarget(
  { target }: Plan,
  context: SessionContext,
  until: AbortSignal,
): Promise<TargetLook> {
  if (target.kind !== 'pod') return { changes: [] };
  try {
    const pod = await patiently(
      () => context.cluster.readPod(target.namespace, target.name),
      { meanwhile: 'the file is copied', until },
      context,
    );
    return { changes: changesOf(target, pod) };
  } catch (error) {
    if (apiCode((error as Error).cause) === 404)
      return { changes: [`pod ${target.name} was deleted during the capture`] };
    return { changes: [], unknown: reasonOf(error) };
  }
}

function changesOf(before: PodTarget, pod: V1Pod): string[] {
  if (pod.metadata?.uid !== before.uid)
    return [`pod ${before.name} was replaced by another of the same name during the capture`];
  if (pod.metadata?.deletionTimestamp) return [`pod ${before.name} was being deleted during the capture`];
  const { phase } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed') return [`pod ${before.name} ended during the capture`];
  const after = podTarget(pod);
  return before.containers
    .filter((container) => container.running)
    .flatMap((container) => {
      const now = after.containers.find((each) => each.name === container.name);
      return now?.id === container.id && now.running
        ? []
        : [`container ${container.name} of pod ${before.name} was restarted or ended during the capture`];
    });
}
