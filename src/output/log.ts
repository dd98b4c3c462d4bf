import { styleText } from 'node:util';
import { printable, printableLines } from '../text/printable.ts';
import { LiveLines, type TextSink } from './live-lines.ts';

export interface LogSettings {
  /** The level of -v: 1 shows calls and keeps the phases, 2 also shows their times and the events of the node. */
  readonly level?: number;
  /** Only errors. */
  readonly quiet?: boolean;
  /** Only warnings and errors, as kubectl does if the result is for a program. */
  readonly warningsOnly?: boolean;
  readonly style?: Style;
}

const TICK_MS = 1000;

/**
 * Writes for people, on stderr: lines that stay, and on a terminal one live line, which is replaced by the next one.
 * If it is not a terminal, each new phase gets a line and the figures are left out.
 */
export class Log {
  readonly #sink: TextSink;
  readonly #settings: LogSettings;
  readonly #level: number;
  readonly #quiet: boolean;
  /** Whether phases, figures and summaries are shown. */
  readonly #tells: boolean;
  readonly #style: Style;
  readonly #live: LiveLines;
  /** Of a part of the work: what its lines begin with. */
  readonly #part: string;
  #ticking: NodeJS.Timeout | undefined;

  constructor(sink: TextSink, settings: LogSettings = {}, live = new LiveLines(sink), part = '') {
    const { level = 0, quiet = false, warningsOnly = false, style = (word: string) => word } = settings;
    this.#sink = sink;
    this.#settings = settings;
    this.#level = level;
    this.#quiet = quiet;
    this.#tells = !quiet && !warningsOnly;
    this.#style = style;
    this.#live = live;
    this.#part = part;
  }

  /** The log of a part of the work that goes on beside others: its lines begin with its name, and it has a live line of its own. */
  of(part: string): Log {
    return new Log(this.#sink, this.#settings, this.#live, `${part}: `);
  }

  /** A line that stays. */
  line(text: string): void {
    if (this.#tells) this.#write(this.#part + printableLines(text));
  }

  warn(text: string): void {
    if (!this.#quiet) this.#write(`${this.#style('warning:')} ${this.#part}${printableLines(text)}`);
  }

  /** What to do next, where nothing went wrong. */
  hint(text: string): void {
    if (this.#tells) this.#write(`${this.#style('hint:')} ${printable(text)}`);
  }

  /** Prints the reason on one line, then the hint what to do. */
  error(reason: string, hint?: string): void {
    this.#write(`${this.#style('error:')} ${printable(reason)}`);
    if (hint) this.#write(`${this.#style('hint:')} ${printable(hint)}`);
  }

  /**
   * Begins a phase. On a terminal the live line shows it and how long it has taken so far; with -v, or if it is not a
   * terminal, it gets a line that stays.
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
    if (!this.#sink.isTTY || !this.#tells) return;
    this.#show(figures());
    this.#ticking = setInterval(() => this.#show(figures()), TICK_MS).unref();
  }

  /** Shows figures on the live line, as many as fit, so the most important one comes first. */
  figures(...parts: readonly string[]): void {
    this.#stopTicking();
    if (this.#sink.isTTY && this.#tells) this.#show(parts);
  }

  /** Shows an API call or a kubectl command, from this level of -v on. */
  trace(text: string, level = 1): void {
    if (this.#level >= level) this.line(`  ${text}`);
  }

  /** Removes the live line, so that the output of others starts at the beginning of a line. */
  end(): void {
    this.#stopTicking();
    this.#live.drop(this.#part);
  }

  #write(text: string): void {
    this.#live.write(text);
  }

  #show([first = '', ...parts]: readonly string[]): void {
    this.#live.show(this.#part, [this.#part + first, ...parts]);
  }

  #stopTicking(): void {
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}

/** Colours the word that begins a line; without colours it returns the word as it is. */
export type Style = (word: 'error:' | 'warning:' | 'hint:') => string;

const COLOURS = { 'error:': 'red', 'warning:': 'yellow', 'hint:': 'cyan' } as const;

/** Colours only for a terminal that has them (TERM is not `dumb`) and for a user who wants them (no-color.org). */
export function styleFor(
  isTerminal: () => boolean,
  env: Readonly<Record<string, string | undefined>>,
): Style {
  return (word) =>
    isTerminal() && wantsColours(env) ? styleText(COLOURS[word], word, { validateStream: false }) : word;
}

/** Whether a terminal may get colours. */
export const wantsColours = (env: Readonly<Record<string, string | undefined>>): boolean =>
  !env.NO_COLOR && env.TERM !== 'dumb';
