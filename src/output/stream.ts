import type { EventEmitter } from 'node:events';
import { Turns } from '../interrupts.ts';

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
  await untilGone(sink, async (write) => {
    for (const piece of pieces) if (!(await write(piece))) return;
  });
}

/** Fewer, larger writes. */
const GATHERED = 65_536;

/**
 * Writes a text that is made while it is written, however long that takes: between its pieces, which may be empty, signals
 * are heard, and a reader that has gone ends it quietly. Rejects with the signal's reason.
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

/** `write` waits until the sink takes more, and returns whether anybody still reads. */
async function untilGone(
  sink: ByteSink,
  work: (write: (piece: string | Uint8Array) => Promise<boolean>) => Promise<void>,
): Promise<void> {
  let isGone = false;
  let isWatched = false;
  // Node's own stdout is never `destroyed`, also when the other end of its pipe has gone.
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
