import type { ReadEnd } from '../file/reader.ts';
import { isAfter } from '../times.ts';
import { type InterfaceTotals, interfaceBlock, type Stamp, sectionBlock, statisticsBlock } from './blocks.ts';
import { type ClockOffset, ClockOffsets } from './clock-offset.ts';
import type { PodInterface } from './pod-interface.ts';
import { SourceQueue } from './source-queue.ts';

/** A capture file, and the pod that it is of. */
export interface CombineInput extends PodInterface {
  /** Its content, not compressed; a piece has to be valid until the next one is asked for. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** What became of one file. */
export interface CombinedSource {
  /** Packets and captured bytes of the file, all of which are in the combined file. */
  readonly packets: number;
  readonly capturedBytes: number;
  /** Packets that stood behind a later one in the file, and were put into their place. */
  readonly reordered: number;
  /** Packets that came too late for that, and stand behind a later one in the combined file. */
  readonly late: number;
  /** How it ended: `cut` and `damage` say why there may be more in it. */
  readonly end: ReadEnd;
}

export interface Combined {
  readonly packets: number;
  readonly sources: readonly CombinedSource[];
  readonly offsets: readonly ClockOffset[];
}

/** Writes bytes, which stay as they are until the promise resolves. */
export type Write = (bytes: Uint8Array) => Promise<void>;

/** Room for the longest packet, and for enough of the usual ones. */
const BUFFER = 1 << 20;
/** Of an enhanced packet block, without its packet. */
const AROUND = 32;

/**
 * Combines the captures of several pods into one pcapng section with an interface for each, and its packets in the order of
 * their times. Each file is put into order first (source-queue.ts), then the earliest of all files comes next; packets of
 * one time come in the order of the inputs. Times, lengths and bytes are those of the files: clocks that differ are
 * measured, and not corrected. `application` names the writer in the file.
 *
 * Rejects with a SourceError or UnknownFormatError for an input that is no capture, and as `write` or an input rejects. All
 * inputs are closed then.
 */
export async function combine(
  inputs: readonly CombineInput[],
  application: string,
  write: Write,
  signal?: AbortSignal,
): Promise<Combined> {
  const queues = inputs.map(({ chunks }) => new SourceQueue(chunks));
  try {
    await Promise.all(queues.map((queue) => queue.fill()));
    const out = new BlockBuffer(write);
    await out.add(sectionBlock(application));
    for (const [at, input] of inputs.entries()) await out.add(interfaceBlock(input, queues[at]!.header!));
    const clocks = queues.map((queue) => new StampClock(queue.header!.places));
    const offsets = new ClockOffsets(
      inputs,
      queues.map((queue) => queue.header!),
    );
    const ended = async (at: number) => out.add(statisticsBlock(at, inputs[at]!.counts, clocks[at]!.totals));
    const packets = await merge(queues, clocks, offsets, out, ended, signal);
    await out.end();
    return {
      packets,
      sources: queues.map(({ packets: count, capturedBytes, reordered, late, end }) => ({
        packets: count,
        capturedBytes,
        reordered,
        late,
        end: end!,
      })),
      offsets: offsets.facts(),
    };
  } finally {
    await Promise.all(queues.map((queue) => queue.close()));
  }
}

async function merge(
  queues: readonly SourceQueue[],
  clocks: readonly StampClock[],
  offsets: ClockOffsets,
  out: BlockBuffer,
  ended: (at: number) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let packets = 0;
  const open = new Set(queues.keys());
  for (;;) {
    signal?.throwIfAborted();
    const waiting = queues.filter((queue) => !queue.isReady && !queue.end);
    if (waiting.length > 0) await Promise.all(waiting.map((queue) => queue.fill()));
    // The statistics of an interface follow its last packet, so that readers know that no more will come.
    for (const at of open)
      if (queues[at]!.end && queues[at]!.isEmpty) {
        open.delete(at);
        await ended(at);
      }
    const first = earliest(queues, -1);
    if (first < 0) return packets;
    const second = earliest(queues, first);
    const queue = queues[first]!;
    const clock = clocks[first]!;
    const [untilSeconds, untilNanos] =
      second < 0 ? [Number.POSITIVE_INFINITY, 0] : [queues[second]!.seconds, queues[second]!.nanos];
    // Of one time, the packets of the input that was named first come first.
    const isFirstOfTie = first < second;
    while (queue.isReady) {
      const { seconds, nanos, bytes, at, captured, length } = queue;
      const isBefore = isFirstOfTie
        ? !isAfter(seconds, nanos, untilSeconds, untilNanos)
        : isAfter(untilSeconds, untilNanos, seconds, nanos);
      if (!isBefore) break;
      if (!out.hasRoom(captured)) await out.flush();
      clock.set(seconds, nanos);
      out.addPacket(first, clock.high, clock.low, bytes, at, captured, length);
      offsets.packet(first, seconds, nanos, bytes, at, captured, length);
      queue.take();
      packets += 1;
    }
  }
}

/** The queue with the earliest packet, besides one of them; -1 if all are empty. */
function earliest(queues: readonly SourceQueue[], besides: number): number {
  let found = -1;
  for (let at = 0; at < queues.length; at += 1) {
    const queue = queues[at]!;
    if (at === besides || queue.isEmpty) continue;
    if (found >= 0 && !isAfter(queues[found]!.seconds, queues[found]!.nanos, queue.seconds, queue.nanos))
      continue;
    found = at;
  }
  return found;
}

const TWO_32 = 2 ** 32;

/** Times as 64 bits of microseconds or nanoseconds since 1970, exactly: a second is multiplied once. */
class StampClock {
  high = 0;
  low = 0;
  readonly #unitNanos: number;
  readonly #perSecond: bigint;
  #seconds = -1;
  #secondHigh = 0;
  #secondLow = 0;
  #packets = 0;
  #first: Stamp | undefined;

  constructor(places: number) {
    this.#unitNanos = 10 ** (9 - places);
    this.#perSecond = 10n ** BigInt(places);
  }

  /** Of this interface: how many times were set, the first and the last. */
  get totals(): InterfaceTotals {
    const last = { high: this.high, low: this.low };
    return this.#first ? { packets: this.#packets, first: this.#first, last } : { packets: 0 };
  }

  set(seconds: number, nanos: number): void {
    if (seconds !== this.#seconds) {
      const stamp = BigInt(seconds) * this.#perSecond;
      this.#seconds = seconds;
      this.#secondHigh = Number(stamp >> 32n);
      this.#secondLow = Number(stamp & 0xffffffffn);
    }
    const low = this.#secondLow + nanos / this.#unitNanos;
    const isOver = low >= TWO_32;
    this.high = isOver ? this.#secondHigh + 1 : this.#secondHigh;
    this.low = isOver ? low - TWO_32 : low;
    this.#first ??= { high: this.high, low: this.low };
    this.#packets += 1;
  }
}

/** Collects blocks in two buffers in turn: one is written while the other is filled. */
class BlockBuffer {
  readonly #write: Write;
  readonly #buffers = [new Uint8Array(BUFFER), new Uint8Array(BUFFER)] as const;
  readonly #views = this.#buffers.map((bytes) => new DataView(bytes.buffer));
  #turn = 0;
  #used = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(write: Write) {
    this.#write = write;
  }

  hasRoom(captured: number): boolean {
    return this.#used + AROUND + captured + 3 <= BUFFER;
  }

  async add(block: Uint8Array): Promise<void> {
    for (let from = 0; from < block.length; ) {
      if (this.#used === BUFFER) await this.flush();
      const part = block.subarray(from, from + BUFFER - this.#used);
      this.#buffers[this.#turn]!.set(part, this.#used);
      this.#used += part.length;
      from += part.length;
    }
  }

  /** An enhanced packet block (draft-ietf-opsawg-pcapng, section 4.3). There has to be room. */
  addPacket(
    number: number,
    high: number,
    low: number,
    bytes: Uint8Array,
    at: number,
    captured: number,
    length: number,
  ): void {
    const into = this.#buffers[this.#turn]!;
    const view = this.#views[this.#turn]!;
    const from = this.#used;
    const padded = (captured + 3) & ~3;
    const size = AROUND + padded;
    view.setUint32(from, 6, true);
    view.setUint32(from + 4, size, true);
    view.setUint32(from + 8, number, true);
    view.setUint32(from + 12, high, true);
    view.setUint32(from + 16, low, true);
    view.setUint32(from + 20, captured, true);
    view.setUint32(from + 24, length, true);
    // Before the packet, because the padding is within its last four bytes.
    if (padded > captured) view.setUint32(from + 28 + padded - 4, 0, true);
    into.set(bytes.subarray(at, at + captured), from + 28);
    view.setUint32(from + size - 4, size, true);
    this.#used = from + size;
  }

  /** Begins to write what there is, after what was begun before. */
  async flush(): Promise<void> {
    await this.#writing;
    this.#writing = this.#write(this.#buffers[this.#turn]!.subarray(0, this.#used));
    this.#writing.catch(() => {}); // The next flush gets the error.
    this.#turn ^= 1;
    this.#used = 0;
  }

  async end(): Promise<void> {
    if (this.#used > 0) await this.flush();
    await this.#writing;
  }
}
