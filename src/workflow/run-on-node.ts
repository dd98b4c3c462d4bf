import type { Context } from '../cli/command.ts';
import type { OptionSpec, RawOptions } from '../cli/option-spec.ts';
import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { collectorOf } from '../collectors/index.ts';
import { EXIT, usageError } from '../errors.ts';
import { makePlan, type NodeCommand } from '../plan/plan.ts';
import type { Target } from '../plan/target.ts';
import { runNodeCommand } from '../session/attached.ts';
import { debugPod } from '../session/pod-manifest.ts';
import { sweep } from '../session/sweep.ts';
import { printByHand } from './by-hand.ts';
import { printPods } from './preview.ts';

/** What runs, where, and with what. */
export interface NodeRun {
  readonly target: Target;
  readonly options: DebugPodOptions;
  readonly what: NodeCommand;
  /** What it prints reaches a terminal as it is. */
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

/** The one target of a verb whose further words are what runs there, and stand behind `--`. */
export function onlyTarget(verb: string, { positionals }: RawOptions, example: string): string {
  const [target, ...more] = positionals;
  if (target === undefined) throw usageError(`${verb}: a target is missing`, example);
  if (more.length)
    throw usageError(
      `${verb}: "${more[0]}" stands before --`,
      `kubectl gkeprof ${verb} ${target} -- ${more.join(' ')}`,
    );
  return target;
}

/** Runs it in a debug pod of its own. Returns its exit status. */
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
  if (options.explain) {
    const { crictlByHand, shellByHand } = await import('../collectors/command/by-hand.ts');
    const keyOf = (name: string) =>
      what.keys.find((key) => key.startsWith(`${name}=`))?.slice(name.length + 1);
    const podWord = keyOf('pod_word');
    printByHand([plan.node], work.describe(plan), options, cluster, context, (around) =>
      what.collector === 'crictl'
        ? crictlByHand(
            target,
            what.words,
            podWord === undefined ? undefined : Number(podWord),
            what.tty,
            around,
          )
        : shellByHand(target, keyOf('enter')?.split(',') ?? [], what.words, around),
    );
    return EXIT.done;
  }
  if (options.dryRun) {
    const pod = debugPod(plan, work);
    const shown = options.dryRun === 'server' ? await cluster.createPod(pod, true) : pod;
    await printPods([shown], options.form, context);
    return EXIT.done;
  }
  if (what.collector === 'shell' && options.debugPod.install)
    log.line(
      `no diagnostic image: the shell has what ${options.debugPod.image} has (--image brings the tools)`,
    );
  const swept = sweep(cluster, options.debugPod.namespace, now());
  const audience = raw ? { stdout: stdout.raw, stderr: stderr.raw } : { stdout, stderr };
  const status = await runNodeCommand(plan, audience, { ...context, cluster });
  await swept;
  return status;
}
