import { addressBytes } from '../decode/addresses.ts';
import { Decoder, type Layers, SYN, TCP, UDP } from '../decode/decode.ts';
import { mix } from '../duplicates.ts';
import { Packet } from '../file/packet.ts';
import type { SourceHeader } from './blocks.ts';
import type { PodInterface } from './pod-interface.ts';

/**
 * How far the clocks of two nodes are apart, as far as packets tell that were seen where they left one node and where they
 * reached the other.
 */
export interface ClockOffset {
  readonly nodes: readonly [a: string, b: string];
  /** What the clock of b shows more than that of a; absent if it cannot be estimated. */
  readonly offsetNs?: number;
  /** The offset is at most this far from the estimate, if it was the same all the time. */
  readonly boundNs?: number;
  /** Packets that were seen on both sides: from a to b, and back. */
  readonly matched: { readonly forward: number; readonly back: number };
  /** Why it cannot be estimated; absent if it can. */
  readonly unknown?: OffsetUnknown;
}

/**
 * `no-packets`: no packet was seen on both sides; of a connection to a Service, whose address the node translates, the two
 * sides have different addresses, and they are not matched. `one-direction`: only packets of one direction were.
 * `few-packets`: fewer than three of a direction were. `contradiction`: packets would arrive before they leave, so the
 * clocks moved against each other during the capture.
 */
export type OffsetUnknown = 'no-packets' | 'one-direction' | 'few-packets' | 'contradiction';

const FEWEST = 3;
/** From this many on, the least delay is left out: one wrong time must not decide. */
const MANY = 10;

const SLOTS = 1 << 16;
/** Two hashes, the node, and what is known of the packet. */
const WIDTH = 4;
const ONCE = 1;
const DONE = 2;
/** Of a payload and of other bodies so many bytes are compared. */
const COMPARED = 32;

/** The least delays of one direction, with the difference of the clocks in them. */
class Delays {
  count = 0;
  /** Two of them, in nanoseconds. */
  #least = Number.POSITIVE_INFINITY;
  #second = Number.POSITIVE_INFINITY;

  add(delay: number): void {
    this.count += 1;
    if (delay < this.#least) {
      this.#second = this.#least;
      this.#least = delay;
    } else if (delay < this.#second) this.#second = delay;
  }

  get least(): number {
    return this.count < MANY ? this.#least : this.#second;
  }
}

/**
 * Estimates the offsets between the clocks of nodes as NTP does (RFC 5905, section 8): a packet from a to b appears to take
 * its delay and the offset, one from b to a its delay without the offset. Half the difference of the least of both is the
 * offset, and because no delay is negative, half their sum is how far that may be wrong.
 *
 * A packet is the same if its addresses, ports, identification, sequence numbers, options and the beginning of its payload
 * are: what routers and network cards change is not compared. Packets that were sent twice are left out.
 */
export class ClockOffsets {
  readonly #nodes: readonly string[];
  /** The node of each input, and how coarse its times are, in nanoseconds. */
  readonly #nodeOf: readonly number[];
  readonly #linkTypes: readonly number[];
  readonly #coarse: readonly number[];
  /** The nodes of the pods' addresses, by version of IP. */
  readonly #four = new Map<number, number>();
  readonly #six = new Map<number, number>();
  readonly #decoder = new Decoder();
  readonly #packet = new Packet();
  readonly #seen = new Int32Array(SLOTS * WIDTH);
  readonly #seconds = new Float64Array(SLOTS);
  readonly #nanos = new Int32Array(SLOTS);
  /** From each node to each, where there were any. */
  readonly #delays: (Delays | undefined)[];

  constructor(inputs: readonly PodInterface[], headers: readonly SourceHeader[]) {
    this.#nodes = [...new Set(inputs.map(({ node }) => node))].sort();
    this.#nodeOf = inputs.map(({ node }) => this.#nodes.indexOf(node));
    this.#linkTypes = headers.map(({ linkType }) => linkType);
    const coarse = this.#nodes.map(() => 1);
    for (const [at, { places }] of headers.entries()) {
      const node = this.#nodeOf[at]!;
      coarse[node] = Math.max(coarse[node]!, 10 ** (9 - places));
    }
    this.#coarse = coarse;
    this.#delays = new Array<Delays | undefined>(this.#nodes.length ** 2).fill(undefined);
    for (const [at, { ips }] of inputs.entries())
      for (const ip of ips) {
        const bytes = addressBytes(ip);
        if (!bytes) continue;
        if (bytes.length === 4) this.#four.set(bytes.readInt32BE(0), this.#nodeOf[at]!);
        else this.#six.set(this.#decoder.addresses.number6(bytes, 0), this.#nodeOf[at]!);
      }
  }

  /** Takes the next packet of an input. */
  packet(
    input: number,
    seconds: number,
    nanos: number,
    bytes: Uint8Array,
    at: number,
    captured: number,
    length: number,
  ): void {
    if (this.#nodes.length < 2) return;
    const packet = this.#packet;
    packet.bytes = bytes;
    packet.at = at;
    packet.end = at + captured;
    packet.length = length;
    packet.linkType = this.#linkTypes[input]!;
    this.#decoder.decode(packet);
    const { layers } = this.#decoder;
    if (layers.version === 0 || layers.fragment || layers.bytes !== bytes) return;
    const nodeOf = layers.version === 4 ? this.#four : this.#six;
    const from = nodeOf.get(layers.src);
    const to = nodeOf.get(layers.dst);
    if (from === undefined || to === undefined || from === to) return;
    const here = this.#nodeOf[input]!;
    if ((here !== from && here !== to) || !isUnmistakable(layers)) return;
    this.#match(from, to, here, seconds, nanos, packet.end);
  }

  #match(from: number, to: number, here: number, seconds: number, nanos: number, end: number): void {
    const { layers } = this.#decoder;
    const one = hash(layers, end, 0x9e3779b1);
    const other = hash(layers, end, 0x7feb352d);
    const slot = (one >>> 8) & (SLOTS - 1);
    const at = slot * WIDTH;
    const seen = this.#seen;
    if (seen[at] === one && seen[at + 1] === other && seen[at + 3] !== 0) {
      // Seen a second time on its side, or a third time at all: whichever belong together, it is not certain.
      if (seen[at + 2] === here || seen[at + 3] !== ONCE) {
        seen[at + 3] = DONE;
        return;
      }
      seen[at + 3] = DONE;
      const since = (seconds - this.#seconds[slot]!) * 1e9 + (nanos - this.#nanos[slot]!);
      const key = from * this.#nodes.length + to;
      this.#delays[key] ??= new Delays();
      this.#delays[key].add(here === to ? since : -since);
      return;
    }
    seen[at] = one;
    seen[at + 1] = other;
    seen[at + 2] = here;
    seen[at + 3] = ONCE;
    this.#seconds[slot] = seconds;
    this.#nanos[slot] = nanos;
  }

  /** Of each pair of nodes, in alphabetical order. */
  facts(): ClockOffset[] {
    const facts: ClockOffset[] = [];
    const count = this.#nodes.length;
    for (let a = 0; a < count; a += 1)
      for (let b = a + 1; b < count; b += 1) {
        const there = this.#delays[a * count + b];
        const back = this.#delays[b * count + a];
        const coarse = Math.max(this.#coarse[a]!, this.#coarse[b]!);
        facts.push({ nodes: [this.#nodes[a]!, this.#nodes[b]!], ...estimate(there, back, coarse) });
      }
    return facts;
  }
}

function estimate(
  there: Delays | undefined,
  back: Delays | undefined,
  coarseNs: number,
): Omit<ClockOffset, 'nodes'> {
  const matched = { forward: there?.count ?? 0, back: back?.count ?? 0 };
  if (!there && !back) return { matched, unknown: 'no-packets' };
  if (!there || !back) return { matched, unknown: 'one-direction' };
  if (there.count < FEWEST || back.count < FEWEST) return { matched, unknown: 'few-packets' };
  // Times are cut off to the resolution of their file, so that each difference may be wrong by one unit.
  const roundTrip = there.least + back.least + 2 * coarseNs;
  if (roundTrip < 0) return { matched, unknown: 'contradiction' };
  return {
    offsetNs: Math.round((there.least - back.least) / 2),
    boundNs: Math.ceil(roundTrip / 2),
    matched,
  };
}

/** Whether no other packet can look the same: it has a number of its own, or is a part of a stream. */
const isUnmistakable = ({ id, transport, payload, flags }: Layers): boolean =>
  id !== 0 || (transport === TCP && (payload > 0 || (flags & SYN) !== 0));

function hash(layers: Layers, end: number, seed: number): number {
  const { bytes, transport } = layers;
  let mixed = mix(seed ^ layers.src, layers.dst);
  mixed = mix(mixed, (layers.id << 16) | layers.protocol);
  let at = layers.bodyAt;
  let most = COMPARED;
  if (transport === TCP || transport === UDP) {
    mixed = mix(mixed, (layers.sport << 16) | layers.dport);
    mixed = mix(mixed, layers.payload);
    // The checksum is left to network cards, and a capture before them has another one.
    at = layers.payloadAt;
    if (transport === TCP) {
      mixed = mix(mixed, layers.seq);
      mixed = mix(mixed, layers.ack);
      mixed = mix(mixed, (layers.flags << 16) | layers.window);
      at = layers.optionsAt;
      most += layers.optionsEnd - layers.optionsAt;
    }
  }
  const until = Math.min(end, at + most);
  for (; at < until; at += 1) mixed = mix(mixed, bytes[at]!);
  return mixed;
}
