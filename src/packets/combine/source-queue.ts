import { Packet, type PacketSink } from '../file/packet.ts';
import { PacketReader, type ReadEnd } from '../file/reader.ts';
import { isAfter } from '../times.ts';
import type { SourceHeader } from './blocks.ts';

/**
 * A packet waits this long, in nanoseconds of its own clock, for an earlier one of its file. tcpdump writes packets nearly
 * in order: several CPUs stamp them before they take their places in the kernel's buffer, microseconds to a few
 * milliseconds apart.
 */
export const REORDER_WINDOW = 50e6;
/** So many bytes of a file may wait; then the earliest packet goes, however soon it is. */
const MOST_WAITING = 4 << 20;
/** Memory that is used again instead of left to the garbage collector: as much as may wait. */
const MOST_SPARE = 17;
/** Larger pieces are taken in parts, so that many files together stay small. */
const PIECE = 256 << 10;

/** Memory with packets of which some still wait. */
interface Piece {
  bytes: Uint8Array;
  waiting: number;
}

/** A source is no capture that can be combined. */
export class SourceError extends Error {}

/**
 * The packets of one file in the order of their times: the earliest can be looked at, and taken. Packets of one time keep
 * the order of the file. A packet that comes too late for the window is given at once, and counted.
 */
export class SourceQueue {
  header: SourceHeader | undefined;
  /** How the file ended; known after all of it was read. */
  end: ReadEnd | undefined;
  /** All that were read, those that wait included, and their captured bytes. */
  packets = 0;
  capturedBytes = 0;
  /** Packets that stood behind a later one in the file, and those that are so in the combined file as well. */
  reordered = 0;
  late = 0;

  readonly #chunks: AsyncIterator<Uint8Array>;
  #next: Promise<IteratorResult<Uint8Array>> | undefined;
  readonly #reader: PacketReader;
  #spare: Uint8Array[] = [];
  #current: Piece | undefined;
  #waitingBytes = 0;

  /** The waiting packets lie between head and tail. */
  #head = 0;
  #tail = 0;
  #seconds = new Float64Array(1024);
  #nanos = new Int32Array(1024);
  #at = new Int32Array(1024);
  #captured = new Int32Array(1024);
  #length = new Uint32Array(1024);
  #from: Piece[] = [];
  #latestSeconds = Number.NEGATIVE_INFINITY;
  #latestNanos = 0;
  #givenSeconds = Number.NEGATIVE_INFINITY;
  #givenNanos = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    const sink: PacketSink = {
      packet: (packet) => this.#add(packet),
      other: (bytes, at) => {
        this.header ??= headerOf(bytes, at);
      },
    };
    this.#reader = new PacketReader(sink, new Packet());
  }

  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  /** Whether the earliest packet can be given: no earlier one is expected. */
  get isReady(): boolean {
    const head = this.#head;
    if (head === this.#tail) return false;
    if (this.end || this.#waitingBytes > MOST_WAITING) return true;
    return (
      (this.#latestSeconds - this.#seconds[head]!) * 1e9 + this.#latestNanos - this.#nanos[head]! >=
      REORDER_WINDOW
    );
  }

  /** Of the earliest packet. */
  get seconds(): number {
    return this.#seconds[this.#head]!;
  }
  get nanos(): number {
    return this.#nanos[this.#head]!;
  }
  get bytes(): Uint8Array {
    return this.#from[this.#head]!.bytes;
  }
  get at(): number {
    return this.#at[this.#head]!;
  }
  get captured(): number {
    return this.#captured[this.#head]!;
  }
  get length(): number {
    return this.#length[this.#head]!;
  }

  /** Takes the earliest packet; its bytes may be written over from then on. */
  take(): void {
    const head = this.#head;
    const piece = this.#from[head]!;
    const seconds = this.#seconds[head]!;
    const nanos = this.#nanos[head]!;
    if (isAfter(this.#givenSeconds, this.#givenNanos, seconds, nanos)) this.late += 1;
    else {
      this.#givenSeconds = seconds;
      this.#givenNanos = nanos;
    }
    piece.waiting -= 1;
    this.#waitingBytes -= this.#captured[head]!;
    if (piece.waiting === 0 && piece !== this.#current) this.#release(piece);
    this.#head = head + 1;
    if (this.#head === this.#tail) {
      this.#head = 0;
      this.#tail = 0;
      this.#from.length = 0;
    }
  }

  /** Reads on until the earliest packet can be given, or to the end. Rejects if the file cannot be combined. */
  async fill(): Promise<void> {
    while (!this.end && !this.isReady) {
      this.#next ??= this.#chunks.next();
      const { done, value } = await this.#next;
      this.#next = undefined;
      if (done || this.#reader.damaged) {
        this.end = this.#reader.end();
        this.#current = undefined;
        await this.close();
        break;
      }
      this.#push(value);
      // The file is read on while others are merged; what is read is not touched before the next call.
      this.#next = this.#chunks.next();
      this.#next.catch(() => {}); // Whoever awaits it gets the error.
    }
    if (this.end && !this.header) throw new SourceError('it has no header');
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => {});
    await this.#chunks.return?.();
  }

  #push(given: Uint8Array): void {
    // What is given is valid until the next piece is read, but packets wait longer.
    for (let from = 0; from < given.length; from += PIECE) {
      const part = given.subarray(from, from + PIECE);
      const piece: Piece = { bytes: this.#spare.pop() ?? new Uint8Array(PIECE), waiting: 0 };
      piece.bytes.set(part);
      this.#current = piece;
      this.#reader.push(piece.bytes.subarray(0, part.length));
      this.#current = undefined;
      if (piece.waiting === 0) this.#release(piece);
    }
  }

  #release(piece: Piece): void {
    if (piece.bytes.length === PIECE && this.#spare.length < MOST_SPARE) this.#spare.push(piece.bytes);
    piece.bytes = NOTHING;
  }

  #add(packet: Packet): void {
    if (!this.header) throw new SourceError('it is pcapng already, and not what tcpdump writes');
    const captured = packet.end - packet.at;
    let piece = this.#current!;
    let { at } = packet;
    if (packet.bytes.buffer !== piece.bytes.buffer) {
      // A packet that spans two pieces lies in the reader's own memory, which it writes over.
      piece = { bytes: packet.bytes.slice(packet.at, packet.end), waiting: 0 };
      at = 0;
    }
    piece.waiting += 1;
    this.packets += 1;
    this.capturedBytes += captured;
    this.#waitingBytes += captured;
    if (this.#tail === this.#seconds.length) this.#makeRoom();
    // Of a damaged time, more than a second is in the nanoseconds.
    const carry = Math.floor(packet.nanos / 1e9);
    const seconds = packet.seconds + carry;
    const nanos = packet.nanos - carry * 1e9;
    let slot = this.#tail;
    this.#tail += 1;
    if (isAfter(this.#latestSeconds, this.#latestNanos, seconds, nanos)) {
      this.reordered += 1;
      const head = this.#head;
      while (slot > head && isAfter(this.#seconds[slot - 1]!, this.#nanos[slot - 1]!, seconds, nanos))
        slot -= 1;
      this.#shift(slot);
    } else {
      this.#latestSeconds = seconds;
      this.#latestNanos = nanos;
    }
    this.#seconds[slot] = seconds;
    this.#nanos[slot] = nanos;
    this.#at[slot] = at;
    this.#captured[slot] = captured;
    this.#length[slot] = packet.length;
    this.#from[slot] = piece;
  }

  /** Moves the packets from this place on by one. */
  #shift(slot: number): void {
    const last = this.#tail - 1;
    for (const column of [this.#seconds, this.#nanos, this.#at, this.#captured, this.#length])
      column.copyWithin(slot + 1, slot, last);
    for (let at = last; at > slot; at -= 1) this.#from[at] = this.#from[at - 1]!;
  }

  #makeRoom(): void {
    const [head, tail] = [this.#head, this.#tail];
    const waiting = tail - head;
    const length = 2 * waiting > this.#seconds.length ? 2 * this.#seconds.length : this.#seconds.length;
    const moved = <A extends Float64Array | Int32Array | Uint32Array>(column: A): A => {
      const into = new (column.constructor as new (length: number) => A)(length);
      into.set(column.subarray(head, tail));
      return into;
    };
    this.#seconds = moved(this.#seconds);
    this.#nanos = moved(this.#nanos);
    this.#at = moved(this.#at);
    this.#captured = moved(this.#captured);
    this.#length = moved(this.#length);
    this.#from = this.#from.slice(head, tail);
    this.#head = 0;
    this.#tail = waiting;
  }
}

const NOTHING = new Uint8Array(0);

/** What a classic header says; undefined for pcapng's. */
function headerOf(bytes: Uint8Array, at: number): SourceHeader | undefined {
  if (bytes.length - at < 24) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 24);
  const isLittle = view.getUint8(3) === 0xa1;
  const magic = view.getUint32(0, isLittle);
  if (magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d) return undefined;
  return {
    linkType: view.getUint32(20, isLittle) & 0xffff,
    snapLength: view.getUint32(16, isLittle),
    places: magic === 0xa1b23c4d ? 9 : 6,
  };
}
