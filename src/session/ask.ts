import { createHash, randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { ContainerRef, RemoteStream } from '../cluster/cluster.ts';
import { clusterError, type GkeprofError, reasonOf, toolError } from '../errors.ts';
import { request } from '../node/requests.ts';
import type { SnapshotPart } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { formatBytes } from '../text/quantity.ts';
import type { SessionContext } from './session-context.ts';

/** A question to a debug pod that takes snapshots. */
export interface Question {
  readonly files: ContainerRef;
  readonly parts: readonly SnapshotPart[];
  /** Whether it is the question in the pod's own arguments, which the pod answers without being asked. */
  readonly first: boolean;
}

/** `files` starts a moment after `capture`, and then the kubelet takes another moment to accept an exec. */
const TRIES = 40;
const RETRY_MS = 150;

/** One verified snapshot of the node, as text. Rejects if the pod cannot take it. */
export async function ask(
  question: Question,
  { cluster, interrupts, sleep }: SessionContext,
): Promise<string> {
  const signal = interrupts.stop;
  const id = question.first ? 'first' : randomBytes(8).toString('hex');
  const argv = request('ask', id, question.first ? '' : question.parts.join(','));
  let said = '';
  for (let tries = 0; tries < TRIES; tries += 1) {
    signal.throwIfAborted();
    const stream = cluster.execStream(question.files, argv);
    const answer = await readAnswer(stream, question.files.pod, signal);
    if (answer) return textOf(answer, question.files.pod);
    const { exitCode, stderr } = await stream.ended;
    said = printable(stderr.split('\n').at(-1) ?? '');
    if (exitCode === 7 || exitCode === 8) break;
    await sleep(RETRY_MS, signal);
  }
  throw said === '' || /exit code [78]/.test(said)
    ? toolError(`the debug pod ${question.files.pod} did not answer`)
    : clusterError(`the debug pod ${question.files.pod} could not be asked for a snapshot: ${said}`);
}

/** Length and SHA-256 of the answer that follows. */
const HEADER = /^(\d+) ([0-9a-f]{64})$/;
const LONGEST_HEADER = 128;
/** The most that the node's script writes (answer_bytes in collectors/snapshot/snapshot.sh), compressed or not. */
const MOST_BYTES = 2 ** 26;

function textOf(answer: Uint8Array, pod: string): string {
  try {
    return gunzipSync(answer, { maxOutputLength: MOST_BYTES }).toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(pod);
    throw toolError(
      `the debug pod ${pod} sent an answer that cannot be decompressed: ${code ?? reasonOf(error)}`,
    );
  }
}

const tooLarge = (pod: string): GkeprofError =>
  toolError(
    `the debug pod ${pod} sent an answer of more than ${formatBytes(MOST_BYTES)}, which its script never does`,
  );

/**
 * The bytes that were announced; undefined if the stream ended too early, or the bytes do not have the announced SHA-256.
 * Rejects at once if the announcement is missing or too large, or if more bytes come than were announced: then the pod does
 * not run our script.
 */
async function readAnswer(
  stream: RemoteStream,
  pod: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const stop = () => stream.kill();
  signal.addEventListener('abort', stop, { once: true });
  let head = Buffer.alloc(0);
  let announced: { readonly bytes: number; readonly sum: string } | undefined;
  const parts: Uint8Array[] = [];
  let got = 0;
  try {
    for await (const chunk of stream.chunks) {
      let part = chunk;
      if (!announced) {
        head = Buffer.concat([head, chunk.subarray(0, LONGEST_HEADER)]);
        const end = head.indexOf(0x0a);
        if (end < 0 && head.length < LONGEST_HEADER) continue;
        const header = HEADER.exec(head.toString('latin1', 0, Math.max(0, end)));
        if (!header) throw toolError('the debug pod sent an answer without its length and SHA-256');
        announced = { bytes: Number(header[1]), sum: header[2]! };
        if (announced.bytes > MOST_BYTES) throw tooLarge(pod);
        part = chunk.subarray(end + 1 - (head.length - Math.min(chunk.length, LONGEST_HEADER)));
      }
      parts.push(part);
      got += part.length;
      if (got > announced.bytes)
        throw toolError(`the debug pod sent more than the ${formatBytes(announced.bytes)} that it announced`);
      if (got < announced.bytes) continue;
      // All is here, so the stream is not needed any more: the remote script goes on when its input ends.
      stream.kill();
      const answer = Buffer.concat(parts);
      return createHash('sha256').update(answer).digest('hex') === announced.sum ? answer : undefined;
    }
  } catch (error) {
    stream.kill();
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stream.kill();
  }
  signal.throwIfAborted();
  return undefined;
}
