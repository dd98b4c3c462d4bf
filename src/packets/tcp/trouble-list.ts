import type { Packet } from '../file/packet.ts';
import { RecordList, type Spill } from '../record-list.ts';
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
  /** A SYN of a client: whether it was answered is known only at the end. */
  readonly isClientSyn: boolean;
  /** For a duplicate ACK: the frame that it repeats, and which repetition it is, counted from 1. */
  readonly duplicate?: { readonly of: number; readonly number: number };
}

/** Bytes of a record. */
const RECORD = 32;
const UNTIMED = 0xffffffff;

/** The packets with a problem, in order. */
export class TroubleList {
  readonly #list: RecordList;

  constructor(spill: Spill) {
    this.#list = new RecordList(spill, RECORD);
  }

  /** `kinds` as bits; `side` counts the sides of all streams, A's first. */
  add(packet: Packet, side: number, kinds: number, ackFrame: number, duplicates: number): void {
    const at = this.#list.add();
    const { view } = this.#list;
    view.setFloat64(at, packet.seconds, true);
    view.setUint32(at + 8, packet.timed ? packet.nanos : UNTIMED, true);
    view.setUint32(at + 12, packet.frame, true);
    view.setUint32(at + 16, side, true);
    view.setUint16(at + 20, kinds, true);
    view.setInt32(at + 24, ackFrame, true);
    view.setInt32(at + 28, duplicates, true);
  }

  all(): Generator<TroubledPacket> {
    return this.#list.read(packetAt);
  }
}

function packetAt(view: DataView, at: number): TroubledPacket {
  const kinds = view.getUint16(at + 20, true);
  const nanos = view.getUint32(at + 8, true);
  const side = view.getUint32(at + 16, true);
  return {
    seconds: view.getFloat64(at, true),
    nanos: nanos | 0,
    timed: nanos !== UNTIMED,
    frame: view.getUint32(at + 12, true),
    row: Math.floor(side / 2),
    fromA: side % 2 === 0,
    names: EXPERT_NAMES.filter((_, kind) => kinds & bit(kind)),
    isClientSyn: (kinds & KIND.SYN) !== 0,
    ...(kinds & KIND.DUPLICATE_ACK && {
      duplicate: { of: view.getInt32(at + 24, true), number: view.getInt32(at + 28, true) },
    }),
  };
}
