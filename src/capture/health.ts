import { grown } from './columns.ts';
import { ConversationTable } from './conversations.ts';
import { ACK, FIN, type Layers, RST, SYN } from './decode.ts';
import { Durations } from './durations.ts';

/** What is counted of each side of a stream, one behind the other. */
export const TROUBLES = [
  'retransmissions',
  'fastRetransmissions',
  'spuriousRetransmissions',
  'outOfOrder',
  'duplicateAcks',
  'zeroWindows',
  'lostSegments',
  'keepAlives',
  'resets',
] as const;
export type Trouble = (typeof TROUBLES)[number];

const NO = -1;
const RETRANSMISSION = 0;
const FAST = 1;
const SPURIOUS = 2;
const OUT_OF_ORDER = 3;
const DUPLICATE_ACK = 4;
const ZERO_WINDOW = 5;
const LOST = 6;
const KEEP_ALIVE = 7;
const RESET = 8;
const KINDS = TROUBLES.length;

/** State of a side, as 32 bits each. */
const SIDE = 5;
const NEXT = 0;
const LAST_ACK = 1;
const WINDOW = 2;
const DUPLICATES = 3;
/** 1 where the last segment of a side was a keep-alive. */
const LAST = 4;

/** Times of a side: of its highest sequence number, of its last acknowledgment. */
const TIMES = 2;
/** Times of a stream: when its last SYN came, how long the handshake took, when the first request came. */
const MARKS = 3;
const SYN_AT = 0;
const HANDSHAKE = 1;
const REQUEST_AT = 2;

/** Bits of a stream's progress. */
const SAW_SYN = 1;
const SAW_SYN_ACK = 2;
const REFUSED = 4;
const ANSWERED = 8;

/** Without a measured round trip, as Wireshark takes it. */
const NEAR = 3e6;
/** A retransmission so soon behind duplicate ACKs is a fast one. */
const SOON = 20e6;

const isBefore = (one: number, other: number): boolean => ((one - other) | 0) < 0;

/**
 * What went wrong in each TCP stream, segment by segment, by the rules that Wireshark's readers know as
 * `tcp.analysis.*` (epan/dissectors/packet-tcp.c of 4.0, tcp_analyze_sequence_number), so that the numbers can be
 * looked up there. Sequence number 0 stands for "none yet", as there.
 */
export class Health {
  /** Connections by client: A asked B; frames are its SYNs, retransmitted ones included. */
  readonly clients = new ConversationTable();
  /** SYN to the ACK that ends the handshake; the client's first payload to the server's. */
  readonly handshakes = new Durations();
  readonly firstResponses = new Durations();
  readonly totals = new Float64Array(KINDS);
  #sides = new Int32Array(2 * SIDE * 64);
  #times = new Float64Array(2 * TIMES * 64);
  #marks = new Float64Array(MARKS * 64).fill(NO);
  #progress = new Uint8Array(64);
  #counts = new Uint32Array(2 * KINDS * 64);
  #rows = 0;

  /** Takes a segment of stream `row`; `now` in nanoseconds since the first packet. Returns whether it was sent again. */
  add(row: number, fromA: boolean, layers: Layers, now: number, seconds: number, nanos: number): boolean {
    if (row >= this.#rows) this.#room(row);
    const { flags, payload } = layers;
    if (flags & (SYN | RST)) this.#opened(row, fromA, layers, now, seconds, nanos);
    const side = 2 * row + (fromA ? 0 : 1);
    const again = this.#sequence(row, side, side ^ 1, layers, now);
    const marks = this.#marks;
    const mark = MARKS * row;
    const progress = this.#progress;
    // The answer to the SYN need not be in the capture: nobody acknowledges what did not come.
    if (
      (flags & (SYN | ACK | RST)) === ACK &&
      fromA &&
      progress[row]! & SAW_SYN &&
      marks[mark + HANDSHAKE]! < 0
    ) {
      const took = now - marks[mark + SYN_AT]!;
      progress[row]! |= SAW_SYN_ACK;
      marks[mark + HANDSHAKE] = took;
      this.handshakes.add(took);
    }
    if (payload > 0 && !(flags & (SYN | RST)) && progress[row]! & SAW_SYN && !(progress[row]! & ANSWERED)) {
      if (fromA) {
        if (marks[mark + REQUEST_AT]! < 0) marks[mark + REQUEST_AT] = now;
      } else if (marks[mark + REQUEST_AT]! >= 0) {
        progress[row]! |= ANSWERED;
        this.firstResponses.add(now - marks[mark + REQUEST_AT]!);
      }
    }
    return again;
  }

  /** How often something happened, on one side of a stream. */
  count(row: number, fromA: boolean, trouble: Trouble): number {
    if (row >= this.#rows) return 0;
    return this.#counts[KINDS * (2 * row + (fromA ? 0 : 1)) + TROUBLES.indexOf(trouble)]!;
  }

  /** Nanoseconds from SYN to the end of the handshake; undefined where it was not seen whole. */
  handshake(row: number): number | undefined {
    const took = row < this.#rows ? this.#marks[MARKS * row + HANDSHAKE]! : NO;
    return took < 0 ? undefined : took;
  }

  /** What became of a connection that was asked for in this capture. */
  opening(row: number): 'unseen' | 'unanswered' | 'refused' | 'opened' {
    const progress = row < this.#rows ? this.#progress[row]! : 0;
    if (!(progress & SAW_SYN)) return 'unseen';
    if (progress & SAW_SYN_ACK) return 'opened';
    return progress & REFUSED ? 'refused' : 'unanswered';
  }

  #opened(row: number, fromA: boolean, layers: Layers, now: number, seconds: number, nanos: number): void {
    const { flags, version, src, dst, dport } = layers;
    if (flags & RST) {
      if (!fromA && (this.#progress[row]! & 3) === SAW_SYN) this.#progress[row]! |= REFUSED;
      return;
    }
    if (flags & ACK) {
      if (!fromA) this.#progress[row]! |= SAW_SYN_ACK;
      return;
    }
    if (!fromA) return;
    this.#progress[row]! |= SAW_SYN;
    this.#marks[MARKS * row + SYN_AT] = now;
    let client = this.clients.find(version, src, dst, 0, dport);
    if (client < 0) client = this.clients.add(version, src, dst, 0, dport);
    this.clients.count(client, true, layers.payload, seconds, nanos);
  }

  #sequence(row: number, own: number, other: number, layers: Layers, now: number): boolean {
    const sides = this.#sides;
    const times = this.#times;
    const a = SIDE * own;
    const b = SIDE * other;
    const { flags, seq, ack, window, payload } = layers;
    const next = sides[a + NEXT]!;
    const plain = (flags & (SYN | FIN | RST)) === 0;
    let last = 0;
    if (flags & RST) this.#note(own, RESET);
    const probe = payload === 1 && seq === next && sides[b + WINDOW] === 0;
    if (!probe) {
      if (window === 0 && plain) this.#note(own, ZERO_WINDOW);
      if (next !== 0 && isBefore(next, seq) && !(flags & RST)) this.#note(own, LOST);
      if (payload <= 1 && seq === ((next - 1) | 0) && plain) {
        this.#note(own, KEEP_ALIVE);
        last = 1;
      }
      // The answer to a keep-alive repeats the last ACK too.
      if (
        plain &&
        payload === 0 &&
        seq === next &&
        window !== 0 &&
        window === sides[a + WINDOW] &&
        ack === sides[a + LAST_ACK] &&
        sides[b + LAST] === 0
      ) {
        sides[a + DUPLICATES]! += 1;
        this.#note(own, DUPLICATE_ACK);
      }
    }
    if (ack !== sides[a + LAST_ACK]) sides[a + DUPLICATES] = 0;
    let end = (seq + payload) | 0;
    if (flags & (SYN | FIN)) end = (end + 1) | 0;
    const again =
      (payload > 0 || (flags & (SYN | FIN)) !== 0) &&
      last === 0 &&
      this.#sentAgain(row, own, other, seq, payload, end, now);
    if ((next === 0 || isBefore(next, end)) && !probe) {
      sides[a + NEXT] = end;
      times[TIMES * own] = now;
    }
    sides[a + WINDOW] = window;
    sides[a + LAST_ACK] = ack;
    times[TIMES * own + 1] = now;
    sides[a + LAST] = last;
    return again;
  }

  /** Tells apart what does not advance: spurious, fast, out of order, or simply sent again. */
  #sentAgain(
    row: number,
    own: number,
    other: number,
    seq: number,
    payload: number,
    end: number,
    now: number,
  ): boolean {
    const sides = this.#sides;
    const next = sides[SIDE * own + NEXT]!;
    // A byte before the next one, with more behind it, goes on after a probe.
    const behind = next !== 0 && isBefore(seq, next) && !(payload > 1 && seq === ((next - 1) | 0));
    const acked = sides[SIDE * other + LAST_ACK]!;
    if (payload > 0 && acked !== 0 && !isBefore(acked, (seq + payload) | 0)) {
      this.#note(own, SPURIOUS);
      return true;
    }
    if (!behind) return false;
    const sinceAck = now - this.#times[TIMES * other + 1]!;
    if (sides[SIDE * other + DUPLICATES]! >= 2 && acked === seq && sinceAck >= 0 && sinceAck < SOON) {
      this.#note(own, FAST);
      return true;
    }
    const took = this.#marks[MARKS * row + HANDSHAKE]!;
    const since = now - this.#times[TIMES * own]!;
    if (since >= 0 && since < (took > 0 ? took : NEAR) && next !== end) {
      this.#note(own, OUT_OF_ORDER);
      return false;
    }
    this.#note(own, RETRANSMISSION);
    return true;
  }

  #note(side: number, kind: number): void {
    this.#counts[KINDS * side + kind]! += 1;
    this.totals[kind]! += 1;
  }

  #room(row: number): void {
    const before = this.#rows;
    this.#rows = row + 1;
    this.#sides = grown(this.#sides, 2 * SIDE * this.#rows);
    this.#times = grown(this.#times, 2 * TIMES * this.#rows);
    this.#counts = grown(this.#counts, 2 * KINDS * this.#rows);
    this.#progress = grown(this.#progress, this.#rows);
    this.#marks = grown(this.#marks, MARKS * this.#rows);
    this.#marks.fill(NO, MARKS * before, MARKS * this.#rows);
    // 65536 is no window: nothing was seen of this side yet.
    for (let side = 2 * before; side < 2 * this.#rows; side += 1) this.#sides[SIDE * side + WINDOW] = 65536;
  }
}
