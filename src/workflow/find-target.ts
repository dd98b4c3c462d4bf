import { nearestNames } from '../cli/suggest.ts';
import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError, GkeprofError, usageError } from '../errors.ts';
import {
  checkNode,
  isOfWorkload,
  type PodTarget,
  podTarget,
  type Target,
  type TargetRef,
} from '../plan/target.ts';
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
  const [target, ...more] = await findTargets({ ref }, container, cluster);
  if (more.length) {
    const names = [target!, ...more].map((each) => (each.kind === 'pod' ? `pod/${each.name}` : ''));
    throw clusterError(
      `${workloadText(ref)} has ${names.length} pods, but this command takes one`,
      `name one of them: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
    );
  }
  return target!;
}

/** The target that the user named, all pods of a workload, or all pods that match a selector. Never empty. */
export async function findTargets(
  { ref, selector }: { readonly ref?: TargetRef; readonly selector?: string },
  container: string | undefined,
  cluster: Cluster,
): Promise<Target[]> {
  if (ref?.kind === 'node') {
    checkNode(await readOrSuggest(ref, cluster, () => cluster.readNode(ref.name)), `node/${ref.name}`);
    return [{ kind: 'node', node: ref.name }];
  }
  const targets = await podTargets(ref, selector, container, cluster);
  const nodes = new Map(targets.map((target) => [target.node, target]));
  await Promise.all(
    [...nodes].map(async ([name, target]) => checkNode(await cluster.readNode(name), `pod/${target.name}`)),
  );
  return targets;
}

async function podTargets(
  ref: TargetRef | undefined,
  selector: string | undefined,
  container: string | undefined,
  cluster: Cluster,
): Promise<PodTarget[]> {
  const { namespace } = cluster;
  if (ref?.kind === 'pod') {
    const pod = await readOrSuggest(ref, cluster, () =>
      cluster.readPod(ref.namespace ?? namespace, ref.name),
    );
    return [podTarget(pod, container)];
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
  return running.map((pod) => podTarget(pod, container));
}

const workloadText = ({ kind, name }: TargetRef): string => `${kind.toLowerCase()} "${name}"`;

/** The pod and the container whose id begins with these digits, on any node. */
async function byId(id: string, container: string | undefined, cluster: Cluster): Promise<PodTarget> {
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
  return podTarget(only.pod, only.name);
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
