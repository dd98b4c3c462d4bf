import { isMissingRight, mayPass, retryAfterMs } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError } from '../errors.ts';
import { unlessAborted } from '../interrupts.ts';
import { formatDuration } from '../text/quantity.ts';
import type { SessionContext } from './session-context.ts';

/** How long a session waits for an API server that is away, in milliseconds. */
export const PATIENCE_MS = 120_000;

/**
 * How long a right is asked for again that was there before, in milliseconds. An API server that has just started has not
 * read the roles of the cluster yet, and a kubelet that asked it then remembers the answer for 30 s (cacheUnauthorizedTTL).
 */
const RIGHTS_MS = 40_000;

/** The pauses between two tries, in milliseconds: a reset connection is opened again at once, a server that starts is not pressed. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2000;

/** How long and in whose interest something is asked again. */
export interface Patience {
  /** What goes on meanwhile, as a clause: `the capture goes on`. */
  readonly meanwhile: string;
  /** Milliseconds from the first try to the last; PATIENCE_MS by default. */
  readonly boundMs?: number;
  /** The user gives up: rejects with the reason of this signal. */
  readonly signal?: AbortSignal;
  /** The end of the patience: rejects with the last error, as at the bound. */
  readonly until?: AbortSignal;
  /** Called before each pause. */
  readonly onWait?: () => void;
}

/** The clusters whose trouble the user was told of: one line is enough, however many calls wait for the same server. */
const said = new WeakSet<Cluster>();

/** The clusters that have answered a session: it has its rights. */
const answered = new WeakSet<Cluster>();

/**
 * Asks again while the API server cannot be reached or is in trouble, because the debug pod lives on without it. A pause
 * lasts as long as the server says (Retry-After). A refusal by the server is final, except where the session had the right
 * before, or the server was away a moment ago: then a missing right is asked for again for a shorter time. At the bound it
 * rejects with the last error.
 */
export async function patiently<T>(
  ask: () => Promise<T>,
  { meanwhile, boundMs = PATIENCE_MS, signal, until, onWait }: Patience,
  { cluster, log, now, sleep }: SessionContext,
): Promise<T> {
  let spent = 0;
  const ends = [signal, until].filter((each) => each !== undefined);
  const end = ends.length ? AbortSignal.any(ends) : undefined;
  let last: unknown;
  let waited = 0;
  let rightsUntil: number | undefined;
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted();
    const left = boundMs - Math.max(waited, spent);
    const asked = now();
    try {
      const answer = await answerWithin(left, ask, end);
      said.delete(cluster);
      answered.add(cluster);
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      spent += awakeMs(now() - asked, left);
      if (until?.aborted) throw last ?? noAnswer(spent / 1000);
      const isRefused = isMissingRight(error) && (last !== undefined || answered.has(cluster));
      if (!isRefused && !mayPass(error)) throw error;
      last = error;
      rightsUntil = isRefused ? (rightsUntil ?? Math.max(waited, spent) + RIGHTS_MS) : undefined;
      const most = Math.min(boundMs, rightsUntil ?? boundMs);
      const pause = Math.max(
        Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS),
        retryAfterMs(error) ?? 0,
      );
      if (Math.max(waited, spent) + pause > most) throw error;
      if (tries > 1 && !said.has(cluster)) {
        said.add(cluster);
        log.line(
          `${(error as Error).message}; ${meanwhile}, and this is tried again for ${formatDuration(Math.ceil((isRefused ? Math.min(boundMs, RIGHTS_MS) : boundMs) / 1000))}`,
        );
      }
      onWait?.();
      waited += pause;
      const paused = now();
      await sleep(pause, end).catch(() => {}); // The next turn tells which signal it was.
      spent += awakeMs(now() - paused, pause);
      if (until?.aborted) throw last;
    }
  }
}

/** A step that took so much longer than it may, in milliseconds, did so because the computer was asleep. */
const ASLEEP_MS = 10_000;

/** How much of the patience a step has used: none if a laptop slept in it, because the network is only coming back then. */
const awakeMs = (tookMs: number, mostMs: number): number => (tookMs > mostMs + ASLEEP_MS ? 0 : tookMs);

/** One answer. A request that is never answered, nor refused, ends with the patience. */
async function answerWithin<T>(ms: number, ask: () => Promise<T>, end: AbortSignal | undefined): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(noAnswer(ms / 1000)), Math.max(0, ms));
  try {
    return await unlessAborted(ask(), end ? AbortSignal.any([late.signal, end]) : late.signal);
  } finally {
    clearTimeout(timer);
  }
}

const noAnswer = (seconds: number) =>
  clusterError(`the API server did not answer within ${formatDuration(Math.max(1, Math.round(seconds)))}`);
