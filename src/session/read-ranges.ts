import type { FileHandle } from 'node:fs/promises';
import { isOfKubectl, kubectlError, refusalOf } from '../cluster/kubectl-words.ts';
import type { GkeprofError } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { request } from '../node/requests.ts';
import { formatBytes } from '../text/quantity.ts';
import { askIfGone } from './debug-pod.ts';
import { PATIENCE_MS, patiently } from './patience.ts';
import { GaveWay, type Transfer, watched } from './transfer.ts';

/** Bytes of a range. Each costs a process of kubectl here, and a stream that breaks is resumed at its last byte. */
const RANGE_BYTES = 64 * 2 ** 20;

/** How many streams read a large file at a time. */
const STREAMS = 4;

/** How long the remote end may take to end after it was told that every byte is here. */
const GOODBYE_MS = 3000;

/** The part of a file from one byte to another, which is not in it. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/** The error for a file that no command can get any more. */
export class LostFile extends Error {}

/** The error for ranges of which nothing came for too long, though nothing tells why. */
export class StoppedError extends Error {}

/** Reads the rest of a file by ranges, one after the other, until every byte is here. */
export async function readRest(file: FileHandle, from: number, transfer: Transfer): Promise<void> {
  await file.truncate(from);
  transfer.arrived.bytes = from;
  await readPart(file, { from, to: transfer.announced.bytes }, transfer);
}

/**
 * Reads a whole file by several streams at a time, each of which reads a part of it range by range. Returns how many bytes
 * came only after a range had ended early. If one stream fails, the others are ended, and it rejects with that error.
 *
 * On a line that is so slow that none of them has its first byte soon, they read their parts one after the other: there each
 * of them would take most of the line for what kubectl reads of the debug pod.
 */
export async function readBySeveral(file: FileHandle, transfer: Transfer): Promise<number> {
  await file.truncate(0);
  transfer.arrived.bytes = 0;
  let before: Promise<number> | undefined;
  return await together(partsOf(transfer.announced.bytes), transfer, (part, own) => {
    before = readPart(file, part, { ...own, ...(before && { before }) });
    return before;
  });
}

/**
 * Reads those parts again whose bytes here are not those on the node, and returns how many bytes these are. The node is asked
 * for the SHA-256 of each part.
 */
export async function rereadDifferent(
  file: FileHandle,
  transfer: Transfer,
  sumHere: (part: Part) => Promise<string>,
): Promise<number> {
  return await together(partsOf(transfer.announced.bytes), transfer, async (part, own) => {
    if ((await sumOnNode(part, own)) === (await sumHere(part))) return 0;
    own.arrived.bytes -= part.to - part.from;
    await readPart(file, part, own);
    return part.to - part.from;
  });
}

const partsOf = (bytes: number): Part[] => {
  const each = Math.ceil(bytes / STREAMS);
  return Array.from({ length: STREAMS }, (_, at) => ({
    from: Math.min(bytes, at * each),
    to: Math.min(bytes, (at + 1) * each),
  }));
};

/** Does the work for all parts at the same time, and returns the sum of the results. */
async function together(
  parts: readonly Part[],
  transfer: Transfer,
  work: (part: Part, transfer: Transfer) => Promise<number>,
): Promise<number> {
  const failed = new AbortController();
  const own = { ...transfer, signal: AbortSignal.any([transfer.signal, failed.signal]) };
  // All streams have ended before the file is closed.
  const results = await Promise.allSettled(
    parts.map((part) =>
      work(part, own).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  own.signal.throwIfAborted();
  return results.reduce((sum, each) => sum + (each.status === 'fulfilled' ? each.value : 0), 0);
}

/** The SHA-256 of a part on the node. */
async function sumOnNode(
  { from, to }: Part,
  { announced, from: source, context, signal }: Transfer,
): Promise<string> {
  const { stdout } = await context.cluster.exec(
    source,
    request('rangeSum', `${source.folder}/${announced.file}`, String(from), String(to - from)),
    signal,
  );
  return Buffer.from(stdout).toString('latin1', 0, 64);
}

/**
 * Reads a part range by range. A range of which nothing came is asked for again, as long as the debug pod is there and the API
 * server shows it. Returns how many bytes came only after a range had ended early.
 */
async function readPart(file: FileHandle, { from, to }: Part, transfer: Transfer): Promise<number> {
  const { announced, arrived, context, pace } = transfer;
  let at = from;
  let resumed = 0;
  let isResumed = false;
  let quietMs = 0;
  let quietSince = context.now();
  let tries = 0;
  while (at < to) {
    const want = Math.min(RANGE_BYTES, to - at);
    const { got, stderr, gaveWay } = await readRange(at, want, file, transfer);
    pace.throwIfTooSlow();
    at += got;
    if (isResumed) resumed += got;
    isResumed ||= got < want;
    // A range may end before it is watched for the first time.
    if (at < to) pace.judge(arrived.bytes, announced.bytes);
    if (got > 0) {
      tries = 0;
      quietMs = 0;
      quietSince = context.now();
      continue;
    }
    await finalFailure(stderr, transfer);
    if (gaveWay) await unlessAborted(transfer.before!, transfer.signal);
    if (gaveWay || (await podHasIt(transfer))) {
      quietMs = 0;
      quietSince = context.now();
    }
    const pause = Math.min(500 * 2 ** tries, 5000); // The connection to the server may be back soon.
    tries += 1;
    quietMs += pause;
    if (Math.max(quietMs, context.now() - quietSince) > PATIENCE_MS)
      throw new StoppedError(
        `the copy stopped at ${formatBytes(arrived.bytes)} of ${formatBytes(announced.bytes)}`,
      );
    await context.sleep(pause, transfer.signal);
  }
  return resumed;
}

/**
 * Rejects if the debug pod is gone, and the file with it, or if the API server refuses to show it or stays away. True if
 * the API server was away and is back: the time until then was not the copy's.
 */
async function podHasIt({ from, pace, context, signal }: Transfer): Promise<boolean> {
  const pod = { namespace: from.namespace, name: from.pod, ...(from.uid !== undefined && { uid: from.uid }) };
  let hasWaited = false;
  const patience = {
    meanwhile: 'the file stays on the node',
    signal,
    onWait: () => {
      hasWaited = true;
    },
  };
  const gone = await askIfGone(pod, patience, context);
  if (hasWaited) pace.restart();
  if (gone !== undefined)
    throw new LostFile(
      `the capture was finished, but the debug pod ${pod.namespace}/${pod.name} is gone (${gone}), and with it the file`,
    );
  return hasWaited;
}

/**
 * Reads one range and writes it at its place in the file, never more bytes than were asked for. Returns how many came, what
 * kubectl said, and whether the stream was ended for the sake of another.
 */
async function readRange(
  at: number,
  want: number,
  into: FileHandle,
  transfer: Transfer,
): Promise<{ readonly got: number; readonly stderr: string; readonly gaveWay: boolean }> {
  const { announced, arrived, from, context, signal } = transfer;
  const stream = context.cluster.execStream(
    from,
    request('range', `${from.folder}/${announced.file}`, String(at), String(want)),
  );
  let got = 0;
  let stderr = '';
  let gaveWay = false;
  const abort = () => stream.kill();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await watched(
      async () => got,
      transfer,
      async (end) => {
        end.signal.addEventListener(
          'abort',
          () => {
            gaveWay = end.signal.reason instanceof GaveWay;
            abort();
          },
          { once: true },
        );
        for await (const chunk of stream.chunks) {
          const useful = chunk.subarray(0, want - got);
          await writeAt(into, useful, at + got);
          got += useful.length;
          arrived.bytes += useful.length;
          if (got >= want) {
            stream.write('\n');
            break;
          }
        }
      },
    );
  } catch (error) {
    // If the stream was ended or broke, the next range begins where this one stopped.
    if (isOfLocalFile(error)) throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    if (got < want) stream.kill();
    const late = setTimeout(() => stream.kill(), GOODBYE_MS);
    await unlessAborted(stream.ended, signal).then(
      (ended) => {
        stderr = ended.stderr;
      },
      () => {},
    );
    clearTimeout(late);
  }
  signal.throwIfAborted();
  return { got, stderr, gaveWay: gaveWay && got === 0 };
}

/** Throws if kubectl says that this computer cannot store the file: then it is useless to try again. */
export function localFailure(stderr: string): void {
  const words = /no space left on device|disk quota exceeded|read-only file system/i.exec(stderr);
  if (words) throw new Error(words[0]);
}

/**
 * Rejects if it is useless to try again: this computer cannot store the file, the debug pod is gone, or the server refused, in
 * kubectl's words. A right that was there before may come back: then it resolves as soon as the debug pod can be asked again.
 */
export async function finalFailure(stderr: string, transfer: Transfer): Promise<void> {
  const { from, pace, context, signal } = transfer;
  localFailure(stderr);
  const refused = refusalOf(stderr);
  if (refused === undefined) return;
  if (refused.includes('(NotFound)')) await podHasIt(transfer);
  let refusal: GkeprofError | undefined = kubectlError({ exitCode: 1, stdout: new Uint8Array(), stderr });
  const ask = async () => {
    const first = refusal;
    refusal = undefined;
    if (first) throw first;
    const answer = await context.cluster.exec(from, request('lease', from.lease), signal);
    if (isOfKubectl(answer)) throw kubectlError(answer);
  };
  await patiently(ask, { meanwhile: 'the file stays on the node', signal }, context);
  pace.restart();
}

/** Errors of the disk name the system call that failed; errors of a stream do not. */
export const isOfLocalFile = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).syscall === 'write';

/** Writes all of the bytes at their place in the file. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
