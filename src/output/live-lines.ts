import { printable } from '../text/printable.ts';
import { fitToWidth } from './live.ts';

/** The part of a writable stream that the log uses. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
}

/** The live lines below everything that stays on a terminal: one for each part of the work, replaced in place. */
export class LiveLines {
  readonly #sink: TextSink;
  /** What each part shows, in the order in which the parts began. */
  readonly #rows = new Map<string, readonly string[]>();
  /** How many lines are on the terminal now. */
  #drawn = 0;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  /** Shows figures on the line of a part, as many as fit, so the most important one comes first. */
  show(part: string, figures: readonly string[]): void {
    this.#rows.set(part, figures);
    this.#sink.write(this.#erased() + this.#lines());
    this.#drawn = this.#rows.size;
  }

  /** Removes the line of a part. */
  drop(part: string): void {
    this.#rows.delete(part);
    if (this.#drawn === 0) return;
    this.#sink.write(this.#erased() + this.#lines());
    this.#drawn = this.#rows.size;
  }

  /** Writes a line that stays. The live lines come back with the next figures. */
  write(text: string): void {
    if (this.#drawn > 0) this.#sink.write(this.#erased());
    this.#drawn = 0;
    this.#sink.write(`${text}\n`);
  }

  /** The codes that remove what is drawn and put the cursor where it began (ECMA-48: CUU, ED, EL). */
  #erased(): string {
    return this.#drawn > 1 ? `\r\u001b[${this.#drawn - 1}A\u001b[J` : '\r\u001b[K';
  }

  #lines(): string {
    const width = Math.max(1, (this.#sink.columns || 80) - 1);
    return [...this.#rows.values()].map((figures) => fitToWidth(figures.map(printable), width)).join('\n');
  }
}
