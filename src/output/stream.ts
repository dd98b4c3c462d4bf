import type { EventEmitter } from 'node:events';
import { Turns } from '../interrupts.ts';

/** The part of a writable stream that is used here: the stdout of the process, or of a test. */
export interface ByteSink extends Partial<Pick<EventEmitter, 'once' | 'off'>> {
  write(data: string | Uint8Array): unknown;
  readonly destroyed?: boolean;
  readonly isTTY?: boolean;
  /** The width of the terminal, if it is one. */
  readonly columns?: number | undefined;
}

/** The part of a readable stream that is used here. */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
  /** Closes the stream before its end. */
  destroy?(): unknown;
}

/** Writes the pieces, each after the sink has accepted the one before. It stops without an error if the reader has gone. */
export async function writeAll(sink: ByteSink, pieces: Iterable<string | Uint8Array>): Promise<void> {
  await untilGone(sink, async (write) => {
    for (const piece of pieces) if (!(await write(piece))) return;
  });
}

/** In characters: small pieces are joined to so large a write. */
const GATHERED = 65_536;

/**
 * Writes a text that is generated while it is written. Signals are handled between its pieces, which may be empty, and the
 * promise is then rejected with the reason of the signal. It stops without an error if the reader has gone.
 */
export async function writeText(
  sink: ByteSink,
  pieces: Iterable<string>,
  signal?: AbortSignal,
): Promise<void> {
  const turns = new Turns(signal);
  await untilGone(sink, async (write) => {
    let text = '';
    for (const piece of pieces) {
      text += piece;
      if (turns.isOver) await turns.give();
      if (text.length < GATHERED) continue;
      if (!(await write(text))) return;
      text = '';
    }
    if (text) sink.write(text);
  });
}

/** Gives `work` a function that waits until the sink accepts more and returns whether there still is a reader. */
async function untilGone(
  sink: ByteSink,
  work: (write: (piece: string | Uint8Array) => Promise<boolean>) => Promise<void>,
): Promise<void> {
  let isGone = false;
  let isWatched = false;
  // Node's stdout is never `destroyed`, not even if the other end of its pipe is closed.
  const gone = () => {
    isGone = true;
  };
  try {
    await work(async (piece) => {
      if (isGone || sink.destroyed) return false;
      const isTaken = sink.write(piece);
      if (!isWatched) sink.once?.('error', gone);
      isWatched = true;
      if (isTaken === false && sink.once) await drained(sink);
      return !isGone;
    });
  } finally {
    if (isWatched) sink.off?.('error', gone);
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
