import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import type { Reached } from '../cluster/cluster.ts';
import { isOfKubectl, kubectlError } from '../cluster/kubectl-words.ts';
import type { Collector, RawFile } from '../collectors/collector.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { type EventOf, keepEvent, type SeenEvents } from '../node/events.ts';
import { OUT } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { baseName } from '../plan/artifact-name.ts';
import type { Plan } from '../plan/plan.ts';
import type { CpuCounters } from '../profile/counters.ts';
import type { StacksBy } from '../profile/unwinding.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import { cpuCounters } from './cpu-counters.ts';
import {
  abandonDebugPod,
  askIfGone,
  type CreatedPod,
  containerOf,
  createDebugPod,
  deathOf,
  removeDebugPod,
} from './debug-pod.ts';
import { type Announced, type Artifact, download } from './download.ts';
import { followEvents } from './follow-events.ts';
import { renewLease } from './lease.ts';
import { nodeError } from './node-errors.ts';
import { patiently } from './patience.ts';
import type { FoundSession } from './plan-of-pod.ts';
import { showEvent } from './progress.ts';
import type { SessionContext } from './session-context.ts';
import { waitForStart } from './start.ts';
import { type Deletion, deletionOf, type EndReason, type StoppedBy, stoppedBy } from './stopped-by.ts';
import { lookAtTarget, type TargetLook } from './target-changes.ts';

/** Why the recording is not whole: what happened to the tool on the node before it had written all of it. */
export type Cut = NonNullable<EventOf<'end'>['cut']>;
export type NoCgroups = NonNullable<EventOf<'end'>['no_cgroups']>;

/** What became of files that perf could not open by itself (collectors/perf/harvest.sh). */
export interface SymbolFiles {
  readonly copied: number;
  readonly bytes: number;
  /** Files that were not copied because of a limit, which `why` names; absent where no limit was reached. */
  readonly missed?: number;
  readonly why?: NonNullable<EventOf<'end'>['unharvested_why']>;
}

export interface SessionResult {
  /** The cluster, and the user by whose rights it was reached. */
  readonly reached: Reached;
  readonly artifact: Artifact;
  /** The artifact is what the tool wrote, and only the tool itself can read it. */
  readonly isRaw: boolean;
  readonly cut?: Cut;
  /** Processes whose files perf was not allowed to read, because they held it up (collectors/perf/perf.sh). */
  readonly unnamedProcesses: number;
  /** How the stacks of a profile were found; absent for packets. */
  readonly stacks?: StacksBy;
  /** Files of programs that were copied for perf, because it could not open them; absent where there were none. */
  readonly symbolFiles?: SymbolFiles;
  /** Why the samples of a node have no cgroups; absent if they have, and for other scopes. */
  readonly noCgroups?: NoCgroups;
  /** What the kernel counted for the target's CPU use during the capture; absent if it did not count. */
  readonly cpu?: CpuCounters;
  readonly ended: EndReason;
  readonly stoppedBy: StoppedBy;
  readonly deletion?: Deletion;
  /** The tool's exit status. */
  readonly toolStatus: number;
  /** By the node's clock, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly stoppedAt: number;
  readonly kernel: string;
  readonly toolVersion: string;
  /** The image as the node resolved it, with its digest. */
  readonly imageId: string;
  /** The last event with figures: packets, received, dropped. */
  readonly last: EventOf<'end'> | EventOf<'progress'> | undefined;
  /** What happened to the target during the capture, one phrase each. */
  readonly targetChanges: readonly string[];
  /** Why it is not known whether the target changed; absent if it is known. */
  readonly targetUnknown?: string;
  /** Settles when the debug pod's deletion was accepted; it does not hold up the result. */
  readonly removed: Promise<void>;
}

/**
 * The life of one debug pod: create, start, capture, stop, download, verify, delete. Whatever happens, the pod
 * is deleted, except where the node has a finished file that this computer could not take: then the error's hint
 * is the command that still gets it, and the pod ends by itself.
 */
export async function runSession(
  plan: Plan,
  collector: Collector,
  directory: string,
  context: SessionContext,
): Promise<SessionResult> {
  const { interrupts, log } = context;
  interrupts.stop.throwIfAborted();
  const pod = await createDebugPod(plan, collector, context);
  let working: Promise<Omit<SessionResult, 'removed'> | undefined> = Promise.resolve(undefined);
  try {
    if (plan.debugPod.install) {
      log.line(
        `no diagnostic image: installing ${collector.install} into ${plan.debugPod.image} on the node (--image avoids it)`,
      );
    }
    const work = recordAndDownload(plan, pod, collector, directory, context);
    working = work;
    // Not every call of the API can be ended: the second signal does not wait for any.
    const result = await unlessAborted(work, interrupts.abandon);
    const removed = removeDebugPod(plan, context);
    removed.catch(() => {}); // The command awaits it, after the result is out.
    return { ...result, removed };
  } catch (error) {
    log.end();
    const gone = isStillOnTheNode(error) ? await sayHowLong(plan, pod, context) : undefined;
    if (isStillOnTheNode(error) && gone === undefined) throw error;
    const [here] = await Promise.all([tidied(working), abandonDebugPod(plan, context)]);
    if (here) throw keptAfterAll(here.artifact, error);
    throw gone === undefined ? error : lostWith(plan, gone, error);
  }
}

/** What came of work that was given up: usually nothing, because it ends as soon as it has removed what it began. */
const tidied = <T>(work: Promise<T>): Promise<T | undefined> =>
  Promise.race([work.catch(() => undefined), delay(TIDY_MS, undefined, { ref: false })]);

/** The error of a user who gave up a moment too late: the file was verified and has its name. */
const keptAfterAll = ({ path }: Artifact, error: unknown): GkeprofError =>
  new GkeprofError(
    EXIT.incomplete,
    `${path} was recorded and verified, but processing it was interrupted`,
    undefined,
    error,
  );

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
 * verifies the file, and deletes the debug pod. If that fails or is interrupted, the pod is left as it was found, so that
 * the next command can try again. `isOver`: the recording has ended, and its course is not shown.
 */
export async function resumeSession(
  { plan, pod, collector }: FoundSession,
  directory: string,
  context: SessionContext,
  isOver: boolean,
): Promise<SessionResult> {
  const work = recordAndDownload(plan, pod, collector, directory, context, isOver);
  try {
    const result = await unlessAborted(work, context.interrupts.abandon);
    const removed = removeDebugPod(plan, context);
    removed.catch(() => {}); // The command awaits it, after the result is out.
    return { ...result, removed };
  } catch (error) {
    context.log.end();
    const gone = isStillOnTheNode(error) ? await sayHowLong(plan, pod, context) : undefined;
    const here = await tidied(work);
    if (here) throw keptAfterAll(here.artifact, error);
    throw gone === undefined ? error : lostWith(plan, gone, error);
  }
}

/**
 * Begins a session that goes on without this command: resolves as soon as the node records. The debug pod is deleted if it
 * does not come to that.
 */
export async function beginSession(plan: Plan, collector: Collector, context: SessionContext): Promise<void> {
  const { interrupts } = context;
  interrupts.stop.throwIfAborted();
  await createDebugPod(plan, collector, context);
  try {
    await unlessAborted(untilCapturing(plan, collector, context), interrupts.stop);
    context.log.end();
  } catch (error) {
    context.log.end();
    await abandonDebugPod(plan, context);
    throw error;
  }
}

async function untilCapturing(plan: Plan, collector: Collector, context: SessionContext): Promise<void> {
  await waitForStart(plan, context);
  const seen: SeenEvents = {};
  for await (const event of followEvents(plan, context)) {
    if (event.event === 'capturing') return;
    showEvent(event, seen, plan, collector, context);
    keepEvent(seen, event);
  }
  throw await nothingRecorded(seen, plan, collector, context);
}

/** In a debug pod that was created: the recording, then its file. */
async function recordAndDownload(
  plan: Plan,
  pod: CreatedPod,
  collector: Collector,
  directory: string,
  context: SessionContext,
  isOver = false,
): Promise<Omit<SessionResult, 'removed'>> {
  const recording = await record(plan, collector, context, isOver);
  const downloaded = await downloadRecording(recording, plan, pod, collector, directory, context, isOver);
  return resultOf(recording, downloaded, plan, collector, context);
}

/** A recording that began, by the events of the node. */
interface Recording {
  readonly seen: SeenEvents;
  readonly began: EventOf<'capturing'>;
  /** Absent when the capture container died before it could finish. */
  readonly end: EventOf<'end'> | undefined;
  /** Whether this command asked the node to stop. */
  readonly hasAsked: boolean;
}

/** Waits for the pod and follows its events to the last one. Rejects where nothing was recorded. */
async function record(
  plan: Plan,
  collector: Collector,
  context: SessionContext,
  isOver: boolean,
): Promise<Recording> {
  const { interrupts } = context;
  interrupts.stop.throwIfAborted();
  const seen: SeenEvents = {};
  let hasAsked = false;
  const onStop = () => {
    // Before anything was captured there is nothing to finish: the session ends as by the second signal.
    if (!seen.capturing) interrupts.receive('SIGINT');
    else {
      hasAsked = true;
      void requestStop(plan, context);
    }
  };
  interrupts.stop.addEventListener('abort', onStop, { once: true });
  try {
    await waitForStart(plan, context);
    for await (const event of followEvents(plan, context)) {
      if (!isOver) showEvent(event, seen, plan, collector, context);
      keepEvent(seen, event);
    }
  } finally {
    interrupts.stop.removeEventListener('abort', onStop);
  }
  const { refused, capturing: began, end } = seen;
  if (refused || !began) throw await nothingRecorded(seen, plan, collector, context);
  return { seen, began, end, hasAsked };
}

/** Why there is no recording: the node refused, or the container ended. */
async function nothingRecorded(
  { refused }: SeenEvents,
  plan: Plan,
  collector: Collector,
  { cluster }: SessionContext,
): Promise<GkeprofError> {
  if (refused) return nodeError(refused, plan, collector, cluster);
  return new GkeprofError(
    EXIT.tool,
    `the capture container ended before it captured anything: ${await deathOf(plan, cluster)}`,
    'check that the image has bash and the tools; image/Dockerfile builds an image that has them',
  );
}

/** Asks the node to stop and to finish. `files` may be a moment behind `capture` when the pod has just started. */
async function requestStop(plan: Plan, context: SessionContext): Promise<void> {
  const { cluster, log, interrupts } = context;
  log.line('stopping: the capture is being finished and downloaded (Ctrl-C again abandons it)');
  const ask = async () => {
    const result = await cluster.exec(containerOf(plan, 'files'), request('stop'), interrupts.abandon);
    if (result.exitCode !== 0) throw kubectlError(result);
  };
  try {
    await patiently(ask, { meanwhile: 'the capture goes on', signal: interrupts.abandon }, context);
  } catch (error) {
    if (interrupts.abandon.aborted) return;
    log.warn(`the node could not be asked to stop (${reasonOf(error)}); the capture ends by its own limit`);
  }
}

/** What is known when the file is here. */
interface Downloaded {
  readonly artifact: Artifact;
  readonly isRaw: boolean;
  readonly target: TargetLook;
  /** The debug pod as it was then; undefined where it could not be read. */
  readonly debugPod: V1Pod | undefined;
}

/** Downloads and verifies the file, and reads meanwhile what happened to the target and to the debug pod. */
async function downloadRecording(
  { seen, began, end }: Recording,
  plan: Plan,
  pod: CreatedPod,
  collector: Collector,
  directory: string,
  context: SessionContext,
  isOver: boolean,
): Promise<Downloaded> {
  const { interrupts, log } = context;
  const raw = collector.raw?.(began);
  const announced = end && (seen.artifact ?? nothingAnnounced(plan));
  const isUnfinished = announced === undefined || announced.file === raw?.file;
  const onLateStop = () =>
    log.line('finishing: the capture is being downloaded and verified (Ctrl-C again abandons it)');
  interrupts.stop.addEventListener('abort', onLateStop, { once: true });
  log.phase(`copying and verifying${announced ? ` ${formatBytes(announced.bytes)}` : ''}`);
  const isHere = new AbortController();
  const enough = new AbortController();
  // The node keeps the files as long as this client downloads.
  const keptMs = plan.limits.keepSeconds * 1000;
  const everyMs = Math.min(60_000, keptMs / 3);
  // Of a file that has waited for a while, the node may soon be done with waiting.
  const isLate = isOver || (end !== undefined && context.now() - end.t > keptMs / 10);
  const until = AbortSignal.any([isHere.signal, interrupts.abandon]);
  void renewLease(plan, everyMs, context, until, isLate ? 0 : everyMs);
  const fetchFile = async () =>
    download(
      announced ?? (await salvaged(plan, raw, context)),
      { ...containerOf(plan, 'files'), ...(pod.uid !== undefined && { uid: pod.uid }) },
      {
        directory,
        base: baseName(plan.node, began.t, collector.scopeName(plan)),
        ending: isUnfinished && raw ? raw.ending : collector.ending,
      },
      context,
    );
  const over = AbortSignal.any([enough.signal, interrupts.abandon]);
  const looks = Promise.all([
    isOver ? UNSEEN : lookAtTarget(plan, context, over),
    lookAtDebugPod(plan, context, over),
  ]);
  try {
    const artifact = await fetchFile();
    // The file is here: what else is to be known of the API server may delay it only for a moment.
    void context.sleep(LOOK_MS, isHere.signal).then(
      () => enough.abort(),
      () => {},
    );
    const [target, debugPod] = await looks;
    const isRaw = isUnfinished && (raw?.isOpaque ?? true);
    return { artifact, isRaw, target, debugPod };
  } finally {
    isHere.abort();
    enough.abort();
    interrupts.stop.removeEventListener('abort', onLateStop);
  }
}

/** What happened since the recording ended would be taken for something that happened during it. */
const UNSEEN: TargetLook = {
  changes: [],
  unknown: 'nobody looked at it when the recording ended, because the file was collected later',
};

/** How long a file that is here waits for the second look at the target and at the debug pod, in milliseconds. */
const LOOK_MS = 10_000;

/** The debug pod as it is now; undefined if the API server does not show it. */
const lookAtDebugPod = (
  { debugPod: { namespace, name } }: Plan,
  context: SessionContext,
  until: AbortSignal,
): Promise<V1Pod | undefined> =>
  patiently(
    () => context.cluster.readPod(namespace, name),
    { meanwhile: 'the file is copied', until },
    context,
  ).catch(() => undefined);

function nothingAnnounced({ node }: Plan): never {
  throw new GkeprofError(EXIT.incomplete, `node ${node} finished the capture, but announced no file`);
}

/** The capture container died before it finished: the file that its tool wrote so far. Rejects where there is none. */
async function salvaged(plan: Plan, raw: RawFile | undefined, context: SessionContext): Promise<Announced> {
  const { cluster, interrupts } = context;
  const death = await deathOf(plan, cluster);
  const look = async (file: string) => {
    const answer = await cluster.exec(containerOf(plan, 'files'), request('salvage', `${OUT}/${file}`));
    if (isOfKubectl(answer)) throw kubectlError(answer);
    return answer;
  };
  const patience = { meanwhile: 'what was recorded stays on the node', signal: interrupts.abandon };
  const found = raw && (await patiently(() => look(raw.file), patience, context));
  const [bytes, sum] = Buffer.from(found?.stdout ?? '')
    .toString('utf8')
    .trim()
    .split(/\s+/);
  if (raw && found?.exitCode === 0 && Number(bytes))
    return { file: raw.file, bytes: Number(bytes), sha256: sum ?? '' };
  throw new GkeprofError(
    EXIT.tool,
    `the capture container died on the node, and nothing is left of the capture: ${death}`,
  );
}

function symbolFilesOf(end: EventOf<'end'> | undefined): Pick<SessionResult, 'symbolFiles'> {
  const {
    harvested: copied = 0,
    harvested_bytes: bytes = 0,
    unharvested: missed,
    unharvested_why: why,
  } = end ?? {};
  if (!copied && !why) return {};
  return { symbolFiles: { copied, bytes, ...(why && { missed: missed ?? 0, why }) } };
}

/** What the events, the downloaded file and the API say together. */
function resultOf(
  { seen, began, end, hasAsked }: Recording,
  { artifact, isRaw, target, debugPod }: Downloaded,
  plan: Plan,
  collector: Collector,
  { cluster }: SessionContext,
): Omit<SessionResult, 'removed'> {
  const ended: EndReason = end?.reason ?? 'lost';
  const deletion = deletionOf(debugPod);
  const cpu = cpuCounters(end, plan.target);
  const stacks = collector.stacks?.(began, plan);
  const capture = debugPod?.status?.containerStatuses?.find((each) => each.name === 'capture');
  return {
    reached: cluster.reached,
    artifact,
    isRaw,
    ...(end?.cut && { cut: end.cut }),
    unnamedProcesses: end?.unnamed ?? 0,
    ...(stacks && { stacks }),
    ...symbolFilesOf(end),
    ...(end?.no_cgroups && { noCgroups: end.no_cgroups }),
    ...(cpu && { cpu }),
    ended,
    stoppedBy: stoppedBy(ended, hasAsked, deletion),
    ...(deletion && { deletion }),
    toolStatus: end?.status ?? 0,
    startedAt: began.t,
    stoppedAt: end?.stopped ?? (seen.progress ?? began).t,
    kernel: seen.hello?.kernel ?? '',
    toolVersion: seen.tool?.version ?? '',
    imageId: capture?.imageID ?? '',
    last: end ?? seen.progress,
    targetChanges: target.changes,
    ...(target.unknown !== undefined && { targetUnknown: target.unknown }),
  };
}
