import type { ContainerRef } from '../cluster/cluster.ts';
import { collectorOf } from '../collectors/index.ts';
import { clusterError, toolError } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { request } from '../node/requests.ts';
import { type ByteSink, writeAll } from '../output/stream.ts';
import type { NodeCommand, Plan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { abandonDebugPod, createDebugPod, deathOf, removeDebugPod, type World } from './debug-pod.ts';
import { FrameReader } from './frames.ts';
import { nodeRefusal } from './node-refusal.ts';
import { waitForStart } from './start.ts';

/** Where what was run says what it says. */
export interface Audience {
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
}

const TRIES = 40;
const RETRY_MS = 200;
const RENEW_MS = 40_000;

/**
 * The life of a debug pod that runs something for us: create, start, connect, until it has ended; then delete. Returns
 * its exit status.
 */
export async function runNodeCommand(plan: Plan, audience: Audience, world: World): Promise<number> {
  const { interrupts } = world;
  interrupts.stop.throwIfAborted();
  const release = interrupts.hold();
  try {
    await createDebugPod(plan, collectorOf(plan.capture.collector), world);
    return await inDebugPod(plan, audience, world);
  } finally {
    release();
  }
}

async function inDebugPod(plan: Plan, audience: Audience, world: World): Promise<number> {
  const { cluster, interrupts, log, sleep, now } = world;
  const what = plan.capture as NodeCommand;
  const over = new AbortController();
  try {
    const signal = interrupts.stop;
    const say = (text: string) => log.line(text);
    await unlessAborted(waitForStart(plan, { cluster, signal, say, sleep, now }), signal);
    log.end();
    void renewLease(plan, world, over.signal);
    const status = what.tty
      ? await withTerminal(plan, audience, world)
      : await unlessAborted(withoutTerminal(plan, what.stdin, audience, world, over.signal), signal);
    over.abort();
    await removeDebugPod(plan, world, 30_000);
    return status;
  } catch (error) {
    over.abort();
    log.end();
    await abandonDebugPod(plan, world);
    throw error;
  }
}

/** The output through `files`; the input, if there is any, straight to the process. */
async function withoutTerminal(
  plan: Plan,
  stdin: boolean,
  audience: Audience,
  world: World,
  over: AbortSignal,
): Promise<number> {
  const { cluster, interrupts } = world;
  const signal = AbortSignal.any([interrupts.stop, over]);
  if (stdin) cluster.attach(container(plan, 'capture'), { tty: false, signal }).catch(() => {});
  return follow(plan, audience, world, 'status');
}

/** The terminal is the process's own; what crictl said besides, and the status, come after it. */
async function withTerminal(plan: Plan, audience: Audience, world: World): Promise<number> {
  const { cluster, interrupts } = world;
  await follow(plan, audience, world, 'command');
  await cluster.attach(container(plan, 'capture'), { tty: true, signal: interrupts.abandon });
  return follow(plan, { ...audience, stdout: nobody }, world, 'status', true);
}

/** Says that somebody is there, as long as somebody is: without, the node hangs up on what runs. */
async function renewLease(plan: Plan, { cluster, sleep }: World, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await sleep(RENEW_MS, over).catch(() => {});
    if (!over.aborted) await cluster.exec(container(plan, 'files'), request('lease'), over).catch(() => {});
  }
}

const nobody: ByteSink = { write: () => true };

const container = ({ debugPod }: Plan, name: string): ContainerRef => ({
  namespace: debugPod.namespace,
  pod: debugPod.name,
  container: name,
});

/**
 * Hands on what the process says, each byte once, over as many connections as it takes; returns its status, or 0 when no
 * more than the command was wanted.
 */
async function follow(
  plan: Plan,
  { stdout, stderr }: Audience,
  { cluster, interrupts, log, sleep }: World,
  upTo: 'command' | 'status',
  commandKnown = false,
): Promise<number> {
  const seen = { o: 0, e: 0 };
  let isCommandKnown = commandKnown;
  for (let tries = 0; tries < TRIES; tries += 1) {
    interrupts.stop.throwIfAborted();
    const argv = request('follow', String(seen.o), String(seen.e), upTo);
    const stream = cluster.execStream(container(plan, 'files'), argv);
    const stop = () => stream.kill();
    interrupts.stop.addEventListener('abort', stop, { once: true });
    const frames = new FrameReader();
    try {
      for await (const chunk of stream.chunks) {
        for (const { kind, bytes, whole } of frames.push(chunk)) {
          if (kind === 'o' || kind === 'e') {
            seen[kind] += bytes.length;
            await writeAll(kind === 'o' ? stdout : stderr, [bytes]);
          } else if (whole) {
            if (kind === 'c' && !isCommandKnown) {
              isCommandKnown = true;
              log.line(`${plan.node}: ${printable(Buffer.from(whole).toString().trim())}`);
            }
            if (kind === 'r')
              throw (await nodeRefusal(plan, cluster)) ?? toolError('the node did not run it');
            if (kind === 'x' || (kind === 'c' && upTo === 'command')) {
              stream.kill();
              return kind === 'x' ? Number(Buffer.from(whole).toString()) : 0;
            }
          }
        }
        tries = 0;
      }
    } catch (error) {
      interrupts.stop.throwIfAborted();
      throw error;
    } finally {
      interrupts.stop.removeEventListener('abort', stop);
    }
    interrupts.stop.throwIfAborted();
    await sleep(RETRY_MS, interrupts.stop);
  }
  throw clusterError(`the way to the debug pod was lost: ${await deathOf(plan, cluster)}`);
}
