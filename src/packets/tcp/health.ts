import { grown } from '../columns.ts';
import { ConversationTable } from '../conversations.ts';
import { ACK, FIN, type Layers, RST, SYN } from '../decode/decode.ts';
import { optionAt, WINDOW_SCALE } from '../decode/tcp-options.ts';
import { Durations } from '../durations.ts';
import type { Packet } from '../file/packet.ts';
import type { TroubleList } from './trouble-list.ts';
import { bit, KIND, RESENT, TROUBLE_KINDS, TROUBLES, type Trouble, WRONG } from './troubles.ts';

/** Of each kind, the frames of the first few are kept. */
export const FEW_FRAMES = 5;

const NO = -1;

/** State of a side, as 32 bits each. */
const SIDE = 9;
const NEXT = 0;
const LAST_ACK = 1;
const WINDOW = 2;
const DUPLICATES = 3;
/** The kinds of the last segment. */
const LAST = 4;
/** The end of the data without a hole: nobody acknowledges data after it, unless packets are missing in the capture. */
const UNBROKEN = 5;
/** The scale of windows: how many bits they are shifted by. */
const SCALE = 6;
/** 1 as long as the window of the SYN is the last one: that is never scaled. */
const OF_SYN = 7;
/** The frame that acknowledged for the first time what duplicate ACKs repeat. */
const ACK_FRAME = 8;

const SCALE_UNKNOWN = -1;
const UNSCALED = -2;

/** Times of a side: of its highest sequence number, of its last acknowledgment. */
const TIMES = 2;
/** Times of a stream: when its last SYN came, how long the handshake took, when the first request came, the first round trip. */
const MARKS = 4;
const SYN_AT = 0;
const HANDSHAKE = 1;
const REQUEST_AT = 2;
const ROUND_TRIP = 3;

/** Frames of a stream: of its first SYN, of the first trouble. */
const FRAMES = 2;
const SYN_FRAME = 0;
const TROUBLE_FRAME = 1;

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
  /** Connections by client: A is the client, B the server; the frames are A's SYNs, with retransmitted ones. */
  readonly clients = new ConversationTable();
  /** SYN to the ACK that ends the handshake; the client's first payload to the server's. */
  readonly handshakes = new Durations();
  readonly firstResponses = new Durations();
  readonly totals = new Float64Array(TROUBLE_KINDS);
  /** Whether segments before the last one were not captured. */
  afterHole = false;
  #sides = new Int32Array(2 * SIDE * 64);
  #times = new Float64Array(2 * TIMES * 64);
  #marks = new Float64Array(MARKS * 64);
  #progress = new Uint8Array(64);
  /** By side: where its counts are, as most sides have no trouble and no counts; 0: none. */
  #countPlaces = new Uint32Array(2 * 64);
  #counts = new Uint32Array(TROUBLE_KINDS * 64);
  #counted = 0;
  #frames = new Uint32Array(FRAMES * 64);
  readonly #first = new Uint32Array(FEW_FRAMES * TROUBLE_KINDS);
  readonly #list: TroubleList | undefined;
  #rows = 0;

  /** If there is a list, each packet with a problem is added to it. */
  constructor(list?: TroubleList) {
    this.#list = list;
  }

  /** Takes a segment of stream `row`; `now` in nanoseconds since the first packet. Returns whether it was sent again. */
  add(row: number, fromA: boolean, layers: Layers, now: number, packet: Packet, reused: boolean): boolean {
    if (row >= this.#rows) this.#grow(row);
    const { flags, payload } = layers;
    if (flags & (SYN | RST)) this.#openings(row, fromA, layers, now, packet);
    const side = 2 * row + (fromA ? 0 : 1);
    const frame = packet.number + packet.others;
    let kinds = this.#sequence(row, side, side ^ 1, layers, now, frame);
    if (flags & SYN) this.#setWindowScale(side, side ^ 1, layers);
    if (reused) kinds |= KIND.PORTS_REUSED;
    this.afterHole = (kinds & KIND.LOST) !== 0;
    if (kinds !== 0) this.#countKinds(row, side, kinds, frame);
    if (this.#list) {
      if (flags & SYN && !(flags & ACK)) kinds |= KIND.SYN;
      if (kinds !== 0)
        this.#list.add(
          packet,
          side,
          kinds,
          this.#sides[SIDE * side + ACK_FRAME]!,
          this.#sides[SIDE * side + DUPLICATES]!,
        );
    }
    const marks = this.#marks;
    const mark = MARKS * row;
    const progress = this.#progress;
    if ((flags & (SYN | ACK)) === ACK && marks[mark + SYN_AT]! >= 0) {
      if (marks[mark + ROUND_TRIP] === 0) marks[mark + ROUND_TRIP] = now - marks[mark + SYN_AT]!;
      // The answer to the SYN need not be in the capture: nobody acknowledges what did not come.
      if (!(flags & RST) && fromA && progress[row]! & SAW_SYN && marks[mark + HANDSHAKE]! < 0) {
        const took = now - marks[mark + SYN_AT]!;
        progress[row]! |= SAW_SYN_ACK;
        marks[mark + HANDSHAKE] = took;
        this.handshakes.add(took);
      }
    }
    if (payload > 0 && !(flags & (SYN | RST)) && progress[row]! & SAW_SYN && !(progress[row]! & ANSWERED)) {
      if (fromA) {
        if (marks[mark + REQUEST_AT]! < 0) marks[mark + REQUEST_AT] = now;
      } else if (marks[mark + REQUEST_AT]! >= 0) {
        progress[row]! |= ANSWERED;
        this.firstResponses.add(now - marks[mark + REQUEST_AT]!);
      }
    }
    return (kinds & RESENT) !== 0;
  }

  /** How often a trouble happened on one side of a stream. */
  count(row: number, fromA: boolean, trouble: Trouble): number {
    if (row >= this.#rows) return 0;
    const place = this.#countPlaces[2 * row + (fromA ? 0 : 1)]!;
    return place === 0 ? 0 : this.#counts[TROUBLE_KINDS * (place - 1) + TROUBLES.indexOf(trouble)]!;
  }

  /** Nanoseconds from SYN to the end of the handshake; undefined where it was not seen whole. */
  handshake(row: number): number | undefined {
    const took = row < this.#rows ? this.#marks[MARKS * row + HANDSHAKE]! : NO;
    return took < 0 ? undefined : took;
  }

  /**
   * Nanoseconds from the last SYN to the first ACK behind it, whoever sent them: `tcp.analysis.initial_rtt`. Undefined where
   * that was not seen.
   */
  roundTrip(row: number): number | undefined {
    return (row < this.#rows && this.#marks[MARKS * row + ROUND_TRIP]!) || undefined;
  }

  /** The first frames of a kind, counted over all files. */
  firstFrames(trouble: Trouble): number[] {
    const kind = TROUBLES.indexOf(trouble);
    const from = FEW_FRAMES * kind;
    return [...this.#first.subarray(from, from + Math.min(FEW_FRAMES, this.totals[kind]!))];
  }

  /** The frame of the first SYN of a stream's A, and of its first trouble; 0 if there is none. */
  synFrame(row: number): number {
    return row < this.#rows ? this.#frames[FRAMES * row + SYN_FRAME]! : 0;
  }

  troubleFrame(row: number): number {
    return row < this.#rows ? this.#frames[FRAMES * row + TROUBLE_FRAME]! : 0;
  }

  /** The outcome of a connection whose SYN is in the capture. */
  opening(row: number): 'unseen' | 'unanswered' | 'refused' | 'opened' {
    const progress = row < this.#rows ? this.#progress[row]! : 0;
    if (!(progress & SAW_SYN)) return 'unseen';
    if (progress & SAW_SYN_ACK) return 'opened';
    return progress & REFUSED ? 'refused' : 'unanswered';
  }

  #openings(row: number, fromA: boolean, layers: Layers, now: number, packet: Packet): void {
    const { flags, version, src, dst, dport } = layers;
    if (flags & RST) {
      if (!fromA && (this.#progress[row]! & 3) === SAW_SYN) this.#progress[row]! |= REFUSED;
      return;
    }
    if (flags & ACK) {
      if (!fromA) this.#progress[row]! |= SAW_SYN_ACK;
      return;
    }
    this.#marks[MARKS * row + SYN_AT] = now;
    if (!fromA) return;
    this.#progress[row]! |= SAW_SYN;
    this.#frames[FRAMES * row + SYN_FRAME] ||= packet.frame;
    let client = this.clients.find(version, src, dst, 0, dport);
    if (client < 0) client = this.clients.add(version, src, dst, 0, dport);
    this.clients.count(client, true, layers.payload, packet.seconds, packet.nanos);
  }

  /** The kinds of a segment. */
  #sequence(row: number, own: number, other: number, layers: Layers, now: number, frame: number): number {
    const sides = this.#sides;
    const times = this.#times;
    const a = SIDE * own;
    const b = SIDE * other;
    const { flags, seq, ack, window, payload } = layers;
    const next = sides[a + NEXT]!;
    const plain = (flags & (SYN | FIN | RST)) === 0;
    let kinds = flags & RST ? KIND.RESET : 0;
    const probe = payload === 1 && seq === next && sides[b + WINDOW] === 0;
    if (probe) kinds |= KIND.ZERO_WINDOW_PROBE;
    else {
      if (window === 0 && plain) kinds |= KIND.ZERO_WINDOW;
      if (next !== 0 && isBefore(next, seq) && !(flags & RST)) kinds |= KIND.LOST;
      if (plain) {
        if (payload > 0) {
          const scale = sides[b + SCALE]!;
          const shift = sides[b + OF_SYN] || scale < 0 ? 0 : scale;
          if (
            scale !== SCALE_UNKNOWN &&
            ((seq + payload) | 0) === ((sides[b + LAST_ACK]! + (sides[b + WINDOW]! << shift)) | 0)
          )
            kinds |= KIND.WINDOW_FULL;
        } else if (seq === next && window === sides[a + WINDOW] && ack === sides[a + LAST_ACK]) {
          // What answers a probe repeats the last ACK too.
          if (window === 0) {
            if (sides[b + LAST]! & KIND.ZERO_WINDOW_PROBE) kinds |= KIND.ZERO_WINDOW_PROBE_ACK;
          } else if (sides[b + LAST]! & KIND.KEEP_ALIVE) kinds |= KIND.KEEP_ALIVE_ACK;
          else {
            sides[a + DUPLICATES] = sides[a + DUPLICATES] === NO ? 1 : sides[a + DUPLICATES]! + 1;
            kinds |= KIND.DUPLICATE_ACK;
          }
        }
        if (payload <= 1 && seq === ((next - 1) | 0)) kinds |= KIND.KEEP_ALIVE;
      }
    }
    if (ack !== sides[a + LAST_ACK]) {
      sides[a + ACK_FRAME] = frame;
      sides[a + DUPLICATES] = 0;
    }
    const unbroken = sides[b + UNBROKEN]!;
    if (unbroken !== 0 && flags & ACK && isBefore(unbroken, ack)) {
      if (isBefore(unbroken, sides[b + NEXT]!)) {
        sides[b + UNBROKEN] = sides[b + NEXT]!;
        kinds |= KIND.ACKED_UNSEEN;
      } else {
        if (sides[b + DUPLICATES] === 0) kinds |= KIND.ACKED_UNSEEN;
        // This is reported once for what was lost, and not again for each ACK after it.
        sides[b + DUPLICATES] = NO;
      }
    }
    let end = (seq + payload) | 0;
    if (flags & (SYN | FIN)) end = (end + 1) | 0;
    if ((payload > 0 || (flags & (SYN | FIN)) !== 0) && !(kinds & KIND.KEEP_ALIVE))
      kinds |= this.#resentKind(row, own, other, seq, payload, end, now);
    if (!probe) {
      if (next === 0 || isBefore(next, end)) {
        sides[a + NEXT] = end;
        times[TIMES * own] = now;
      }
      if (sides[a + UNBROKEN] === 0 || sides[a + UNBROKEN] === seq) sides[a + UNBROKEN] = sides[a + NEXT]!;
    }
    sides[a + WINDOW] = window;
    sides[a + LAST_ACK] = ack;
    times[TIMES * own + 1] = now;
    sides[a + LAST] = kinds;
    if ((flags & (SYN | ACK)) === ACK) sides[a + OF_SYN] = 0;
    return kinds;
  }

  /** The kind of a segment that does not advance: spurious, fast, out of order, or simply sent again; 0 if it advances. */
  #resentKind(
    row: number,
    own: number,
    other: number,
    seq: number,
    payload: number,
    end: number,
    now: number,
  ): number {
    const sides = this.#sides;
    const next = sides[SIDE * own + NEXT]!;
    // A byte before the next one, with more behind it, goes on after a probe.
    const behind = next !== 0 && isBefore(seq, next) && !(payload > 1 && seq === ((next - 1) | 0));
    const acked = sides[SIDE * other + LAST_ACK]!;
    if (payload > 0 && acked !== 0 && !isBefore(acked, (seq + payload) | 0)) return KIND.SPURIOUS;
    if (!behind) return 0;
    const sinceAck = now - this.#times[TIMES * other + 1]!;
    // Wireshark takes ACKs of what the capture lacks (-1) for many duplicates here, as it counts without a sign.
    if (sides[SIDE * other + DUPLICATES]! >>> 0 >= 2 && acked === seq && sinceAck >= 0 && sinceAck < SOON)
      return KIND.FAST;
    const took = this.#marks[MARKS * row + ROUND_TRIP]!;
    const since = now - this.#times[TIMES * own]!;
    if (since >= 0 && since < (took > 0 ? took : NEAR) && next !== end) return KIND.OUT_OF_ORDER;
    return KIND.RETRANSMISSION;
  }

  /**
   * Windows are scaled where both SYNs say so (RFC 7323, section 2.2). Of a SYN without its answer, that it does not ask for it
   * is enough.
   */
  #setWindowScale(own: number, other: number, { flags, bytes, optionsAt, optionsEnd }: Layers): void {
    const sides = this.#sides;
    const a = SIDE * own + SCALE;
    const b = SIDE * other + SCALE;
    sides[SIDE * own + OF_SYN] = 1;
    const at = optionAt(bytes, optionsAt, optionsEnd, WINDOW_SCALE);
    if (at >= 0 && bytes[at + 1] === 3) sides[a] = bytes[at + 2]!;
    if (sides[a] === SCALE_UNKNOWN) {
      sides[a] = UNSCALED;
      sides[b] = UNSCALED;
    } else if (flags & ACK && sides[b] === UNSCALED) sides[a] = UNSCALED;
  }

  #countKinds(row: number, side: number, kinds: number, frame: number): void {
    if (this.#countPlaces[side] === 0) {
      this.#counted += 1;
      this.#countPlaces[side] = this.#counted;
      this.#counts = grown(this.#counts, TROUBLE_KINDS * this.#counted);
    }
    const counts = TROUBLE_KINDS * (this.#countPlaces[side]! - 1);
    for (let kind = 0; kind < TROUBLE_KINDS; kind += 1) {
      if (!(kinds & bit(kind))) continue;
      this.#counts[counts + kind]! += 1;
      const before = this.totals[kind]!;
      this.totals[kind] = before + 1;
      if (before < FEW_FRAMES) this.#first[FEW_FRAMES * kind + before] = frame;
    }
    if (kinds & WRONG) this.#frames[FRAMES * row + TROUBLE_FRAME] ||= frame;
  }

  #grow(row: number): void {
    const before = this.#rows;
    this.#rows = row + 1;
    this.#sides = grown(this.#sides, 2 * SIDE * this.#rows);
    this.#times = grown(this.#times, 2 * TIMES * this.#rows);
    this.#countPlaces = grown(this.#countPlaces, 2 * this.#rows);
    this.#progress = grown(this.#progress, this.#rows);
    this.#marks = grown(this.#marks, MARKS * this.#rows);
    this.#frames = grown(this.#frames, FRAMES * this.#rows);
    for (let each = before; each < this.#rows; each += 1) {
      this.#marks.fill(NO, MARKS * each, MARKS * (each + 1));
      this.#marks[MARKS * each + ROUND_TRIP] = 0;
    }
    // A window is never negative: this value means that nothing was seen of this side yet.
    for (let side = 2 * before; side < 2 * this.#rows; side += 1) {
      this.#sides[SIDE * side + WINDOW] = NO;
      this.#sides[SIDE * side + SCALE] = SCALE_UNKNOWN;
    }
  }
}
