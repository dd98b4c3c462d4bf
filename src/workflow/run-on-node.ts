import type { Context } from '../cli/command.ts';
import type { OptionSpec } from '../cli/option-spec.ts';
import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { collectorOf } from '../collectors/index.ts';
import { EXIT } from '../errors.ts';
import { makePlan, type NodeCommand } from '../plan/plan.ts';
import type { Target } from '../plan/target.ts';
import { runNodeCommand } from '../session/attached.ts';
import { sweep } from '../session/sweep.ts';
import { preview } from './preview.ts';

/** A command for a node. */
export interface NodeRun {
  readonly target: Target;
  readonly options: DebugPodOptions;
  readonly what: NodeCommand;
  /** Its output reaches a terminal unchanged, control characters too. */
  readonly raw: boolean;
}

export const RAW: OptionSpec = {
  type: 'boolean',
  describe:
    'On a terminal, print colours and other control characters as they are; without it they are shown, as \\x1b. A file or pipe always gets every byte',
  group: 'Output:',
  notPresettable: true,
};

const LONGEST_SECONDS = { terminal: 8 * 3600, command: 3600 };

/** Runs the command in a debug pod of its own. Returns its exit status. */
export async function runOnNode(
  { target, options, what, raw }: NodeRun,
  cluster: Cluster,
  context: Context,
): Promise<number> {
  const { stdout, stderr, log, now } = context;
  const user = await cluster.whoAmI();
  const plan = makePlan({
    target,
    capture: what,
    limits: {
      durationSeconds: what.tty ? LONGEST_SECONDS.terminal : LONGEST_SECONDS.command,
      maxBytes: 2 ** 30,
      minFreePercent: 0,
      keepSeconds: 60,
    },
    debugPod: options.debugPod,
    ...(user !== undefined && { user }),
    ...(options.reason !== undefined && { reason: options.reason }),
  });
  const work = collectorOf(what.collector);
  if (await preview({ plans: [plan], work }, options, cluster, context)) return EXIT.done;
  if (what.collector === 'shell' && options.debugPod.install)
    log.line(`no diagnostic image: the shell has only the tools of ${options.debugPod.image} (see --image)`);
  const swept = sweep(cluster, options.debugPod.namespace, now());
  const audience = raw ? { stdout: stdout.raw, stderr: stderr.raw } : { stdout, stderr };
  const status = await runNodeCommand(plan, audience, { ...context, cluster });
  await swept;
  return status;
}
