import type { Packet } from '../file/packet.ts';
import { Addresses } from './addresses.ts';
import { behindHeader, isExtension, jumboLength } from './extension-headers.ts';
import { Fragments } from './fragments.ts';
import { quotedTcp } from './icmp-quote.ts';
import { lastHop } from './ip-options.ts';
import { ETHERTYPE, type Link, openLink } from './link.ts';
import { endBefore } from './tcp-options.ts';
import { openTunnel, type Tunnel } from './tunnel.ts';

export const TCP = 6;
export const UDP = 17;
export const ICMP = 1;
export const ICMP6 = 58;
const UDP_LITE = 136;
const FRAGMENT = 44;
/** Of Mobile IPv6: what stands in its place for a next header is not followed (RFC 6275). */
export const MOBILITY = 135;

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;

/**
 * The decoded layers of a frame. One object is written over by the next frame. A layer that is not there has the values that it
 * has here.
 */
export class Layers {
  /** 4 or 6; 0 if there is no valid IP header. */
  version = 0;
  arp = false;
  /** Numbers of Addresses. */
  src = 0;
  dst = 0;
  /** The identification of the datagram, which tells repeats apart. */
  id = 0;
  /** After extension headers; -1 if there is none. */
  protocol = -1;
  /** Where that protocol's own bytes begin. */
  bodyAt = 0;
  /** A fragment of a datagram that is not complete yet. */
  fragment = false;
  /** Of the first tag, where the addresses are ones that mean something else in another network; else 0. */
  vlan = 0;
  /** TCP or UDP if their header is complete, else 0. */
  transport = 0;
  sport = 0;
  dport = 0;
  /** The 12 bits of TCP; -1 if there are none. They need only 16 bytes of the header. */
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
  readonly #link: Link = { ethertype: 0, at: 0, vlan: 0 };
  readonly #tunnel: Tunnel = { ethertype: 0, at: 0 };
  readonly #inner: boolean;
  readonly #strict: boolean;

  /**
   * `inner`: decode the inner packets of tunnels, one level deep. `strict`: do not decode what Wireshark with its default
   * preferences does not decode: IPv6 packets without a length, and first fragments that were truncated.
   */
  constructor(inner = false, strict = false) {
    this.#inner = inner;
    this.#strict = strict;
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
    // Bytes beyond the snapshot length were on the wire all the same.
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
    layers.src = word(bytes, at + 12);
    layers.dst = word(bytes, at + 16);
    layers.id = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    if (headerLength > 20) layers.dst = lastHop(bytes, at + 20, at + headerLength, layers.dst);
    layers.vlan = isLocal(layers.src) || isLocal(layers.dst) ? this.#link.vlan : 0;
    const protocol = bytes[at + 9]!;
    layers.protocol = protocol;
    const limit = total === 0 ? wire : Math.min(wire, at + total);
    const body = at + headerLength;
    layers.bodyAt = body;
    const fragment = ((bytes[at + 6]! << 8) | bytes[at + 7]!) & 0x3fff;
    if (fragment === 0) {
      this.#decodeBody(protocol, bytes, body, Math.min(end, limit), limit);
      return;
    }
    layers.fragment = true;
    // A length beyond the frame counts as truncated.
    const said = total === 0 ? limit : at + total;
    if (said <= body) return;
    const offset = fragment & 0x1fff;
    if (Math.min(end, limit) >= said)
      this.#addFragment(protocol, layers.id ^ protocol, offset, (fragment & 0x2000) !== 0, body, said);
    // A truncated fragment can't be reassembled, but the first one still has its headers.
    else if (offset === 0) this.#decodeBody(protocol, bytes, body, Math.min(end, limit), said);
  }

  #ip6(at: number, end: number, wire: number): void {
    const layers = this.layers;
    const { bytes } = layers;
    if (end - at < 40 || bytes[at]! >>> 4 !== 6) return;
    layers.version = 6;
    layers.src = this.addresses.number6(bytes, at + 8);
    layers.dst = this.addresses.number6(bytes, at + 24);
    layers.id = 0;
    layers.vlan = 0;
    const next = bytes[at + 6]!;
    let length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    if (length === 0 && next === 0) length = jumboLength(bytes, at + 40, end);
    // A super-packet whose length the card fills in says none.
    const said = length === 0 && !this.#strict ? wire : at + 40 + length;
    const limit = Math.min(wire, said);
    this.#decodeBody(next, bytes, at + 40, Math.min(end, limit), limit, said);
  }

  /**
   * Follows extension headers up to what they carry (RFC 8200). IPv4 may have them too; AH it has for real. `end` is
   * behind what was captured, `limit` behind what was sent, `said` behind what the packet says of itself.
   */
  #decodeBody(
    protocol: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    limit: number,
    said = limit,
  ): void {
    const layers = this.layers;
    let next = protocol;
    let from = at;
    while (isExtension(next)) {
      const own = from;
      layers.protocol = next;
      from = behindHeader(next, bytes, own, end);
      // With an incomplete header nothing of the packet is reliable.
      if (from < 0) {
        if (layers.version === 6) layers.version = 0;
        return;
      }
      layers.bodyAt = own;
      if (next === MOBILITY) return;
      const word = next === FRAGMENT ? (bytes[own + 2]! << 8) | bytes[own + 3]! : 0;
      next = bytes[own]!;
      layers.protocol = next;
      // A fragment without payload counts as a datagram of its own.
      if ((word & 0xfff9) === 0 || said === from || layers.version !== 6 || bytes !== layers.bytes) continue;
      const id = (bytes[own + 4]! << 24) | (bytes[own + 5]! << 16) | (bytes[own + 6]! << 8) | bytes[own + 7]!;
      layers.fragment = true;
      layers.bodyAt = from;
      if (end >= said) this.#addFragment(next, id, word >>> 3, (word & 1) !== 0, from, said);
      else if (word >>> 3 === 0 && !this.#strict) this.#transport(next, bytes, from, end, limit);
      return;
    }
    layers.protocol = next;
    layers.bodyAt = from;
    this.#transport(next, bytes, from, end, limit);
  }

  /** Adds a completely captured fragment from `at` to `end`. The fragment that completes the datagram has its headers. */
  #addFragment(protocol: number, id: number, offset: number, more: boolean, at: number, end: number): void {
    const layers = this.layers;
    if (end <= at) return;
    const whole = this.#fragments.add(layers, id, offset, more, at, end);
    if (!whole) return;
    layers.fragment = false;
    this.#decodeBody(protocol, whole.head, 0, whole.held, whole.length);
  }

  #transport(protocol: number, bytes: Uint8Array, at: number, end: number, limit: number): void {
    if (protocol === TCP) this.#tcp(bytes, at, end, limit);
    else if (protocol === UDP || protocol === UDP_LITE)
      this.#udp(bytes, at, end, limit, protocol === UDP_LITE);
    else if (protocol === ICMP || protocol === ICMP6) this.#decodeQuote(protocol, bytes, at, end, limit);
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
    // A truncated header is not counted in a conversation, unless its options end before the truncation.
    if (end - at < 20 || (at + headerLength > end && !endBefore(bytes, at + 20, at + headerLength, end)))
      return;
    layers.transport = TCP;
    layers.seq = (bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!;
    layers.ack = (bytes[at + 8]! << 24) | (bytes[at + 9]! << 16) | (bytes[at + 10]! << 8) | bytes[at + 11]!;
    layers.window = (bytes[at + 14]! << 8) | bytes[at + 15]!;
    layers.optionsAt = at + 20;
    layers.optionsEnd = Math.min(at + headerLength, end);
    layers.bytes = bytes;
    layers.payloadAt = layers.optionsEnd;
    layers.captured = Math.max(0, end - at - headerLength);
    layers.payload = Math.max(0, limit - at - headerLength);
  }

  #udp(bytes: Uint8Array, at: number, end: number, limit: number, lite: boolean): void {
    const layers = this.layers;
    if (end - at < 8) return;
    // UDP-Lite has how far its checksum goes there (RFC 3828).
    const length = lite ? limit - at : (bytes[at + 4]! << 8) | bytes[at + 5]!;
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

  /** An ICMP error quotes the packet that it is about. The TCP flags of that packet are shown, but it is not counted. */
  #decodeQuote(protocol: number, bytes: Uint8Array, at: number, end: number, limit: number): void {
    const body = quotedTcp(bytes, at, end, limit, protocol === ICMP6);
    if (body < 0) return;
    const layers = this.layers;
    layers.quotedFlags = ((bytes[body + 12]! & 15) << 8) | bytes[body + 13]!;
    layers.sport = (bytes[body]! << 8) | bytes[body + 1]!;
    layers.dport = (bytes[body + 2]! << 8) | bytes[body + 3]!;
    const from = at + 8;
    if (bytes[from]! >>> 4 === 4) {
      layers.quotedSrc = word(bytes, from + 12);
      layers.quotedDst = lastHop(bytes, from + 20, from + ((bytes[from]! & 15) << 2), word(bytes, from + 16));
    } else {
      layers.quotedSrc = this.addresses.number6(bytes, from + 8);
      layers.quotedDst = this.addresses.number6(bytes, from + 24);
    }
  }
}

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

/** Private or link-local (RFC 1918, RFC 3927). */
function isLocal(address: number): boolean {
  const upper = address >>> 16;
  return upper >>> 8 === 10 || upper >>> 4 === 0xac1 || upper === 0xc0a8 || upper === 0xa9fe;
}
