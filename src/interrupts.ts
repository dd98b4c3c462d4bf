import { EXIT, type ExitCode, GkeprofError } from './errors.ts';

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const CODES: Readonly<Record<SignalName, ExitCode>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.hangup,
};

/** Ctrl-C once asks for an orderly end, twice for an end at once; SIGTERM and SIGHUP likewise. */
export class Interrupts {
  readonly #stop = new AbortController();
  readonly #abandon = new AbortController();
  #code: ExitCode = EXIT.interrupted;

  /** Aborted by the first signal. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborted by the second. */
  get abandon(): AbortSignal {
    return this.#abandon.signal;
  }

  receive(signal: SignalName): void {
    if (this.#stop.signal.aborted) this.#abandon.abort(this.error());
    else {
      this.#code = CODES[signal];
      this.#stop.abort(this.error());
    }
  }

  /** What an interrupted command ends with when nothing was kept. */
  error(): GkeprofError {
    return new GkeprofError(this.#code, 'interrupted: nothing was kept');
  }
}
