import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError } from '../errors.ts';

/**
 * Begins to ask whether the user may create and use debug pods, while the target is looked up; the caller awaits the answer
 * before it creates one. Problems of the target are reported first, because they are closer to what the user typed. Asks
 * nothing with --dry-run and --explain, which create nothing.
 */
export function startAccessCheck(
  cluster: Cluster,
  options: Pick<DebugPodOptions, 'debugPod' | 'dryRun' | 'explain'>,
  attaches = false,
): Promise<void> {
  if (options.dryRun !== undefined || options.explain) return Promise.resolve();
  const checked = requireAccess(cluster, options.debugPod.namespace, attaches);
  checked.catch(() => {}); // The caller gets the error where it awaits this.
  cluster.whoAmI().catch(() => {}); // Asked ahead for the plan, which awaits it later.
  return checked;
}

/** Throws if the user lacks a right that a debug pod needs. Without exec, for example, its files could not be copied. */
export async function requireAccess(cluster: Cluster, namespace: string, attaches = false): Promise<void> {
  const questions = [
    { verb: 'create', resource: 'pods' },
    { verb: 'get', resource: 'pods' },
    { verb: 'delete', resource: 'pods' },
    { verb: 'create', resource: 'pods', subresource: 'exec' },
    { verb: 'get', resource: 'pods', subresource: 'log' },
    ...(attaches ? [{ verb: 'create', resource: 'pods', subresource: 'attach' }] : []),
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
    'an administrator can grant this by the role that `kubectl gkeprof manifests` prints; or use another namespace: --debug-namespace',
  );
}
