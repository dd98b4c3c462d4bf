import { setTimeout as delay } from 'node:timers/promises';
import type { Collector } from '../collectors/collector.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import type { Plan } from '../plan/plan.ts';
import { formatDuration } from '../text/quantity.ts';
import { downloadRecording } from './collect.ts';
import { abandonDebugPod, askIfGone, type CreatedPod, createDebugPod, removeDebugPod } from './debug-pod.ts';
import type { FoundSession } from './plan-of-pod.ts';
import { type NotRecorded, type Recorder, record, untilCapturing } from './recording.ts';
import { resultOf, type SessionResult } from './result.ts';
import type { SessionContext } from './session-context.ts';
import { sessionLine } from './session-list.ts';

/** What one recorder of a session came to: a verified file, or the reason why it has no file. */
export type Outcome =
  | { readonly plan: Plan; readonly result: SessionResult }
  | { readonly plan: Plan; readonly error: unknown };

/**
 * The life of one debug pod: create, start, capture, stop, download, verify, delete. Whatever happens, the pod
 * is deleted, except where the node has a finished file that this computer could not take: then the error's hint
 * has the command that still gets it.
 *
 * A recorder that fails takes nothing from the others: its outcome is its error. Rejects where the whole pod fails, so that
 * nothing is known of any recorder.
 */
export async function runSession(
  plans: readonly Plan[],
  collector: Collector,
  directory: string,
  context: SessionContext,
): Promise<Outcome[]> {
  const { interrupts, log } = context;
  const plan = plans[0]!;
  interrupts.stop.throwIfAborted();
  const pod = await createDebugPod(plans, collector, context);
  let working: Promise<Collected[] | undefined> = Promise.resolve(undefined);
  try {
    if (plan.debugPod.install) {
      log.line(
        `no diagnostic image: installing ${collector.install} into ${plan.debugPod.image} on the node (--image avoids it)`,
      );
    }
    const work = recordAndDownload(plans, pod, collector, directory, context);
    working = work;
    // Not every call of the API can be ended: the second signal does not wait for any.
    const collected = await unlessAborted(work, interrupts.abandon);
    const isLeft = collected.some((each) => 'error' in each && isStillOnTheNode(each.error));
    if (collected.some((each) => 'error' in each)) log.end();
    const gone = isLeft ? await sayHowLong(plan, pod, context) : undefined;
    if (isLeft && gone === undefined) return outcomesOf(collected, Promise.resolve());
    const isNothing = collected.every((each) => 'error' in each);
    if (isNothing) await abandonDebugPod(plan, context);
    return outcomesOf(collected, isNothing ? Promise.resolve() : removeDebugPod(plan, context), gone);
  } catch (error) {
    log.end();
    const [here, isGone] = await Promise.all([tidied(working), abandonDebugPod(plan, context)]);
    if (!isGone) {
      const { session, debugPod } = plan;
      const line = sessionLine('attach', session.id, debugPod.namespace, context.cluster);
      log.hint(`if it still records, this goes on with it: ${line}`);
    }
    throw keptAfterAll(here) ?? error;
  }
}

/** What came of work that was given up: usually nothing, because it ends as soon as it has removed what it began. */
const tidied = <T>(work: Promise<T>): Promise<T | undefined> =>
  Promise.race([work.catch(() => undefined), delay(TIDY_MS, undefined, { ref: false })]);

/** The error of a user who gave up a moment too late: these files were verified and have their names. */
function keptAfterAll(collected: readonly Collected[] = []): GkeprofError | undefined {
  const paths = collected.flatMap((each) => ('result' in each ? [each.result.artifact.path] : []));
  if (paths.length === 0) return undefined;
  const [were, them] = paths.length === 1 ? ['was', 'it'] : ['were', 'them'];
  return new GkeprofError(
    EXIT.incomplete,
    `${paths.join(', ')} ${were} recorded and verified, but processing ${them} was interrupted`,
  );
}

/** The result of a session that has one recorder. Throws the reason if it has no file. */
export function onlyResult([only]: readonly Outcome[]): SessionResult {
  if ('error' in only!) throw only.error;
  return only!.result;
}

/** What one recorder came to, before it is known what becomes of the debug pod. */
type Collected =
  | { readonly plan: Plan; readonly result: Omit<SessionResult, 'removed'> }
  | { readonly plan: Plan; readonly error: unknown; readonly isRecorded: boolean };

/** `gone`: why the files that could not be copied are lost. */
function outcomesOf(collected: readonly Collected[], removed: Promise<void>, gone?: string): Outcome[] {
  removed.catch(() => {}); // The command awaits it, after the result is out.
  return collected.map((each) => {
    const { plan } = each;
    if (!('error' in each)) return { plan, result: { ...each.result, removed } };
    const isLost = gone !== undefined && isStillOnTheNode(each.error);
    return { plan, error: isLost ? lostWith(plan, gone, each.error) : each.error };
  });
}

/** How long the error waits for the API server to say whether the debug pod still has the file, in milliseconds. */
const CHECK_MS = 5000;

/**
 * Says how long the debug pod keeps a file that could not be copied, unless it is gone: then the result is why. A promise
 * is made only after the API server has shown the pod.
 */
async function sayHowLong(plan: Plan, pod: CreatedPod, context: SessionContext): Promise<string | undefined> {
  const { interrupts, log, sleep } = context;
  const name = `${pod.namespace}/${pod.name}`;
  const kept = `keeps the file for ${formatDuration(plan.limits.keepSeconds)}, then it stops by itself`;
  const answered = new AbortController();
  const until = new AbortController();
  const { next } = interrupts;
  void sleep(CHECK_MS, AbortSignal.any(next.aborted ? [answered.signal] : [answered.signal, next]))
    .catch(() => {})
    .then(() => until.abort());
  try {
    const patience = { meanwhile: 'the file stays on the node', boundMs: CHECK_MS, until: until.signal };
    const gone = await askIfGone(pod, patience, context);
    if (gone === undefined) log.warn(`the debug pod ${name} ${kept}`);
    return gone;
  } catch (error) {
    log.warn(
      `it is not known whether the debug pod ${name} still has the file (${reasonOf(error)}): unless somebody deletes the pod, it ${kept}`,
    );
    return undefined;
  } finally {
    answered.abort();
  }
}

/** The error for a file that was lost with its debug pod: there is no command that still gets it. */
const lostWith = (plan: Plan, why: string, error: unknown): GkeprofError =>
  clusterError(
    `${reasonOf(error)}; the debug pod ${plan.debugPod.namespace}/${plan.debugPod.name} is gone (${why}), and with it the file`,
    undefined,
    error,
  );

/** How long a copy that was given up may take to remove what it began. */
const TIDY_MS = 1500;

const isStillOnTheNode = (error: unknown): boolean =>
  error instanceof GkeprofError && error.code === EXIT.incomplete;

/**
 * Goes on with a session that another command began, and that may have ended long ago: follows it to its end, downloads and
 * verifies the files, and deletes the debug pod. If a file could not be taken, or if that is interrupted, the pod is left as
 * it was found, so that the next command can try again. `isOver`: the recording has ended, and its course is not shown.
 */
export async function resumeSession(
  { plan, plans, pod, collector }: FoundSession,
  directory: string,
  context: SessionContext,
  isOver: boolean,
): Promise<Outcome[]> {
  const { interrupts, log } = context;
  const work = recordAndDownload(plans, pod, collector, directory, context, isOver);
  try {
    const collected = await unlessAborted(work, interrupts.abandon);
    const failed = collected.filter((each) => 'error' in each);
    if (failed.length > 0) log.end();
    const isLeft = failed.some(({ error }) => isStillOnTheNode(error));
    const gone = isLeft ? await sayHowLong(plan, pod, context) : undefined;
    const isDone = failed.length < collected.length && failed.every(({ isRecorded }) => !isRecorded);
    return outcomesOf(collected, isDone ? removeDebugPod(plan, context) : Promise.resolve(), gone);
  } catch (error) {
    log.end();
    throw keptAfterAll(await tidied(work)) ?? error;
  }
}

/**
 * Begins a session that goes on without this command: resolves as soon as the node records, with the recorders that do not.
 * The debug pod is deleted if none of them records.
 */
export async function beginSession(
  plans: readonly Plan[],
  collector: Collector,
  context: SessionContext,
): Promise<NotRecorded[]> {
  const { interrupts } = context;
  interrupts.stop.throwIfAborted();
  await createDebugPod(plans, collector, context);
  try {
    const missing = await unlessAborted(untilCapturing(plans, collector, context), interrupts.stop);
    context.log.end();
    return missing;
  } catch (error) {
    context.log.end();
    await abandonDebugPod(plans[0]!, context);
    throw error;
  }
}

/** So many files are copied at a time: a copy is a few short processes of kubectl, which wait most of the time. */
const COPIES = 3;

/** In a debug pod that was created: the recordings, then their files. */
async function recordAndDownload(
  plans: readonly Plan[],
  pod: CreatedPod,
  collector: Collector,
  directory: string,
  context: SessionContext,
  isOver = false,
): Promise<Collected[]> {
  const recorders = await record(plans, collector, context, isOver);
  const collected: Collected[] = [];
  const waiting = [...recorders.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [at, recorder] = next;
      collected[at] = await collect(recorder, pod, collector, directory, context, isOver);
    }
  };
  await Promise.all(Array.from({ length: Math.min(COPIES, recorders.length) }, work));
  return collected;
}

async function collect(
  recorder: Recorder,
  pod: CreatedPod,
  collector: Collector,
  directory: string,
  context: SessionContext,
  isOver: boolean,
): Promise<Collected> {
  const { plan } = recorder;
  if ('error' in recorder) return { plan, error: recorder.error, isRecorded: false };
  const { recording } = recorder;
  try {
    const downloaded = await downloadRecording(recording, plan, pod, collector, directory, context, isOver);
    return { plan, result: resultOf(recording, downloaded, plan, collector, context.cluster) };
  } catch (error) {
    return { plan, error, isRecorded: true };
  }
}
