import type { Layers } from './decode/decode.ts';
import type { Packet } from './file/packet.ts';

/** What a long list is kept in: memory first, a file when it grows. */
export interface Spill {
  /** Takes a copy. */
  append(bytes: Uint8Array): void;
  /** All of it from its beginning, in pieces of whole records where each append was. */
  pieces(): Iterable<Uint8Array>;
}

/** A segment with the SYN bit: a connection that was asked for, or granted. */
export interface Syn {
  readonly seconds: number;
  readonly nanos: number;
  /** Counted over all files. */
  readonly frame: number;
  /** Whether the file says when it was. */
  readonly timed: boolean;
  /** The 12 bits of TCP. */
  readonly flags: number;
  /** 0 where the packet had no IP header; 4 or 6. */
  readonly version: number;
  /** Numbers of Addresses. */
  readonly src: number;
  readonly dst: number;
  readonly sport: number;
  readonly dport: number;
  /** Only quoted by an ICMP error: the SYN that it is about, with its own addresses. */
  readonly quoted?: { readonly src: number; readonly dst: number };
}

const RECORD = 44;
const BUFFERED = 1024;
const QUOTED = 1;
const TIMED = 2;

/** The SYNs in order of appearance: 40 bytes each, on disk beyond what the spill keeps. */
export class SynList {
  readonly #spill: Spill;
  readonly #buffer = Buffer.alloc(RECORD * BUFFERED);
  #held = 0;
  #count = 0;

  constructor(spill: Spill) {
    this.#spill = spill;
  }

  get count(): number {
    return this.#count;
  }

  add({ seconds, nanos, timed, frame }: Packet, layers: Layers): void {
    const buffer = this.#buffer;
    const at = RECORD * this.#held;
    const quoted = layers.flags < 0;
    buffer.writeDoubleLE(seconds, at);
    buffer.writeDoubleLE(nanos, at + 8);
    buffer.writeUInt16LE(quoted ? layers.quotedFlags : layers.flags, at + 16);
    buffer[at + 18] = layers.version;
    buffer[at + 19] = (quoted ? QUOTED : 0) | (timed ? TIMED : 0);
    buffer.writeInt32LE(layers.src, at + 20);
    buffer.writeInt32LE(layers.dst, at + 24);
    buffer.writeUInt16LE(layers.sport, at + 28);
    buffer.writeUInt16LE(layers.dport, at + 30);
    buffer.writeInt32LE(layers.quotedSrc, at + 32);
    buffer.writeInt32LE(layers.quotedDst, at + 36);
    buffer.writeUInt32LE(frame, at + 40);
    this.#held += 1;
    this.#count += 1;
    if (this.#held < BUFFERED) return;
    this.#spill.append(buffer);
    this.#held = 0;
  }

  *all(): Generator<Syn> {
    for (const piece of this.#spill.pieces())
      yield* read(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
    yield* read(this.#buffer.subarray(0, RECORD * this.#held));
  }
}

function* read(bytes: Buffer): Generator<Syn> {
  for (let at = 0; at < bytes.length; at += RECORD)
    yield {
      seconds: bytes.readDoubleLE(at),
      nanos: bytes.readDoubleLE(at + 8),
      frame: bytes.readUInt32LE(at + 40),
      timed: (bytes[at + 19]! & TIMED) !== 0,
      flags: bytes.readUInt16LE(at + 16),
      version: bytes[at + 18]!,
      src: bytes.readInt32LE(at + 20),
      dst: bytes.readInt32LE(at + 24),
      sport: bytes.readUInt16LE(at + 28),
      dport: bytes.readUInt16LE(at + 30),
      ...(bytes[at + 19]! & QUOTED && {
        quoted: { src: bytes.readInt32LE(at + 32), dst: bytes.readInt32LE(at + 36) },
      }),
    };
}
