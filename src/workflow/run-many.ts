import type { Context } from '../cli/command.ts';
import type { CaptureOptions } from '../cli/options.ts';
import type { ManyOptions } from '../cli/target-options.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, type ExitCode, GkeprofError, reasonOf, usageError } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import type { Log } from '../output/log.ts';
import { type Limits, MOST_RECORDERS, makePlans, type NodeTask, type Plan } from '../plan/plan.ts';
import type { Target, TargetRefs } from '../plan/target.ts';
import { type FailedTarget, failedTarget, failedText, podText } from '../report/failed-target.ts';
import type { SessionResult } from '../session/result.ts';
import { type Outcome, runSession } from '../session/session.ts';
import { StacksAgreement } from '../session/stacks-agreement.ts';
import { sweep } from '../session/sweep.ts';
import { counted } from '../text/quantity.ts';
import { startAccessCheck } from './access.ts';
import { detach } from './detach.ts';
import { changedSet, checkMany, findTargetSet, type TargetSet } from './find-targets.ts';
import { prepareFolder } from './output-folder.ts';
import { preview } from './preview.ts';
import { resolveIds } from './resolve-id.ts';
import { type CaptureTarget, endedWith, limitsOf, sessionCode, warnOfTarget } from './run-capture.ts';

/** Several targets that were found, and that this user may capture. */
export interface CaptureTargets extends Omit<CaptureTarget, 'target'> {
  readonly targets: readonly Target[];
  /** What the words stood for, with the pods that cannot be recorded. */
  readonly set: TargetSet;
  /** The words by which they were found. */
  readonly refs: TargetRefs;
  /** How many nodes record at a time. */
  readonly maxConcurrent: number;
}

/** A verified recording of one of several targets. */
export interface RecordedTarget {
  readonly plan: Plan;
  readonly result: SessionResult;
}

/** What became of several targets. */
export interface RecordedMany {
  readonly recorded: readonly RecordedTarget[];
  /** Targets without a recording, and why; those that were passed over are among them. */
  readonly failed: readonly FailedTarget[];
  /** Pods that appeared during the recording, one phrase each. */
  readonly appeared: readonly string[];
  readonly leftovers: Promise<string[]>;
}

/** What the user wants to capture: the targets as they were typed, and the options that every capture has. */
export interface ManyRequest {
  readonly options: CaptureOptions;
  readonly refs: TargetRefs;
  readonly container?: string;
  readonly many: ManyOptions;
}

/**
 * Finds the targets of a capture and asks whether the user may create debug pods: one target, a pod or a node, or several
 * pods. Undefined after a preview of the debug pod that would have been asked for a target first.
 */
export async function findCapture(
  { options, refs: typed, container, many }: ManyRequest,
  context: Context,
): Promise<CaptureTarget | CaptureTargets | undefined> {
  const cluster = await context.openCluster(options.connection);
  const allowed = startAccessCheck(cluster, options);
  const refs = await resolveIds(typed, options, cluster, context);
  if (!refs) return undefined;
  const set = await findTargetSet(refs, container, cluster);
  for (const note of set.notes) context.log.line(note);
  checkMany(set.targets, many.maxTargets, context.log);
  await allowed;
  const user = await cluster.whoAmI();
  const found = { options, cluster, ...(user !== undefined && { user }) };
  const [target, ...others] = set.targets;
  if (others.length === 0 && set.passed.length === 0) return { ...found, target: target! };
  return { ...found, targets: set.targets, set, refs, maxConcurrent: many.maxConcurrent };
}

/**
 * The plans of a capture of several pods: one debug pod on each node, with one recorder for each of its pods. `taskFor` learns how
 * many debug pods there are.
 */
export function planMany(
  { options, targets, user }: Pick<CaptureTargets, 'options' | 'targets' | 'user'>,
  taskFor: (target: Target, debugPods: number) => NodeTask,
  limits: Omit<Limits, 'keepSeconds' | 'minFreePercent'>,
): Plan[][] {
  const nodes = Map.groupBy(targets, ({ node }) => node);
  const batches = [...nodes.values()].flatMap((pods) =>
    Array.from({ length: Math.ceil(pods.length / MOST_RECORDERS) }, (_, at) =>
      pods.slice(at * MOST_RECORDERS, (at + 1) * MOST_RECORDERS),
    ),
  );
  return batches.map((pods) =>
    makePlans({
      works: pods.map((target) => ({ target, capture: taskFor(target, batches.length) })),
      limits: limitsOf(limits, options),
      debugPod: options.debugPod,
      ...(user !== undefined && { user }),
      ...(options.reason !== undefined && { reason: options.reason }),
    }),
  );
}

/**
 * Records several targets, and returns what became of each as soon as all files are verified. One that fails takes nothing
 * from the others. Undefined after --dry-run, --explain and --detach. Rejects if nothing was recorded.
 */
export async function runMany(
  found: CaptureTargets,
  plans: ReadonlyArray<readonly Plan[]>,
  collector: Collector,
  opening: readonly string[],
  context: Context,
): Promise<RecordedMany | undefined> {
  const { options, cluster, set, refs, maxConcurrent } = found;
  const { log, interrupts } = context;
  if (options.detach && plans.length > maxConcurrent) throw tooManyAtOnce(plans.length, maxConcurrent);
  if (await preview({ plans: plans.flat(), work: collector }, options, cluster, context)) return undefined;
  const leftovers = sweep(cluster, options.debugPod.namespace, context.now());
  if (!options.detach) await prepareFolder(options.outputDir, context);
  for (const line of opening) log.line(line);
  for (const { name, namespace, why } of set.passed)
    log.warn(`pod "${name}" in namespace "${namespace}" is left out: it ${why}`);
  const passed = set.passed.map(passedTarget);
  if (options.detach) {
    const stacks = agreementOf(plans, plans.length, log);
    await detach(plans, passed, collector, options, cluster, { ...context, ...(stacks && { stacks }) });
    return undefined;
  }
  // From here on there are pods to delete, and then files to read.
  interrupts.hold();
  const outcomes = await eachNode(plans, found, collector, context);
  log.end();
  const recorded = outcomes.filter((each) => 'result' in each);
  const failed = outcomes.filter((each) => 'error' in each);
  if (recorded.length === 0) throw nothingRecorded(failed, log);
  for (const { plan, error } of failed) {
    log.warn(missText(plan, error));
    if (error instanceof GkeprofError && error.hint !== undefined) log.hint(error.hint);
  }
  for (const { result } of recorded) warnOfTarget(result, log);
  const look = await unlessAborted(changedSet(set, refs, cluster), interrupts.next).catch(() => ({
    changes: [],
    unknown: 'the look was interrupted',
  }));
  for (const change of look.changes) log.warn(`${change}, and is not in the recording`);
  if ('unknown' in look && look.unknown !== undefined)
    log.warn(`it is not known whether pods appeared during the recording: ${look.unknown}`);
  return {
    recorded,
    failed: [...passed, ...failed.map(({ plan, error }) => failedTarget(plan, error))],
    appeared: look.changes,
    leftovers,
  };
}

/** A pod that the user named and that cannot be recorded, such as one that is still pending. */
const passedTarget = ({ namespace, name, why, hint }: TargetSet['passed'][number]): FailedTarget => ({
  target: `pod/${name}`,
  namespace,
  error: `pod "${name}" in namespace "${namespace}" ${why}`,
  ...(hint && { hint }),
});

/** With --detach nobody is there to begin on a node when another one has ended. */
const tooManyAtOnce = (nodes: number, most: number): GkeprofError =>
  usageError(
    `--detach would record on ${nodes} nodes at the same time, and --max-concurrent allows ${most}`,
    `to allow it: --max-concurrent ${nodes}`,
  );

/**
 * What is recorded, for the first line that the user sees: `3 pods on node-a, 2 pods on node-b: 2 debug pods`, or
 * `node-a, node-b: 2 debug pods`.
 */
export function manyText(targets: readonly Target[], plans: ReadonlyArray<readonly Plan[]>): string {
  if (targets[0]?.kind === 'node') {
    const names = targets.slice(0, MOST_NODES).map(({ node }) => node);
    const left = targets.length - names.length;
    return `${names.join(', ')}${left > 0 ? ` and ${counted(left, 'more node')}` : ''}: ${counted(plans.length, 'debug pod')}`;
  }
  const nodes = Map.groupBy(targets, ({ node }) => node);
  const on = [...nodes]
    .slice(0, MOST_NODES)
    .map(([node, pods]) => `${counted(pods.length, 'pod')} on ${node}`);
  const more = nodes.size - on.length;
  return `${on.join(', ')}${more > 0 ? ` and the pods on ${counted(more, 'more node')}` : ''}: ${counted(plans.length, 'debug pod')}`;
}

const MOST_NODES = 5;

/** How the debug pods agree on a way to find stacks, if their plans say that they do. */
const agreementOf = (
  plans: ReadonlyArray<readonly Plan[]>,
  together: number,
  log: Context['log'],
): StacksAgreement | undefined => {
  const task = plans[0]?.[0]?.capture;
  return task?.collector === 'perf' && task.agree ? new StacksAgreement(together, log) : undefined;
};

/** Runs one session for each node, at most so many at a time as the user allows. */
async function eachNode(
  plans: ReadonlyArray<readonly Plan[]>,
  { options, cluster, maxConcurrent }: CaptureTargets,
  collector: Collector,
  context: Context,
): Promise<Outcome[]> {
  const waiting = [...plans];
  const together = Math.min(maxConcurrent, plans.length);
  const stacks = agreementOf(plans, together, context.log);
  const outcomes: Outcome[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { node } = next[0]!;
      const log = plans.length > 1 ? context.log.of(node) : context.log;
      // A node that does not record yet when Ctrl-C comes gives up alone: the others keep what they have.
      const interrupts = context.interrupts.branch();
      const around = { ...context, log, cluster, interrupts, ...(stacks && { stacks }) };
      const session = runSession(next, collector, options.outputDir, around);
      const ended = await session.catch((error: unknown) => next!.map((plan) => ({ plan, error })));
      if (ended.every((each) => 'error' in each)) stacks?.without(next[0]);
      outcomes.push(...ended);
      log.end();
    }
  };
  await Promise.all(Array.from({ length: together }, work));
  const order = new Map(plans.flat().map((plan, at) => [plan, at]));
  return outcomes.sort((a, b) => order.get(a.plan)! - order.get(b.plan)!);
}

/** Why there is no file of a target, which may be recorded but not copied. */
const missText = (plan: Plan, error: unknown): string =>
  `${podText(plan)}${error instanceof GkeprofError && error.code === EXIT.incomplete ? '' : ' was not recorded'}: ${reasonOf(error)}`;

/**
 * The error where nothing was recorded: the only reason, or all of them as warnings before the first. If what to do is not the same
 * for all, it follows each.
 */
function nothingRecorded(
  failed: ReadonlyArray<{ readonly plan: Plan; readonly error: unknown }>,
  log: Context['log'],
): unknown {
  const hints = failed.map(({ error }) => (error instanceof GkeprofError ? error.hint : undefined));
  const isOneReason = new Set(failed.map(({ error }) => reasonOf(error))).size === 1;
  const isOneHint = new Set(hints).size === 1;
  if (!isOneReason || !isOneHint)
    for (const [at, { plan, error }] of failed.entries()) {
      log.warn(missText(plan, error));
      if (!isOneHint && hints[at] !== undefined) log.hint(hints[at]);
    }
  const [first] = failed;
  if ((isOneReason && isOneHint) || !(first!.error instanceof GkeprofError)) return first!.error;
  const { code, message, hint } = first!.error;
  return new GkeprofError(
    code,
    isOneReason
      ? message
      : `none of ${counted(failed.length, first!.plan.target.kind)} was recorded: ${message}`,
    isOneHint ? hint : 'what to do about each of them stands above',
    first!.error,
  );
}

/**
 * Reads each recording. One that cannot be read becomes one of the failed targets, and takes nothing from the others. Rejects if
 * none can be read.
 */
export async function readEach<T>(
  { recorded, failed }: Pick<RecordedMany, 'recorded' | 'failed'>,
  read: (recording: RecordedTarget) => Promise<T>,
  log: Pick<Log, 'warn' | 'hint'>,
): Promise<{ readonly read: readonly T[]; readonly failed: readonly FailedTarget[] }> {
  const done: T[] = [];
  const unread: FailedTarget[] = [];
  let problem: unknown;
  for (const each of recorded) {
    try {
      done.push(await read(each));
    } catch (error) {
      problem = error;
      const miss = failedTarget(each.plan, error);
      unread.push(miss);
      log.warn(`${failedText(miss)}: ${miss.error}`);
      if (miss.hint !== undefined) log.hint(miss.hint);
    }
  }
  if (done.length === 0) throw problem;
  return { read: done, failed: [...failed, ...unread] };
}

/** The exit code of a capture of several targets: incomplete, if anything of it is missing. */
export function manyCode({ recorded, failed, appeared }: RecordedMany): ExitCode {
  if (failed.length > 0 || appeared.length > 0) return EXIT.incomplete;
  return recorded.some(({ result }) => sessionCode(result) !== EXIT.done) ? EXIT.incomplete : EXIT.done;
}

/**
 * Waits for what a command makes of verified recordings, then for the removal of the debug pods, and returns what was made.
 * If that fails or is interrupted, the recordings are kept: exit code 5, and a hint with the command that tries again.
 */
export const finishMany = <T>(
  { recorded, leftovers }: RecordedMany,
  making: Promise<T>,
  context: Context,
): Promise<T> =>
  endedWith(
    making,
    {
      what: counted(recorded.length, 'recording'),
      isOne: recorded.length === 1,
      plan: recorded[0]!.plan,
      paths: recorded.map(({ result }) => result.artifact.path),
    },
    { removed: recorded.map(({ result }) => result.removed), leftovers },
    context,
  );

/** The workload whose pods they are, if the user named one. */
export function workloadOf({
  refs,
}: TargetRefs): { readonly text: string; readonly name: string } | undefined {
  const [only, ...others] = refs;
  if (!only || others.length > 0 || only.kind === 'pod' || only.kind === 'id' || only.kind === 'node')
    return undefined;
  return { text: `${only.kind.toLowerCase()}/${only.name}`, name: only.name };
}
