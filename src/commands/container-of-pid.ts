import { clusterError, toolError } from '../errors.ts';
import { commandText } from '../inspect/procps.ts';
import type { DebugPodOptions } from '../options.ts';
import type { TargetName } from '../target.ts';
import type { Context } from './command.ts';
import { inspectPlan, withNodes } from './look.ts';
import { checkAccess, lookUp } from './lookup.ts';

/** The container that a process of a node is in, by the same answer as `whois` gives. */
export async function containerOfPid(
  node: TargetName,
  pid: number,
  options: DebugPodOptions,
  context: Context,
): Promise<TargetName> {
  const cluster = await context.openCluster(options.connection);
  const target = await lookUp(node, undefined, cluster);
  await checkAccess(cluster, options.debugPod.namespace);
  const inspect = { ...options, lingerSeconds: 0 };
  const plans = [inspectPlan(target.node, ['processes', 'runtime'], inspect)];
  return withNodes(plans, inspect, cluster, context, async ([outlook]) => {
    const { snapshot, roster } = await outlook!.look();
    const proc = snapshot.processes.find((each) => each.pid === pid);
    if (!proc) throw toolError(`no process ${pid} on node ${target.node}: it may have ended`);
    const owner = roster.ownerOf(proc);
    if (owner.what !== 'container')
      throw clusterError(
        `process ${pid} (${commandText(proc)}) is in no container of a pod: it is of ${owner.what}`,
        `kubectl gkeprof flamegraph node/${target.node} profiles all that runs there`,
      );
    context.log.line(`process ${pid}: container ${owner.container} of pod ${owner.namespace}/${owner.pod}`);
    return { kind: 'id', name: owner.containerId! };
  });
}
