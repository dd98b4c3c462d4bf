import type { Cluster } from '../cluster/cluster.ts';
import { type Collector, lastWords } from '../collectors/collector.ts';
import { clusterError, type GkeprofError, toolError } from '../errors.ts';
import type { EventOf } from '../node/events.ts';
import { outOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { type Plan, targetText } from '../plan/plan.ts';
import { printableLines } from '../text/printable.ts';
import { containerOf } from './debug-pod.ts';

/**
 * The error for a refusal of the node's script: the code in words, with what the tool printed. That is read through `files`,
 * because it may hold filters and addresses, which must not be in the container's log.
 */
export async function nodeError(
  { code, log: logName, tools = '' }: EventOf<'refused'>,
  plan: Plan,
  collector: Collector,
  cluster: Cluster,
): Promise<GkeprofError> {
  const log = logName === undefined ? '' : await readLog(cluster, plan, logName);
  const own = collector.explain(code, plan, log);
  if (own) return toolError(own.reason, own.hint);
  const target = targetText(plan.target);
  switch (code) {
    case 'tool-missing':
      return toolError(
        `the image "${plan.debugPod.image}" lacks ${tools.replaceAll(',', ', ')}`,
        'build an image from image/Dockerfile and name it with --image',
      );
    case 'install-failed':
      return toolError(
        `the tools could not be installed on node ${plan.node}: ${lastWords(log)}`,
        'if the node cannot reach the Debian mirrors, use --image with an image that has the tools (image/Dockerfile)',
      );
    case 'no-space':
      return toolError(
        plan.debugPod.scratch === 'disk'
          ? `node ${plan.node} has less than ${plan.limits.minFreePercent} % of its disk free: a capture could get pods evicted`
          : `less than ${plan.limits.minFreePercent} % of the memory for files of the debug pod is free on node ${plan.node}`,
        `kubectl describe node ${plan.node}`,
      );
    case 'no-cgroup-mount':
      return toolError(
        `node ${plan.node} shows no cgroup tree to the debug pod`,
        'perf needs it, and so does the search for containers',
      );
    case 'pod-not-found':
    case 'container-not-found':
    case 'process-not-found':
      return clusterError(
        `${target} is not running on node ${plan.node} any more: it was restarted or moved after it was looked up`,
        againHint(plan),
      );
    case 'wrong-namespace':
      return clusterError(
        `node ${plan.node} does not know ${target} as a pod of its namespace, so nothing was captured`,
        'run the command again; the check reads the folders of logs that the kubelet keeps in /var/log/pods',
      );
    case 'bad-argument':
      return toolError('the node refused an argument of the debug pod, so nothing was captured');
    case 'netns-is-the-nodes':
    case 'pod-ip-mismatch':
      return clusterError(
        `the network namespace found for ${target} is not the pod's (${code}), so nothing was captured`,
        'run the command again; if that does not help, use --scope node with a filter for its address',
      );
    default:
      return toolError(`the node refused the capture: ${code}`);
  }
}

/** Security modules may hide processes from a container that is not privileged: then they look as if they had ended. */
export const againHint = (plan: Plan): string =>
  plan.debugPod.leastPrivilege
    ? 'run the command again; if that does not help, without --least-privilege'
    : 'run the command again';

async function readLog(cluster: Cluster, plan: Plan, name: string): Promise<string> {
  const files = containerOf(plan, 'files');
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const result = await cluster.exec(files, request('log', `${outOf(plan)}/${name}`)).catch(() => undefined);
    if (result?.exitCode === 0) return printableLines(Buffer.from(result.stdout).toString('utf8'));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return '';
}
