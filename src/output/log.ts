import { printable, printableLines } from '../text/printable.ts';
import { fitToWidth } from './live.ts';
import type { Style } from './style.ts';

/** As much of a stream as is written to. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
}

export interface LogSettings {
  /** Of -v: 1 shows calls and keeps phases, 2 their times and the node's events. */
  readonly level?: number;
  /** Errors alone. */
  readonly quiet?: boolean;
  readonly style?: Style;
}

const TICK_MS = 1000;

/**
 * What people read, on stderr: lines that stay, and one live line on a terminal that the next one replaces.
 * Elsewhere a change of phase is a line of its own, and figures are not repeated.
 */
export class Log {
  readonly #sink: TextSink;
  readonly #level: number;
  readonly #quiet: boolean;
  readonly #style: Style;
  #live = false;
  #ticking: NodeJS.Timeout | undefined;

  constructor(sink: TextSink, { level = 0, quiet = false, style = (word) => word }: LogSettings = {}) {
    this.#sink = sink;
    this.#level = level;
    this.#quiet = quiet;
    this.#style = style;
  }

  /** A line that stays. */
  line(text: string): void {
    if (!this.#quiet) this.#write(printableLines(text));
  }

  warn(text: string): void {
    if (!this.#quiet) this.#write(`${this.#style('warning:')} ${printableLines(text)}`);
  }

  /** The reason in one line, then what to do next. */
  error(reason: string, hint?: string): void {
    this.#write(`${this.#style('error:')} ${printable(reason)}`);
    if (hint) this.#write(`${this.#style('hint:')} ${printable(hint)}`);
  }

  /**
   * A step begins: a line that stays off a terminal and with -v; on a terminal the live line, with how long it has
   * taken so far.
   */
  phase(text: string): void {
    this.#stopTicking();
    if (!this.#sink.isTTY || this.#level > 0) this.line(text);
    const began = Date.now();
    this.tick(() => {
      const seconds = Math.floor((Date.now() - began) / 1000);
      return seconds > 0 ? [text, `${seconds}s`] : [text];
    });
  }

  /** Passing figures that change with time: made anew every second, until something else is shown in their place. */
  tick(figures: () => readonly string[]): void {
    this.#stopTicking();
    if (!this.#sink.isTTY || this.#quiet) return;
    this.#show(figures());
    this.#ticking = setInterval(() => this.#show(figures()), TICK_MS).unref();
  }

  /** Passing figures, the most important first: on a terminal only, as many as fit. */
  figures(...parts: readonly string[]): void {
    this.#stopTicking();
    if (this.#sink.isTTY && !this.#quiet) this.#show(parts);
  }

  /** API calls and kubectl lines, with -v; what is only of interest to a closer look, from level 2 on. */
  trace(text: string, level = 1): void {
    if (this.#level >= level) this.line(`  ${text}`);
  }

  /** Ends the live line, so that what others write starts at a line's beginning. */
  end(): void {
    this.#stopTicking();
    if (this.#live) this.#sink.write('\r\u001b[K');
    this.#live = false;
  }

  #write(text: string): void {
    if (this.#live) this.#sink.write('\r\u001b[K');
    this.#live = false;
    this.#sink.write(`${text}\n`);
  }

  #show(parts: readonly string[]): void {
    const width = Math.max(1, (this.#sink.columns || 80) - 1);
    const shown = fitToWidth(parts.map(printable), width);
    this.#sink.write(`\r\u001b[K${shown}`);
    this.#live = true;
  }

  #stopTicking(): void {
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}
