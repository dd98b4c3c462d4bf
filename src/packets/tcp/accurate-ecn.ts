import { grown } from '../columns.ts';
import { ACK, type Layers, SYN } from '../decode/decode.ts';

/** The three bits that were NS, CWR and ECE (RFC 9768, section 3.1): a number in segments without SYN. */
const COUNTER = 0x1c0;

const ASKED = 1;
const GRANTED = 2;
const OPTION = 4;

/**
 * Tells which segments have a counter in place of the flags AE, CWR and ECE: those of connections with Accurate ECN
 * (RFC 9768, in Linux since 6.18). The rule is that of tshark 4.0 (packet-tcp.c): both SYNs agreed on it, the last of
 * each side counts, or a segment before had its option.
 */
export class AccurateEcn {
  /** By row of the streams. */
  #state = new Int32Array(64);

  /** Whether a segment of this stream has the counter; what it says of those that follow is kept. */
  hasCounter(row: number, flags: number): boolean {
    const state = this.#of(row);
    if (!(flags & SYN)) return (state & OPTION) !== 0 || (state & (ASKED | GRANTED)) === (ASKED | GRANTED);
    const number = (flags & COUNTER) >>> 6;
    const own = flags & ACK ? GRANTED : ASKED;
    // Asked with all three bits; granted with what tells how the SYN arrived (RFC 9768, table 2).
    const agrees =
      own === ASKED ? number === 7 : number === 2 || number === 3 || number === 4 || number === 6;
    if (agrees !== ((state & own) !== 0)) this.#set(row, state ^ own);
    return false;
  }

  /** Looks for the option, behind what `hasCounter` says of the same segment. */
  lookForOption(row: number, { bytes, optionsAt, optionsEnd }: Layers): void {
    let from = optionsAt;
    while (from + 1 < optionsEnd) {
      const kind = bytes[from]!;
      if (kind === 0) return;
      if (kind === 1) {
        from += 1;
        continue;
      }
      const length = bytes[from + 1]!;
      if (length < 2 || from + length > optionsEnd) return;
      if (kind >= 172 && isOption(bytes, from, kind, length)) {
        const state = this.#of(row);
        if (!(state & OPTION)) this.#set(row, state | OPTION);
        return;
      }
      from += length;
    }
  }

  /** Rows without anything may lie behind the end. */
  #of(row: number): number {
    return row < this.#state.length ? this.#state[row]! : 0;
  }

  #set(row: number, state: number): void {
    this.#state = grown(this.#state, row + 1);
    this.#state[row] = state;
  }
}

/** Kinds 172 and 174, or an experiment of that name: up to three counters of three bytes. */
const isOption = (bytes: Uint8Array, at: number, kind: number, length: number): boolean =>
  kind === 172 || kind === 174
    ? length <= 11 && length % 3 === 2
    : (kind === 253 || kind === 254) &&
      length >= 4 &&
      length <= 13 &&
      length % 3 === 1 &&
      bytes[at + 2] === 0xac &&
      (bytes[at + 3]! & 0xfe) === 0xc0;
