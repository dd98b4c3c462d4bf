import type { Packet } from '../file/packet.ts';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const SIMPLE_PACKET = 3;
const TIME_RESOLUTION = 9;
const TIME_OFFSET = 14;

/**
 * Writes a capture of the same format with other packets. Of pcapng, sections, interfaces (their link type and clock)
 * and packets are kept; names, comments, filters and what else may tell of a place is not.
 */
export class RecordWriter {
  readonly #write: (bytes: Uint8Array) => void;
  #classic = false;
  #little = true;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** A file's header, or a block that is no packet. */
  other(bytes: Uint8Array, at: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, end - at);
    if (view.getUint32(0) === SECTION) {
      this.#little = view.getUint32(8, true) === 0x1a2b3c4d;
      this.#block(SECTION, bytes.subarray(at + 8, at + 16), Buffer.alloc(8, 0xff));
      return;
    }
    if (end - at === 24 && isClassic(view.getUint32(0))) {
      this.#classic = true;
      this.#write(bytes.subarray(at, end));
      return;
    }
    if (view.getUint32(0, this.#little) === INTERFACE)
      this.#block(INTERFACE, bytes.subarray(at + 8, at + 16), this.#clock(view));
  }

  /** The packet with the first `length` of these bytes instead of its own. */
  packet(packet: Packet, bytes: Uint8Array, length: number): void {
    const header = packet.bytes.slice(packet.recordAt, packet.at);
    const view = new DataView(header.buffer);
    const { littleEndian } = packet;
    if (this.#classic) {
      view.setUint32(8, length, littleEndian);
      this.#write(header);
      this.#write(bytes.subarray(0, length));
      return;
    }
    if (view.getUint32(0, littleEndian) === SIMPLE_PACKET) {
      // Its length is that of the packet on the wire: what is cut off is written over instead.
      const captured = packet.end - packet.at;
      bytes.fill(0, length, captured);
      this.#block(SIMPLE_PACKET, header.subarray(8), bytes.subarray(0, captured));
      return;
    }
    view.setUint32(20, length, littleEndian);
    this.#block(view.getUint32(0, littleEndian), header.subarray(8), bytes.subarray(0, length));
  }

  /** The two options of an interface that its times depend on. */
  #clock(view: DataView): Uint8Array {
    const kept: Uint8Array[] = [];
    let at = 16;
    while (at + 4 <= view.byteLength - 4) {
      const code = view.getUint16(at, this.#little);
      const length = view.getUint16(at + 2, this.#little);
      const next = at + 4 + length + ((4 - (length & 3)) & 3);
      if (code === 0 || next > view.byteLength - 4) break;
      if (code === TIME_RESOLUTION || code === TIME_OFFSET)
        kept.push(new Uint8Array(view.buffer, view.byteOffset + at, next - at));
      at = next;
    }
    return Buffer.concat([...kept, Buffer.alloc(kept.length ? 4 : 0)]);
  }

  #block(type: number, ...parts: readonly Uint8Array[]): void {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const padding = (4 - (size & 3)) & 3;
    const word = (value: number) => {
      const bytes = Buffer.alloc(4);
      if (this.#little) bytes.writeUInt32LE(value);
      else bytes.writeUInt32BE(value);
      return bytes;
    };
    const length = word(size + padding + 12);
    this.#write(Buffer.concat([word(type), length, ...parts, Buffer.alloc(padding), length]));
  }
}

const isClassic = (magic: number): boolean =>
  [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1].includes(magic);
