import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallResult, ContainerRef } from '../cluster/cluster.ts';
import { refusalOf } from '../cluster/kubectl-words.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { temporaryFolder } from '../files/temporary-folder.ts';
import { unlessAborted } from '../interrupts.ts';
import { request } from '../node/requests.ts';
import { printable } from '../text/printable.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { askIfGone } from './debug-pod.ts';
import { PATIENCE_MS } from './patience.ts';
import { copyingParts } from './progress.ts';
import type { SessionContext } from './session-context.ts';

/** What the node announced about a finished file. */
export interface Announced {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file that is on this computer and was verified. */
export interface Artifact {
  readonly path: string;
  /** `path` without its ending: what the files made from it begin with. */
  readonly base: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Bytes that had to be read again by ranges, because the first copy was too short; usually 0. */
  readonly resumedBytes: number;
}

/** Bytes of a range: exec streams of this size never lost their end in 80 trials, larger ones did. */
const RANGE_BYTES = 8 * 2 ** 20;

/** The folder for a file, and its name there: the base name, then the ending. */
export interface DownloadDestination {
  readonly directory: string;
  readonly base: string;
  readonly ending: string;
}

/** The container that has the file, its folder there, and the uid of its pod. */
export interface DownloadSource extends ContainerRef {
  readonly folder: string;
  readonly uid?: string;
}

/** The download of one file. */
interface Transfer {
  readonly announced: Announced;
  readonly from: DownloadSource;
  readonly pace: Pace;
  readonly context: SessionContext;
  /** Aborted if the user gives up the download. */
  readonly signal: AbortSignal;
}

const STALL_MS = 30_000;
/** The speed of a copy is judged by what came in this time, in milliseconds. */
const PACE_MS = 60_000;
/** The least speed of a copy, in bytes per second: at less, not even a small recording arrives while the node keeps it. */
const FLOOR = 1000;
/** How often a transfer is checked: a copy that brings too much is ended after at most this time. */
const WATCH_MS = 100;
const PROGRESS_MS = 1000;

/**
 * Judges the speed of a whole download, over all its transfers. Time in which the API server was away does not count, and
 * neither does time in which nothing came at all: a transfer that stalls is tried again.
 */
class Pace {
  readonly #windowMs: number;
  #since = Date.now();
  #from = 0;
  #problem: Error | undefined;

  constructor(windowMs = PACE_MS) {
    this.#windowMs = windowMs;
  }

  /** Throws if the download was found to be too slow. */
  throwIfTooSlow(): void {
    if (this.#problem) throw this.#problem;
  }

  /** Begins anew, where time has gone by that does not count. */
  restart(): void {
    this.#since = Date.now();
  }

  /** Throws if less came than the floor since the last judgement, and the rest would take more than that time again. */
  judge(here: number, whole: number): void {
    if (Date.now() - this.#since < this.#windowMs) return;
    const brought = here - this.#from;
    const seconds = (Date.now() - this.#since) / 1000;
    this.#from = here;
    this.restart();
    if (brought <= 0 || brought >= FLOOR * seconds || whole - here <= brought) return;
    this.#problem = new Error(
      `the copy is too slow: ${formatBytes(brought)} came in the last ${formatDuration(Math.round(seconds))}, so it was given up at ${formatBytes(here)} of ${formatBytes(whole)}`,
    );
    throw this.#problem;
  }
}

/**
 * Ends a transfer that brings no byte for too long: `kubectl cp` and `exec` have no time-out of their own, and wait for
 * ever if their stream is lost. `arrived` says how many bytes are here; it rejects if they are not what was announced, and
 * that ends the transfer too.
 */
async function watched<T>(
  { from, arrived }: { from: number; arrived: () => Promise<number> },
  { announced: { bytes: whole }, pace, context: { log, stallMs = STALL_MS }, signal }: Transfer,
  transfer: (end: AbortController) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const began = Date.now();
  let size = 0;
  let since = began;
  let shown = began;
  const watch = setInterval(
    async () => {
      const here = await arrived()
        .then((bytes) => {
          pace.judge(bytes, whole);
          return bytes;
        })
        .catch((error: unknown) => end.abort(error));
      if (here === undefined || end.signal.aborted) return;
      const now = Date.now();
      if (here === size) {
        if (now - since > stallMs) end.abort(new Error('the copy stalled'));
        return;
      }
      size = here;
      since = now;
      if (now - shown < PROGRESS_MS) return;
      shown = now;
      log.figures(...copyingParts(size, whole, Math.max(0, (1000 * (size - from)) / (now - began))));
    },
    Math.min(WATCH_MS, stallMs / 4),
  );
  try {
    return await unlessAborted(transfer(end), signal);
  } finally {
    clearInterval(watch);
  }
}

/**
 * Downloads one announced file. If its name exists already, it is called `BASE.2` and so on: nothing is ever overwritten.
 * `kubectl cp` copies it into a new folder; then its size and SHA-256 are compared with the announcement. The rest of a
 * copy that is too short is read by ranges, whose remote end waits until the client has every byte. Only the verified file
 * gets the final name. Rejects with exit code 5 while the node still has the file.
 */
export async function download(
  announced: Announced,
  from: DownloadSource,
  { directory, base, ending }: DownloadDestination,
  context: SessionContext,
): Promise<Artifact> {
  const signal = context.interrupts.abandon;
  const pace = new Pace(context.paceMs);
  const transfer: Transfer = { announced, from, pace, context, signal };
  let temporary: string | undefined;
  let file: FileHandle | undefined;
  try {
    signal.throwIfAborted();
    await checkAnnounced(announced, directory);
    temporary = temporaryFolder(directory);
    const part = join(temporary, 'part');
    const copied = await copy(temporary, transfer);
    signal.throwIfAborted();
    file = await copiedFile(part, announced.bytes);
    if (!file && copied.exitCode !== 0) localFailure(copied.stderr);
    let got = file ? (await file.stat()).size : 0;
    file ??= await newFile(part);
    let resumedBytes = 0;
    let sum = got < announced.bytes ? '' : await sha256(file, signal);
    if (sum !== announced.sha256) {
      if (copied.exitCode !== 0) finalFailure(copied.stderr);
      pace.throwIfTooSlow();
      if (got === announced.bytes) got = 0;
      resumedBytes = announced.bytes - got;
      await readRanges(file, got, transfer);
      sum = await sha256(file, signal);
    }
    if (sum !== announced.sha256 && resumedBytes < announced.bytes) {
      // The short copy was not the beginning of the file: read it again from its first byte.
      resumedBytes = announced.bytes;
      await readRanges(file, 0, transfer);
      sum = await sha256(file, signal);
    }
    if (sum !== announced.sha256)
      throw new Error(`SHA-256 is ${sum} here and ${announced.sha256} on the node`);
    await file.chmod(0o600);
    const [verified, named] = [await file.stat(), await lstat(part)];
    if (verified.ino !== named.ino || verified.dev !== named.dev)
      throw new Error('the copy was replaced by another file after it was verified');
    const path = await appear(part, directory, base, ending);
    return { path, base: path.slice(0, -ending.length), bytes: announced.bytes, sha256: sum, resumedBytes };
  } catch (error) {
    signal.throwIfAborted();
    const isGone = !(await stat(directory).catch(() => undefined));
    const reason = isGone ? new Error(`the folder ${printable(directory)} is gone`) : error;
    throw notDownloaded(reason, base + ending, transfer);
  } finally {
    await file?.close();
    if (temporary) await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Rejects an announcement that does not name a plain file, or has more bytes than are free on the disk here. */
async function checkAnnounced({ file, bytes, sha256: sum }: Announced, directory: string): Promise<void> {
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(file) || !Number.isSafeInteger(bytes) || bytes < 0)
    throw new Error(
      `the node announced "${printable(file)}" with ${bytes} bytes, which is not a file of a capture`,
    );
  if (!/^[0-9a-f]{64}$/.test(sum)) throw new Error('the node announced a file without its SHA-256');
  const { blocks, bavail, bsize } = await statfs(directory);
  // Some network file systems do not tell how much is free: then the copy is tried.
  if (blocks > 0 && bytes > bavail * bsize)
    throw new Error(
      `the file has ${formatBytes(bytes)}, and only ${formatBytes(bavail * bsize)} are free here`,
    );
}

/**
 * `kubectl cp` unpacks a tar archive that the node wrote. It is ended as soon as there is anything but the one regular file,
 * and as soon as that file has more bytes than were announced, or fewer than before: the archive has a second member of the
 * same name.
 */
function copy(folder: string, transfer: Transfer): Promise<CallResult> {
  const { announced, from, context, signal } = transfer;
  const { file, bytes } = announced;
  let before = 0;
  const arrived = async (): Promise<number> => {
    const names = await readdir(folder);
    if (names.length === 0) return 0;
    const part = await lstat(join(folder, 'part')).catch(() => undefined);
    if (!part?.isFile() || names.length > 1 || part.size > bytes || part.size < before)
      throw new Error('the copy is not the file that was announced');
    before = part.size;
    return part.size;
  };
  return watched({ from: 0, arrived }, transfer, (end) =>
    context.cluster.copy(
      from,
      `${from.folder}/${file}`,
      folder,
      'part',
      AbortSignal.any([signal, end.signal]),
    ),
  );
}

/** Windows does not have these flags, nor the links and pipes that they are for. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDWR, O_CREAT, O_EXCL } = constants;

/**
 * The file that `kubectl cp` left, opened once: all later reads and writes are of this same file, even if another file takes
 * its name. A link, pipe, device or folder is removed, not followed, and so is a file with a second name or with more bytes
 * than were announced (CVE-2019-11251 and the like): then the result is undefined.
 */
async function copiedFile(path: string, most: number): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    const found = await file.stat();
    if (found.isFile() && found.nlink === 1 && found.size <= most) return file;
  } catch {
    // It does not exist, is a link or cannot be opened: the same as if nothing was copied.
  }
  await file?.close();
  await rm(path, { recursive: true, force: true });
  return undefined;
}

const newFile = (path: string): Promise<FileHandle> =>
  open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);

/** Throws if kubectl says that this computer cannot store the file: then it is useless to try again. */
function localFailure(stderr: string): void {
  const words = /no space left on device|disk quota exceeded|read-only file system/i.exec(stderr);
  if (words) throw new Error(words[0]);
}

/** Throws if it is useless to try again: this computer cannot store the file, or the server refused, in kubectl's words. */
function finalFailure(stderr: string): void {
  localFailure(stderr);
  const refusal = refusalOf(stderr);
  if (refusal !== undefined) throw new Error(refusal);
}

/**
 * Reads ranges until every byte is here. A range of which nothing came is asked for again, as long as the debug pod is
 * there and the API server shows it.
 */
async function readRanges(file: FileHandle, from: number, transfer: Transfer): Promise<void> {
  const { announced, context, pace } = transfer;
  await file.truncate(from);
  let at = from;
  let quietMs = 0;
  let quietSince = context.now();
  let tries = 0;
  while (at < announced.bytes) {
    const want = Math.min(RANGE_BYTES, announced.bytes - at);
    const { got, stderr } = await readRange(at, want, file, transfer);
    pace.throwIfTooSlow();
    at += got;
    // A range may end before it is watched for the first time.
    if (at < announced.bytes) pace.judge(at, announced.bytes);
    if (got > 0) {
      tries = 0;
      quietMs = 0;
      quietSince = context.now();
      continue;
    }
    finalFailure(stderr);
    if (await podHasIt(transfer)) {
      quietMs = 0;
      quietSince = context.now();
    }
    const pause = Math.min(500 * 2 ** tries, 5000); // The connection to the server may be back soon.
    tries += 1;
    quietMs += pause;
    if (Math.max(quietMs, context.now() - quietSince) > PATIENCE_MS)
      throw new Error(`the copy stopped at ${formatBytes(at)} of ${formatBytes(announced.bytes)}`);
    await context.sleep(pause, transfer.signal);
  }
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

/** The error for a file that no command can get any more. */
class LostFile extends Error {}

/** How long the remote end may take to end after it was told that every byte is here. */
const GOODBYE_MS = 3000;

/**
 * Reads one range and writes it at its place in the file, never more bytes than were asked for. Returns how many came, and
 * what kubectl said.
 */
async function readRange(
  at: number,
  want: number,
  into: FileHandle,
  transfer: Transfer,
): Promise<{ readonly got: number; readonly stderr: string }> {
  const { announced, from, context, signal } = transfer;
  const stream = context.cluster.execStream(
    from,
    request('range', `${from.folder}/${announced.file}`, String(at + 1), String(want)),
  );
  let got = 0;
  let stderr = '';
  const abort = () => stream.kill();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await watched({ from: at, arrived: async () => at + got }, transfer, async (end) => {
      end.signal.addEventListener('abort', abort, { once: true });
      for await (const chunk of stream.chunks) {
        const useful = chunk.subarray(0, want - got);
        await writeAt(into, useful, at + got);
        got += useful.length;
        if (got >= want) {
          stream.write('\n');
          break;
        }
      }
    });
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
  return { got, stderr };
}

/** Errors of the disk name the system call that failed; errors of a stream do not. */
const isOfLocalFile = (error: unknown): boolean => (error as NodeJS.ErrnoException).syscall === 'write';

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function sha256(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Gives a verified file its final name without ever replacing another: a hard link fails where one exists. */
export async function appear(part: string, directory: string, base: string, ending: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const path = join(directory, `${base}${number === 1 ? '' : `.${number}`}${ending}`);
    try {
      await link(part, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw error;
        return copyFile(part, path, constants.COPYFILE_EXCL); // A file system without hard links.
      });
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function notDownloaded(error: unknown, name: string, transfer: Transfer): GkeprofError {
  if (error instanceof LostFile) return clusterError(error.message, undefined, error);
  return new GkeprofError(
    EXIT.incomplete,
    `the capture is finished on the node, but could not be copied: ${reasonOf(error)}`,
    `this still gets the file: ${commandFor(name, transfer)}`,
    error,
  );
}

/** The command line that copies the file, for its user alone as here, and compares it with what the node announced. */
function commandFor(name: string, { announced, from, context }: Transfer): string {
  const { namespace, pod, container } = from;
  const path = `${namespace}/${pod}:${from.folder}/${announced.file}`;
  const line = context.cluster.kubectlLine('cp', '-c', container, path, name);
  // cmd.exe and PowerShell have neither umask nor sha256sum.
  if (context.windows) return `${line} (its SHA-256, by certutil -hashfile, is ${announced.sha256})`;
  return `(umask 077; ${line} && echo ${shellQuote(`${announced.sha256}  ${name}`)} | sha256sum -c)`;
}
