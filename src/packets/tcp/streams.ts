import { grown } from '../columns.ts';
import type { ConversationTable } from '../conversations.ts';
import { ACK, type Layers, SYN } from '../decode/decode.ts';

/** Numbers of a stream: both initial sequence numbers, and which of them are known. */
const WIDTH = 3;
const A_KNOWN = 1;
const B_KNOWN = 2;

/**
 * Tells the TCP connections apart that used the same addresses and ports one after the other. The rule is Wireshark's
 * (epan/dissectors/packet-tcp.c, dissect_tcp and tcp_analyze_sequence_number): a SYN whose sequence number is not the
 * one that this side began with begins another stream.
 */
export class Streams {
  readonly #table: ConversationTable;
  /** Whether the last segment was sent by A of its stream. */
  fromA = false;
  /** Whether the last segment began anew between ports that another stream, or this one, had before. */
  reused = false;
  #state = new Int32Array(WIDTH * 64);

  constructor(table: ConversationTable) {
    this.#table = table;
  }

  /** The row of the stream that a segment belongs to; a new one where it begins one. */
  rowOf({ version, src, dst, sport, dport, flags, seq, ack, fragment }: Layers): number {
    const table = this.#table;
    let row = table.find(version, src, dst, sport, dport);
    if (row < 0) row = this.#begin(version, src, dst, sport, dport);
    let at = WIDTH * row;
    let state = this.#state;
    let fromA = table.isFromA(row, src, dst, sport, dport);
    this.reused = false;
    if ((flags & (SYN | ACK)) === SYN && state[at + 2]! & (fromA ? A_KNOWN : B_KNOWN)) {
      if (state[at + (fromA ? 0 : 1)] !== seq) {
        row = this.#begin(version, src, dst, sport, dport);
        this.reused = true;
        at = WIDTH * row;
        state = this.#state;
        fromA = true;
      }
    }
    this.fromA = fromA;
    // A SYN-ACK with another sequence number sets a new beginning in the same stream.
    if ((flags & (SYN | ACK)) === (SYN | ACK) && state[at + 2]! & (fromA ? A_KNOWN : B_KNOWN)) {
      this.reused ||= state[at + (fromA ? 0 : 1)] !== seq;
      state[at + (fromA ? 0 : 1)] = seq;
    }
    // The length of a fragment's segment is not known, and so neither is the number that comes next.
    if (fragment) return row;
    const known = state[at + 2]!;
    if (!(known & (fromA ? A_KNOWN : B_KNOWN))) {
      state[at + (fromA ? 0 : 1)] = flags & SYN ? seq : (seq - 1) | 0;
      state[at + 2]! |= fromA ? A_KNOWN : B_KNOWN;
    }
    if (flags & ACK && !(known & (fromA ? B_KNOWN : A_KNOWN))) {
      state[at + (fromA ? 1 : 0)] = (ack - 1) | 0;
      state[at + 2]! |= fromA ? B_KNOWN : A_KNOWN;
    }
    return row;
  }

  /** The sequence number of the first byte that a side of a stream sent, as far as it is known. */
  first(row: number, ofA: boolean): number {
    return (this.#state[WIDTH * row + (ofA ? 0 : 1)]! + 1) | 0;
  }

  #begin(version: number, src: number, dst: number, sport: number, dport: number): number {
    const row = this.#table.add(version, src, dst, sport, dport);
    this.#state = grown(this.#state, WIDTH * (row + 1));
    return row;
  }
}
