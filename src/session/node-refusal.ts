import type { Cluster } from '../cluster/cluster.ts';
import { type GkeprofError, toolError } from '../errors.ts';
import { LineSplitter, parseEvent } from '../node/events.ts';
import { outOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import type { Plan } from '../plan/plan.ts';
import { containerOf } from './debug-pod.ts';
import { againHint } from './node-errors.ts';

/**
 * The error for a refusal of the node's script; undefined if it did not refuse. It is read from events.jsonl, because
 * nobody follows the log of a debug pod that takes snapshots or runs a command.
 */
export async function nodeRefusal(plan: Plan, cluster: Cluster): Promise<GkeprofError | undefined> {
  const result = await cluster.exec(
    containerOf(plan, 'files'),
    request('events', `${outOf(plan)}/events.jsonl`),
  );
  const event = new LineSplitter()
    .push(result.stdout)
    .map((line) => parseEvent(line, plan.session.nonce))
    .find((each) => each?.event === 'refused');
  if (!event) return undefined;
  const { code, tools = '' } = event;
  const words: Record<string, [string, string?]> = {
    'no-runtime-socket': [
      `the container runtime's socket was not found on node ${plan.node}`,
      `the sockets of containerd, CRI-O and cri-dockerd are looked for where the kubelet is told to look, and in their default places${
        plan.debugPod.leastPrivilege ? '; try without --least-privilege' : ''
      }`,
    ],
    'no-crictl': [
      `there is no crictl on node ${plan.node} or in the image "${plan.debugPod.image}"`,
      'build an image from image/Dockerfile and name it with --image',
    ],
    'bad-argument': ['the node refused an argument of the debug pod, so nothing was run'],
    'wrong-namespace': [
      'the node does not know the pod as a pod of its namespace, so nothing was run',
      'run the command again',
    ],
    'answer-failed': [`node ${plan.node} could not write its answer: there may be no space left for it`],
    'not-attached': ['kubectl did not attach to the terminal within a minute'],
    'tool-missing': [
      `the image "${plan.debugPod.image}" lacks ${tools.replaceAll(',', ', ')}`,
      'build an image from image/Dockerfile and name it with --image',
    ],
    'install-failed': [
      `the tools could not be installed on node ${plan.node}`,
      'if the node cannot reach the Debian mirrors, use --image with an image that has the tools (image/Dockerfile)',
    ],
    'pod-not-found': ['the pod is not on the node any more', againHint(plan)],
    'container-not-found': ['the container is not on the node any more', againHint(plan)],
  };
  const [reason, hint] = words[code] ?? [`the node refused: ${code}`];
  return toolError(reason, hint);
}
