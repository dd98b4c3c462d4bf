import { Addresses } from './addresses.ts';
import { Fragments } from './fragments.ts';
import { ETHERTYPE, type Link, openLink } from './link.ts';
import type { Packet } from './packet.ts';
import { openTunnel, type Tunnel } from './tunnel.ts';

export const TCP = 6;
export const UDP = 17;
export const ICMP = 1;
export const ICMP6 = 58;

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;

/**
 * What a frame holds, layer by layer. One object, written over by the next frame. What is not there has the value that
 * stands here.
 */
export class Layers {
  /** 4 or 6; 0 where there is no IP header that can be believed. */
  version = 0;
  arp = false;
  /** Numbers of Addresses. */
  src = 0;
  dst = 0;
  /** Of the datagram: its identification, for telling repeats apart. */
  id = 0;
  /** Behind extension headers; -1: none. */
  protocol = -1;
  /** Where that protocol's own bytes begin. */
  bodyAt = 0;
  /** A piece of a datagram that is not whole yet. */
  fragment = false;
  /** TCP or UDP where their header is whole, else 0. */
  transport = 0;
  sport = 0;
  dport = 0;
  /** The 12 bits of TCP; -1 where they are not there, though the rest of the header may be missing (16 bytes do). */
  flags = -1;
  /** As 32 bits with a sign. */
  seq = 0;
  ack = 0;
  window = 0;
  /** Where the options begin and end, in `bytes`. */
  optionsAt = 0;
  optionsEnd = 0;
  /** The payload: where it lies in `bytes`, how much of it was captured, how long it was on the wire. */
  bytes: Uint8Array = new Uint8Array(0);
  payloadAt = 0;
  captured = 0;
  payload = 0;
  /** An ICMP error: the flags of the TCP segment it is about, and that segment's addresses. -1: none. */
  quotedFlags = -1;
  quotedSrc = 0;
  quotedDst = 0;
}

/** Frame → layers. Keeps what spans frames: numbers of addresses, fragments. */
export class Decoder {
  readonly layers = new Layers();
  readonly addresses = new Addresses();
  readonly #fragments = new Fragments();
  readonly #link: Link = { ethertype: 0, at: 0 };
  readonly #tunnel: Tunnel = { ethertype: 0, at: 0 };
  readonly #inner: boolean;

  /** `inner`: into tunnels, one level down. */
  constructor(inner = false) {
    this.#inner = inner;
  }

  decode(packet: Packet): void {
    const { bytes, end } = packet;
    const layers = this.layers;
    const link = this.#link;
    layers.version = 0;
    layers.protocol = -1;
    layers.transport = 0;
    layers.flags = -1;
    layers.quotedFlags = -1;
    layers.fragment = false;
    layers.bytes = bytes;
    openLink(bytes, packet.at, end, packet.linkType, link);
    layers.arp = link.ethertype === ETHERTYPE.arp;
    // What was cut off by a snapshot length is still there on the wire.
    const wire = Math.max(end, packet.at + packet.length);
    this.#network(link.ethertype, link.at, end, wire);
    if (!this.#inner) return;
    const tunnel = this.#tunnel;
    if (!openTunnel(layers, bytes, end, tunnel)) return;
    layers.transport = 0;
    layers.flags = -1;
    layers.bytes = bytes;
    this.#network(tunnel.ethertype, tunnel.at, end, wire);
  }

  #network(ethertype: number, at: number, end: number, wire: number): void {
    if (ethertype === ETHERTYPE.ipv4) this.#ip4(at, end, wire);
    else if (ethertype === ETHERTYPE.ipv6) this.#ip6(at, end, wire);
  }

  #ip4(at: number, end: number, wire: number): void {
    const layers = this.layers;
    const { bytes } = layers;
    if (end - at < 20) return;
    const first = bytes[at]!;
    if (first >>> 4 !== 4) {
      if (first >>> 4 === 6) this.#ip6(at, end, wire);
      return;
    }
    const headerLength = (first & 15) << 2;
    const total = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    // 0: a super-packet whose length the card fills in (TSO).
    if (headerLength < 20 || end - at < headerLength || (total !== 0 && total < headerLength)) return;
    layers.version = 4;
    layers.src = (bytes[at + 12]! << 24) | (bytes[at + 13]! << 16) | (bytes[at + 14]! << 8) | bytes[at + 15]!;
    layers.dst = (bytes[at + 16]! << 24) | (bytes[at + 17]! << 16) | (bytes[at + 18]! << 8) | bytes[at + 19]!;
    layers.id = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    const protocol = bytes[at + 9]!;
    layers.protocol = protocol;
    const limit = total === 0 ? wire : Math.min(wire, at + total);
    const body = at + headerLength;
    layers.bodyAt = body;
    const fragment = ((bytes[at + 6]! << 8) | bytes[at + 7]!) & 0x3fff;
    if (fragment === 0) this.#transport(protocol, bytes, body, Math.min(end, limit), limit);
    else {
      // A length beyond the frame is as good as cut.
      const said = total === 0 ? limit : at + total;
      this.#fragment(
        protocol,
        layers.id,
        fragment & 0x1fff,
        (fragment & 0x2000) !== 0,
        body,
        Math.min(end, limit),
        said,
      );
    }
  }

  #ip6(at: number, end: number, wire: number): void {
    const layers = this.layers;
    const { bytes } = layers;
    if (end - at < 40 || bytes[at]! >>> 4 !== 6) return;
    layers.version = 6;
    layers.src = this.addresses.number6(bytes, at + 8);
    layers.dst = this.addresses.number6(bytes, at + 24);
    layers.id = 0;
    const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    const limit = length === 0 ? wire : Math.min(wire, at + 40 + length);
    let next = bytes[at + 6]!;
    let from = at + 40;
    // Hop-by-hop, routing, destination options, mobility, HIP, shim6; AH counts in words of four (RFC 8200, RFC 4302).
    for (;;) {
      layers.protocol = next;
      const skipped =
        next === 0 || next === 43 || next === 60 || next === 135 || next === 139 || next === 140;
      if (!skipped && next !== 44 && next !== 51) break;
      const own = from;
      if (end - own >= 8) {
        next = bytes[own]!;
        from +=
          layers.protocol === 44
            ? 8
            : layers.protocol === 51
              ? (bytes[own + 1]! + 2) << 2
              : (bytes[own + 1]! + 1) << 3;
      }
      // A header that is not whole leaves nothing that could be believed of the packet.
      if (from === own || from > end || from > limit) {
        layers.version = 0;
        return;
      }
      if (layers.protocol !== 44) continue;
      const word = (bytes[own + 2]! << 8) | bytes[own + 3]!;
      if ((word & 0xfff9) === 0) continue;
      const id = (bytes[own + 4]! << 24) | (bytes[own + 5]! << 16) | (bytes[own + 6]! << 8) | bytes[own + 7]!;
      layers.protocol = next;
      this.#fragment(next, id, word >>> 3, (word & 1) !== 0, from, end, limit);
      return;
    }
    layers.bodyAt = from;
    this.#transport(next, bytes, from, Math.min(end, limit), limit);
  }

  #fragment(
    protocol: number,
    id: number,
    offset: number,
    more: boolean,
    at: number,
    end: number,
    limit: number,
  ): void {
    const layers = this.layers;
    // Of one that was cut nothing can be put together; the first still has its headers.
    layers.fragment = true;
    if (end < limit) {
      if (offset === 0) this.#transport(protocol, layers.bytes, at, end, limit);
      return;
    }
    const whole = this.#fragments.add(layers, protocol, id, offset, more, at, Math.min(end, limit), limit);
    if (!whole) return;
    layers.fragment = false;
    this.#transport(protocol, whole.head, 0, whole.held, whole.length);
  }

  /** `end` is behind what was captured, `limit` behind what was sent. */
  #transport(protocol: number, bytes: Uint8Array, at: number, end: number, limit: number): void {
    if (protocol === TCP) this.#tcp(bytes, at, end, limit);
    else if (protocol === UDP) this.#udp(bytes, at, end, limit);
    else if (protocol === ICMP || protocol === ICMP6) this.#quoted(protocol, bytes, at, end);
  }

  #tcp(bytes: Uint8Array, at: number, end: number, limit: number): void {
    const layers = this.layers;
    if (end - at < 16) return;
    const offset = bytes[at + 12]!;
    const headerLength = (offset >>> 4) << 2;
    if (headerLength < 20) return;
    layers.flags = ((offset & 15) << 8) | bytes[at + 13]!;
    layers.sport = (bytes[at]! << 8) | bytes[at + 1]!;
    layers.dport = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    // A header that is not whole is not counted in a conversation: its options were not read.
    if (at + headerLength > end) return;
    layers.transport = TCP;
    layers.seq = (bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!;
    layers.ack = (bytes[at + 8]! << 24) | (bytes[at + 9]! << 16) | (bytes[at + 10]! << 8) | bytes[at + 11]!;
    layers.window = (bytes[at + 14]! << 8) | bytes[at + 15]!;
    layers.optionsAt = at + 20;
    layers.optionsEnd = at + headerLength;
    layers.bytes = bytes;
    layers.payloadAt = at + headerLength;
    layers.captured = end - at - headerLength;
    layers.payload = limit - at - headerLength;
  }

  #udp(bytes: Uint8Array, at: number, end: number, limit: number): void {
    const layers = this.layers;
    if (end - at < 8) return;
    const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    // 0 is a jumbogram's, which only IPv6 has (RFC 2675).
    if (length < 8 && !(length === 0 && layers.version === 6)) return;
    layers.transport = UDP;
    layers.sport = (bytes[at]! << 8) | bytes[at + 1]!;
    layers.dport = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    layers.bytes = bytes;
    layers.payloadAt = at + 8;
    layers.captured = Math.max(0, Math.min(end, length === 0 ? end : at + length) - at - 8);
    layers.payload = (length === 0 ? limit - at : length) - 8;
  }

  /** ICMP errors carry the packet they are about (RFC 792, RFC 4443): its TCP flags are shown, it is not counted. */
  #quoted(protocol: number, bytes: Uint8Array, at: number, end: number): void {
    if (end - at < 8 + 20) return;
    const type = bytes[at]!;
    const error = protocol === ICMP ? [3, 4, 5, 11, 12].includes(type) : type >= 1 && type <= 4;
    if (!error) return;
    const from = at + 8;
    const four = bytes[from]! >>> 4 === 4;
    const body = four ? from + ((bytes[from]! & 15) << 2) : from + 40;
    if (bytes[from + (four ? 9 : 6)] !== TCP || end - body < 16 || bytes[body + 12]! >>> 4 < 5) return;
    const layers = this.layers;
    layers.quotedFlags = ((bytes[body + 12]! & 15) << 8) | bytes[body + 13]!;
    layers.sport = (bytes[body]! << 8) | bytes[body + 1]!;
    layers.dport = (bytes[body + 2]! << 8) | bytes[body + 3]!;
    if (four) {
      layers.quotedSrc =
        (bytes[from + 12]! << 24) | (bytes[from + 13]! << 16) | (bytes[from + 14]! << 8) | bytes[from + 15]!;
      layers.quotedDst =
        (bytes[from + 16]! << 24) | (bytes[from + 17]! << 16) | (bytes[from + 18]! << 8) | bytes[from + 19]!;
    } else {
      layers.quotedSrc = this.addresses.number6(bytes, from + 8);
      layers.quotedDst = this.addresses.number6(bytes, from + 24);
    }
  }
}
