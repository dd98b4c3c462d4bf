import { kubectlError } from '../cluster/kubectl-words.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { type EventOf, keepEvent, type SeenEvents } from '../node/events.ts';
import { ctlOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import type { Plan } from '../plan/plan.ts';
import { containerOf, deathOf } from './debug-pod.ts';
import { EarlyCopy } from './early-copy.ts';
import { followEvents } from './follow-events.ts';
import { nodeError } from './node-errors.ts';
import { patiently } from './patience.ts';
import { Progress } from './progress.ts';
import type { SessionContext } from './session-context.ts';
import { waitForStart } from './start.ts';

/** A recording that began, by the events of the node. */
export interface Recording {
  readonly seen: SeenEvents;
  readonly began: EventOf<'capturing'>;
  /** Absent when the capture container died before it could finish. */
  readonly end: EventOf<'end'> | undefined;
  /** Whether this command asked the node to stop. */
  readonly hasAsked: boolean;
  /** The connection for the file; absent where several recorders share the debug pod. */
  readonly early?: EarlyCopy;
}

/** A recorder that recorded nothing, and why. */
export interface NotRecorded {
  readonly plan: Plan;
  readonly error: unknown;
}

/** What one recorder came to. */
export type Recorder = { readonly plan: Plan; readonly recording: Recording } | NotRecorded;

/**
 * Waits for the pod and follows the events of all its recorders to their last ones. A recorder that recorded nothing has an
 * error; the others go on. Rejects where nothing is known of any of them. `isOver`: the course is not shown.
 */
export async function record(
  plans: readonly Plan[],
  collector: Collector,
  context: SessionContext,
  isOver: boolean,
): Promise<Recorder[]> {
  const { interrupts } = context;
  interrupts.stop.throwIfAborted();
  const seen = new Map<Plan, SeenEvents>(plans.map((plan) => [plan, {}]));
  const progress = new Progress(plans, collector, context);
  let hasAsked = false;
  let early: EarlyCopy | undefined;
  const over = new AbortController();
  const onStop = () => {
    // Before anything was captured there is nothing to finish: the session ends as by the second signal.
    if (![...seen.values()].some(({ capturing }) => capturing)) interrupts.receive('SIGINT');
    else {
      hasAsked = true;
      void requestStop(plans[0]!, over.signal, context);
    }
  };
  interrupts.stop.addEventListener('abort', onStop, { once: true });
  try {
    await waitForStart(plans[0]!, context);
    for await (const { plan, event } of followEvents(plans, context)) {
      if (!isOver) progress.show(event, plan);
      if (event.event === 'looked') void context.stacks?.looked(plan, event, context);
      if (event.event === 'stopping' && plans.length === 1 && !isOver)
        early ??= new EarlyCopy(plan, collector.artifact, context);
      keepEvent(seen.get(plan)!, event);
    }
  } catch (error) {
    early?.close();
    throw error;
  } finally {
    over.abort();
    interrupts.stop.removeEventListener('abort', onStop);
  }
  return Promise.all(
    plans.map(async (plan) => {
      const events = seen.get(plan)!;
      const { refused, capturing: began, end } = events;
      if (refused || !began) {
        early?.close();
        return { plan, error: await nothingRecorded(events, plan, collector, context) };
      }
      return { plan, recording: { seen: events, began, end, hasAsked, ...(early && { early }) } };
    }),
  );
}

/** Waits until all recorders record, or have refused, and returns those that do not record. Rejects if none of them records. */
export async function untilCapturing(
  plans: readonly Plan[],
  collector: Collector,
  context: SessionContext,
): Promise<NotRecorded[]> {
  await waitForStart(plans[0]!, context);
  const seen = new Map<Plan, SeenEvents>(plans.map((plan) => [plan, {}]));
  const progress = new Progress(plans, collector, context);
  for await (const { plan, event } of followEvents(plans, context)) {
    if (event.event !== 'capturing') progress.show(event, plan);
    if (event.event === 'looked') void context.stacks?.looked(plan, event, context);
    keepEvent(seen.get(plan)!, event);
    if ([...seen.values()].every(({ capturing, refused }) => capturing || refused)) break;
  }
  const missing = await Promise.all(
    [...seen]
      .filter(([, { capturing }]) => !capturing)
      .map(async ([plan, events]) => ({
        plan,
        error: await nothingRecorded(events, plan, collector, context),
      })),
  );
  if (missing.length === plans.length) throw missing[0]!.error;
  return missing;
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

/**
 * Asks the node to stop and to finish. `files` may be a moment behind `capture` when the pod has just started. `over`: the recording
 * has ended, and the node does not have to stop any more.
 */
async function requestStop(plan: Plan, over: AbortSignal, context: SessionContext): Promise<void> {
  const { cluster, log, interrupts } = context;
  log.line('stopping: the capture is being finished and downloaded (Ctrl-C again abandons it)');
  const signal = AbortSignal.any([interrupts.abandon, over]);
  const ask = async () => {
    const result = await cluster.exec(
      containerOf(plan, 'files'),
      request('stop', `${ctlOf(plan)}/stop`),
      signal,
    );
    if (result.exitCode !== 0) throw kubectlError(result);
  };
  try {
    await patiently(ask, { meanwhile: 'the capture goes on', signal }, context);
  } catch (error) {
    if (signal.aborted) return;
    log.warn(`the node could not be asked to stop (${reasonOf(error)}); the capture ends by its own limit`);
  }
}
