import type { Context } from '../cli/command.ts';
import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { type ManualContext, script } from '../collectors/by-hand/debugger.ts';

/** Prints the lines by hand that a line of ours takes the place of; `make` has them for one node. */
export function printByHand(
  nodes: readonly string[],
  what: string,
  { debugPod }: Pick<DebugPodOptions, 'debugPod'>,
  cluster: Cluster,
  { stdout, log }: Context,
  make: (around: ManualContext) => readonly string[],
): void {
  log.end();
  const kubectl = cluster.kubectlLine();
  for (const node of nodes) stdout.write(script(what, make({ kubectl, node, debugPod })));
}
