import type { Packet } from '../file/packet.ts';
import type { Spill } from '../syns.ts';
import { bit, EXPERT_NAMES, KIND } from './troubles.ts';

/** A packet with a problem. */
export interface TroubledPacket {
  /** Counted over all files. */
  readonly frame: number;
  readonly seconds: number;
  readonly nanos: number;
  readonly timed: boolean;
  /** The stream, and whether its A sent the packet. */
  readonly row: number;
  readonly fromA: boolean;
  readonly names: readonly string[];
  /** It asks for a connection; the outcome is known only at the end. */
  readonly asks: boolean;
  /** For a duplicate ACK: the frame that it repeats, and which repetition it is, counted from 1. */
  readonly duplicate?: { readonly of: number; readonly number: number };
}

const RECORD = 32;
const BUFFERED = 1024;
const UNTIMED = 0xffffffff;

/** The packets with a problem, in order: 32 bytes each, on disk beyond what the spill keeps. */
export class TroubleList {
  readonly #spill: Spill;
  readonly #buffer = Buffer.alloc(RECORD * BUFFERED);
  #held = 0;

  constructor(spill: Spill) {
    this.#spill = spill;
  }

  /** `kinds` as bits; `side` counts the sides of all streams, A's first. */
  add(packet: Packet, side: number, kinds: number, ackFrame: number, duplicates: number): void {
    const buffer = this.#buffer;
    const at = RECORD * this.#held;
    buffer.writeDoubleLE(packet.seconds, at);
    buffer.writeUInt32LE(packet.timed ? packet.nanos >>> 0 : UNTIMED, at + 8);
    buffer.writeUInt32LE(packet.frame, at + 12);
    buffer.writeUInt32LE(side, at + 16);
    buffer.writeUInt16LE(kinds, at + 20);
    buffer.writeInt32LE(ackFrame, at + 24);
    buffer.writeInt32LE(duplicates, at + 28);
    this.#held += 1;
    if (this.#held < BUFFERED) return;
    this.#spill.append(buffer);
    this.#held = 0;
  }

  *all(): Generator<TroubledPacket> {
    for (const piece of this.#spill.pieces())
      yield* read(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
    yield* read(this.#buffer.subarray(0, RECORD * this.#held));
  }
}

function* read(bytes: Buffer): Generator<TroubledPacket> {
  for (let at = 0; at < bytes.length; at += RECORD) {
    const kinds = bytes.readUInt16LE(at + 20);
    const nanos = bytes.readUInt32LE(at + 8);
    const side = bytes.readUInt32LE(at + 16);
    yield {
      seconds: bytes.readDoubleLE(at),
      nanos: nanos | 0,
      timed: nanos !== UNTIMED,
      frame: bytes.readUInt32LE(at + 12),
      row: Math.floor(side / 2),
      fromA: side % 2 === 0,
      names: EXPERT_NAMES.filter((_, kind) => kinds & bit(kind)),
      asks: (kinds & KIND.ASKED) !== 0,
      ...(kinds & KIND.DUPLICATE_ACK && {
        duplicate: { of: bytes.readInt32LE(at + 24), number: bytes.readInt32LE(at + 28) },
      }),
    };
  }
}
