import type { V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster/cluster.ts';
import { MANAGED_BY } from './pod-manifest.ts';

const GRACE_MS = 10_000;

/**
 * Whether nobody needs a debug pod any more: all its containers ended a while ago. A pod whose client was killed ends by
 * itself; then only the finished object is left, and it holds nothing. Pure.
 */
export function isLeftover(pod: V1Pod, nowMs: number): boolean {
  if (pod.metadata?.deletionTimestamp) return false;
  if (pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed') return false;
  const ends = (pod.status.containerStatuses ?? []).map((each) => each.state?.terminated?.finishedAt);
  const times = ends.map((end) => (end ? new Date(end).getTime() : 0));
  const last = Math.max(0, ...times) || new Date(pod.metadata?.creationTimestamp ?? 0).getTime();
  return nowMs - last > GRACE_MS;
}

/** Removes the pods that earlier clients left in the namespace, and returns their names. It never rejects. */
export async function sweep(cluster: Cluster, namespace: string, nowMs: number): Promise<string[]> {
  const pods = await cluster.listPods(namespace, MANAGED_BY).catch(() => []);
  const names = pods.filter((pod) => isLeftover(pod, nowMs)).map((pod) => pod.metadata!.name!);
  const removed = await Promise.all(
    names.map((name) =>
      cluster.deletePod(namespace, name, 0).then(
        () => name,
        () => undefined,
      ),
    ),
  );
  return removed.filter((name) => name !== undefined);
}
