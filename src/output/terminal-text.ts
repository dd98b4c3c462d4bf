import { printableText } from '../text/printable.ts';
import type { ByteSink } from './stream.ts';

/** A sink for text of others: it is made safe for a terminal, and is written byte for byte to anything else. */
export interface SafeSink extends ByteSink {
  /** The sink itself, for text that must reach a terminal unchanged. */
  readonly raw: ByteSink;
  /** Writes the rest of a character that was held back because it was incomplete. */
  end(): void;
}

/**
 * Protects a terminal against control characters in names, logs and answers: everything passes `printableText`, and a piece
 * may be cut anywhere. A file or a pipe gets every byte unchanged.
 */
export function safeSink(raw: ByteSink): SafeSink {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  // A `\r` at the end of a piece, because with the next piece it may be `\r\n`, the end of a line.
  let heldBack = '';
  const safe = (text: string): string => {
    const whole = heldBack + text;
    heldBack = whole.endsWith('\r') ? '\r' : '';
    return printableText(heldBack ? whole.slice(0, -1) : whole);
  };
  return {
    raw,
    write(data) {
      if (!raw.isTTY) return raw.write(data);
      const text = safe(typeof data === 'string' ? data : decoder.decode(data, { stream: true }));
      return text === '' || raw.write(text);
    },
    end() {
      if (!raw.isTTY) return;
      const text = printableText(heldBack + decoder.decode());
      heldBack = '';
      if (text) raw.write(text);
    },
    once: (event, listener) => raw.once?.(event, listener) as never,
    off: (event, listener) => raw.off?.(event, listener) as never,
    get destroyed() {
      return raw.destroyed === true;
    },
    get isTTY() {
      return raw.isTTY === true;
    },
    get columns() {
      return raw.columns;
    },
  };
}
