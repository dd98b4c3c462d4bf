import type { V1Pod } from '@kubernetes/client-node';
import type { Context } from '../cli/command.ts';
import type { DebugPodOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { type ManualContext, script } from '../collectors/by-hand/debugger.ts';
import { isRecording, type NodeWork } from '../collectors/collector.ts';
import type { WhoisQuestion } from '../collectors/snapshot/by-hand.ts';
import { isForPrograms, type OutputFormat, rendered, yaml } from '../output/format.ts';
import type { NodeCommand, Plan } from '../plan/plan.ts';
import type { Target } from '../plan/target.ts';
import { debugPod } from '../session/pod-manifest.ts';

/** What a node is asked. The plan of a snapshot holds only which parts of the node are read for the answer. */
export type NodeQuestion =
  | { readonly of: 'processes'; readonly targets: readonly Target[] }
  | { readonly of: 'owners'; readonly questions: readonly WhoisQuestion[] };

/** The debug pods that a command is about to create, all of one kind. */
export interface PlannedPods {
  /** Several of them may be of one debug pod, which has a recorder for each. */
  readonly plans: readonly Plan[];
  readonly work: NodeWork;
  /** What the nodes are asked, if the plans are for snapshots. */
  readonly question?: NodeQuestion;
}

/**
 * `--explain`, `--dry-run` and `--approve` of every command that creates debug pods: prints the commands that do the same by
 * hand, the pods, or a token. True when it printed something: then the command is over, and nothing was created. With
 * `--approval` it throws unless the token is for exactly these pods.
 */
export async function preview(
  pods: PlannedPods,
  options: Pick<DebugPodOptions, 'dryRun' | 'explain' | 'format' | 'debugPod' | 'approve' | 'approval'>,
  cluster: Cluster,
  context: Context,
): Promise<boolean> {
  if (options.explain) {
    context.log.end();
    for (const plan of pods.plans) {
      const around = { kubectl: cluster.kubectlLine(), node: plan.node, debugPod: options.debugPod };
      const lines = await linesByHand(plan, pods, around, context.now());
      context.stdout.write(script(subjectOf(plan, pods), lines));
    }
    return true;
  }
  const isApproved = options.approve || options.approval !== undefined;
  if (!options.dryRun && !isApproved) return false;
  const batches = Map.groupBy(pods.plans, (plan) => plan.debugPod.name);
  const planned = [...batches.values()].map((plans) => debugPod(plans, pods.work));
  if (options.dryRun) {
    const shown =
      options.dryRun === 'server'
        ? await Promise.all(planned.map((pod) => cluster.createPod(pod, true)))
        : planned;
    await printPods(shown, options.format, context);
    return true;
  }
  const { printApproval, requireApproval } = await import('./approval.ts');
  if (options.approve) printApproval(planned, cluster.reached, context);
  else requireApproval(options.approval!, planned, cluster.reached, context);
  return options.approve === true;
}

/** What the commands by hand do, for the first line of the script. */
function subjectOf(plan: Plan, { work, question }: PlannedPods): string {
  if (question) return question.of === 'processes' ? 'processes and containers' : 'whose it is';
  return work.describe(plan);
}

/** The commands that do by hand what the plan's debug pod would do. */
async function linesByHand(
  plan: Plan,
  { work, question }: PlannedPods,
  around: ManualContext,
  nowMs: number,
): Promise<readonly string[]> {
  if (isRecording(work)) return work.byHand(plan, around, nowMs);
  const { capture, target, node } = plan;
  if (capture.collector === 'crictl' || capture.collector === 'shell') {
    const { crictlByHand, shellByHand } = await import('../collectors/command/by-hand.ts');
    const podWord = keyOf(capture, 'pod_word');
    return capture.collector === 'crictl'
      ? crictlByHand(
          target,
          capture.words,
          podWord === undefined ? undefined : Number(podWord),
          capture.tty,
          around,
        )
      : shellByHand(target, keyOf(capture, 'enter')?.split(',') ?? [], capture.words, around);
  }
  if (!question) throw new Error('nothing is asked of the node');
  const { psByHand, whoisByHand } = await import('../collectors/snapshot/by-hand.ts');
  return question.of === 'processes'
    ? psByHand(
        question.targets.filter((each) => each.node === node),
        around,
      )
    : whoisByHand(question.questions, around);
}

const keyOf = ({ keys }: NodeCommand, name: string): string | undefined =>
  keys.find((key) => key.startsWith(`${name}=`))?.slice(name.length + 1);

/** Prints pods as kubectl prints objects: in YAML, unless the user asked for another format. */
async function printPods(
  pods: readonly V1Pod[],
  format: OutputFormat,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<void> {
  const documents = pods.map((pod) => ({ apiVersion: 'v1', kind: 'Pod', ...pod }));
  log.end();
  if (!isForPrograms(format) || format.kind === 'yaml') {
    stdout.write((await Promise.all(documents.map(yaml))).join('---\n'));
    return;
  }
  const [only, ...more] = documents;
  const whole = more.length ? { apiVersion: 'v1', kind: 'List', items: documents } : only!;
  stdout.write(
    await rendered(
      format,
      whole,
      documents.map(({ metadata }) => `pod/${metadata?.name}`),
    ),
  );
}
