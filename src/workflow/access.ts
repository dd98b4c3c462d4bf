import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError } from '../errors.ts';
/** Whether nothing is created: the debug pod is printed, or the lines by hand. */
export const isOnlyShown = ({ dryRun, explain }: Pick<DebugPodOptions, 'dryRun' | 'explain'>): boolean =>
  dryRun !== undefined || explain;

/**
 * Begins to ask whether a debug pod may be used, beside the question for the target; awaited before the pod is created.
 * Its refusal is told after the target's own problems, which are nearer to what was typed. Where the pod is only shown,
 * nobody asks.
 */
export function startAccessCheck(
  cluster: Cluster,
  options: Pick<DebugPodOptions, 'debugPod' | 'dryRun' | 'explain'>,
  attaches = false,
): Promise<void> {
  if (isOnlyShown(options)) return Promise.resolve();
  const checked = requireAccess(cluster, options.debugPod.namespace, attaches);
  checked.catch(() => {}); // It is told where it is awaited.
  cluster.whoAmI().catch(() => {}); // So is this, which the plan will need.
  return checked;
}

/** Asks before anything is created: without exec in the debug namespace nothing could be collected. */
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
    'an administrator grants it with the role that `kubectl gkeprof manifests` prints; or name another namespace with --debug-namespace',
  );
}
