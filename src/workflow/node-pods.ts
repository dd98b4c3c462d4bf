import type { V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster/cluster.ts';
import { GkeprofError, reasonOf, usageError } from '../errors.ts';
import type { Log } from '../output/log.ts';
import type { ExceptedPod, NamedPod } from '../profile/owners.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { findTarget } from './find-target.ts';

/** The names of a node's pods: those that are there when a recording begins, and those that are there when it has ended. */
export class NodePods {
  readonly #cluster: Cluster;
  readonly #node: string;
  readonly #before: Promise<V1Pod[] | GkeprofError>;

  constructor(cluster: Cluster, node: string) {
    this.#cluster = cluster;
    this.#node = node;
    this.#before = this.#list();
    this.#before.catch(() => {}); // The recording comes first: if that fails, nobody asks for names.
  }

  /** Without the right to list the pods of all namespaces there are none, and a warning says so. */
  async names(log: Pick<Log, 'warn'>): Promise<NamedPod[]> {
    const before = await this.#before;
    // Whoever may not list them now may not list them later either.
    const after = before instanceof Error ? before : await this.#list();
    const pods = [before, after].flatMap((list) => (list instanceof Error ? [] : list));
    if (before instanceof Error || after instanceof Error)
      log.warn(
        `the pods of the node could not be listed, so pods that its container runtime does not name are shown by their UIDs: ${reasonOf(before instanceof Error ? before : after)}`,
      );
    return namedPods(pods);
  }

  #list(): Promise<V1Pod[] | GkeprofError> {
    return this.#cluster.listAllPods(this.#node).catch((error: unknown) => {
      if (error instanceof GkeprofError) return error;
      throw error;
    });
  }
}

/** Lists of pods as one, with the containers that any of the lists has of a pod. */
export function namedPods(pods: readonly V1Pod[]): NamedPod[] {
  const named = new Map<string, NamedPod>();
  for (const pod of pods) {
    const uid = pod.metadata?.uid ?? '';
    // The kubelet names a static pod's cgroup after the hash of its manifest (pkg/kubelet/config/common.go).
    const hash = pod.metadata?.annotations?.['kubernetes.io/config.hash'];
    const containers = new Map(named.get(uid)?.containers.map(({ id, name }) => [id, name]));
    for (const status of statusesOf(pod))
      for (const id of [status.containerID, status.lastState?.terminated?.containerID])
        if (id) containers.set(bareId(id), status.name);
    named.set(uid, {
      namespace: pod.metadata?.namespace ?? '',
      name: pod.metadata?.name ?? '',
      uids: hash ? [uid, hash] : [uid],
      containers: [...containers].map(([id, name]) => ({ id, name })),
    });
  }
  return [...named.values()];
}

/** The pod of `--except` with its UIDs. Throws if there is no such pod, or if it runs on another node. */
export async function findExcepted(
  { namespace, name }: ExceptedPod,
  node: string,
  cluster: Cluster,
): Promise<ExceptedPod> {
  const pod = await findTarget(
    { kind: 'pod', name, ...(namespace !== undefined && { namespace }) },
    undefined,
    cluster,
  );
  if (pod.kind !== 'pod') throw new Error('a pod was looked up');
  if (pod.node !== node)
    throw usageError(
      `--except: the pod "${pod.name}" in namespace "${pod.namespace}" runs on ${pod.node}, not on ${node}`,
      `kubectl get pods -A --field-selector spec.nodeName=${node}`,
    );
  return { namespace: pod.namespace, name: pod.name, uids: pod.cgroupUids };
}
