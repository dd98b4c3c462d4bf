import { writeSync } from 'node:fs';
import {
  type ClientRequest,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent, request as tlsRequest } from 'node:https';
import { reasonOf } from '../errors.ts';
import { formatBytes } from '../text/quantity.ts';
import { isWeb, type Servers } from './servers.ts';

/** What became of a request for a file. `isDown`: the server did not answer, or is too slow, and would be for other files. */
export type Download =
  | { readonly is: 'done' | 'missing' }
  | { readonly is: 'failed'; readonly reason: string; readonly isDown?: true };

/** elfutils follows any number; no server that works has more. */
const MOST_REDIRECTS = 10;
/** A server must send as much in the time of DEBUGINFOD_TIMEOUT: debuginfod-find(1). */
const LEAST_BYTES = 100 * 1024;

export interface DownloadOptions extends Omit<Servers, 'urls'> {
  readonly signal: AbortSignal;
  /** The proxies of the environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called with the bytes that have arrived, and how many there will be, if the server said it. */
  readonly progress: (done: number, whole: number | undefined) => void;
}

/**
 * Writes what a URL holds to an open file, from its beginning. Rejects only with the signal's reason, or if the file cannot
 * be written; what a server does wrong is the result.
 */
export async function fetchInto(url: URL, file: number, options: DownloadOptions): Promise<Download> {
  const { signal, longestSeconds } = options;
  const deadline = longestSeconds > 0 ? AbortSignal.timeout(longestSeconds * 1000) : undefined;
  const stop = new AbortController();
  const watch = watchFor(options, stop);
  const all = AbortSignal.any([signal, stop.signal, ...(deadline ? [deadline] : [])]);
  let writing: unknown;
  try {
    const response = await follow(url, options, all);
    if (typeof response === 'string') return { is: 'failed', reason: response };
    const { statusCode } = response;
    // The rest of such an answer is not read, and would keep the process alive.
    if (statusCode !== 200) response.destroy();
    if (statusCode === 404) return { is: 'missing' };
    if (statusCode !== 200) return { is: 'failed', reason: `the server answered with status ${statusCode}` };
    const announced = sizeOf(response);
    const tooLarge = (bytes: number) =>
      `it has ${formatBytes(bytes)}, more than the limit of ${formatBytes(options.mostBytes)} (DEBUGINFOD_MAXSIZE)`;
    if (announced !== undefined && announced > options.mostBytes) {
      response.destroy();
      return { is: 'failed', reason: tooLarge(announced) };
    }
    let done = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (done + chunk.length > options.mostBytes) {
        response.destroy();
        return { is: 'failed', reason: tooLarge(done + chunk.length) };
      }
      try {
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at, chunk.length - at, done + at);
      } catch (error) {
        writing = error;
        throw error;
      }
      done += chunk.length;
      watch.arrived(chunk.length);
      options.progress(done, announced);
    }
    if (done === 0) return { is: 'failed', reason: 'the server sent an empty file' };
    return { is: 'done' };
  } catch (error) {
    signal.throwIfAborted();
    if (writing) throw writing;
    if (deadline?.aborted)
      return { is: 'failed', reason: `it took longer than ${longestSeconds} s (DEBUGINFOD_MAXTIME)` };
    const reason = stop.signal.aborted ? reasonOf(stop.signal.reason) : networkReason(error);
    return { is: 'failed', reason, isDown: true };
  } finally {
    watch.end();
  }
}

/** An error about several addresses of a host has a code, but no message. */
const networkReason = (error: unknown): string =>
  reasonOf(error) || ((error as NodeJS.ErrnoException).code ?? 'no connection');

/** Ends a transfer that is too slow. */
function watchFor({ timeoutSeconds }: DownloadOptions, stop: AbortController) {
  let arrived = 0;
  const timer =
    timeoutSeconds > 0
      ? setInterval(() => {
          if (arrived < LEAST_BYTES)
            stop.abort(
              new Error(
                `the server sent less than ${formatBytes(LEAST_BYTES)} in ${timeoutSeconds} s (DEBUGINFOD_TIMEOUT)`,
              ),
            );
          arrived = 0;
        }, timeoutSeconds * 1000)
      : undefined;
  return {
    arrived: (bytes: number) => {
      arrived += bytes;
    },
    end: () => clearInterval(timer),
  };
}

/** The answer behind all redirects, or why there is none. */
async function follow(
  from: URL,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<IncomingMessage | string> {
  let url = from;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
    const response = await ask(url, options, signal);
    const { statusCode = 0, headers } = response;
    if (![301, 302, 303, 307, 308].includes(statusCode)) return response;
    response.destroy();
    const next = headers.location === undefined ? null : URL.parse(headers.location, url);
    if (!next) return 'the server redirects to nowhere';
    if (!isWeb(next)) return `the server redirects to a URL that is neither http nor https`;
    if (url.protocol === 'https:' && next.protocol === 'http:')
      return 'the server redirects from https to http, which anybody on the way can read and change';
    url = next;
  }
  return `the server redirects more than ${MOST_REDIRECTS} times`;
}

function ask(url: URL, { env, mostBytes }: DownloadOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const isTls = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    // One connection for each file: a kept one would keep the process alive.
    const proxyEnv = { ...env } as NodeJS.ProcessEnv;
    const agent = isTls ? new Agent({ proxyEnv }) : new PlainAgent({ proxyEnv });
    const request: ClientRequest = (isTls ? tlsRequest : plainRequest)(
      url,
      {
        agent,
        signal,
        headers: {
          'User-Agent': 'kubectl-gkeprof',
          'Accept-Encoding': 'identity',
          'X-DEBUGINFOD-MAXSIZE': String(mostBytes),
        },
      },
      resolve,
    );
    request.on('error', reject);
    request.end();
  });
}

/** The size that the server announces; debuginfod has a header of its own for answers that it compresses. */
function sizeOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['content-length'] ?? headers['x-debuginfod-size'];
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
