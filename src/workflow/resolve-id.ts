import type { Context } from '../cli/command.ts';
import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError, toolError } from '../errors.ts';
import type { TargetName } from '../plan/target.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { commandText } from '../snapshot/procps.ts';
import { checkAccess } from './access.ts';
import { lookUp } from './find-target.ts';
import { inspectPlan, isDryRun, type View, withNodes } from './inspect-nodes.ts';

/**
 * The container that a process of a node is in, by the same answer as `whois` gives. Undefined after a dry run, which
 * asks nobody.
 */
export async function containerOfPid(
  node: TargetName,
  pid: number,
  options: DebugPodOptions,
  context: Context,
): Promise<TargetName | undefined> {
  const cluster = await context.openCluster(options.connection);
  return askNode(node, options, cluster, context, ({ snapshot, roster, node: name }) => {
    const proc = snapshot.processes.find((each) => each.pid === pid);
    if (!proc) throw toolError(`no process ${pid} on node ${name}: it may have ended`);
    const owner = roster.ownerOf(proc);
    if (owner.what !== 'container')
      throw clusterError(
        `process ${pid} (${commandText(proc)}) is in no container of a pod: it is of ${owner.what}`,
        `kubectl gkeprof flamegraph node/${name} profiles all that runs there`,
      );
    context.log.line(`process ${pid}: container ${owner.container} of pod ${owner.namespace}/${owner.pod}`);
    return { kind: 'id', name: owner.containerId! };
  });
}

/**
 * What was named, with the pod in place of the id of its sandbox, which only its node knows (`id/HEX --node NAME`).
 * Undefined after a dry run, which asks nobody.
 */
export async function settled(
  named: TargetName,
  options: DebugPodOptions,
  cluster: Cluster,
  context: Context,
): Promise<TargetName | undefined> {
  const { kind, name: id, node } = named;
  if (kind !== 'id' || node === undefined) return named;
  const isKnown = (await cluster.listAllPods(node)).some((pod) =>
    statusesOf(pod).some((status) => bareId(status.containerID ?? '').startsWith(id)),
  );
  if (isKnown) return named;
  return askNode({ kind: 'node', name: node }, options, cluster, context, ({ snapshot, roster }) => {
    const owners = snapshot.processes
      .map((proc) => roster.ownerOf(proc))
      .filter((owner) => owner.pod !== undefined && owner.sandboxId?.startsWith(id));
    const pods = new Map(owners.map((owner) => [owner.podUid, owner]));
    const [only] = pods.values();
    if (!only)
      throw clusterError(
        `no container or sandbox that runs on node ${node} has an id that begins with "${id}"`,
        `kubectl gkeprof crictl node/${node} -- pods`,
      );
    if (pods.size > 1)
      throw clusterError(
        `the sandboxes of ${pods.size} pods on node ${node} have ids that begin with "${id}"`,
        'give more of its digits',
      );
    context.log.line(`sandbox ${id}: pod ${only.namespace}/${only.pod}`);
    return { kind: 'pod', name: only.pod!, namespace: only.namespace! };
  });
}

async function askNode(
  node: TargetName,
  options: DebugPodOptions,
  cluster: Cluster,
  context: Context,
  decide: (view: View) => TargetName,
): Promise<TargetName | undefined> {
  const target = await lookUp(node, undefined, cluster);
  const inspect = { ...options, lingerSeconds: 0 };
  const user = await cluster.whoAmI();
  const plans = [inspectPlan(target.node, ['processes', 'runtime'], inspect, user)];
  if (await isDryRun(plans, inspect, cluster, context)) {
    context.log.line('this pod would be asked first; what comes then depends on its answer');
    return undefined;
  }
  await checkAccess(cluster, options.debugPod.namespace);
  return withNodes(plans, inspect, cluster, context, async ([outlook]) => decide(await outlook!.look()));
}
