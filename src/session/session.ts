import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, ContainerRef, Reached } from '../cluster/cluster.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, GkeprofError } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { type EventOf, keepEvent, type NodeEvent, type SeenEvents } from '../node/events.ts';
import { OUT } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { leftText, secondsLeft } from '../output/live.ts';
import type { Log } from '../output/log.ts';
import { baseName } from '../plan/artifact-name.ts';
import { boundSeconds, type Plan } from '../plan/plan.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import { type CpuCounters, cpuCounters } from './cpu-counters.ts';
import { abandonDebugPod, createDebugPod, deathOf, removeDebugPod, type World } from './debug-pod.ts';
import { type Artifact, download } from './download.ts';
import { followEvents } from './follow-events.ts';
import { nodeError } from './node-errors.ts';
import { waitForStart } from './start.ts';
import { type Deletion, deletionOf, type EndReason, type StoppedBy, stoppedBy } from './stopped-by.ts';
import { targetChanges } from './target-changes.ts';

/** Why the recording is not whole: what the tool on the node came to before it had written all of it. */
export type Cut = NonNullable<EventOf<'end'>['cut']>;

export interface SessionResult {
  /** Where it was, and as whom. */
  readonly reached: Reached;
  readonly artifact: Artifact;
  /** The artifact is what the tool wrote, before anything was made of it on the node. */
  readonly isRaw: boolean;
  readonly cut?: Cut;
  /** Processes whose files perf was not let read, because they held it up (collectors/perf/perf.sh). */
  readonly unnamedProcesses: number;
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
  /** The last event's figures: packets, received, dropped. */
  readonly last: EventOf<'end'> | EventOf<'progress'> | undefined;
  /** What became of the target meanwhile, one phrase each. */
  readonly targetChanges: readonly string[];
  /** Settles when the debug pod's deletion was accepted; it does not hold up the result. */
  readonly removed: Promise<void>;
}

/**
 * The life of one debug pod: create, start, capture, stop, collect, verify, delete. Whatever happens, the pod
 * is deleted, except where the node has a finished file that the laptop could not take: then the error's hint
 * is the command that still gets it, and the pod ends by itself.
 */
export async function runSession(
  plan: Plan,
  collector: Collector,
  directory: string,
  world: World,
): Promise<SessionResult> {
  const { interrupts, log } = world;
  const { namespace, name } = plan.debugPod;
  interrupts.stop.throwIfAborted();
  await createDebugPod(plan, collector, world);
  let capturing: Promise<unknown> = Promise.resolve();
  try {
    if (plan.debugPod.install) {
      log.line(
        `no diagnostic image: installing ${collector.install} into ${plan.debugPod.image} on the node (--image avoids it)`,
      );
    }
    const work = capture(plan, collector, directory, world);
    capturing = work;
    // Whatever it waits for: not every call of the API can be ended.
    const result = await unlessAborted(work, interrupts.abandon);
    const removed = removeDebugPod(plan, world, 30_000);
    removed.catch(() => {}); // The command awaits it, after the result is out.
    return { ...result, removed };
  } catch (error) {
    log.end();
    if (stillOnTheNode(error)) {
      log.line(
        `the debug pod ${namespace}/${name} keeps it for ${formatDuration(plan.limits.keepSeconds)}, then ends by itself`,
      );
      throw error;
    }
    const tidied = Promise.race([capturing.catch(() => {}), delay(TIDY_MS, undefined, { ref: false })]);
    await Promise.all([abandonDebugPod(plan, world), tidied]);
    throw error;
  }
}

/** How long a copy that was given up may take to remove what it began. */
const TIDY_MS = 1500;

const stillOnTheNode = (error: unknown): boolean =>
  error instanceof GkeprofError && error.code === EXIT.incomplete;

async function capture(
  plan: Plan,
  collector: Collector,
  directory: string,
  world: World,
): Promise<Omit<SessionResult, 'removed'>> {
  const { cluster, interrupts, log, sleep } = world;
  const files: ContainerRef = {
    namespace: plan.debugPod.namespace,
    pod: plan.debugPod.name,
    container: 'files',
  };
  interrupts.stop.throwIfAborted();
  const seen: SeenEvents = {};
  let hasAsked = false;
  const onStop = () => {
    // Before anything was captured there is nothing to finish: the second signal's way at once.
    if (!seen.capturing) interrupts.receive('SIGINT');
    else {
      hasAsked = true;
      void requestStop(cluster, files, world);
    }
  };
  interrupts.stop.addEventListener('abort', onStop, { once: true });
  try {
    await waitForStart(plan, {
      cluster,
      signal: interrupts.stop,
      say: (text) => log.line(text),
      sleep,
      now: world.now,
    });
    const signal = interrupts.abandon;
    const events = followEvents(plan, {
      cluster,
      signal,
      sleep,
      now: world.now,
      say: (text) => log.line(text),
    });
    for await (const event of events) {
      report(event, seen, plan, collector, log);
      keepEvent(seen, event);
    }
  } finally {
    interrupts.stop.removeEventListener('abort', onStop);
  }
  const { refused, capturing: began, end } = seen;
  if (refused) throw await nodeError(refused, plan, collector, cluster, files);
  if (!began) {
    throw new GkeprofError(
      EXIT.tool,
      `the capture container ended before it captured anything: ${await deathOf(plan, cluster)}`,
      'does the image have bash and the tools? image/Dockerfile builds one that has',
    );
  }
  const { artifact: announced } = seen;
  const isRaw = end === undefined || announced?.file === collector.raw?.file;
  const ending = isRaw && collector.raw ? collector.raw.ending : collector.ending;
  const startedAt = began.t;
  const base = baseName(plan.node, startedAt, collector.scopeName(plan));
  const collecting = {
    cluster,
    from: files,
    signal: interrupts.abandon,
    progress: (done: number, whole: number, perSecond: number) =>
      log.figures(...copyingParts(done, whole, perSecond)),
    sleep,
  };
  const onLateStop = () =>
    log.line('finishing: the capture is being copied and verified (again to abandon it)');
  interrupts.stop.addEventListener('abort', onLateStop, { once: true });
  log.phase(`copying and verifying${end && announced ? ` ${formatBytes(announced.bytes)}` : ''}`);
  const collected = new AbortController();
  void renewLease(plan, files, world, AbortSignal.any([collected.signal, interrupts.abandon]));
  const [artifact, changes, debugPod] = await Promise.all([
    end
      ? download(announced ?? nothingAnnounced(plan), directory, base, ending, collecting)
      : salvage(plan, collector, directory, base, collecting),
    targetChanges(plan, cluster),
    cluster.readPod(plan.debugPod.namespace, plan.debugPod.name).catch(() => undefined),
  ]).finally(() => {
    collected.abort();
    interrupts.stop.removeEventListener('abort', onLateStop);
  });
  const ended: EndReason = end?.reason ?? 'lost';
  const deletion = deletionOf(debugPod);
  const cpu = cpuCounters(end);
  return {
    reached: cluster.reached,
    artifact,
    isRaw,
    ...(end?.cut && { cut: end.cut }),
    unnamedProcesses: end?.unnamed ?? 0,
    ...(cpu && { cpu }),
    ended,
    stoppedBy: stoppedBy(ended, hasAsked, deletion),
    ...(deletion && { deletion }),
    toolStatus: end?.status ?? 0,
    startedAt,
    stoppedAt: end?.stopped ?? (seen.progress ?? began).t,
    kernel: seen.hello?.kernel ?? '',
    toolVersion: seen.tool?.version ?? '',
    imageId: debugPod?.status?.containerStatuses?.find((each) => each.name === 'capture')?.imageID ?? '',
    last: end ?? seen.progress,
    targetChanges: changes,
  };
}

function report(event: NodeEvent, seen: SeenEvents, plan: Plan, collector: Collector, log: Log): void {
  log.trace(`node: ${eventText(event)}`, 2);
  switch (event.event) {
    case 'installing':
      log.phase('installing the tools on the node');
      break;
    case 'capturing':
      log.phase(
        `capturing for ${formatDuration(plan.limits.durationSeconds)}; without this client the pod ends within ${formatDuration(boundSeconds(plan))}`,
      );
      break;
    case 'progress':
      log.figures(...capturingParts(event, seen, plan, collector));
      break;
    case 'stopping':
      log.phase('finishing on the node');
      break;
  }
}

/** How long, how long yet (by whichever limit comes first), then what the collector counts. */
function capturingParts(
  event: EventOf<'progress'>,
  seen: SeenEvents,
  { limits, capture }: Plan,
  collector: Collector,
): string[] {
  const seconds = Math.max(0, (event.t - (seen.capturing?.t ?? event.t)) / 1000);
  const left = secondsLeft(seconds, [
    { done: seconds, whole: limits.durationSeconds },
    { done: event.bytes, whole: limits.maxBytes },
    { done: event.packets ?? 0, whole: capture.collector === 'tcpdump' ? capture.count : 0 },
  ]);
  return [
    `capturing ${formatDuration(Math.floor(seconds))} of ${formatDuration(limits.durationSeconds)}`,
    ...leftText(left),
    ...collector.progress(event, seen.progress),
  ];
}

const copyingParts = (done: number, whole: number, perSecond: number): string[] => [
  `copying ${formatBytes(done)} of ${formatBytes(whole)}`,
  ...leftText(perSecond > 0 ? (whole - done) / perSecond : undefined),
  `${formatBytes(Math.round(perSecond))}/s`,
];

/** An event with what it says, for a closer look. */
const eventText = ({ seq, t, event, ...rest }: NodeEvent): string =>
  `${new Date(t).toISOString()} #${seq} ${event} ${Object.entries(rest)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}`.trimEnd();

function nothingAnnounced({ node }: Plan): never {
  throw new GkeprofError(EXIT.incomplete, `node ${node} finished the capture, but announced no file`);
}

/** Asks the node to stop and to finish. `files` may be a moment behind `capture` when the pod has just started. */
async function requestStop(cluster: Cluster, files: ContainerRef, world: World): Promise<void> {
  world.log.line('stopping: the capture is being finished and collected (again to abandon it)');
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    const result = await cluster
      .exec(files, request('stop'), world.interrupts.abandon)
      .catch(() => undefined);
    if (result?.exitCode === 0 || world.interrupts.abandon.aborted) return;
    await world.sleep(300);
  }
  world.log.warn('the node could not be asked to stop; the capture ends by its own limit');
}

/**
 * As long as this client collects, the node keeps the files: `files` ends when nobody renewed for `--keep`
 * (node/files.sh). What cannot be renewed is no error here; the copy will say what is wrong.
 */
async function renewLease(plan: Plan, files: ContainerRef, world: World, until: AbortSignal): Promise<void> {
  const everyMs = Math.min(60_000, (plan.limits.keepSeconds * 1000) / 3);
  while (!until.aborted) {
    await world.sleep(everyMs, until).catch(() => {});
    if (!until.aborted) await world.cluster.exec(files, request('lease'), until).catch(() => {});
  }
}

/** The capture container died before it finished: what its tool wrote so far, if that is worth anything. */
async function salvage(
  plan: Plan,
  collector: Collector,
  directory: string,
  base: string,
  collecting: Parameters<typeof download>[4],
): Promise<Artifact> {
  const { cluster, from } = collecting;
  const death = await deathOf(plan, cluster);
  const raw = collector.raw;
  const found = raw && (await cluster.exec(from, request('salvage', `${OUT}/${raw.file}`)));
  const [bytes, sum] = Buffer.from(found?.stdout ?? '')
    .toString('utf8')
    .trim()
    .split(/\s+/);
  if (!raw || found?.exitCode !== 0 || !Number(bytes)) {
    throw new GkeprofError(
      EXIT.tool,
      `the capture container died on the node, and nothing is left of the capture: ${death}`,
    );
  }
  return download(
    { file: raw.file, bytes: Number(bytes), sha256: sum ?? '' },
    directory,
    base,
    raw.ending,
    collecting,
  );
}
