import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The servers of debug files, and the bounds for each of them: debuginfod-find(1). */
export interface Servers {
  /** In the order in which they are asked. */
  readonly urls: readonly URL[];
  /** In seconds: a server is skipped that sends less than 100 KiB in this time. 0: without this bound. */
  readonly timeoutSeconds: number;
  /** The longest time for a whole file, in seconds; 0: without this bound. */
  readonly longestSeconds: number;
  /** The largest file, in bytes. */
  readonly mostBytes: number;
}

/** Of elfutils: debuginfod/debuginfod-client.c, default_timeout. */
const TIMEOUT_SECONDS = 90;
/** In bytes: elfutils has no limit by default. The largest debug files of distributions, those of browsers, have about 5 GB. */
const MOST_BYTES = 8 * 2 ** 30;

const WHERE =
  'name a server (--debuginfod URL) or set DEBUGINFOD_URLS; the servers of the distributions are listed at https://sourceware.org/elfutils/Debuginfod.html';

/**
 * The servers that the user named, or else those of DEBUGINFOD_URLS. `named` are texts with one URL or several, separated
 * by blanks; an empty text stands for the environment's. Throws a usage error if there is none.
 */
export function serversOf(named: readonly string[], env: Environment): Servers {
  const words = named.flatMap((text) => text.split(/\s+/).filter(Boolean));
  const fromEnvironment = words.length === 0;
  // `ima:enforcing` and the like between the URLs are for elfutils, which can check signatures.
  const texts = fromEnvironment
    ? (env.DEBUGINFOD_URLS ?? '').split(/\s+/).filter((word) => word !== '' && !word.startsWith('ima:'))
    : words;
  if (texts.length === 0)
    throw usageError('--debuginfod: no server is named, and DEBUGINFOD_URLS is not set', WHERE);
  return {
    urls: [...new Set(texts)].map((text) =>
      serverUrl(text, fromEnvironment ? 'DEBUGINFOD_URLS' : '--debuginfod'),
    ),
    timeoutSeconds: seconds(env, 'DEBUGINFOD_TIMEOUT') ?? TIMEOUT_SECONDS,
    longestSeconds: seconds(env, 'DEBUGINFOD_MAXTIME') ?? 0,
    mostBytes: positive(env, 'DEBUGINFOD_MAXSIZE') ?? MOST_BYTES,
  };
}

function serverUrl(text: string, from: string): URL {
  const url = URL.parse(text);
  if (!url || !isWeb(url) || url.hostname === '')
    throw usageError(`${from}: "${printable(text)}" is not an http or https URL`, WHERE);
  return url;
}

/** Whether a URL is one that files are fetched from: never one of the local machine's files. */
export const isWeb = (url: URL): boolean => url.protocol === 'https:' || url.protocol === 'http:';

/** Zero and less mean that there is no bound. */
function seconds(env: Environment, name: string): number | undefined {
  const number = numberOf(env, name);
  return number === undefined ? undefined : Math.max(0, number);
}

function positive(env: Environment, name: string): number | undefined {
  const number = numberOf(env, name);
  return number === undefined || number <= 0 ? undefined : number;
}

function numberOf(env: Environment, name: string): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  if (!/^-?\d+$/.test(text)) throw usageError(`${name}: "${printable(text)}" is not a whole number`);
  return Number(text);
}

/** What is fetched of a build ID: the file with the debug information, or the executable or library itself. */
export type FileKind = 'debuginfo' | 'executable';

/** The address of a file: `URL/buildid/HEX/KIND`, debuginfod(8). */
export function addressAt(server: URL, buildId: string, kind: FileKind): URL {
  const url = new URL(server);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/buildid/${buildId}/${kind}`;
  return url;
}
