import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Log } from '../output/log.ts';
import { formatBytes } from '../text/quantity.ts';
import { type CacheEntry, lookInCache, newCacheEntry, noteMissing } from './cache.ts';
import { fetchInto } from './download.ts';
import { type Elf, ElfError, type ReadBytes, readElf } from './elf.ts';
import { addressAt, type FileKind, type Servers } from './servers.ts';

/** An ELF file of a build ID, or the reason why there is none. */
export type FoundFile =
  | { readonly is: 'there'; readonly elf: Elf; readonly read: ReadBytes; readonly close: () => void }
  | { readonly is: 'missing' }
  | { readonly is: 'failed' | 'refused'; readonly reason: string };

/** A large file comes in many thousand pieces. */
const BETWEEN_FIGURES_MS = 200;

/** Where files are found, in one run of a command. */
export interface FileSource {
  readonly servers: Servers;
  /** The folder of the cache. */
  readonly folder: string;
  /** The servers that did not answer, with the reason: they are not asked for further files. */
  readonly down: Map<URL, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Pick<Log, 'figures' | 'trace' | 'end'>;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/**
 * Finds the file of a build ID: in the cache, else at the first server that has it, which puts it into the cache. A file
 * whose own build ID is another one is refused. `name` is shown while it is fetched. Rejects with the signal's reason, or
 * if the cache cannot be written.
 */
export async function findFile(
  buildId: string,
  kind: FileKind,
  name: string,
  source: FileSource,
): Promise<FoundFile> {
  const { servers, folder, down, now, log } = source;
  const cached = lookInCache(folder, buildId, kind, now());
  if (cached.is === 'missing') return { is: 'missing' };
  if (cached.is === 'there') return opened(openSync(cached.path, 'r'), buildId);
  let why: FoundFile = { is: 'missing' };
  for (const server of servers.urls) {
    const known = down.get(server);
    const entry = known === undefined ? newCacheEntry(folder, buildId, kind) : undefined;
    let result: FoundFile = { is: 'failed', reason: known ?? '' };
    try {
      if (entry) result = await fetched(entry, server, buildId, kind, name, source);
    } finally {
      entry?.discard();
      log.end();
    }
    if (result.is === 'there') return result;
    // A server that does not have it says less than one that could not answer.
    if (why.is === 'missing') why = result;
  }
  if (why.is === 'missing') noteMissing(folder, buildId, kind);
  return why;
}

async function fetched(
  entry: CacheEntry,
  server: URL,
  buildId: string,
  kind: FileKind,
  name: string,
  { servers, down, env, log, signal, now }: FileSource,
): Promise<FoundFile> {
  const url = addressAt(server, buildId, kind);
  log.trace(`GET ${withoutLogin(url)}`);
  const what = `fetching symbols of ${name}`;
  log.figures(what, url.host);
  let shownAt = 0;
  const result = await fetchInto(url, entry.file, {
    ...servers,
    env,
    signal,
    progress: (done, whole) => {
      if (done !== whole && now() - shownAt < BETWEEN_FIGURES_MS) return;
      shownAt = now();
      const size = whole === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(whole)}`;
      log.figures(what, size, url.host);
    },
  });
  if (result.is === 'missing') return { is: 'missing' };
  if (result.is === 'failed') {
    const reason = `${url.host}: ${result.reason}`;
    if (result.isDown) down.set(server, reason);
    return { is: 'failed', reason };
  }
  // Checked before it gets its name: others use the cache too.
  const checked = headersOf(entry.file, buildId);
  if (checked.is !== 'there') return { ...checked, reason: `${url.host}: ${checked.reason}` };
  return opened(openSync(entry.keep(), 'r'), buildId);
}

/** Takes over an open file. */
function opened(file: number, buildId: string): FoundFile {
  const found = headersOf(file, buildId);
  if (found.is === 'there') return { ...found, close: () => closeSync(file) };
  closeSync(file);
  return found;
}

function headersOf(
  file: number,
  buildId: string,
):
  | { readonly is: 'there'; readonly elf: Elf; readonly read: ReadBytes }
  | { readonly is: 'refused'; readonly reason: string } {
  const { size } = fstatSync(file);
  const read: ReadBytes = (at, length) => {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - at)));
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(file, bytes, done, bytes.length - done, at + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  };
  try {
    const elf = readElf(read);
    return elf.buildId === buildId
      ? { is: 'there', elf, read }
      : { is: 'refused', reason: `the file has ${elf.buildId === undefined ? 'no' : 'another'} build ID` };
  } catch (error) {
    if (error instanceof ElfError) return { is: 'refused', reason: error.message };
    throw error;
  }
}

/** A URL without the name and the password that it may have. */
function withoutLogin(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}
