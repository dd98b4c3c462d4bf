import { createHash, randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Cluster, ContainerRef, RemoteStream } from '../cluster/cluster.ts';
import { clusterError, type GkeprofError, reasonOf, toolError } from '../errors.ts';
import { CTL, OUT } from '../node/script.ts';
import type { SnapshotPart } from '../plan.ts';
import { printable } from '../printable.ts';
import { formatBytes } from '../quantity.ts';

/**
 * Runs in `files`: asks, unless it is the first question, which the plan brought; waits for the answer; says how long
 * it is and its SHA-256, then the bytes; and stays until the client has them all, because an exec that ends drops
 * tails silently.
 */
const SCRIPT = `
id=$1 ask=$2 answer=${OUT}/answer-$1
[ -z "$ask" ] || : >"${CTL}/ask-$id.$ask" || exit 9
tries=0
until [ -e "$answer" ]; do
  [ -e ${OUT}/done ] && [ ! -e "$answer" ] && exit 7
  tries=$((tries + 1))
  [ $tries -gt 1200 ] && exit 8
  sleep 0.05
done
sum=$(sha256sum <"$answer")
printf '%s %s\\n' "$(stat -c %s "$answer")" "\${sum%% *}"
cat "$answer"
read -r _
[ -z "$ask" ] || rm -f "${CTL}/ask-$id.$ask"
`;

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

/** Length and SHA-256 of what follows. */
const HEADER = /^(\d+) ([0-9a-f]{64})$/;
const LONGEST_HEADER = 128;

/** One snapshot of the node, as text, verified. Rejects when the pod cannot give it. */
export async function ask(question: Question, world: Asking): Promise<string> {
  const id = question.first ? 'first' : randomBytes(8).toString('hex');
  const argv = ['sh', '-c', SCRIPT, 'gkeprof-ask', id, question.first ? '' : question.parts.join(',')];
  let said = '';
  for (let tries = 0; tries < TRIES; tries += 1) {
    world.signal.throwIfAborted();
    const stream = world.cluster.execStream(question.files, argv);
    const answer = await readAnswer(stream, question.files.pod, world.signal);
    if (answer) return textOf(answer, question.files.pod);
    const { exitCode, stderr } = await stream.ended;
    said = printable(stderr.split('\n').at(-1) ?? '');
    if (exitCode === 7 || exitCode === 8) break;
    await world.sleep(RETRY_MS, world.signal);
  }
  throw said === '' || /exit code [78]/.test(said)
    ? toolError(`the debug pod ${question.files.pod} gave no answer`)
    : clusterError(`the debug pod ${question.files.pod} could not be asked: ${said}`);
}

/** As much as the node's script writes at most (node/inspect.sh, answer_bytes). */
const MOST_BYTES = 2 ** 26;

function textOf(answer: Uint8Array, pod: string): string {
  try {
    return gunzipSync(answer, { maxOutputLength: MOST_BYTES }).toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(pod);
    throw toolError(
      `the debug pod ${pod} gave an answer that cannot be decompressed: ${code ?? reasonOf(error)}`,
    );
  }
}

const tooLarge = (pod: string): GkeprofError =>
  toolError(
    `the debug pod ${pod} gave an answer of more than ${formatBytes(MOST_BYTES)}, which its script never does`,
  );

/** The bytes that were announced, or undefined when the stream ended before they were there, or they are others. */
async function readAnswer(
  stream: RemoteStream,
  pod: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const stop = () => stream.kill();
  signal.addEventListener('abort', stop, { once: true });
  let got: Uint8Array[] = [];
  let bytes = 0;
  let header: RegExpExecArray | null = null;
  try {
    for await (const chunk of stream.chunks) {
      got.push(chunk);
      bytes += chunk.length;
      if (!header) {
        const all = Buffer.concat(got);
        const end = all.indexOf(0x0a);
        header = HEADER.exec(all.subarray(0, Math.max(0, end)).toString());
        if (!header && bytes > LONGEST_HEADER) break;
        if (!header) continue;
        got = [all.subarray(end + 1)];
        bytes = all.length - end - 1;
        if (Number(header[1]) > MOST_BYTES) throw tooLarge(pod);
      }
      if (bytes < Number(header[1])) continue;
      const answer = Buffer.concat(got);
      // Its end is of no interest any more: the remote one goes on when its input ends.
      stream.kill();
      const sum = createHash('sha256').update(answer).digest('hex');
      return sum === header[2] ? answer : undefined;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stream.kill();
  }
  signal.throwIfAborted();
  return undefined;
}
