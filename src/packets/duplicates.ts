import { type Layers, TCP } from './decode/decode.ts';
import { isCooked } from './decode/link.ts';
import type { Packet } from './file/packet.ts';

const SLOTS = 8192;
const WIDTH = 4;
/** A packet passes all interfaces of a node within this time, in nanoseconds. */
const WITHIN = 50e6;
/** The same between nodes, whose clocks are apart. */
const WITHIN_NODES = 2e9;

/**
 * Finds packets that a capture of several interfaces saw more than once, as tcpdump on `any` sees one on a pod's
 * interface and on the node's. The same packet on another interface, shortly after, is a repeat; on the interface that
 * had it first it is another packet. Two packets are the same when addresses, ports, identification, sequence numbers,
 * flags and length agree; what routers change (hop limit, checksums, link header) is not compared.
 */
export class Repeats {
  /** Two hashes, the time in seconds, the interface. */
  readonly #seen = new Int32Array(SLOTS * WIDTH);
  readonly #nanos = new Float64Array(SLOTS);
  count = 0;
  #within = WITHIN;

  /** The interfaces are of several nodes. */
  spanNodes(): void {
    this.#within = WITHIN_NODES;
  }

  isRepeat(packet: Packet, layers: Layers): boolean {
    if (layers.version === 0) return false;
    const one = hash(packet, layers, 0x9e3779b1);
    const other = hash(packet, layers, 0x7feb352d);
    const face = faceOf(packet);
    const slot = (one >>> 8) & (SLOTS - 1);
    const at = slot * WIDTH;
    const seen = this.#seen;
    const after = (packet.seconds - seen[at + 2]!) * 1e9 + packet.nanos - this.#nanos[slot]!;
    if (
      seen[at] === one &&
      seen[at + 1] === other &&
      after >= 0 &&
      after < this.#within &&
      seen[at + 3] !== face
    ) {
      this.count += 1;
      return true;
    }
    seen[at] = one;
    seen[at + 1] = other;
    seen[at + 2] = packet.seconds | 0;
    seen[at + 3] = face;
    this.#nanos[slot] = packet.nanos;
    return false;
  }
}

/**
 * Which interface a packet was seen on: pcapng and SLL2 say it, and both do if captures of several pods were combined. SLL
 * says only which way it went and the sender's link address, which differ from hop to hop as well.
 */
function faceOf({ bytes, at, end, linkType, interface: number }: Packet): number {
  if (!isCooked(linkType)) return number;
  // Of the first interface of pcapng, and of pcap, which has only one, nothing is added.
  const of = Math.imul(number, 0x9e3779b1);
  if (linkType === 276)
    return end - at < 20
      ? ~of
      : ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) ^ of;
  if (end - at < 16) return ~of;
  let face = bytes[at + 1]! ^ of;
  for (let from = at + 6; from < at + 14; from += 1) face = (Math.imul(face, 31) + bytes[from]!) | 0;
  return face;
}

function hash(packet: Packet, layers: Layers, seed: number): number {
  let mixed = mix(seed ^ layers.src, layers.dst);
  mixed = mix(mixed, (layers.id << 16) | layers.protocol);
  if (layers.transport !== 0) {
    mixed = mix(mixed, (layers.sport << 16) | layers.dport);
    mixed = mix(mixed, layers.payload);
    if (layers.transport === TCP) {
      mixed = mix(mixed, layers.seq);
      mixed = mix(mixed, layers.ack);
      mixed = mix(mixed, (layers.flags << 16) | layers.window);
      return mixed;
    }
  }
  // Without numbers of their own, the first bytes tell them apart.
  const end = Math.min(bodyEnd(packet, layers), layers.bodyAt + 16);
  for (let at = layers.bodyAt; at < end; at += 1) mixed = mix(mixed, layers.bytes[at]!);
  return mixed;
}

/** Behind the last byte of what `bodyAt` is the beginning of: what was put together of pieces lies elsewhere. */
export const bodyEnd = (packet: Packet, layers: Layers): number =>
  layers.bytes === packet.bytes ? packet.end : layers.bytes.length;

export function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) | 0;
}
