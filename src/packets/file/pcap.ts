import { DamagedError, LONGEST_PACKET, type Packet, type PacketSink, type RecordFormat } from './packet.ts';

const HEADER = 24;
const RECORD = 16;

/**
 * The classic format: a header of 24 bytes, then records of 16 bytes and the packet; microseconds or nanoseconds,
 * either byte order (draft-ietf-opsawg-pcap).
 */
export class PcapFormat implements RecordFormat {
  readonly name = 'pcap';
  snapLength = 0;
  readonly #little: boolean;
  readonly #nanosPerUnit: number;
  readonly #sink: PacketSink;
  readonly #packet: Packet;
  #begun = false;

  constructor(little: boolean, nanoseconds: boolean, sink: PacketSink, packet: Packet) {
    this.#little = little;
    this.#nanosPerUnit = nanoseconds ? 1 : 1000;
    this.#sink = sink;
    this.#packet = packet;
    packet.places = nanoseconds ? 9 : 6;
    packet.littleEndian = little;
    packet.interface = 0;
    packet.timed = true;
  }

  /** Of the first four bytes: byte order and resolution; undefined for anything else. */
  static recognise(head: Uint8Array): { little: boolean; nanoseconds: boolean } | undefined {
    const magic = ((head[0]! << 24) | (head[1]! << 16) | (head[2]! << 8) | head[3]!) >>> 0;
    switch (magic) {
      case 0xa1b2c3d4:
        return { little: false, nanoseconds: false };
      case 0xd4c3b2a1:
        return { little: true, nanoseconds: false };
      case 0xa1b23c4d:
        return { little: false, nanoseconds: true };
      case 0x4d3cb2a1:
        return { little: true, nanoseconds: true };
      default:
        return undefined;
    }
  }

  take(bytes: Uint8Array, at: number, end: number): number {
    const packet = this.#packet;
    const sink = this.#sink;
    const nanosPerUnit = this.#nanosPerUnit;
    let from = at;
    if (!this.#begun) {
      if (end - from < HEADER) return from;
      this.snapLength = this.#word(bytes, from + 16);
      // The upper bits say how long the frame check sequence is; the packets are what they are.
      packet.linkType = this.#word(bytes, from + 20) & 0xffff;
      sink.other?.(bytes, from, from + HEADER);
      this.#begun = true;
      from += HEADER;
    }
    packet.bytes = bytes;
    const little = this.#little;
    while (end - from >= RECORD) {
      let seconds: number;
      let units: number;
      let captured: number;
      let length: number;
      if (little) {
        seconds =
          bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24);
        units =
          bytes[from + 4]! | (bytes[from + 5]! << 8) | (bytes[from + 6]! << 16) | (bytes[from + 7]! << 24);
        captured =
          bytes[from + 8]! | (bytes[from + 9]! << 8) | (bytes[from + 10]! << 16) | (bytes[from + 11]! << 24);
        length =
          bytes[from + 12]! |
          (bytes[from + 13]! << 8) |
          (bytes[from + 14]! << 16) |
          (bytes[from + 15]! << 24);
      } else {
        seconds = this.#word(bytes, from) | 0;
        units = this.#word(bytes, from + 4) | 0;
        captured = this.#word(bytes, from + 8) | 0;
        length = this.#word(bytes, from + 12) | 0;
      }
      if (captured < 0 || captured > LONGEST_PACKET)
        throw new DamagedError(`a packet of ${captured >>> 0} bytes; a packet has at most ${LONGEST_PACKET}`);
      const next = from + RECORD + captured;
      if (next > end) break;
      packet.number += 1;
      packet.seconds = seconds < 0 ? seconds + 2 ** 32 : seconds;
      // More than a second's worth is damage; it stays what it is, as Wireshark leaves it, in 32 bits.
      packet.nanos = Math.imul(units, nanosPerUnit);
      packet.at = from + RECORD;
      packet.end = next;
      packet.length = length < 0 ? length + 2 ** 32 : length;
      packet.recordAt = from;
      packet.recordEnd = next;
      sink.packet(packet);
      from = next;
    }
    return from;
  }

  #word(bytes: Uint8Array, at: number): number {
    return this.#little
      ? (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
      : ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }
}
