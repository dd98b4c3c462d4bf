import type { FileHandle } from 'node:fs/promises';
import type { RemoteStream } from '../cluster/cluster.ts';
import { reasonOf } from '../errors.ts';
import { outOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import type { Plan } from '../plan/plan.ts';
import { formatBytes } from '../text/quantity.ts';
import { containerOf } from './debug-pod.ts';
import { isOfLocalFile, localFailure, writeAt } from './read-ranges.ts';
import type { SessionContext } from './session-context.ts';
import { FirstByte, type Transfer, watched } from './transfer.ts';

/**
 * A connection to the debug pod that is opened while the node still finishes its file: kubectl takes several round trips to open one.
 * So the copy begins as soon as the file is announced. Whatever is wrong with the connection, the file is copied in another way. The
 * shell at its other end waits for this client, and ends with the connection or with its container.
 */
export class EarlyCopy {
  /** The name of the file on the node. */
  readonly file: string;
  readonly #stream: RemoteStream;
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** The line feed that says that the connection is there. */
  readonly #first: Promise<IteratorResult<Uint8Array>>;
  #isOpen = false;

  /** Opens the connection. It is closed if the user gives up. */
  constructor(plan: Plan, file: string, { cluster, interrupts: { abandon } }: SessionContext) {
    this.file = file;
    this.#stream = cluster.execStream(containerOf(plan, 'files'), request('take', `${outOf(plan)}/${file}`));
    this.#chunks = this.#stream.chunks[Symbol.asyncIterator]();
    this.#first = this.#chunks.next();
    this.#first.then(
      ({ done }) => {
        this.#isOpen = !done;
      },
      () => {}, // take() has the error too.
    );
    if (abandon.aborted) this.close();
    else abandon.addEventListener('abort', () => this.close(), { once: true });
  }

  /** Closes the connection, also while the file comes over it. */
  close(): void {
    this.#stream.kill();
  }

  /**
   * Writes the announced file into an empty one, never more bytes than were announced, and returns how many came. They are not
   * verified. Fewer came if the connection was never there, broke or stalled. Rejects if the disk here takes no more.
   */
  async take(into: FileHandle, transfer: Transfer): Promise<number> {
    const { announced, arrived, context, signal } = transfer;
    let got = 0;
    let why = 'it ended';
    const receive = async (): Promise<void> => {
      let skip = 1;
      for (
        let next = await this.#first;
        !next.done && got < announced.bytes;
        next = await this.#chunks.next()
      ) {
        const useful = next.value.subarray(skip, skip + announced.bytes - got);
        skip = 0;
        await writeAt(into, useful, got);
        got += useful.length;
        arrived.bytes += useful.length;
        if (got === announced.bytes) return;
      }
    };
    this.#stream.write('\n');
    try {
      // Where the connection is there already, the first byte of the file may not take longer than any other. It came without what
      // kubectl reads to open one, so it says nothing about the first byte of later streams.
      await watched(
        async () => got + Number(this.#isOpen),
        { ...transfer, firstByte: new FirstByte(context.stallMs) },
        (end) => {
          end.signal.addEventListener('abort', () => this.close(), { once: true });
          return receive().finally(() => end.signal.throwIfAborted());
        },
      );
    } catch (error) {
      signal.throwIfAborted();
      if (isOfLocalFile(error)) {
        localFailure(reasonOf(error));
        throw error;
      }
      why = reasonOf(error);
    } finally {
      // With every byte here nothing is needed of the other end any more, and it ends with the connection.
      this.close();
    }
    const { log } = context;
    if (got < announced.bytes)
      log.trace(
        `the connection that was opened early brought ${formatBytes(got)} of ${formatBytes(announced.bytes)}: ${why}`,
      );
    else log.trace('every byte is here: the connection that was opened early is being closed', 2);
    return got;
  }
}
