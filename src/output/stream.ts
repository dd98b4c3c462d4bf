import type { EventEmitter } from 'node:events';

/** As much of a stream as bytes are written to; a process's stdout, or a test's. */
export interface ByteSink extends Partial<Pick<EventEmitter, 'once' | 'off'>> {
  write(data: string | Uint8Array): unknown;
  readonly destroyed?: boolean;
  readonly isTTY?: boolean;
  /** Of the terminal, where it is one. */
  readonly columns?: number | undefined;
}

/** As much of a stream as bytes are read from. */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
  /** Lets go of it though it has not ended. */
  destroy?(): unknown;
}

/** Writes piece after piece, each when the sink has taken the one before. A reader that has gone ends it quietly. */
export async function writeAll(sink: ByteSink, pieces: Iterable<string | Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (sink.destroyed) return;
    if (sink.write(piece) === false && sink.once) await drained(sink);
  }
}

const drained = (sink: ByteSink): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) sink.off?.(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) sink.once?.(event, done);
  });
