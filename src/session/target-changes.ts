import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Plan } from '../plan/plan.ts';
import { type PodTarget, podTarget } from '../plan/target.ts';

/**
 * Reads every target again after the capture and says what has changed since the plan: another pod of the same name,
 * another node, a restarted container. The list is empty if nothing changed.
 */
export async function targetChanges(plan: Plan, cluster: Cluster): Promise<string[]> {
  return plan.target.kind === 'pod' ? changesOf(plan.target, cluster) : [];
}

async function changesOf(before: PodTarget, cluster: Cluster): Promise<string[]> {
  try {
    const pod = await cluster.readPod(before.namespace, before.name);
    if (pod.metadata?.uid !== before.uid)
      return [`pod ${before.name} was replaced by another of the same name during the capture`];
    if (pod.metadata?.deletionTimestamp) return [`pod ${before.name} was being deleted during the capture`];
    const after = podTarget(pod);
    return before.containers
      .filter((container) => container.running)
      .flatMap((container) => {
        const now = after.containers.find((each) => each.name === container.name);
        return now?.id === container.id && now.running
          ? []
          : [`container ${container.name} of pod ${before.name} was restarted or ended during the capture`];
      });
  } catch (error) {
    if (apiCode((error as Error).cause) === 404) return [`pod ${before.name} was deleted during the capture`];
    return [`pod ${before.name} could not be read again after the capture: ${(error as Error).message}`];
  }
}
