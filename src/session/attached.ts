import { collectorOf } from '../collectors/index.ts';
import { clusterError, toolError } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { request } from '../node/requests.ts';
import { type ByteSink, writeAll } from '../output/stream.ts';
import type { NodeCommand, Plan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { abandonDebugPod, containerOf, createDebugPod, deathOf, removeDebugPod } from './debug-pod.ts';
import { FrameReader } from './frames.ts';
import { renewLease } from './lease.ts';
import { nodeRefusal } from './node-refusal.ts';
import type { SessionContext } from './session-context.ts';
import { waitForStart } from './start.ts';

/** Where the output of the command goes. */
export interface Audience {
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
}

const TRIES = 40;
const RETRY_MS = 200;
const RENEW_MS = 40_000;

/**
 * The life of a debug pod that runs a command for the user: create, start, connect, wait for its end, delete. Returns the
 * exit status of the command.
 */
export async function runNodeCommand(
  plan: Plan,
  audience: Audience,
  context: SessionContext,
): Promise<number> {
  const { interrupts } = context;
  interrupts.stop.throwIfAborted();
  const release = interrupts.hold();
  try {
    await createDebugPod([plan], collectorOf(plan.capture.collector), context);
    return await inDebugPod(plan, audience, context);
  } finally {
    release();
  }
}

async function inDebugPod(plan: Plan, audience: Audience, context: SessionContext): Promise<number> {
  const { interrupts, log } = context;
  const what = plan.capture as NodeCommand;
  const over = new AbortController();
  try {
    const signal = interrupts.stop;
    await unlessAborted(waitForStart(plan, context), signal);
    log.end();
    // The node ends a command (SIGHUP) whose client does not renew its lease.
    void renewLease(plan, RENEW_MS, context, over.signal);
    const status = what.tty
      ? await withTerminal(plan, audience, context)
      : await unlessAborted(withoutTerminal(plan, what.stdin, audience, context, over.signal), signal);
    over.abort();
    await removeDebugPod(plan, context);
    return status;
  } catch (error) {
    over.abort();
    log.end();
    await abandonDebugPod(plan, context);
    throw error;
  }
}

/** The output is read through `files`; the input, if there is any, goes straight to the process. */
async function withoutTerminal(
  plan: Plan,
  stdin: boolean,
  audience: Audience,
  context: SessionContext,
  over: AbortSignal,
): Promise<number> {
  const { cluster, interrupts } = context;
  const signal = AbortSignal.any([interrupts.stop, over]);
  if (stdin) cluster.attach(containerOf(plan, 'capture'), { tty: false, signal }).catch(() => {});
  return follow(plan, audience, context, 'status');
}

/** The user's terminal is the terminal of the process; what crictl wrote to stderr, and the status, are read after it. */
async function withTerminal(plan: Plan, audience: Audience, context: SessionContext): Promise<number> {
  const { cluster, interrupts } = context;
  await follow(plan, audience, context, 'command');
  await cluster.attach(containerOf(plan, 'capture'), { tty: true, signal: interrupts.abandon });
  return follow(plan, { ...audience, stdout: nobody }, context, 'status', true);
}

const nobody: ByteSink = { write: () => true };

/**
 * Hands on the output of the process, each byte once, over as many connections as necessary. Returns its status, or 0 if
 * only the command line was asked for.
 */
async function follow(
  plan: Plan,
  { stdout, stderr }: Audience,
  { cluster, interrupts, log, sleep }: SessionContext,
  upTo: 'command' | 'status',
  commandKnown = false,
): Promise<number> {
  const seen = { o: 0, e: 0 };
  let isCommandKnown = commandKnown;
  for (let tries = 0; tries < TRIES; tries += 1) {
    interrupts.stop.throwIfAborted();
    const argv = request('follow', String(seen.o), String(seen.e), upTo);
    const stream = cluster.execStream(containerOf(plan, 'files'), argv);
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
              throw (await nodeRefusal(plan, cluster)) ?? toolError('the node did not run the command');
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
  throw clusterError(`the connection to the debug pod was lost: ${await deathOf(plan, cluster)}`);
}
