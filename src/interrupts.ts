import { EXIT, type ExitCode, GkeprofError } from './errors.ts';

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const CODES: Readonly<Record<SignalName, ExitCode>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.hangup,
};

/** What ends by itself on a signal has so long for it. */
const GRACE_MS = 700;
/** After the second signal nothing is waited for any longer. A debug pod is deleted, or its command printed, sooner. */
const LAST_MS = 4700;

/**
 * Ctrl-C once asks for an orderly end, twice for an end at once; SIGTERM and SIGHUP likewise. A command that has something to
 * end in order, such as a debug pod, holds the process until it has done so; any other ends on the first signal,
 * whatever it waits for.
 */
export class Interrupts {
  readonly #stop = new AbortController();
  readonly #abandon = new AbortController();
  readonly #waiting = new Set<() => void>();
  #code: ExitCode = EXIT.interrupted;
  #holders = 0;

  /** Aborted by the first signal. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborted by the second. */
  get abandon(): AbortSignal {
    return this.#abandon.signal;
  }

  /** Aborted by the next signal that comes, or by the second. */
  get next(): AbortSignal {
    return this.#stop.signal.aborted ? this.#abandon.signal : this.#stop.signal;
  }

  receive(signal: SignalName): void {
    if (this.#stop.signal.aborted) this.#abandon.abort(this.error());
    else {
      this.#code = CODES[signal];
      this.#stop.abort(this.error());
    }
    for (const wake of this.#waiting) wake();
  }

  /** What an interrupted command ends with when nothing was kept. */
  error(): GkeprofError {
    return new GkeprofError(this.#code, 'interrupted: nothing was kept');
  }

  /** Keeps the process on the first signal, until what is returned is called. */
  hold(): () => void {
    this.#holders += 1;
    let held = true;
    return () => {
      if (held) this.#holders -= 1;
      held = false;
      for (const wake of this.#waiting) wake();
    };
  }

  /** Rejects when the process is to end: a signal came, and what had to be done after it had its time. */
  async over(): Promise<never> {
    await aborted(this.stop);
    for (;;) {
      const isLast = this.abandon.aborted;
      const hadNone = this.#holders === 0;
      if (isLast) await soon(LAST_MS, this.#waiting, () => false);
      else if (!hadNone)
        await soon(undefined, this.#waiting, () => this.#holders === 0 || this.abandon.aborted);
      else await soon(GRACE_MS, this.#waiting, () => this.#holders > 0 || this.abandon.aborted);
      if (isLast || (hadNone && this.#holders === 0 && !this.abandon.aborted)) throw this.error();
    }
  }
}

/** Resolves after a time, or when what was woken up finds that it is enough. */
function soon(ms: number | undefined, waiting: Set<() => void>, isEnough: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      waiting.delete(wake);
      resolve();
    };
    const wake = () => isEnough() && end();
    const timer = ms === undefined ? undefined : setTimeout(end, ms);
    waiting.add(wake);
    wake();
  });
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/**
 * What the work gives, or the signal's reason as soon as it is aborted: for work that has no way to be ended. It goes on,
 * and nobody hears of it.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** How long work may go on before others get a turn. */
const TURN_MS = 20;

/**
 * For work that never waits, such as printing a long list: unless the event loop gets a turn now and then, signals and
 * closed pipes are not noticed. Between two pieces of it: `if (turns.isOver) await turns.give()`.
 */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #began = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  get isOver(): boolean {
    return performance.now() - this.#began >= TURN_MS;
  }

  /** Rejects with the signal's reason where it is aborted. */
  async give(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#signal?.throwIfAborted();
    this.#began = performance.now();
  }
}
