import type { Layers } from './decode/decode.ts';
import type { Packet } from './file/packet.ts';
import { RecordList, type Spill } from './record-list.ts';

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

/** Bytes of a record. */
const RECORD = 44;
const QUOTED = 1;
const TIMED = 2;

/** The SYNs in order of appearance. */
export class SynList {
  readonly #list: RecordList;

  constructor(spill: Spill) {
    this.#list = new RecordList(spill, RECORD);
  }

  get count(): number {
    return this.#list.count;
  }

  add({ seconds, nanos, timed, frame }: Packet, layers: Layers): void {
    const at = this.#list.add();
    const { view } = this.#list;
    const quoted = layers.flags < 0;
    view.setFloat64(at, seconds, true);
    view.setFloat64(at + 8, nanos, true);
    view.setUint16(at + 16, quoted ? layers.quotedFlags : layers.flags, true);
    view.setUint8(at + 18, layers.version);
    view.setUint8(at + 19, (quoted ? QUOTED : 0) | (timed ? TIMED : 0));
    view.setInt32(at + 20, layers.src, true);
    view.setInt32(at + 24, layers.dst, true);
    view.setUint16(at + 28, layers.sport, true);
    view.setUint16(at + 30, layers.dport, true);
    view.setInt32(at + 32, layers.quotedSrc, true);
    view.setInt32(at + 36, layers.quotedDst, true);
    view.setUint32(at + 40, frame, true);
  }

  all(): Generator<Syn> {
    return this.#list.read(synAt);
  }
}

const synAt = (view: DataView, at: number): Syn => ({
  seconds: view.getFloat64(at, true),
  nanos: view.getFloat64(at + 8, true),
  frame: view.getUint32(at + 40, true),
  timed: (view.getUint8(at + 19) & TIMED) !== 0,
  flags: view.getUint16(at + 16, true),
  version: view.getUint8(at + 18),
  src: view.getInt32(at + 20, true),
  dst: view.getInt32(at + 24, true),
  sport: view.getUint16(at + 28, true),
  dport: view.getUint16(at + 30, true),
  ...(view.getUint8(at + 19) & QUOTED && {
    quoted: { src: view.getInt32(at + 32, true), dst: view.getInt32(at + 36, true) },
  }),
});
