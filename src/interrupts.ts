import { EXIT, type ExitCode, GkeprofError } from './errors.ts';

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const CODES: Readonly<Record<SignalName, ExitCode>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.hangup,
};

/** The time that a command without a holder has to end by itself after the first signal. */
const GRACE_MS = 700;
/** The longest wait after the second signal. Deleting a debug pod, or printing the command for it, takes less time. */
const LAST_MS = 4700;

/**
 * The first Ctrl-C asks for an orderly end, the second for an immediate one; SIGTERM and SIGHUP work in the same way. A
 * command that must clean up, such as one with a debug pod, holds the process until it has done so. Any other command ends
 * on the first signal, even while it waits for something.
 */
export class Interrupts {
  readonly #stop = new AbortController();
  readonly #abandon = new AbortController();
  readonly #waiting = new Set<() => void>();
  #name: SignalName = 'SIGINT';
  #whole: Interrupts | undefined;
  #holders = 0;
  #isTaken = false;

  /** Aborted by the first signal. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborted by the second signal. */
  get abandon(): AbortSignal {
    return this.#abandon.signal;
  }

  /**
   * Ends the work that comes now: the first signal, also if it came before this was asked. Only where a holder took the first
   * signal, because a recording ended by it, the second one.
   */
  get next(): AbortSignal {
    return this.#isTaken ? this.#abandon.signal : this.#stop.signal;
  }

  receive(signal: SignalName): void {
    if (this.#stop.signal.aborted) this.#abandon.abort(this.error());
    else {
      this.#name = signal;
      this.#isTaken = (this.#whole ?? this).#holders > 0;
      this.#stop.abort(this.error());
    }
    for (const wake of this.#waiting) wake();
  }

  /**
   * For a part of the work that goes on beside others: it gets all signals that come from now on. What it receives alone, such
   * as a part that gives up because it had not begun, ends no other part.
   */
  branch(): Interrupts {
    const part = new Interrupts();
    part.#whole = this;
    for (const signal of [this.#stop.signal, this.#abandon.signal]) {
      const pass = () => part.receive(this.#name);
      if (signal.aborted) pass();
      else signal.addEventListener('abort', pass, { once: true });
    }
    return part;
  }

  /** The error of an interrupted command that kept nothing. */
  error(): GkeprofError {
    return new GkeprofError(CODES[this.#name], 'interrupted: nothing was kept');
  }

  /** Keeps the process alive after the first signal until the returned function is called. */
  hold(): () => void {
    if (this.#whole) return this.#whole.hold();
    this.#holders += 1;
    let held = true;
    return () => {
      if (held) this.#holders -= 1;
      held = false;
      for (const wake of this.#waiting) wake();
    };
  }

  /** Rejects when the process has to end: after a signal, and after the time that holders may take. */
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

/** Resolves after `ms`, or when `isEnough` is true after a wake-up. */
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
 * Waits for work that cannot be cancelled, but rejects with the signal's reason as soon as the signal is aborted. The work
 * then continues, and its result is ignored.
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

/** How long work may block the event loop, in milliseconds. */
const TURN_MS = 20;

/**
 * For work without any `await`, such as printing a long list: the process notices signals and closed pipes only if the
 * event loop gets a turn now and then. Call `if (turns.isOver) await turns.give()` between two pieces of the work.
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

  /** Gives the event loop a turn. Rejects with the signal's reason if the signal is aborted. */
  async give(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#signal?.throwIfAborted();
    this.#began = performance.now();
  }
}
