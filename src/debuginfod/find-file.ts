import type { Log } from '../output/log.ts';
import { formatBytes } from '../text/quantity.ts';
import { lookInCache, newCacheEntry, noteMissing } from './cache.ts';
import { download } from './download.ts';
import { addressAt, type FileKind, type Servers } from './servers.ts';

/** A file of a build ID, or the reason why there is none. */
export type FoundFile =
  | { readonly is: 'there'; readonly path: string }
  | { readonly is: 'missing' }
  | { readonly is: 'failed'; readonly reason: string };

export interface FileSource {
  readonly servers: Servers;
  /** The folder of the cache. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Pick<Log, 'figures' | 'trace' | 'end'>;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/**
 * Finds the file of a build ID: in the cache, else at the first server that has it, which puts it into the cache. `name` is
 * shown while it is fetched. Rejects with the signal's reason, or if the cache cannot be written.
 */
export async function findFile(
  buildId: string,
  kind: FileKind,
  name: string,
  { servers, folder, env, log, signal, now }: FileSource,
): Promise<FoundFile> {
  const cached = lookInCache(folder, buildId, kind, now());
  if (cached.is === 'there') return cached;
  if (cached.is === 'missing') return { is: 'missing' };
  let failed: string | undefined;
  for (const server of servers.urls) {
    const url = addressAt(server, buildId, kind);
    log.trace(`GET ${withoutLogin(url)}`);
    const entry = newCacheEntry(folder, buildId, kind);
    try {
      const result = await download(url, entry.file, {
        ...servers,
        env,
        signal,
        progress: (done, whole) =>
          log.figures(
            `fetching symbols of ${name}`,
            whole === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(whole)}`,
            url.host,
          ),
      });
      if (result.is === 'done') return { is: 'there', path: entry.keep() };
      if (result.is === 'failed') failed ??= `${url.host}: ${result.reason}`;
    } finally {
      entry.discard();
      log.end();
    }
  }
  if (failed !== undefined) return { is: 'failed', reason: failed };
  noteMissing(folder, buildId, kind);
  return { is: 'missing' };
}

/** A URL without the name and the password that it may have. */
function withoutLogin(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}
