import type { Context } from '../cli/command.ts';
import type { CaptureOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, type ExitCode, GkeprofError, reasonOf } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { type Limits, makePlan, type NodeTask, type Plan } from '../plan/plan.ts';
import type { Target, TargetRef } from '../plan/target.ts';
import type { Cut, NoCgroups, SessionResult, SymbolFiles } from '../session/result.ts';
import { onlyResult, runSession } from '../session/session.ts';
import type { StacksAgreement } from '../session/stacks-agreement.ts';
import type { Deletion } from '../session/stopped-by.ts';
import { sweep } from '../session/sweep.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { startAccessCheck } from './access.ts';
import { detach } from './detach.ts';
import { findTarget } from './find-target.ts';
import { prepareFolder } from './output-folder.ts';
import { preview } from './preview.ts';
import { resolveId } from './resolve-id.ts';

/** What the user wants to capture: the target as it was typed, and the options that every capture has. */
export interface CaptureRequest {
  readonly options: CaptureOptions;
  readonly ref: TargetRef;
  readonly container?: string;
}

/** A target that was found, and that this user may capture. */
export interface CaptureTarget {
  readonly options: CaptureOptions;
  readonly cluster: Cluster;
  readonly target: Target;
  /** The name by which the API server knows the user; undefined if it does not tell. */
  readonly user?: string;
  /** How stacks are found, if this debug pod is one of several that are to agree on it. */
  readonly stacks?: StacksAgreement;
}

/** A recording that was copied and verified. The removal of its debug pod still goes on: see `finishCapture`. */
export interface Recorded {
  readonly plan: Plan;
  readonly result: SessionResult;
  /** The debug pods of earlier commands that are removed meanwhile, by name. */
  readonly leftovers: Promise<string[]>;
}

/** More than the 10 % of the node's disk below which the kubelet evicts pods (nodefs.available). */
const MIN_FREE_PERCENT = 12;

/**
 * Finds the target of a capture and asks whether the user may create the debug pod. Undefined after a preview of the
 * debug pod that would have been asked for the target first.
 */
export async function findCaptureTarget(
  { options, ref: typed, container }: CaptureRequest,
  context: Context,
): Promise<CaptureTarget | undefined> {
  const cluster = await context.openCluster(options.connection);
  const allowed = startAccessCheck(cluster, options);
  const ref = await resolveId(typed, options, cluster, context);
  if (!ref) return undefined;
  const target = await findTarget(ref, container, cluster);
  await allowed;
  const user = await cluster.whoAmI();
  return { options, cluster, target, ...(user !== undefined && { user }) };
}

/** The plan of a capture, from which everything that follows is derived. */
export function planCapture(
  {
    options,
    target,
    user,
  }: Pick<CaptureTarget, 'target' | 'user'> & {
    readonly options: Pick<CaptureOptions, 'debugPod' | 'keepSeconds' | 'reason'>;
  },
  task: NodeTask,
  limits: Omit<Limits, 'keepSeconds' | 'minFreePercent'>,
): Plan {
  return makePlan({
    target,
    capture: task,
    limits: limitsOf(limits, options),
    debugPod: options.debugPod,
    ...(user !== undefined && { user }),
    ...(options.reason !== undefined && { reason: options.reason }),
  });
}

/** The limits of a capture: its own, and those that every capture has. */
export const limitsOf = (
  limits: Omit<Limits, 'keepSeconds' | 'minFreePercent'>,
  { keepSeconds }: Pick<CaptureOptions, 'keepSeconds'>,
): Limits => ({ ...limits, keepSeconds, minFreePercent: MIN_FREE_PERCENT });

/**
 * Captures what is planned, and returns it as soon as the file is verified. `opening` is printed before the debug pod is
 * created: what is captured, and when it stops. Undefined after --dry-run, --explain and --detach.
 */
export async function runCapture(
  { options, cluster, stacks }: CaptureTarget,
  plan: Plan,
  collector: Collector,
  opening: readonly string[],
  context: Context,
): Promise<Recorded | undefined> {
  if (await preview({ plans: [plan], work: collector }, options, cluster, context)) return undefined;
  const leftovers = sweep(cluster, options.debugPod.namespace, context.now());
  if (!options.detach) await prepareFolder(options.outputDir, context);
  for (const line of opening) context.log.line(line);
  if (options.detach) {
    await detach([[plan]], [], collector, options, cluster, context);
    return undefined;
  }
  // From here on there is a pod to delete, and then a file to read.
  context.interrupts.hold();
  const around = { ...context, cluster, ...(stacks && { stacks }) };
  const result = onlyResult(await runSession([plan], collector, options.outputDir, around));
  warnOfTarget(result, context.log);
  return { plan, result, leftovers };
}

/** Says what happened to the target during a recording, or why that is not known. */
export function warnOfTarget({ targetChanges, targetUnknown }: SessionResult, log: Context['log']): void {
  for (const change of targetChanges) log.warn(change);
  if (targetUnknown !== undefined) log.warn(`it is not known whether the target changed: ${targetUnknown}`);
}

/**
 * Waits for what a command makes of a verified recording, then for the removal of the debug pod, and returns what was
 * made. If that fails or is interrupted, the recording is kept: exit code 5, and a hint with the command that tries again.
 */
export const finishCapture = <T>(
  { plan, result, leftovers }: Recorded,
  making: Promise<T>,
  context: Context,
): Promise<T> =>
  endedWith(
    making,
    { what: result.artifact.path, isOne: true, plan, paths: [result.artifact.path] },
    { removed: [result.removed], leftovers },
    context,
  );

/** The files from which something was to be made. */
interface Kept {
  readonly what: string;
  readonly isOne: boolean;
  readonly plan: Plan;
  readonly paths: readonly string[];
}

/** Waits for what a command makes of the files that it keeps, and for the removals. */
export async function endedWith<T>(
  making: Promise<T>,
  kept: Kept,
  {
    removed,
    leftovers,
  }: { readonly removed: readonly Promise<void>[]; readonly leftovers: Promise<string[]> },
  { interrupts, log }: Context,
): Promise<T> {
  const signal = interrupts.next;
  const made = await unlessAborted(making, signal).catch(async (error: unknown) => {
    for (const each of await Promise.allSettled(new Set(removed)))
      if (each.status === 'rejected') log.warn(reasonOf(each.reason));
    throw error instanceof GkeprofError && !signal.aborted ? error : notMade(kept, error, signal.aborted);
  });
  log.end();
  for (const name of await unlessAborted(leftovers, interrupts.next).catch(() => []))
    log.line(`removed ${name}, which an earlier command had left`);
  await Promise.all(removed);
  return made;
}

/** The command that makes the results of a recording later. */
export const AGAIN: Readonly<Partial<Record<NodeTask['collector'], string>>> = {
  perf: 'render',
  tcpdump: 'analyze',
  waits: 'render',
};

function notMade({ what, isOne, plan, paths }: Kept, error: unknown, isInterrupted: boolean) {
  const { collector } = plan.capture;
  const again = AGAIN[collector];
  const reason = isInterrupted ? undefined : reasonOf(error);
  return new GkeprofError(
    EXIT.incomplete,
    isOne ? oneNotMade(what, reason) : manyNotMade(what, reason),
    again && `kubectl gkeprof ${again} ${paths.map(shellQuote).join(' ')}`,
    error,
  );
}

const oneNotMade = (what: string, reason: string | undefined): string =>
  reason === undefined
    ? `${what} was recorded and verified, but processing it was interrupted`
    : `${what} was recorded and verified, but processing it failed: ${reason}`;

const manyNotMade = (what: string, reason: string | undefined): string =>
  reason === undefined
    ? `${what} were recorded and verified, but processing them was interrupted`
    : `${what} were recorded and verified, but processing them failed: ${reason}`;

/** The exit code by how the capture stopped: incomplete, unless it reached a limit or was interrupted. */
export function sessionCode(result: SessionResult): ExitCode {
  if (result.ended === 'lost' || result.ended === 'tool-ended' || result.ended === 'target-gone')
    return EXIT.incomplete;
  if (result.cut) return EXIT.incomplete;
  return result.targetChanges.length ? EXIT.incomplete : EXIT.done;
}

/** What is missing from a recording, for people, one line each. */
export function missingText({ cut, unnamedProcesses, symbolFiles, noCgroups }: SessionResult): string[] {
  return [
    ...(cut ? [`the recording is incomplete, only its beginning was kept: ${CUT_TEXT[cut]}`] : []),
    ...(unnamedProcesses > 0
      ? [
          `perf did not read the files of ${counted(unnamedProcesses, 'process', 'processes')}, because that would have blocked it or exhausted its memory: functions of these have no names`,
        ]
      : []),
    ...(symbolFiles?.why ? [symbolFilesText(symbolFiles, symbolFiles.why)] : []),
    ...(noCgroups
      ? [
          `the samples are not told apart by ${noCgroups === 'unwinder' ? 'container' : 'pod or container'}: ${NO_CGROUPS_TEXT[noCgroups]}`,
        ]
      : []),
  ];
}

/** Why functions of programs that ended, were replaced, or compile code at run time may have no names. */
function symbolFilesText({ missed = 0 }: SymbolFiles, why: NonNullable<SymbolFiles['why']>): string {
  const whose = 'programs that ended or were replaced during the recording';
  if (why === 'tools')
    return `functions of ${whose} may have no names: the image has no perl, which copies their files`;
  if (missed === 0)
    return `functions of ${whose} may have no names: there was no time to copy all of their files`;
  return `${counted(missed, 'file', 'files')} of ${whose}, or with functions that a program has compiled, ${missed === 1 ? 'was' : 'were'} not copied, because ${MISSED_TEXT[why]}: functions of these have no names. The last lines of the recorded text list the files`;
}

const MISSED_TEXT = {
  large: 'a file is larger than 256 MiB, or has more than 500,000 functions',
  total: 'they would take more than 1 GiB, or than a quarter of the space that is free for files',
  time: 'there was no time left',
  format: 'a file named like a jitdump file is not one of version 1',
} as const;

const NO_CGROUPS_TEXT: Readonly<Record<NoCgroups, string>> = {
  mount: 'the debug pod does not see the cgroups of the node',
  perf: 'perf in the image does not print cgroups, which perf 6.9 and later do',
  kernel:
    'the kernel does not record cgroups with samples, which needs Linux 5.7 or later with CONFIG_CGROUP_PERF',
  unwinder: 'the eBPF unwinder does not record cgroups with samples',
};

export const CUT_TEXT: Readonly<Record<Cut, string>> = {
  failed: 'perf script failed or was killed on the node',
  stuck: 'perf script was blocked on the node by a file of the profiled processes',
  slow: 'perf script took too long on the node for the files of one pod',
  time: 'perf script ran out of time on the node',
  memory: 'perf script needed more memory on the node than it may use',
  space: 'there was no space left for its file on the node',
};

const deletedText = ({ deletionTimestamp, lastWriter }: Deletion): string =>
  `somebody deleted the debug pod (deletionTimestamp ${deletionTimestamp}${lastWriter ? `, last changed by ${lastWriter}` : ''})`;

/** When and why a capture stopped, for people: `stopped after 5.1s (--duration)`. */
export function endedText({ ended, startedAt, stoppedAt, stoppedBy, deletion, toolStatus }: SessionResult) {
  const why: Readonly<Record<SessionResult['ended'], string>> = {
    time: ' (--duration)',
    count: ' (--count)',
    size: ': the recording reached its size limit',
    space: ': there was little space left for its file on the node',
    requested: stoppedBy === 'another client' ? ': another client asked for it' : ' (interrupted)',
    terminated: `: ${deletion ? deletedText(deletion) : 'the cluster ended the debug pod'}`,
    'tool-ended': `: the tool ended by itself (status ${toolStatus})`,
    'target-gone': ': the target is gone',
    lost: ': the capture container died; this is what it had written',
  };
  return `stopped after ${formatDuration((stoppedAt - startedAt) / 1000)}${why[ended]}`;
}
