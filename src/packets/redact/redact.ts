import { ConversationTable } from '../conversations.ts';
import { ACK, Decoder, SYN, TCP, UDP } from '../decode/decode.ts';
import { ETHERTYPE, isKnownLink, type Link, openLink } from '../decode/link.ts';
import type { Packet, PacketSink } from '../file/packet.ts';
import { Commands } from '../redis/commands.ts';
import { beginsCommand } from '../redis/request.ts';
import { Streams } from '../tcp/streams.ts';
import { Checksum } from './checksum.ts';
import { Mask } from './mask.ts';
import type { Pseudonyms } from './pseudonyms.ts';
import { RecordWriter } from './record-writer.ts';

/** What becomes of payload: cut off, or, of Redis, its values written over. */
export type PayloadChoice = 'cut' | 'mask';

/** TCP options that hold numbers of the connection alone: end, no-op, MSS, window scale, SACK, timestamps. */
const PLAIN_OPTIONS = new Set([0, 1, 2, 3, 4, 5, 8]);

/**
 * Packet after packet → a copy that may be shown: other addresses, no payload, and checksums that are right for what is
 * left, bytes that were cut off counted as zeros. What is not known is cut off.
 */
export class Redactor implements PacketSink {
  packets = 0;
  readonly #names: Pseudonyms;
  readonly #payload: PayloadChoice;
  readonly #writer: RecordWriter;
  readonly #link: Link = { ethertype: 0, at: 0, vlan: 0 };
  readonly #decoder = new Decoder();
  readonly #table = new ConversationTable();
  readonly #streams = new Streams(this.#table);
  readonly #commands = new Commands();
  /** By side of a stream: twice its row, one more for B. */
  readonly #masks = new Map<number, Mask>();
  #bytes = new Uint8Array(1 << 16);

  constructor(names: Pseudonyms, payload: PayloadChoice, write: (bytes: Uint8Array) => void) {
    this.#names = names;
    this.#payload = payload;
    this.#writer = new RecordWriter(write);
  }

  other(bytes: Uint8Array, at: number, end: number): void {
    this.#writer.other(bytes, at, end);
  }

  packet(packet: Packet): void {
    this.packets += 1;
    const size = packet.end - packet.at;
    if (size > this.#bytes.length) this.#bytes = new Uint8Array(2 * size);
    const bytes = this.#bytes;
    bytes.set(packet.bytes.subarray(packet.at, packet.end));
    this.#writer.packet(packet, bytes, this.#redact(packet, bytes, size));
  }

  /** Changes the packet where it is now, and returns how much of it is left. */
  #redact(packet: Packet, bytes: Uint8Array, size: number): number {
    if (!isKnownLink(packet.linkType)) return 0;
    openLink(bytes, 0, size, packet.linkType, this.#link);
    const { ethertype, at } = this.#link;
    const wire = Math.max(size, packet.length);
    const isIp = ethertype === ETHERTYPE.ipv4 || ethertype === ETHERTYPE.ipv6;
    const version = isIp && at < size ? bytes[at]! >>> 4 : 0;
    this.#linkAddresses(bytes, size, packet.linkType, destination(bytes, version, at, size));
    if (ethertype === ETHERTYPE.arp) return this.#arp(bytes, at, size);
    // The bytes before something unknown may be anything, too.
    if (!isIp) return at === 0 ? 0 : Math.min(size, HEADER[packet.linkType] ?? 0);
    this.#decoder.decode(packet);
    if (version === 4) return this.#ip4(bytes, at, size, wire);
    if (version === 6) return this.#ip6(bytes, at, size, wire);
    return Math.min(size, at);
  }

  #linkAddresses(bytes: Uint8Array, size: number, linkType: number, group?: Uint8Array): void {
    if (linkType === 1 && size >= 12) {
      this.#names.link(bytes, 0, group);
      this.#names.link(bytes, 6);
    } else if (linkType === 113 && size >= 16) this.#cooked(bytes, 6, (bytes[4]! << 8) | bytes[5]!, group);
    else if (linkType === 276 && size >= 20) this.#cooked(bytes, 12, bytes[11]!, group);
  }

  /** The eight bytes for a link address, which may be longer: on tunnels it is an address of IP. */
  #cooked(bytes: Uint8Array, at: number, length: number, group?: Uint8Array): void {
    bytes.fill(0, at + Math.min(length, 8), at + 8);
    if (length === 6) this.#names.link(bytes, at, group);
    else if (length === 4) this.#names.address(bytes, at, 4);
    else if (length === 16) {
      const address = new Uint8Array(16);
      address.set(bytes.subarray(at, at + 8));
      bytes.set(this.#names.addressOf(address).subarray(0, 8), at);
    } else if (length > 0) this.#names.opaque(bytes, at, Math.min(length, 8));
  }

  /** Of Ethernet and IPv4: both pairs of addresses. */
  #arp(bytes: Uint8Array, at: number, size: number): number {
    if (size - at < 28 || bytes[at + 4] !== 6 || bytes[at + 5] !== 4) return Math.min(size, at);
    this.#names.link(bytes, at + 8);
    this.#names.address(bytes, at + 14, 4);
    this.#names.link(bytes, at + 18);
    this.#names.address(bytes, at + 24, 4);
    return at + 28;
  }

  #ip4(bytes: Uint8Array, at: number, size: number, wire: number): number {
    const header = (bytes[at]! & 15) << 2;
    if (header < 20 || size - at < header) return at;
    this.#names.address(bytes, at + 12, 4);
    this.#names.address(bytes, at + 16, 4);
    // Options may hold addresses (record route, timestamps): no-ops take their place.
    bytes.fill(1, at + 20, at + header);
    put(bytes, at + 10, 0);
    put(bytes, at + 10, new Checksum().add(bytes, at, at + header).value);
    const total = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const limit = total === 0 ? wire : Math.min(wire, at + total);
    const fragment = ((bytes[at + 6]! << 8) | bytes[at + 7]!) & 0x3fff;
    if (fragment !== 0) return at + header;
    const pseudo = new Checksum().add(bytes, at + 12, at + 20);
    return this.#transport(bytes, bytes[at + 9]!, at + header, Math.min(size, limit), limit, pseudo);
  }

  #ip6(bytes: Uint8Array, at: number, size: number, wire: number): number {
    if (size - at < 40) return at;
    this.#names.address(bytes, at + 8, 16);
    this.#names.address(bytes, at + 24, 16);
    const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    const limit = length === 0 ? wire : Math.min(wire, at + 40 + length);
    const pseudo = new Checksum().add(bytes, at + 8, at + 40);
    // Extension headers may hold addresses, too: they are cut off with what follows them.
    return this.#transport(bytes, bytes[at + 6]!, at + 40, Math.min(size, limit), limit, pseudo);
  }

  /** `end` is behind what was captured, `limit` behind what was sent. */
  #transport(
    bytes: Uint8Array,
    protocol: number,
    at: number,
    end: number,
    limit: number,
    pseudo: Checksum,
  ): number {
    pseudo
      .word(protocol)
      .word((limit - at) & 0xffff)
      .word(Math.floor((limit - at) / 0x10000));
    if (protocol === TCP) {
      const header = end - at >= 20 ? (bytes[at + 12]! >>> 4) << 2 : 0;
      if (header < 20 || end - at < header) return at;
      this.#options(bytes, at + 20, at + header);
      const left = this.#payload === 'mask' ? this.#masked(bytes, at + header, end) : at + header;
      put(bytes, at + 16, 0);
      put(bytes, at + 16, pseudo.add(bytes, at, left).value);
      return left;
    }
    if (protocol === UDP) {
      if (end - at < 8) return at;
      if (bytes[at + 6]! | bytes[at + 7]!) {
        put(bytes, at + 6, 0);
        // 0 would say that there is none (RFC 768).
        put(bytes, at + 6, pseudo.add(bytes, at, at + 8).value || 0xffff);
      }
      return at + 8;
    }
    if (protocol === 1) return this.#icmp(bytes, at, end, new Checksum());
    if (protocol === 58) return this.#icmp(bytes, at, end, pseudo);
    return at;
  }

  /** Type, code and checksum; of an echo its number, too. What errors quote, and targets, is cut off. */
  #icmp(bytes: Uint8Array, at: number, end: number, sum: Checksum): number {
    if (end - at < 4) return at;
    const echo = [0, 8, 128, 129].includes(bytes[at]!) && end - at >= 8;
    const left = at + (echo ? 8 : 4);
    put(bytes, at + 2, 0);
    put(bytes, at + 2, sum.add(bytes, at, left).value);
    return left;
  }

  #options(bytes: Uint8Array, at: number, end: number): void {
    let from = at;
    while (from < end) {
      const kind = bytes[from]!;
      if (kind === 0) {
        bytes.fill(0, from, end);
        return;
      }
      const length = kind === 1 ? 1 : (bytes[from + 1] ?? 0);
      if (length < 1 || (kind !== 1 && length < 2) || from + length > end) {
        bytes.fill(1, from, end);
        return;
      }
      if (!PLAIN_OPTIONS.has(kind)) bytes.fill(1, from, from + length);
      from += length;
    }
  }

  /** Masks the payload of Redis and returns its end; cuts off any other. */
  #masked(bytes: Uint8Array, at: number, end: number): number {
    const { layers } = this.#decoder;
    if (layers.transport !== TCP) return at;
    const row = this.#streams.rowOf(layers);
    const { fromA } = this.#streams;
    if (layers.payload <= 0) return at;
    let mask = this.#masks.get(2 * row + (fromA ? 0 : 1));
    if (!mask) {
      mask = this.#recognise(row, fromA, bytes, at, end);
      if (!mask) return at;
    }
    mask.segment(layers.seq, bytes, at, end, layers.payload);
    return end;
  }

  /** A stream is Redis's when it begins with one of its commands; both of its directions are masked from then on. */
  #recognise(row: number, fromA: boolean, bytes: Uint8Array, at: number, end: number): Mask | undefined {
    const known = (name: Uint8Array, from: number, length: number) =>
      this.#commands.isKnown(name, from, length);
    if (!beginsCommand(bytes, at, end, known)) return undefined;
    const { seq, ack, flags } = this.#decoder.layers;
    if (flags & SYN || !(flags & ACK)) return undefined;
    const own = new Mask(this.#commands, true, seq);
    // The other side goes on where this one has heard it.
    this.#masks.set(2 * row + (fromA ? 0 : 1), own);
    this.#masks.set(2 * row + (fromA ? 1 : 0), new Mask(this.#commands, false, ack));
    return own;
  }
}

/** The lengths of headers of links. */
const HEADER: Readonly<Record<number, number>> = { 0: 4, 1: 14, 108: 4, 113: 16, 276: 20 };

/** The destination address of the packet at `at`, if it was captured. */
function destination(bytes: Uint8Array, version: number, at: number, size: number): Uint8Array | undefined {
  if (version === 4 && size - at >= 20) return bytes.slice(at + 16, at + 20);
  if (version === 6 && size - at >= 40) return bytes.slice(at + 24, at + 40);
  return undefined;
}

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 255;
}
