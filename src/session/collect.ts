import { createHash } from 'node:crypto';
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, link, lstat, mkdtemp, open, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Cluster, ContainerRef } from '../cluster/cluster.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { request } from '../node/requests.ts';
import { OUT } from '../node/script.ts';
import { formatBytes } from '../quantity.ts';

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

export interface Collecting {
  readonly cluster: Cluster;
  readonly from: ContainerRef;
  readonly signal: AbortSignal;
  /** Bytes that are here, of how many, and how many come in a second. */
  readonly progress: (done: number, whole: number, perSecond: number) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** How long a copy may bring nothing; tests wait less. */
  readonly stallMs?: number;
}

const STALL_MS = 30_000;

/**
 * Ends a transfer that has not brought a byte for so long: `kubectl cp` and `exec` have no bound of their own, and a
 * stream that is lost on the way leaves them waiting for ever.
 */
async function unlessStalled<T>(
  path: string,
  { from, whole }: { readonly from: number; readonly whole: number },
  { stallMs = STALL_MS, progress }: Collecting,
  transfer: (end: AbortController) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const began = Date.now();
  let size = 0;
  let since = Date.now();
  const watch = setInterval(
    async () => {
      const now = await stat(path).then(
        (file) => file.size,
        () => 0,
      );
      if (now !== size) {
        size = now;
        since = Date.now();
        progress(size, whole, Math.max(0, (1000 * (size - from)) / (since - began)));
      } else if (Date.now() - since > stallMs) end.abort(new Error('the copy stalled'));
    },
    Math.min(1000, stallMs / 4),
  );
  try {
    return await transfer(end);
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
export async function collect(
  announced: Announced,
  directory: string,
  base: string,
  ending: string,
  world: Collecting,
): Promise<Artifact> {
  let temporary: string | undefined;
  try {
    temporary = await mkdtemp(join(directory, '.gkeprof-'));
    const folder = temporary;
    const part = join(folder, 'part');
    const from = `${OUT}/${announced.file}`;
    const copied = await unlessStalled(part, { from: 0, whole: announced.bytes }, world, (end) =>
      world.cluster.copy(world.from, from, folder, 'part', AbortSignal.any([world.signal, end.signal])),
    );
    world.signal.throwIfAborted();
    const whole = await regularFile(part);
    if (!whole && copied.exitCode !== 0) localFailure(copied.stderr);
    let got = whole ? (await stat(part)).size : 0;
    if (got > announced.bytes) got = 0;
    let resumedBytes = 0;
    if (got < announced.bytes || (await sha256(part)) !== announced.sha256) {
      localFailure(copied.stderr);
      if (got === announced.bytes) got = 0;
      resumedBytes = announced.bytes - got;
      await readRanges(announced, part, got, world);
      if ((await sha256(part)) !== announced.sha256) {
        // A short copy that was no correct beginning: once more, from the first byte.
        resumedBytes = announced.bytes;
        await readRanges(announced, part, 0, world);
      }
    }
    const sum = await sha256(part);
    if (sum !== announced.sha256)
      throw new Error(`SHA-256 is ${sum} here and ${announced.sha256} on the node`);
    await chmod(part, 0o600);
    const path = await appear(part, directory, base, ending);
    return { path, base: path.slice(0, -ending.length), bytes: announced.bytes, sha256: sum, resumedBytes };
  } catch (error) {
    world.signal.throwIfAborted();
    throw notCollected(error, announced, base + ending, world);
  } finally {
    if (temporary) await rm(temporary, { recursive: true, force: true });
  }
}

/** A symlink or device never counts, whatever the archive held (CVE-2019-11251 and its kind). */
async function regularFile(path: string): Promise<boolean> {
  return lstat(path).then(
    (file) => file.isFile(),
    () => false,
  );
}

/** kubectl's words for a laptop that cannot take the file: no use in trying again. */
function localFailure(stderr: string): void {
  const words = /no space left on device|disk quota exceeded|read-only file system/i.exec(stderr);
  if (words) throw new Error(words[0]);
}

async function readRanges(
  announced: Announced,
  path: string,
  from: number,
  world: Collecting,
): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  await file.close();
  await truncate(path, from);
  let at = from;
  let tries = 0;
  while (at < announced.bytes) {
    const want = Math.min(RANGE_BYTES, announced.bytes - at);
    const got = await readRange(announced, at, want, path, world);
    at += got;
    tries = got === 0 ? tries + 1 : 0;
    if (got === 0) await world.sleep(500 * 2 ** tries, world.signal); // The way to the server may be back soon.
    if (tries >= RANGE_TRIES)
      throw new Error(`the copy stopped at ${formatBytes(at)} of ${formatBytes(announced.bytes)}`);
  }
}

/** One range, appended. */
async function readRange(
  { file, bytes }: Announced,
  at: number,
  want: number,
  path: string,
  world: Collecting,
): Promise<number> {
  const stream = world.cluster.execStream(
    world.from,
    request('range', `${OUT}/${file}`, String(at + 1), String(want)),
  );
  let got = 0;
  const abort = () => stream.kill();
  world.signal.addEventListener('abort', abort, { once: true });
  try {
    await unlessStalled(path, { from: at, whole: bytes }, world, (end) => {
      end.signal.addEventListener('abort', abort, { once: true });
      return pipeline(
        async function* () {
          for await (const chunk of stream.chunks) {
            const useful = chunk.subarray(0, want - got);
            got += useful.length;
            yield useful;
            if (got >= want) {
              stream.write('\n');
              return;
            }
          }
        },
        createWriteStream(path, { flags: 'a' }),
      );
    });
  } finally {
    world.signal.removeEventListener('abort', abort);
    if (got < want) stream.kill();
    await stream.ended.catch(() => {});
  }
  world.signal.throwIfAborted();
  return got;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
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

function notCollected(error: unknown, announced: Announced, name: string, world: Collecting): GkeprofError {
  if (error instanceof GkeprofError) return error;
  const { namespace, pod, container } = world.from;
  return new GkeprofError(
    EXIT.incomplete,
    `the capture is finished on the node, but could not be copied: ${reasonOf(error)}`,
    `it still gets the file: ${world.cluster.kubectlLine('cp', '-c', container, `${namespace}/${pod}:${OUT}/${announced.file}`, name)}`,
    error,
  );
}
