/** A part of a stream that came before what belongs before it. */
export interface Early {
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** On the wire; of it `bytes` is what was captured. */
  readonly length: number;
  readonly now: number;
  /** What it acknowledges of the other direction. */
  readonly ack: number;
}

/** What the bytes of one direction are given to, in order. */
export interface ByteStream {
  /**
   * `now`: when they came, nanoseconds since the first packet of the capture; `seq`: of the first of them; `ack`: what
   * their segment acknowledges.
   */
  bytes(bytes: Uint8Array, at: number, end: number, now: number, seq: number, ack: number): void;
  /** Bytes that were sent and are not in the capture; `now` where they are the rest of a segment that came then. */
  gap(length: number, now?: number): void;
}

/** So much of a stream is held back for what is missing, before that is given up. */
const HELD = 1 << 20;
/** So much later, in nanoseconds, a packet may stand in the file than it should. */
export const LATE = 20e6;
/** Beyond this, a sequence number is not of the same stream any more. */
export const FAR = 64 << 20;

/**
 * Puts the segments of one direction in order. What never comes is a gap: when the other side acknowledged it, when
 * too much waits for it, or where a segment was not captured whole.
 */
export class Reassembly {
  /** The sequence number that comes next; 32 bits with a sign. */
  next = 0;
  #begun = false;
  #early: Early[] = [];
  #held = 0;
  /** Where the side closes, when something before that is missing. */
  #closedBehind: number | undefined;
  readonly #sink: ByteStream;

  constructor(sink: ByteStream) {
    this.#sink = sink;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** Whether nothing waits for what is missing. */
  get settled(): boolean {
    return this.#early.length === 0;
  }

  /** Nothing is known of the stream. */
  reset(): void {
    this.#begun = false;
    if (this.#early.length) this.#early = [];
    this.#held = 0;
    this.#closedBehind = undefined;
  }

  /** The stream goes on at this number. */
  begin(seq: number): void {
    this.#begun = true;
    this.next = seq;
    if (this.#early.length) this.#early = [];
    this.#held = 0;
  }

  /** Takes a segment with `length` bytes of payload, of which those from `at` to `end` were captured. */
  add(
    seq: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    length: number,
    now: number,
    ack: number,
  ): void {
    if (!this.#begun) this.begin(seq);
    const ahead = (seq - this.next) | 0;
    if (ahead > 0) {
      if (ahead > FAR) {
        this.#sink.gap(ahead);
        this.begin(seq);
      } else {
        this.#hold({ seq, bytes: bytes.slice(at, end), length, now, ack });
        return;
      }
    }
    this.#deliver(seq, bytes, at, end, length, now, ack);
    if (this.#early.length) this.#drain();
  }

  /**
   * The other side has everything before `ack`: what is missing here was not captured, and will not come, unless it is
   * merely late in the file, as packets of several processors are.
   */
  acknowledged(ack: number, now: number): void {
    while (this.#early.length) {
      const first = this.#early[0]!;
      if (((ack - first.seq) | 0) < 0 || now - first.now < LATE) return;
      this.#skipTo(first.seq);
      this.#drain();
    }
  }

  /** The side closes behind `seq`: that takes a sequence number, too (RFC 9293, section 3.4). */
  closes(seq: number): void {
    if (this.next === seq) this.next = (seq + 1) | 0;
    else this.#closedBehind = seq;
  }

  /** Nothing before `seq` will come any more. */
  giveUp(seq: number): void {
    while (this.#early.length && ((seq - this.#early[0]!.seq) | 0) > 0) {
      this.#skipTo(this.#early[0]!.seq);
      this.#drain();
    }
    this.#skipTo(seq);
  }

  /** Nothing more comes. */
  end(): void {
    while (this.#early.length) {
      this.#skipTo(this.#early[0]!.seq);
      this.#drain();
    }
  }

  #deliver(
    seq: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    length: number,
    now: number,
    ack: number,
  ): void {
    const old = Math.max(0, (this.next - seq) | 0);
    if (old >= length) return;
    const from = at + old;
    const behind = Math.max(0, length - Math.max(old, end - at));
    this.next = (seq + length) | 0;
    if (from < end) this.#sink.bytes(bytes, from, end, now, (seq + old) | 0, ack);
    if (behind > 0) this.#sink.gap(behind, now);
  }

  #hold(early: Early): void {
    this.#early.push(early);
    this.#early.sort((one, other) => (one.seq - other.seq) | 0);
    this.#held += early.bytes.length + 64;
    while (this.#held > HELD) {
      this.#skipTo(this.#early[0]!.seq);
      this.#drain();
    }
  }

  #skipTo(seq: number): void {
    const closed = this.#closedBehind !== undefined && ((seq - this.#closedBehind) | 0) > 0;
    const missing = ((seq - this.next) | 0) - (closed ? 1 : 0);
    if (((seq - this.next) | 0) > 0) this.next = seq;
    if (closed) this.#closedBehind = undefined;
    if (missing > 0) this.#sink.gap(missing);
  }

  #drain(): void {
    while (this.#early.length) {
      const { seq, bytes, length, now, ack } = this.#early[0]!;
      if (((seq - this.next) | 0) > 0) return;
      this.#early.shift();
      this.#held -= bytes.length + 64;
      this.#deliver(seq, bytes, 0, bytes.length, length, now, ack);
    }
  }
}
