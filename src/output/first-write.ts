import type { ByteSink } from './stream.ts';

/**
 * A sink before the stream that it stands for exists: Node takes 7 ms to make one of a pipe, a quarter of what `version`
 * takes. The first short text is written at once by `writeNow`, which returns how many bytes went, fewer when
 * the other end takes no more; all else goes through the stream, made then.
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

/** `columns` only where it is a terminal. */
type Stream = Required<Omit<ByteSink, 'columns'>> & Pick<ByteSink, 'columns'>;

/** In bytes: less than a pipe holds. */
const SHORT = 32_768;
