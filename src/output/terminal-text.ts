import { printableText } from '../text/printable.ts';
import type { ByteSink } from './stream.ts';

/** A sink for what others wrote: safe where it is a terminal, byte for byte everywhere else. */
export interface SafeSink extends ByteSink {
  /** The sink itself, for what is to reach a terminal as it is. */
  readonly raw: ByteSink;
  /** Writes what is held of a character that was cut. */
  end(): void;
}

/**
 * Puts a terminal out of the reach of names, logs and answers: everything that is written passes `printableText`, wherever
 * the pieces are cut. A file or a pipe gets every byte as it came.
 */
export function safeSink(raw: ByteSink): SafeSink {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  // Of `\r\n`, which is one end of a line.
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
