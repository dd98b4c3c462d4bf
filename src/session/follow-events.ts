import type { Cluster } from '../cluster/cluster.ts';
import { kubectlError, refusalOf } from '../cluster/kubectl-words.ts';
import { clusterError } from '../errors.ts';
import { EventReader, LineSplitter, type NodeEvent, nonceOf } from '../node/events.ts';
import { outOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { boundSeconds, captureSeconds, type Plan } from '../plan/plan.ts';
import { notReady } from '../plan/target.ts';
import { printable } from '../text/printable.ts';
import { formatDuration } from '../text/quantity.ts';
import { containerOf, deletedByAnother, readIfThere } from './debug-pod.ts';
import { PATIENCE_MS, patiently } from './patience.ts';
import type { SessionContext } from './session-context.ts';

const SILENCE_MS = 12_000;
const RECONNECT_MS = 500;
const LAST_TRIES = 10;
/** How many lines that are not events are shown: the shell's complaints are few, and a flood helps nobody. */
const MOST_FOREIGN = 50;

const isLast = (event: NodeEvent): boolean => event.event === 'end' || event.event === 'refused';

/** An event, and the plan of the recorder that it is of. */
export interface RecorderEvent {
  readonly plan: Plan;
  readonly event: NodeEvent;
}

/**
 * The events of a session in order, each once, up to the last one of each recorder. They come from the container's log, in
 * which the nonces tell whose they are; when the log is silent, ends early or has a gap, the same events are read from each
 * recorder's events.jsonl through `files`. Returns without a last event if the capture container ended without one, because
 * it was killed.
 */
export async function* followEvents(
  plans: readonly Plan[],
  context: SessionContext,
): AsyncGenerator<RecorderEvent> {
  const { cluster, log, sleep } = context;
  const signal = context.interrupts.abandon;
  const first = plans[0]!;
  const isOver = overAsker(first, context);
  const readers = new Map(plans.map((plan) => [plan, new EventReader(plan.session.nonce)]));
  const open = new Set<Plan>(plans);
  const readFile = async (plan: Plan, tries = 1): Promise<string[]> => {
    const words = request('events', `${outOf(plan)}/events.jsonl`);
    const ask = () => cluster.exec(containerOf(plan, 'files'), words, signal);
    const askLast = async () => {
      const answer = await ask();
      const refusal = answer.exitCode === 0 ? undefined : refusalOf(answer.stderr);
      if (refusal === undefined) return answer;
      throw refusal.includes('(NotFound)')
        ? deletedByAnother(plan, 'during the capture')
        : kubectlError(answer);
    };
    const patience = { meanwhile: 'the capture stays on the node', signal };
    const result = tries === 1 ? await ask() : await patiently(askLast, patience, context);
    if (result.exitCode === 0) return Buffer.from(result.stdout).toString('utf8').split('\n').filter(Boolean);
    signal.throwIfAborted();
    if (tries === 1) return [];
    await sleep(RECONNECT_MS, signal);
    // A server that is away is waited for as long as everywhere; the tries are those that it could have answered.
    await isOver();
    return readFile(plan, tries - 1);
  };
  /** The new events among the lines; a gap in the log is filled from the file before going on. */
  async function accept(lines: readonly string[]): Promise<RecorderEvent[]> {
    const events: RecorderEvent[] = [];
    for (const line of lines) {
      const plan = planOf(line, plans);
      const reader = readers.get(plan)!;
      let reading = reader.read(line);
      if (reading.kind === 'gap') {
        events.push(...fromFile(plan, await readFile(plan)));
        reading = reader.read(line);
      }
      if (reading.kind === 'event') events.push({ plan, event: reading.event });
      else if (reading.kind === 'foreign') sayForeign(reading.text);
    }
    return events;
  }
  let foreign = 0;
  function sayForeign(text: string): void {
    foreign += 1;
    if (foreign <= MOST_FOREIGN) log.line(`node: ${text}`);
    else if (foreign === MOST_FOREIGN + 1)
      log.line('the node prints more lines that are not events; they are not shown');
  }
  function fromFile(plan: Plan, lines: readonly string[]): RecorderEvent[] {
    return lines
      .map((line) => readers.get(plan)!.read(line))
      .flatMap((each) => (each.kind === 'event' ? [{ plan, event: each.event }] : []));
  }
  /** The new events in the files of all recorders that have not ended. */
  async function fromFiles(tries?: number): Promise<RecorderEvent[]> {
    const events: RecorderEvent[] = [];
    for (const plan of open) events.push(...fromFile(plan, await readFile(plan, tries)));
    return events;
  }
  /** Whether all recorders have ended, with these events. */
  function isEnd(events: readonly RecorderEvent[]): boolean {
    for (const { plan, event } of events) if (isLast(event)) open.delete(plan);
    return open.size === 0;
  }
  const silence = new Silence(first, isOver, context);
  for (;;) {
    signal.throwIfAborted();
    for await (const lines of logLines(first, context)) {
      const events = lines === 'silence' ? await fromFiles() : await accept(lines);
      yield* events;
      if (isEnd(events)) return;
      if (lines !== 'silence' || events.length) silence.isOver();
      else if (await silence.isForEver()) break;
    }
    const ended = await isOver();
    // Events that are not read now are lost, so this is tried several times: one failed exec must not cost a whole capture.
    const events = await fromFiles(ended ? LAST_TRIES : 1);
    yield* events;
    if (isEnd(events) || ended) return;
    await sleep(RECONNECT_MS, signal);
  }
}

/** The plan of the recorder that printed a line; the first one for what no recorder printed. */
function planOf(line: string, plans: readonly Plan[]): Plan {
  const nonce = plans.length > 1 ? nonceOf(line) : undefined;
  return plans.find(({ session }) => session.nonce === nonce) ?? plans[0]!;
}

/**
 * Judges a time in which neither the log nor the file brings an event. A node that is cut off keeps every stream open and
 * sends nothing, and the API shows its pods as they were before.
 */
class Silence {
  readonly #plan: Plan;
  readonly #isOver: () => Promise<boolean>;
  readonly #context: SessionContext;
  #since: number;
  #said = false;

  constructor(plan: Plan, isOver: () => Promise<boolean>, context: SessionContext) {
    this.#plan = plan;
    this.#isOver = isOver;
    this.#context = context;
    this.#since = context.now();
  }

  isOver(): void {
    this.#since = this.#context.now();
    this.#said = false;
  }

  /** True if the container has ended. Rejects if it must have ended by the node's own timers, but the API does not know. */
  async isForEver(): Promise<boolean> {
    const { cluster, now, log } = this.#context;
    if (await this.#isOver()) return true;
    const node = await cluster.readNode(this.#plan.node).catch(() => undefined);
    const problem = node && notReady(node);
    if (problem && !this.#said) {
      this.#said = true;
      log.line(`${problem}; waiting for it (press Ctrl-C twice to give up)`);
    }
    const seconds = (now() - this.#since) / 1000;
    if (seconds <= captureSeconds(this.#plan)) return false;
    throw clusterError(
      `nothing was heard from node "${this.#plan.node}" for ${formatDuration(seconds)}${problem ? `: ${problem}` : ''}`,
      `kubectl describe node ${this.#plan.node}`,
    );
  }
}

/** The lines of the log as they come, and 'silence' when nothing came for a while. Ends with the log. */
async function* logLines(
  plan: Plan,
  { cluster, interrupts }: SessionContext,
): AsyncGenerator<string[] | 'silence'> {
  const signal = interrupts.abandon;
  const stream = cluster.followLogs(containerOf(plan, 'capture'));
  const splitter = new LineSplitter();
  const chunks = stream.chunks[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  try {
    let next = chunks.next();
    next.catch(() => {});
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const silence = new Promise<'silence'>((resolve) => {
        timer = setTimeout(() => resolve('silence'), SILENCE_MS);
      });
      const got = await Promise.race([next, silence, aborted]).finally(() => clearTimeout(timer));
      if (got === 'silence') {
        yield 'silence';
        continue;
      }
      if (got.done) break;
      yield splitter.push(got.value);
      next = chunks.next();
      next.catch(() => {});
    }
    yield splitter.end();
  } finally {
    stream.kill();
    await stream.ended.catch(() => {});
  }
}

/**
 * Asks whether the capture container has ended. A recording goes on without the API server, so one that is away, or a laptop
 * without a network, is waited for until the debug pod has ended by its own timers.
 */
function overAsker(plan: Plan, context: SessionContext): () => Promise<boolean> {
  const until = context.now() + 1000 * boundSeconds(plan);
  return () =>
    patiently(
      () => captureEnded(plan, context.cluster),
      {
        meanwhile: 'the capture goes on (press Ctrl-C twice to give up)',
        boundMs: Math.max(PATIENCE_MS, until - context.now()),
        signal: context.interrupts.abandon,
      },
      context,
    );
}

/** True if the capture container has ended. Rejects if the pod is gone or the cluster ended it. */
async function captureEnded(plan: Plan, cluster: Cluster): Promise<boolean> {
  const { namespace, name } = plan.debugPod;
  const pod = await readIfThere(cluster, { namespace, name });
  if (!pod || pod.metadata?.deletionTimestamp) throw deletedByAnother(plan, 'during the capture');
  if (pod.status?.reason) {
    throw clusterError(
      `the cluster ended the debug pod: ${pod.status.reason}: ${printable(pod.status.message ?? '')}`,
      `kubectl describe node ${plan.node}`,
    );
  }
  return (
    pod.status?.containerStatuses?.some((each) => each.name === 'capture' && each.state?.terminated) ?? false
  );
}
