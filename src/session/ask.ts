import { createHash, randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Cluster, ContainerRef, RemoteStream } from '../cluster/cluster.ts';
import { clusterError, toolError } from '../errors.ts';
import { request } from '../node/requests.ts';
import type { SnapshotPart } from '../plan.ts';
import { printable } from '../printable.ts';

/** A question to a debug pod that inspects. */
export interface Question {
  readonly files: ContainerRef;
  readonly parts: readonly SnapshotPart[];
  /** The question that the plan itself brought. */
  readonly first: boolean;
}

/** What asking needs of the world. */
export interface Asking {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** `files` starts a moment behind `capture`, and the kubelet takes a moment more to let anybody in. */
const TRIES = 40;
const RETRY_MS = 150;

/** One snapshot of the node, as text, verified. Rejects when the pod cannot give it. */
export async function ask(question: Question, world: Asking): Promise<string> {
  const id = question.first ? 'first' : randomBytes(8).toString('hex');
  const argv = request('ask', id, question.first ? '' : question.parts.join(','));
  let said = '';
  for (let tries = 0; tries < TRIES; tries += 1) {
    world.signal.throwIfAborted();
    const stream = world.cluster.execStream(question.files, argv);
    const answer = await readAnswer(stream, world.signal);
    if (answer) return gunzipSync(answer).toString('utf8');
    const { exitCode, stderr } = await stream.ended;
    said = printable(stderr.split('\n').at(-1) ?? '');
    if (exitCode === 7 || exitCode === 8) break;
    await world.sleep(RETRY_MS, world.signal);
  }
  throw said === '' || /exit code [78]/.test(said)
    ? toolError(`the debug pod ${question.files.pod} gave no answer`)
    : clusterError(`the debug pod ${question.files.pod} could not be asked: ${said}`);
}

/** The bytes that were announced, or undefined when the stream ended before they were there, or they are others. */
async function readAnswer(stream: RemoteStream, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const stop = () => stream.kill();
  signal.addEventListener('abort', stop, { once: true });
  let all: Uint8Array = new Uint8Array();
  try {
    for await (const chunk of stream.chunks) {
      all = all.length ? Buffer.concat([all, chunk]) : chunk;
      const end = all.indexOf(0x0a);
      const header = /^(\d+) ([0-9a-f]{64})$/.exec(Buffer.from(all.subarray(0, Math.max(0, end))).toString());
      if (!header) continue;
      const answer = all.subarray(end + 1);
      if (answer.length < Number(header[1])) continue;
      // Its end is of no interest any more: the remote one goes on when its input ends.
      stream.kill();
      const sum = createHash('sha256').update(answer).digest('hex');
      return sum === header[2] ? answer : undefined;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return undefined;
}
