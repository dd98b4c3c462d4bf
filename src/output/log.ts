import { printableLines } from '../printable.ts';

/** As much of a stream as is written to. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * What people read, on stderr: lines that stay, and one live line on a terminal that the next one replaces.
 * Elsewhere a change of phase is a line of its own, and figures are not repeated.
 */
export class Log {
  readonly #sink: TextSink;
  readonly #verbose: boolean;
  #live = false;

  constructor(sink: TextSink, verbose = false) {
    this.#sink = sink;
    this.#verbose = verbose;
  }

  /** A line that stays. */
  line(text: string): void {
    this.#clear();
    this.#sink.write(`${printableLines(text)}\n`);
  }

  warn(text: string): void {
    this.line(`warning: ${text}`);
  }

  /** A step begins: a line that stays off a terminal, the live line on one. */
  phase(text: string): void {
    if (this.#sink.isTTY) this.figures(text);
    else this.line(text);
  }

  /** Passing figures: on a terminal only. */
  figures(text: string): void {
    if (!this.#sink.isTTY) return;
    const width = Math.max(20, (this.#sink.columns || 80) - 1);
    const shown = printableLines(text).replaceAll('\n', ' ').slice(0, width);
    this.#sink.write(`\r\u001b[K${shown}`);
    this.#live = true;
  }

  /** API calls and kubectl lines, with -v. */
  trace(text: string): void {
    if (this.#verbose) this.line(`  ${text}`);
  }

  /** Ends the live line, so that what others write starts at a line's beginning. */
  #clear(): void {
    if (this.#live) this.#sink.write('\r\u001b[K');
    this.#live = false;
  }

  end(): void {
    this.#clear();
  }
}
