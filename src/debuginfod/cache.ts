import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FileKind } from './servers.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Of elfutils: how long a file counts as missing everywhere, in seconds, where `cache_miss_s` does not say it. */
const MISS_SECONDS = 600;

/** What the cache knows of a file. */
export type Cached = { readonly is: 'there'; readonly path: string } | { readonly is: 'missing' | 'unknown' };

/**
 * The folder in which elfutils keeps what it fetched, and its layout: `HEX/debuginfo`, `HEX/executable`; an empty file
 * means that no server had it (debuginfod-find(1), "CACHE"; debuginfod/debuginfod-client.c).
 */
export function cacheFolder(env: Environment): string {
  if (env.DEBUGINFOD_CACHE_PATH) return env.DEBUGINFOD_CACHE_PATH;
  const home = env.HOME || homedir();
  // The folder of older versions, which elfutils prefers if it is there.
  const old = join(home, '.debuginfod_client_cache');
  if (existsSync(old)) return old;
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'debuginfod_client');
}

const placeIn = (folder: string, buildId: string, kind: FileKind): string => join(folder, buildId, kind);

/** Looks for a file in the cache. `now` is in milliseconds since 1970. */
export function lookInCache(folder: string, buildId: string, kind: FileKind, now: number): Cached {
  const path = placeIn(folder, buildId, kind);
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status?.isFile()) return { is: 'unknown' };
  if (status.size > 0) return { is: 'there', path };
  return { is: now - status.mtimeMs <= missSeconds(folder) * 1000 ? 'missing' : 'unknown' };
}

function missSeconds(folder: string): number {
  try {
    const text = readFileSync(join(folder, 'cache_miss_s'), 'latin1').trim();
    return /^\d{1,9}$/.test(text) ? Number(text) : MISS_SECONDS;
  } catch {
    return MISS_SECONDS;
  }
}

/** A file on its way into the cache, where it appears only when it is whole. */
export interface CacheEntry {
  /** A temporary name, open for writing. */
  readonly file: number;
  /** Gives the file its name, and returns its path. */
  keep(): string;
  /** Removes it. */
  discard(): void;
}

export function newCacheEntry(folder: string, buildId: string, kind: FileKind): CacheEntry {
  const path = placeIn(folder, buildId, kind);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${randomUUID()}.part`;
  const file = openSync(part, 'wx+', 0o600);
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return {
    file,
    keep: () => {
      close();
      renameSync(part, path);
      return path;
    },
    discard: () => {
      close();
      rmSync(part, { force: true });
    },
  };
}

/** Notes that no server has the file: they are not asked again for `cache_miss_s`. */
export function noteMissing(folder: string, buildId: string, kind: FileKind): void {
  newCacheEntry(folder, buildId, kind).keep();
}
