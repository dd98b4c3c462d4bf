import type { V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster/cluster.ts';
import { apiCode } from '../cluster/refusal.ts';
import { clusterError, GkeprofError } from '../errors.ts';
import { checkNode, nearestNames, podTarget, type Target, type TargetName } from '../target.ts';

/**
 * From what was typed to what is in the cluster: the pod with its identities and its node, or the node; each
 * fit to be looked at. What does not exist is answered with the nearest names.
 */
export async function lookUp(
  named: TargetName,
  container: string | undefined,
  cluster: Cluster,
): Promise<Target> {
  if (named.kind === 'node') {
    checkNode(await readOrSuggest(named, cluster, () => cluster.readNode(named.name)), `node/${named.name}`);
    return { kind: 'node', node: named.name };
  }
  const pod: V1Pod = await readOrSuggest(named, cluster, () =>
    cluster.readPod(cluster.namespace, named.name),
  );
  const target = podTarget(pod, container);
  checkNode(await cluster.readNode(target.node), `pod/${target.name}`);
  return target;
}

async function readOrSuggest<T>(named: TargetName, cluster: Cluster, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof GkeprofError) || apiCode(error.cause) !== 404) throw error;
    const others = await (named.kind === 'node'
      ? cluster.listNodes()
      : cluster.listPods(cluster.namespace)
    ).catch(() => []);
    const near = nearestNames(
      named.name,
      others.map((each) => each.metadata?.name ?? ''),
    );
    const where = named.kind === 'node' ? '' : ` in namespace "${cluster.namespace}"`;
    throw clusterError(
      `${named.kind} "${named.name}" not found${where}`,
      near.length
        ? `did you mean ${near.join(' or ')}?`
        : named.kind === 'node'
          ? 'kubectl get nodes'
          : 'name its namespace with -n; kubectl get pods -A shows them all',
      error,
    );
  }
}

/** Asks before anything is created: without exec in the debug namespace nothing could be collected. */
export async function checkAccess(cluster: Cluster, namespace: string): Promise<void> {
  const questions = [
    { verb: 'create', resource: 'pods' },
    { verb: 'delete', resource: 'pods' },
    { verb: 'create', resource: 'pods', subresource: 'exec' },
    { verb: 'get', resource: 'pods', subresource: 'log' },
  ];
  const answers = await Promise.all(
    questions.map((question) => cluster.isAllowed({ namespace, ...question })),
  );
  const missing = questions
    .filter((_, at) => !answers[at])
    .map((each) => `${each.verb} ${each.resource}${each.subresource ? `/${each.subresource}` : ''}`);
  if (missing.length === 0) return;
  throw clusterError(
    `you may not ${missing.join(', ')} in namespace "${namespace}", where the debug pod would run`,
    'an administrator grants it with the role that `kubectl gkeprof manifests` prints; or name another namespace with --debug-namespace',
  );
}
