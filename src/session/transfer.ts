import type { Cluster, ContainerRef } from '../cluster/cluster.ts';
import { unlessAborted } from '../interrupts.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import { copyingParts } from './progress.ts';
import type { SessionContext } from './session-context.ts';

/** What the node announced about a finished file. */
export interface Announced {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The container that has the file, its folder there, and the uid of its pod. */
export interface DownloadSource extends ContainerRef {
  readonly folder: string;
  /** What `touch` gets to tell the node that the client is still there. */
  readonly lease: string;
  readonly uid?: string;
}

/** The download of one file. */
export interface Transfer {
  readonly announced: Announced;
  readonly from: DownloadSource;
  /** How many bytes of the file are here by now; whoever brings bytes adds them. */
  readonly arrived: { bytes: number };
  readonly pace: CopyPace;
  readonly firstByte: FirstByte;
  readonly context: SessionContext;
  /** Aborted if the user gives up the download, or if another of its streams failed. */
  readonly signal: AbortSignal;
  /** Of a stream that gives way where the line is slow: the end of the one that it waits for then. */
  readonly before?: Promise<unknown>;
}

/** Why a stream was ended whose line is so slow that it brought nothing to any of them. */
export class GaveWay extends Error {}

const STALL_MS = 30_000;
/**
 * How many times as long the first byte may take: kubectl reads the debug pod before it begins. At the least speed that is
 * accepted below, the 36 kB of a packet capture's pod take more than half a minute, and the 73 kB of a profile's more than a minute.
 * Later streams may take so many times as long as the first byte took before, and at least this part of the time for a stall.
 */
const FIRST_BYTE_TIMES = 3;
/** The speed of a copy is judged by what came in this time, in milliseconds. */
const PACE_MS = 60_000;
/** The least speed of a copy, in bytes per second: at less, not even a small recording arrives while the node keeps it. */
const FLOOR = 1000;
/** How often a transfer is checked: a copy that brings too much is ended after at most this time. */
const WATCH_MS = 100;
const PROGRESS_MS = 1000;

/**
 * How long a stream may take until its first byte, by how long it took those before it. On a line that is known to be fast, a
 * stream that is lost without a word is noticed sooner.
 */
export class FirstByte {
  readonly #stallMs: number;
  #longestMs: number | undefined;

  constructor(stallMs = STALL_MS) {
    this.#stallMs = stallMs;
  }

  /** The limit for a stream that has brought nothing yet, in milliseconds. */
  get limitMs(): number {
    const most = FIRST_BYTE_TIMES * this.#stallMs;
    if (this.#longestMs === undefined) return most;
    return Math.min(most, Math.max(this.soonMs, FIRST_BYTE_TIMES * this.#longestMs));
  }

  /** A line that brings nothing to several streams in this time is slow, in milliseconds. */
  get soonMs(): number {
    return this.#stallMs / FIRST_BYTE_TIMES;
  }

  /** A stream had its first byte after so many milliseconds, or was ended without one: the line may have become slow. */
  took(ms: number): void {
    this.#longestMs = Math.max(this.#longestMs ?? 0, ms);
  }
}

const known = new WeakMap<Cluster, FirstByte>();

/** What is known of the connection that all files of a session come through. */
export function firstByteOf({ cluster, stallMs }: SessionContext): FirstByte {
  const found = known.get(cluster) ?? new FirstByte(stallMs);
  known.set(cluster, found);
  return found;
}

/**
 * Judges the speed of a whole download, over all its streams. Time in which the API server was away does not count, and
 * neither does time in which nothing came at all: a transfer that stalls is tried again.
 */
export class CopyPace {
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
 * Ends a stream that brings no byte for too long: `kubectl cp` and `exec` have no time-out of their own, and wait for ever
 * if their stream is lost. `arrivedBy` returns how many bytes this stream brought; it rejects if they are not what was
 * announced, and that ends the stream too.
 */
export async function watched<T>(
  arrivedBy: () => Promise<number>,
  { announced: { bytes: whole }, arrived, pace, firstByte, before: other, context, signal }: Transfer,
  stream: (end: AbortController) => Promise<T>,
): Promise<T> {
  const { log, stallMs = STALL_MS } = context;
  const end = new AbortController();
  const began = Date.now();
  const before = arrived.bytes;
  let own = 0;
  let since = began;
  let shown = began;
  const watch = setInterval(
    async () => {
      const here = await arrivedBy()
        .then((bytes) => {
          pace.judge(arrived.bytes, whole);
          return bytes;
        })
        .catch((error: unknown) => end.abort(error));
      if (here === undefined || end.signal.aborted) return;
      const now = Date.now();
      if (here === own) {
        if (other && arrived.bytes === 0 && now - since > firstByte.soonMs) end.abort(new GaveWay());
        if (now - since <= (own === 0 ? firstByte.limitMs : stallMs)) return;
        if (own === 0) firstByte.took(now - began);
        end.abort(new Error('the copy stalled'));
        return;
      }
      if (own === 0) firstByte.took(now - began);
      own = here;
      since = now;
      if (now - shown < PROGRESS_MS) return;
      shown = now;
      const perSecond = (1000 * (arrived.bytes - before)) / (now - began);
      log.figures(...copyingParts(arrived.bytes, whole, Math.max(0, perSecond)));
    },
    Math.min(WATCH_MS, stallMs / 4),
  );
  try {
    return await unlessAborted(stream(end), signal);
  } finally {
    clearInterval(watch);
  }
}
