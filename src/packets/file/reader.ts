import { type OtherFormat, otherFormat } from './other-formats.ts';
import { DamagedError, Packet, type PacketSink, type RecordFormat } from './packet.ts';
import { PcapFormat } from './pcap.ts';
import { PcapngFormat } from './pcapng.ts';

/** How a file ended. */
export interface ReadEnd {
  readonly format: RecordFormat['name'];
  readonly snapLength: number;
  /** The last record is not whole. */
  readonly cut: boolean;
  /** Why the rest could not be read, where it could not. */
  readonly damage?: string;
  /** How many options and the like of pcapng could not be read, with the first of them. */
  readonly malformed?: { readonly count: number; readonly first: string };
}

/** The input is neither pcap nor pcapng; `other` says what it is, if that is known. */
export class UnknownFormatError extends Error {
  readonly other: OtherFormat | undefined;

  constructor(reason: string, other?: OtherFormat) {
    super(reason);
    this.other = other;
  }
}

/**
 * Takes a capture file piece by piece, cut anywhere, and hands over its packets in the memory they came in. Pieces are
 * copied only where a record spans two of them.
 */
export class PacketReader {
  /** The packet that the sink is given. */
  readonly packet: Packet;
  readonly #sink: PacketSink;
  #format: RecordFormat | undefined;
  /** The beginning of a record whose end is not there yet. */
  #rest: Uint8Array = new Uint8Array(1 << 16);
  #held = 0;
  #damage: string | undefined;

  /** With the packet of the file before, packets are counted on. */
  constructor(sink: PacketSink, packet: Packet = new Packet()) {
    this.#sink = sink;
    this.packet = packet;
  }

  /** Whether anything more would be read. */
  get damaged(): boolean {
    return this.#damage !== undefined;
  }

  /** Throws UnknownFormatError when it is no capture file. */
  push(given: Uint8Array): void {
    if (this.#damage !== undefined) return;
    // Of a Buffer, slice() would be no copy: nobody behind this has to think of that.
    const piece = new Uint8Array(given.buffer, given.byteOffset, given.length);
    let at = 0;
    // A record that began in the piece before is put together with as little of this one as that takes.
    while (this.#held > 0 && at < piece.length) {
      const part = Math.min(piece.length - at, Math.max(64, this.#held));
      const held = this.#held;
      this.#hold(piece.subarray(at, at + part));
      const taken = this.#take(this.#rest, 0, this.#held);
      if (this.#damage !== undefined) return;
      if (taken === 0) {
        at += part;
        continue;
      }
      // What was held was less than a record, so that all of it is taken; what is behind the record lies in the piece too.
      at += taken - held;
      this.#held = 0;
    }
    if (this.#held > 0) return;
    const taken = this.#take(piece, at, piece.length);
    if (this.#damage === undefined && taken < piece.length) this.#hold(piece.subarray(taken));
  }

  /** Tells how the file ended. Throws UnknownFormatError for an empty or unknown one. */
  end(): ReadEnd {
    if (!this.#format)
      throw new UnknownFormatError(
        this.#held === 0 ? 'it is empty' : 'it is shorter than the header of a capture file',
      );
    return {
      format: this.#format.name,
      snapLength: this.#format.snapLength,
      cut: this.#held > 0,
      ...(this.#damage !== undefined && { damage: this.#damage }),
      ...(this.#format.malformed && { malformed: this.#format.malformed }),
    };
  }

  #take(bytes: Uint8Array, at: number, end: number): number {
    if (!this.#format) {
      if (end - at < 4) return at;
      this.#format = this.#recognise(bytes.subarray(at, end));
    }
    try {
      return this.#format.take(bytes, at, end);
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      this.#damage = error.message;
      this.#held = 0;
      return end;
    }
  }

  #recognise(head: Uint8Array): RecordFormat {
    const classic = PcapFormat.recognise(head);
    if (classic) return new PcapFormat(classic.little, classic.nanoseconds, this.#sink, this.packet);
    if (PcapngFormat.recognise(head)) return new PcapngFormat(this.#sink, this.packet);
    const other = otherFormat(head.subarray(0, 4096));
    throw new UnknownFormatError(
      other ? `it is ${other.what}, neither pcap nor pcapng` : 'it is neither pcap nor pcapng',
      other,
    );
  }

  #hold(part: Uint8Array): void {
    const needed = this.#held + part.length;
    if (needed > this.#rest.length) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(needed)));
      larger.set(this.#rest.subarray(0, this.#held));
      this.#rest = larger;
    }
    this.#rest.set(part, this.#held);
    this.#held = needed;
  }
}
