import type { ByteSink } from './stream.ts';

/**
 * A sink that creates its stream only when it is needed, because Node takes 7 ms to create one for a pipe, a quarter of the
 * time of `version`. A first short text is written by `writeNow`, which returns the number of bytes that were written: fewer
 * if the pipe is full. Everything else goes through the stream.
 */
export function firstWrite(
  makeStream: () => Stream,
  writeNow: (bytes: Uint8Array) => number,
  mayBeTerminal: () => boolean = () => true,
): ByteSink {
  let stream: Stream | undefined;
  let isFirst = true;
  const made = (): Stream => (stream ??= makeStream());
  return {
    write(data) {
      const now = isFirst && stream === undefined && data.length <= SHORT;
      isFirst = false;
      if (!now) return made().write(data);
      const bytes = Buffer.from(data);
      const written = writeNow(bytes);
      return written === bytes.length || made().write(bytes.subarray(written));
    },
    once: (event, listener) => made().once(event, listener),
    off: (event, listener) => made().off(event, listener),
    get destroyed() {
      return stream?.destroyed ?? false;
    },
    get isTTY() {
      return mayBeTerminal() && made().isTTY;
    },
    get columns() {
      return made().columns;
    },
  };
}

/** It has `columns` only if it is a terminal. */
type Stream = Required<Omit<ByteSink, 'columns'>> & Pick<ByteSink, 'columns'>;

/** In bytes: a pipe holds more. */
const SHORT = 32_768;
