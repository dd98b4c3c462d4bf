import type { Context } from '../cli/command.ts';
import type { CaptureOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { type Limits, makePlan, type NodeTask, type Plan } from '../plan/plan.ts';
import type { Target, TargetRef } from '../plan/target.ts';
import { sweepFolder } from '../report/capture.ts';
import { debugPod } from '../session/pod-manifest.ts';
import { type Cut, runSession, type SessionResult } from '../session/session.ts';
import type { Deletion } from '../session/stopped-by.ts';
import { sweep } from '../session/sweep.ts';
import { counted } from '../text/quantity.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { isOnlyShown, startAccessCheck } from './access.ts';
import { printByHand } from './by-hand.ts';
import { findTarget } from './find-target.ts';
import { printPods } from './preview.ts';
import { resolveId } from './resolve-id.ts';

/** What one verb adds to the common life of a capture. */
export interface CaptureJob {
  readonly options: CaptureOptions;
  readonly ref: TargetRef;
  readonly container?: string;
  readonly collector: Collector;
  /** The verb that makes something of the artifact later, when it could not be done at once. */
  readonly again: 'render' | 'analyze';
  readonly limits: Omit<Limits, 'keepSeconds' | 'minFreePercent'>;
  /** The rest of the plan, once the target is known; may refuse the combination. */
  decide(target: Target): NodeTask;
  /** Said before the pod is created: what is observed, and when it ends. */
  opening(plan: Plan): string[];
  /** Makes what is to be made of the verified artifact. Returns the exit code. */
  finish(plan: Plan, result: SessionResult): Promise<number>;
}

/** Above the kubelet's own line, which is 10 % of the node's disk (nodefs.available). */
const MIN_FREE_PERCENT = 12;

/** argv is understood; from here on: target → plan → pod → session → artifact → finish. */
export async function runCapture(job: CaptureJob, context: Context): Promise<number> {
  const { options, collector } = job;
  const cluster = await context.openCluster(options.connection);
  const prepared = await prepare(job, cluster, context);
  if (!prepared) return EXIT.done;
  const { target, leftovers } = prepared;
  const user = await cluster.whoAmI();
  const plan = makePlan({
    target,
    capture: job.decide(target),
    limits: { ...job.limits, keepSeconds: options.keepSeconds, minFreePercent: MIN_FREE_PERCENT },
    debugPod: options.debugPod,
    ...(user !== undefined && { user }),
    ...(options.reason !== undefined && { reason: options.reason }),
  });
  if (options.explain) {
    printByHand([plan.node], collector.describe(plan), options, cluster, context, (around) =>
      collector.byHand(plan, around, context.now()),
    );
    return EXIT.done;
  }
  if (options.dryRun) {
    const pod = debugPod(plan, collector);
    const shown = options.dryRun === 'server' ? await cluster.createPod(pod, true) : pod;
    await printPods([shown], options.form, context);
    return EXIT.done;
  }
  await sweepFolder(options.outputDir, context);
  for (const line of job.opening(plan)) context.log.line(line);
  // From here on there is a pod to delete, and then a file that is to be read.
  context.interrupts.hold();
  const result = await runSession(plan, collector, options.outputDir, { ...context, cluster });
  for (const change of result.targetChanges) context.log.warn(change);
  const code = await finished(job, plan, result, context).catch(async (error: unknown) => {
    await result.removed.catch((problem: unknown) => context.log.warn(reasonOf(problem)));
    throw error;
  });
  context.log.end();
  for (const name of await unlessAborted(leftovers, context.interrupts.next).catch(() => []))
    context.log.line(`removed ${name}, which an earlier command had left`);
  await result.removed;
  return code;
}

async function prepare(job: CaptureJob, cluster: Cluster, context: Context) {
  const { options } = job;
  const allowed = startAccessCheck(cluster, options);
  const ref = await resolveId(job.ref, options, cluster, context);
  if (!ref) return undefined;
  const target = await findTarget(ref, job.container, cluster);
  await allowed;
  const leftovers = isOnlyShown(options)
    ? Promise.resolve<string[]>([])
    : sweep(cluster, options.debugPod.namespace, context.now());
  return { target, leftovers };
}

/** What comes after a verified artifact may fail without taking it along: that is exit code 5. */
async function finished(
  job: CaptureJob,
  plan: Plan,
  result: SessionResult,
  { interrupts }: Context,
): Promise<number> {
  const signal = interrupts.next;
  try {
    return await unlessAborted(job.finish(plan, result), signal);
  } catch (error) {
    if (error instanceof GkeprofError && !signal.aborted) throw error;
    throw new GkeprofError(
      EXIT.incomplete,
      signal.aborted
        ? `${result.artifact.path} is whole, but what was to be made of it was interrupted`
        : `${result.artifact.path} is whole, but what was to be made of it failed: ${reasonOf(error)}`,
      `kubectl gkeprof ${job.again} ${shellQuote(result.artifact.path)}`,
      error,
    );
  }
}

/** The exit code that the session's own end asks for: kept but incomplete, when its end was not its own. */
export function sessionCode(result: SessionResult): number {
  if (result.ended === 'lost' || result.ended === 'tool-ended' || result.ended === 'target-gone')
    return EXIT.incomplete;
  if (result.cut) return EXIT.incomplete;
  return result.targetChanges.length ? EXIT.incomplete : EXIT.done;
}

/** What is missing from a recording, for people, a line each. */
export function missingText({ cut, unnamedProcesses }: SessionResult): string[] {
  return [
    ...(cut ? [`the recording is not whole, only its beginning was kept: ${CUT_TEXT[cut]}`] : []),
    ...(unnamedProcesses > 0
      ? [
          `perf did not read the files of ${counted(unnamedProcesses, 'process', 'processes')}, which would have held it up or used up its memory; their functions have no names, those of all others have`,
        ]
      : []),
  ];
}

export const CUT_TEXT: Readonly<Record<Cut, string>> = {
  failed: 'perf script failed or was killed on the node',
  stuck: 'perf script was held up on the node by a file of the profiled processes',
  slow: 'perf script took too long on the node with the files of one pod',
  time: 'perf script was out of time on the node',
  memory: 'perf script needed more memory than it may use on the node',
  space: "the node's disk is full",
};
const deletedText = ({ deletionTimestamp, lastWriter }: Deletion): string =>
  `somebody deleted the debug pod (deletionTimestamp ${deletionTimestamp}${lastWriter ? `, last changed by ${lastWriter}` : ''})`;

/** How a capture ended, for people. */
export function endedText(result: SessionResult): string {
  const words: Record<SessionResult['ended'], string> = {
    time: 'its time was up',
    count: 'the packet count was reached',
    size: 'the size limit was reached',
    space: "the node's disk was getting full",
    requested:
      result.stoppedBy === 'another client' ? "stopped by somebody else's request" : 'stopped on request',
    terminated: result.deletion
      ? deletedText(result.deletion)
      : 'the debug pod was being ended by the cluster',
    'tool-ended': `the tool ended by itself (status ${result.toolStatus})`,
    'target-gone': 'the target vanished',
    lost: 'the capture container died; this is what it had written',
  };
  return words[result.ended];
}
