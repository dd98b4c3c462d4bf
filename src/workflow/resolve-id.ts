import type { Context } from '../cli/command.ts';
import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { WhoisQuestion } from '../collectors/snapshot/by-hand.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { clusterError, toolError } from '../errors.ts';
import type { TargetRef, TargetRefs } from '../plan/target.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { commandText } from '../snapshot/procps.ts';
import { requireAccess } from './access.ts';
import { findTarget } from './find-target.ts';
import { inspectNodes, inspectPlan, type NodeView } from './inspect-nodes.ts';
import { preview } from './preview.ts';

/**
 * The container of a process of a node, found in the same way as by `whois`. Undefined after a preview, which asks no
 * node.
 */
export async function containerOfPid(
  node: TargetRef,
  pid: number,
  options: DebugPodOptions,
  context: Context,
): Promise<TargetRef | undefined> {
  const cluster = await context.openCluster(options.connection);
  return askNode(node, { by: 'pid', pid }, options, cluster, context, ({ snapshot, roster, node: name }) => {
    const proc = snapshot.processes.find((each) => each.pid === pid);
    if (!proc) throw toolError(`no process ${pid} on node ${name}: it may have ended`);
    const owner = roster.ownerOf(proc);
    if (owner.what !== 'container')
      throw clusterError(
        `process ${pid} (${commandText(proc)}) is in no container of a pod: it belongs to ${owner.what}`,
        `kubectl gkeprof flamegraph node/${name} profiles everything on the node`,
      );
    context.log.line(`process ${pid}: container ${owner.container} of pod ${owner.namespace}/${owner.pod}`);
    return { kind: 'id', name: owner.containerId! };
  });
}

/**
 * The target as the user named it, or the pod of a sandbox whose id the user named (`id/HEX --node NAME`): only its node
 * knows that id. Undefined after a preview, which asks no node.
 */
export async function resolveId(
  ref: TargetRef,
  options: DebugPodOptions,
  cluster: Cluster,
  context: Context,
): Promise<TargetRef | undefined> {
  const { kind, name: id, node } = ref;
  if (kind !== 'id' || node === undefined) return ref;
  const isKnown = (await cluster.listAllPods(node)).some((pod) =>
    statusesOf(pod).some((status) => bareId(status.containerID ?? '').startsWith(id)),
  );
  if (isKnown) return ref;
  return askNode(
    { kind: 'node', name: node },
    { by: 'container', id },
    options,
    cluster,
    context,
    ({ snapshot, roster }) => {
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
          'type more digits of the id',
        );
      context.log.line(`sandbox ${id}: pod ${only.namespace}/${only.pod}`);
      return { kind: 'pod', name: only.pod!, namespace: only.namespace! };
    },
  );
}

/** The same for all that a command line names. Only a single id comes with a node. */
export async function resolveIds(
  refs: TargetRefs,
  options: DebugPodOptions,
  cluster: Cluster,
  context: Context,
): Promise<TargetRefs | undefined> {
  const [first] = refs.refs;
  if (first?.node === undefined) return refs;
  const ref = await resolveId(first, options, cluster, context);
  return ref && { ...refs, refs: [ref] };
}

async function askNode(
  node: TargetRef,
  question: WhoisQuestion,
  options: DebugPodOptions,
  cluster: Cluster,
  context: Context,
  decide: (view: NodeView) => TargetRef,
): Promise<TargetRef | undefined> {
  const target = await findTarget(node, undefined, cluster);
  const once = { ...options, lingerSeconds: 0 };
  const user = await cluster.whoAmI();
  const plans = [inspectPlan(target.node, ['processes', 'runtime'], once, user)];
  const pods = { plans, work: inspect, question: { of: 'owners', questions: [question] } } as const;
  if (await preview(pods, options, cluster, context)) {
    context.log.line('the node would be asked first, in this way; what comes next depends on its answer');
    return undefined;
  }
  await requireAccess(cluster, options.debugPod.namespace);
  return inspectNodes(plans, once, cluster, context, async ([outlook]) => decide(await outlook!.inspect()));
}
