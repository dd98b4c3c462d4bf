import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallResult, ContainerRef } from '../cluster/cluster.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { OUT } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { printable } from '../text/printable.ts';
import { formatBytes } from '../text/quantity.ts';
import { copyingParts } from './progress.ts';
import type { SessionContext } from './session-context.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** What the node announced about a finished file. */
export interface Announced {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file that reached the laptop and was verified. */
export interface Artifact {
  readonly path: string;
  /** `path` without its ending: what the files made from it begin with. */
  readonly base: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Bytes that had to be read again by ranges, because the first copy came short; 0 as a rule. */
  readonly resumedBytes: number;
}

/** Bytes a range; exec streams of this size never lost their tail in 80 trials, larger ones did. */
const RANGE_BYTES = 8 * 2 ** 20;
const RANGE_TRIES = 5;

/** Where a file gets, and what it is called there: the base name, then the ending. */
export interface Destination {
  readonly directory: string;
  readonly base: string;
  readonly ending: string;
}

/** One file on its way. */
interface Transfer {
  readonly announced: Announced;
  readonly from: ContainerRef;
  readonly context: SessionContext;
  /** Aborted when the user gives the download up. */
  readonly signal: AbortSignal;
}

const STALL_MS = 30_000;
/** How often a transfer is looked at: what comes too much is as much as comes in this time. */
const WATCH_MS = 100;
const PROGRESS_MS = 1000;

/**
 * Ends a transfer that has not brought a byte for so long, because `kubectl cp` and `exec` have no bound of their own, and
 * a stream that is lost on the way leaves them waiting for ever. `arrived` says how many bytes are here, or rejects when
 * what is here is not what was announced: that ends the transfer too.
 */
async function watched<T>(
  { from, arrived }: { from: number; arrived: () => Promise<number> },
  { announced: { bytes: whole }, context: { log, stallMs = STALL_MS }, signal }: Transfer,
  transfer: (end: AbortController) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const began = Date.now();
  let size = 0;
  let since = began;
  let shown = began;
  const watch = setInterval(
    async () => {
      const here = await arrived().catch((error: unknown) => end.abort(error));
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
 * Brings one announced file to `directory` under `name` (or `name.2` …: nothing is ever overwritten):
 * `kubectl cp` into a fresh folder, then size and SHA-256 against the announcement. What came short is read on
 * from its last byte by ranges whose remote end stays alive until the client has every byte. The final name
 * appears only on the verified file. Rejects with exit code 5 while the node still has it.
 */
export async function download(
  announced: Announced,
  from: ContainerRef,
  { directory, base, ending }: Destination,
  context: SessionContext,
): Promise<Artifact> {
  const signal = context.interrupts.abandon;
  const transfer: Transfer = { announced, from, context, signal };
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
    if (got < announced.bytes || (await sha256(file, signal)) !== announced.sha256) {
      localFailure(copied.stderr);
      if (got === announced.bytes) got = 0;
      resumedBytes = announced.bytes - got;
      await readRanges(file, got, transfer);
      if ((await sha256(file, signal)) !== announced.sha256) {
        // A short copy that was no correct beginning: once more, from the first byte.
        resumedBytes = announced.bytes;
        await readRanges(file, 0, transfer);
      }
    }
    const sum = await sha256(file, signal);
    if (sum !== announced.sha256)
      throw new Error(`SHA-256 is ${sum} here and ${announced.sha256} on the node`);
    await file.chmod(0o600);
    const [verified, named] = [await file.stat(), await lstat(part)];
    if (verified.ino !== named.ino || verified.dev !== named.dev)
      throw new Error('the copy was exchanged for another file after it was verified');
    const path = await appear(part, directory, base, ending);
    return { path, base: path.slice(0, -ending.length), bytes: announced.bytes, sha256: sum, resumedBytes };
  } catch (error) {
    signal.throwIfAborted();
    throw notDownloaded(error, base + ending, transfer);
  } finally {
    await file?.close();
    if (temporary) await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Refuses an announcement that names no plain file of the folder for files, or more bytes than the disk here has free. */
async function checkAnnounced({ file, bytes, sha256: sum }: Announced, directory: string): Promise<void> {
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(file) || !Number.isSafeInteger(bytes) || bytes < 0)
    throw new Error(
      `the node announced "${printable(file)}" of ${bytes} bytes, which is no file of a capture`,
    );
  if (!/^[0-9a-f]{64}$/.test(sum)) throw new Error('the node announced a file without its SHA-256');
  const { blocks, bavail, bsize } = await statfs(directory);
  // Some file systems over the network do not tell: there it is tried.
  if (blocks > 0 && bytes > bavail * bsize)
    throw new Error(`it has ${formatBytes(bytes)}, and only ${formatBytes(bavail * bsize)} are free here`);
}

/**
 * `kubectl cp` unpacks a tar that the node wrote. It is ended as soon as anything but the one regular file is there, or as
 * that has more bytes than were announced, or fewer than it had a moment ago: another member of the same name.
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
      throw new Error('what is copied is not what was announced');
    before = part.size;
    return part.size;
  };
  return watched({ from: 0, arrived }, transfer, (end) =>
    context.cluster.copy(from, `${OUT}/${file}`, folder, 'part', AbortSignal.any([signal, end.signal])),
  );
}

/** Windows has no such flags, nor the links and pipes that they are about. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDWR, O_CREAT, O_EXCL } = constants;

/**
 * What `kubectl cp` left, opened for good: every read and write after this is of the same file, whatever its name comes to
 * mean. A link, pipe, device or folder never counts, nor a file that has a second name, or more bytes than were
 * announced (CVE-2019-11251 and its kind): those are removed, not followed, and undefined is returned.
 */
async function copiedFile(path: string, most: number): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    const found = await file.stat();
    if (found.isFile() && found.nlink === 1 && found.size <= most) return file;
  } catch {
    // It is not there, is a link or cannot be opened: as good as not copied.
  }
  await file?.close();
  await rm(path, { recursive: true, force: true });
  return undefined;
}

const newFile = (path: string): Promise<FileHandle> =>
  open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);

/** kubectl's words for a laptop that cannot take the file: no use in trying again. */
function localFailure(stderr: string): void {
  const words = /no space left on device|disk quota exceeded|read-only file system/i.exec(stderr);
  if (words) throw new Error(words[0]);
}

async function readRanges(file: FileHandle, from: number, transfer: Transfer): Promise<void> {
  const { announced, context, signal } = transfer;
  await file.truncate(from);
  let at = from;
  let tries = 0;
  while (at < announced.bytes) {
    const want = Math.min(RANGE_BYTES, announced.bytes - at);
    const got = await readRange(at, want, file, transfer);
    at += got;
    tries = got === 0 ? tries + 1 : 0;
    if (got === 0) await context.sleep(500 * 2 ** tries, signal); // The way to the server may be back soon.
    if (tries >= RANGE_TRIES)
      throw new Error(`the copy stopped at ${formatBytes(at)} of ${formatBytes(announced.bytes)}`);
  }
}

/** How long the remote end may take to go once it was told that all is here. */
const GOODBYE_MS = 3000;

/** One range, written behind what is there; bytes beyond what was asked for are never written. */
async function readRange(at: number, want: number, into: FileHandle, transfer: Transfer): Promise<number> {
  const { announced, from, context, signal } = transfer;
  const stream = context.cluster.execStream(
    from,
    request('range', `${OUT}/${announced.file}`, String(at + 1), String(want)),
  );
  let got = 0;
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
    // A stream that was ended here, or broke, is read on from where it came to.
    if (isOfLocalFile(error)) throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    if (got < want) stream.kill();
    const late = setTimeout(() => stream.kill(), GOODBYE_MS);
    await unlessAborted(stream.ended, signal).catch(() => {});
    clearTimeout(late);
  }
  signal.throwIfAborted();
  return got;
}

/** Errors of the disk, unlike those of a stream, have the call that failed. */
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

function notDownloaded(
  error: unknown,
  name: string,
  { announced, from, context: { cluster } }: Transfer,
): GkeprofError {
  if (error instanceof GkeprofError) return error;
  const { namespace, pod, container } = from;
  return new GkeprofError(
    EXIT.incomplete,
    `the capture is finished on the node, but could not be copied: ${reasonOf(error)}`,
    `it still gets the file: ${cluster.kubectlLine('cp', '-c', container, `${namespace}/${pod}:${OUT}/${announced.file}`, name)}`,
    error,
  );
}
