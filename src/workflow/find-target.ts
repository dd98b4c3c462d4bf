import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { nearestNames } from '../cli/suggest.ts';
import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError, GkeprofError, usageError } from '../errors.ts';
import { checkNode, isOfWorkload, podTarget, type Target, type TargetRef } from '../plan/target.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';

/**
 * Looks up what the user named: the pod with its identities and its node, or the node. Throws if it does not exist (with
 * similar names as a hint), or if no debug pod can observe it.
 */
export async function findTarget(
  ref: TargetRef,
  container: string | undefined,
  cluster: Cluster,
): Promise<Target> {
  const targets = await findTargets({ ref }, container, cluster);
  return onlyOne(ref, targets, (target) => (target.kind === 'pod' ? target.name : ''));
}

/** The only one of the pods that were found. Throws if there are several. */
export function onlyOne<Each>(ref: TargetRef, found: readonly Each[], nameOf: (each: Each) => string): Each {
  const [only, ...more] = found;
  if (more.length === 0) return only!;
  const names = found.map((each) => `pod/${nameOf(each)}`);
  throw clusterError(
    `${workloadText(ref)} has ${names.length} pods, but this command takes one`,
    `name one of them: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
  );
}

/** The target that the user named, all pods of a workload, or all pods that match a selector. Never empty. */
export async function findTargets(
  { ref, selector }: { readonly ref?: TargetRef; readonly selector?: string },
  container: string | undefined,
  cluster: Cluster,
): Promise<Target[]> {
  if (ref?.kind === 'node') {
    checkNode(await findNode(ref, cluster), `node/${ref.name}`);
    return [{ kind: 'node', node: ref.name }];
  }
  const pods = await findPods(ref, selector, container, cluster);
  const targets = pods.map((each) => podTarget(each.pod, each.container));
  const nodes = new Map(targets.map((target) => [target.node, target]));
  await Promise.all(
    [...nodes].map(async ([name, target]) => checkNode(await cluster.readNode(name), `pod/${target.name}`)),
  );
  return targets;
}

/** The node that the user named, in whatever state it is. */
export const findNode = (ref: TargetRef, cluster: Cluster): Promise<V1Node> =>
  readOrSuggest(ref, cluster, () => cluster.readNode(ref.name));

/** A pod that the user named, with the container that `-c` or an id names. It may not be a possible target. */
export interface FoundPod {
  readonly pod: V1Pod;
  readonly container: string | undefined;
}

/** The pods that the user named. Never empty. */
export async function findPods(
  ref: TargetRef | undefined,
  selector: string | undefined,
  container: string | undefined,
  cluster: Cluster,
): Promise<FoundPod[]> {
  const { namespace } = cluster;
  if (ref?.kind === 'pod') {
    const pod = await readOrSuggest(ref, cluster, () =>
      cluster.readPod(ref.namespace ?? namespace, ref.name),
    );
    return [{ pod, container }];
  }
  if (ref?.kind === 'id') return [await byId(ref.name, container, cluster)];
  const all = await cluster.listPods(namespace, selector);
  const kind = ref?.kind;
  const pods =
    kind === undefined || kind === 'node' ? all : all.filter((pod) => isOfWorkload(pod, kind, ref!.name));
  const running = pods.filter((pod) => pod.status?.phase === 'Running' && !pod.metadata?.deletionTimestamp);
  if (running.length === 0) {
    const what = ref ? `${workloadText(ref)} has` : `the selector "${selector}" matches`;
    throw clusterError(
      `${what} no running pod in namespace "${namespace}"`,
      ref
        ? `kubectl get ${ref.kind.toLowerCase()},pods -n ${namespace}`
        : `kubectl get pods -n ${namespace} --show-labels`,
    );
  }
  return running.map((pod) => ({ pod, container }));
}

const workloadText = ({ kind, name }: TargetRef): string => `${kind.toLowerCase()} "${name}"`;

/** The pod and the container whose id begins with these digits, on any node. */
async function byId(id: string, container: string | undefined, cluster: Cluster): Promise<FoundPod> {
  const found = (await cluster.listAllPods()).flatMap((pod) =>
    statusesOf(pod)
      .filter((status) => bareId(status.containerID ?? '').startsWith(id))
      .map((status) => ({ pod, name: status.name })),
  );
  const [only, ...others] = found;
  if (!only) {
    throw clusterError(
      `no container's id begins with "${id}"`,
      'the id of a sandbox is known only to its node: add --node NAME',
    );
  }
  if (others.length)
    throw clusterError(`${found.length} containers' ids begin with "${id}"`, 'type more digits of the id');
  if (container !== undefined && container !== only.name)
    throw usageError(`-c: the id ${id} belongs to container "${only.name}"`);
  return { pod: only.pod, container: only.name };
}

const isNode = (name: string, cluster: Cluster): Promise<boolean> =>
  cluster.readNode(name).then(
    () => true,
    () => false,
  );

async function readOrSuggest<T>(ref: TargetRef, cluster: Cluster, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof GkeprofError) || apiCode(error.cause) !== 404) throw error;
    // A node's name without node/ is taken for a pod's.
    if (ref.kind === 'pod' && (await isNode(ref.name, cluster)))
      throw clusterError(
        `pod "${ref.name}" not found in namespace "${cluster.namespace}"`,
        `did you mean node/${ref.name}?`,
        error,
      );
    const others = await (ref.kind === 'node'
      ? cluster.listNodes()
      : cluster.listPods(cluster.namespace)
    ).catch(() => []);
    const near = nearestNames(
      ref.name,
      others.map((each) => each.metadata?.name ?? ''),
    );
    const where = ref.kind === 'node' ? '' : ` in namespace "${cluster.namespace}"`;
    throw clusterError(
      `${ref.kind} "${ref.name}" not found${where}`,
      near.length
        ? `did you mean ${near.join(' or ')}?`
        : ref.kind === 'node'
          ? 'kubectl get nodes'
          : 'choose its namespace with -n; kubectl get pods -A shows all pods',
      error,
    );
  }
}
