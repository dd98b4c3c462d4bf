import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallResult } from '../cluster/cluster.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { temporaryFolder } from '../files/temporary-folder.ts';
import { printable } from '../text/printable.ts';
import { formatBytes } from '../text/quantity.ts';
import { shellQuote } from '../text/shell-quote.ts';
import type { EarlyCopy } from './early-copy.ts';
import {
  finalFailure,
  LostFile,
  localFailure,
  readBySeveral,
  readRest,
  rereadDifferent,
  StoppedError,
} from './read-ranges.ts';
import type { SessionContext } from './session-context.ts';
import {
  type Announced,
  CopyPace,
  type DownloadSource,
  firstByteOf,
  type Transfer,
  watched,
} from './transfer.ts';

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

/** The folder for a file, and its name there: the base name, then the ending. */
export interface DownloadDestination {
  readonly directory: string;
  readonly base: string;
  readonly ending: string;
}

/** A larger file is read by several streams at a time: each of them costs a process of kubectl, which a small file is not worth. */
const LARGE_BYTES = 16 * 2 ** 20;

/**
 * Downloads one announced file. If its name exists already, it is called `BASE.2` and so on: nothing is ever overwritten.
 * A small file comes over the connection that was opened early, or by `kubectl cp`, a large one by several ranges at a time. Then
 * its size and SHA-256 are compared with the announcement. Only the verified file gets the final name. Rejects with exit code 5
 * while the node still has the file.
 */
export async function download(
  announced: Announced,
  from: DownloadSource,
  { directory, base, ending }: DownloadDestination,
  context: SessionContext,
  early?: EarlyCopy,
): Promise<Artifact> {
  const signal = context.interrupts.abandon;
  const transfer: Transfer = {
    ...{ announced, from, context, signal },
    arrived: { bytes: 0 },
    pace: new CopyPace(context.paceMs),
    firstByte: firstByteOf(context),
  };
  let temporary: string | undefined;
  let copied: Copied | undefined;
  try {
    signal.throwIfAborted();
    await checkAnnounced(announced, directory);
    temporary = temporaryFolder(directory);
    const part = join(temporary, 'part');
    copied = await bring(temporary, part, transfer, early);
    const { file, sum, resumedBytes } = copied;
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
    await copied?.file.close();
    if (temporary) await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A file with as many bytes as were announced. */
interface Copied {
  readonly file: FileHandle;
  /** Its SHA-256, which may not be that on the node. */
  readonly sum: string;
  readonly resumedBytes: number;
}

/** Copies a file in the way that suits its size. If that brings nothing, `kubectl cp` is tried. */
async function bring(
  folder: string,
  part: string,
  transfer: Transfer,
  early: EarlyCopy | undefined,
): Promise<Copied> {
  if (transfer.announced.bytes > LARGE_BYTES) {
    const several = await bySeveral(part, transfer);
    return 'file' in several ? several : await byKubectlCp(folder, part, transfer, several.stopped);
  }
  return (await byEarlyCopy(part, transfer, early)) ?? (await byKubectlCp(folder, part, transfer));
}

/**
 * Reads a large file by several streams at a time. Where its bytes are not those on the node, the parts that differ are read
 * again. If the streams bring nothing any more, although the pod is there, the result is the error, and `kubectl cp` is tried.
 */
async function bySeveral(
  part: string,
  transfer: Transfer,
): Promise<Copied | { readonly stopped: StoppedError }> {
  const { announced, context, signal } = transfer;
  const file = await newFile(part);
  try {
    let resumedBytes = await readBySeveral(file, transfer);
    let sum = await sha256(file, signal);
    if (sum !== announced.sha256) {
      resumedBytes += await rereadDifferent(file, transfer, ({ from, to }) => sha256(file, signal, from, to));
      sum = await sha256(file, signal);
    }
    return { file, sum, resumedBytes };
  } catch (error) {
    await file.close();
    if (!(error instanceof StoppedError)) throw error;
    await rm(part);
    context.log.warn(`${reasonOf(error)}; trying kubectl cp`);
    return { stopped: error };
  }
}

/**
 * Copies a file over the connection that was opened before the file was there. Undefined if no connection was opened for it, or if
 * the connection brings nothing: then `kubectl cp` is tried, which says what is wrong.
 */
async function byEarlyCopy(
  part: string,
  transfer: Transfer,
  early: EarlyCopy | undefined,
): Promise<Copied | undefined> {
  if (early?.file !== transfer.announced.file) return undefined;
  const file = await newFile(part);
  try {
    const got = await early.take(file, transfer);
    transfer.pace.throwIfTooSlow();
    if (got > 0) return await completed(file, got, transfer);
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  await rm(part);
  return undefined;
}

/**
 * Copies a file by `kubectl cp`. The rest of a copy that is too short is read by ranges; not if it brings nothing where ranges
 * had stopped before.
 */
async function byKubectlCp(
  folder: string,
  part: string,
  transfer: Transfer,
  stopped?: StoppedError,
): Promise<Copied> {
  const { announced, pace, signal } = transfer;
  const copied = await copy(folder, transfer);
  signal.throwIfAborted();
  let file = await copiedFile(part, announced.bytes);
  if (!file && copied.exitCode !== 0) localFailure(copied.stderr);
  const got = file ? (await file.stat()).size : 0;
  file ??= await newFile(part);
  try {
    return await completed(file, got, transfer, async () => {
      if (copied.exitCode !== 0) await finalFailure(copied.stderr, transfer);
      pace.throwIfTooSlow();
      if (stopped && got === 0) throw stopped;
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The whole file, of which so many bytes are here. What is missing is read by ranges, whose remote end waits until the client has
 * every byte. `checkWorth` rejects where that would be useless.
 */
async function completed(
  file: FileHandle,
  here: number,
  transfer: Transfer,
  checkWorth?: () => Promise<void>,
): Promise<Copied> {
  const { announced, signal } = transfer;
  let got = here;
  let resumedBytes = 0;
  let sum = got < announced.bytes ? '' : await sha256(file, signal);
  if (sum !== announced.sha256) {
    await checkWorth?.();
    if (got === announced.bytes) got = 0;
    resumedBytes = announced.bytes - got;
    await readRest(file, got, transfer);
    sum = await sha256(file, signal);
  }
  if (sum !== announced.sha256 && resumedBytes < announced.bytes) {
    // The short copy was not the beginning of the file: read it again from its first byte.
    resumedBytes = announced.bytes;
    await readRest(file, 0, transfer);
    sum = await sha256(file, signal);
  }
  return { file, sum, resumedBytes };
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
  const arrivedBy = async (): Promise<number> => {
    const names = await readdir(folder);
    if (names.length === 0) return 0;
    const part = await lstat(join(folder, 'part')).catch(() => undefined);
    if (!part?.isFile() || names.length > 1 || part.size > bytes || part.size < before)
      throw new Error('the copy is not the file that was announced');
    before = part.size;
    transfer.arrived.bytes = part.size;
    return part.size;
  };
  return watched(arrivedBy, transfer, (end) =>
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

/** The SHA-256 of a file, or of its bytes from one to another, which is not among them. */
async function sha256(
  file: FileHandle,
  signal: AbortSignal,
  from = 0,
  to = Number.POSITIVE_INFINITY,
): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let at = from; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - at), at);
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
