import { bodyEnd, mix } from '../duplicates.ts';
import { Packet } from '../file/packet.ts';
import { Layers, TCP } from './decode.ts';
import { isCooked } from './link.ts';

/** This many packets at the beginning of a capture, or this many bytes of them, tell whether it is from a mirror port. */
const MOST_PACKETS = 1000;
const MOST_BYTES = 4 << 20;
/** A switch sends the copy at once; in nanoseconds. */
const WITHIN = 5e6;
/** So many bytes of a packet's body are compared: all headers, and some payload. */
const COMPARED = 256;
/** At least this many packets, and at least half of all packets, must have as many copies as a mirror port sends. */
const FEWEST = 3;
const MOST_COPIES = 4;

const SLOTS = 8192;
const WIDTH = 4;

/** A packet that was decoded, both with memory of their own. */
interface HeldPacket {
  readonly packet: Packet;
  readonly layers: Layers;
}

/**
 * Finds exact copies on one interface, as a mirror port of a switch sends each packet where it comes in and where it
 * leaves. A single copy proves nothing: acknowledgements, or datagrams of a kind, may be equal and yet be several. So
 * the first packets of a capture are held back until it is known whether nearly all of them come as copies; only then
 * copies are counted once. What routers change is not compared.
 */
export class Mirror {
  /** How many packets were copies of an earlier packet. */
  count = 0;
  #held: HeldPacket[] | undefined = [];
  #heldBytes = 0;
  /** How many copies follow a packet; 0 if this is not a mirror. */
  #copies = 0;
  /** Two hashes, the time in seconds, how many copies are still to come. */
  #seen = new Int32Array(0);
  #nanos = new Float64Array(0);

  /** Holds the packet back until the capture is judged: `judged` then gives all of them. False once it was judged. */
  hold(packet: Packet, layers: Layers): boolean {
    if (!this.#held) return false;
    this.#held.push(copyOf(packet, layers));
    this.#heldBytes += packet.end - packet.at;
    return true;
  }

  /** Whether enough is held to judge the capture. */
  get isDue(): boolean {
    return this.#held !== undefined && (this.#held.length >= MOST_PACKETS || this.#heldBytes >= MOST_BYTES);
  }

  /** Judges the capture by what is held, and gives it back; from then on nothing is held. */
  judged(): readonly HeldPacket[] {
    const held = this.#held;
    if (!held) return [];
    this.#held = undefined;
    this.#copies = copiesOf(held);
    if (this.#copies > 0) {
      this.#seen = new Int32Array(SLOTS * WIDTH);
      this.#nanos = new Float64Array(SLOTS);
    }
    return held;
  }

  isCopy(packet: Packet, layers: Layers): boolean {
    if (this.#copies === 0 || isCooked(packet.linkType)) return false;
    const one = fingerprint(packet, layers, 0x9e3779b1);
    const other = fingerprint(packet, layers, 0x7feb352d);
    const slot = (one >>> 8) & (SLOTS - 1);
    const at = slot * WIDTH;
    const seen = this.#seen;
    const after = (packet.seconds - seen[at + 2]!) * 1e9 + packet.nanos - this.#nanos[slot]!;
    // After its copies, the same packet is a new one.
    if (seen[at] === one && seen[at + 1] === other && after >= 0 && after < WITHIN && seen[at + 3]! > 0) {
      seen[at + 3]! -= 1;
      this.count += 1;
      return true;
    }
    seen[at] = one;
    seen[at + 1] = other;
    seen[at + 2] = packet.seconds | 0;
    seen[at + 3] = this.#copies;
    this.#nanos[slot] = packet.nanos;
    return false;
  }
}

function copyOf(packet: Packet, layers: Layers): HeldPacket {
  const copy = Object.assign(new Packet(), packet);
  copy.bytes = packet.bytes.slice(packet.at, packet.end);
  copy.at = 0;
  copy.end = copy.bytes.length;
  const ownLayers = Object.assign(new Layers(), layers);
  // What was put together of fragments has memory of its own already.
  if (layers.bytes === packet.bytes) {
    ownLayers.bytes = copy.bytes;
    ownLayers.bodyAt -= packet.at;
    ownLayers.optionsAt -= packet.at;
    ownLayers.optionsEnd -= packet.at;
    ownLayers.payloadAt -= packet.at;
  }
  return { packet: copy, layers: ownLayers };
}

/** How many copies follow nearly every one of these packets; 0 if there are none. */
function copiesOf(held: readonly HeldPacket[]): number {
  const groups: { times: number; readonly seconds: number; readonly nanos: number }[] = [];
  const last = new Map<string, (typeof groups)[number]>();
  for (const { packet, layers } of held) {
    // A packet without a number of its own, or without payload in a stream, may be sent again unchanged.
    if (layers.version === 0 || !(layers.id !== 0 || (layers.transport === TCP && layers.payload > 0)))
      continue;
    if (isCooked(packet.linkType)) continue;
    const name = `${fingerprint(packet, layers, 1)} ${fingerprint(packet, layers, 2)}`;
    const known = last.get(name);
    const after = known ? (packet.seconds - known.seconds) * 1e9 + packet.nanos - known.nanos : -1;
    if (known && after >= 0 && after < WITHIN) {
      known.times += 1;
      continue;
    }
    const group = { times: 1, seconds: packet.seconds, nanos: packet.nanos };
    groups.push(group);
    last.set(name, group);
  }
  const by = new Map<number, number>();
  for (const { times } of groups)
    if (times > 1 && times <= MOST_COPIES) by.set(times, (by.get(times) ?? 0) + 1);
  const copied = [...by.values()].reduce((sum, count) => sum + count, 0);
  if (copied < FEWEST || 2 * copied < groups.length) return 0;
  return [...by].sort(([, one], [, other]) => other - one)[0]![0] - 1;
}

/** A hash of the interface and of the IP packet without hop limit and header checksum; for other packets, of all bytes. */
function fingerprint(packet: Packet, layers: Layers, seed: number): number {
  let mixed = mix(seed ^ packet.interface, packet.length);
  let [bytes, at, end] = [packet.bytes, packet.at, packet.end];
  if (layers.version !== 0) {
    mixed = mix(mixed ^ layers.src, layers.dst);
    mixed = mix(mixed, (layers.id << 16) | layers.protocol);
    [bytes, at, end] = [layers.bytes, layers.bodyAt, bodyEnd(packet, layers)];
  }
  end = Math.min(end, at + COMPARED);
  for (; at < end; at += 1) mixed = mix(mixed, bytes[at]!);
  return mixed;
}
