/** A part of a stream that came before what belongs before it. */
interface Early {
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** On the wire; of it `bytes` is what was captured. */
  readonly length: number;
  readonly now: number;
}

/** What the bytes of one direction are given to, in order. */
export interface ByteStream {
  /** `now`: when they came; nanoseconds since the first packet of the capture. */
  bytes(bytes: Uint8Array, at: number, end: number, now: number): void;
  /** Bytes that were sent and are not in the capture. */
  gap(length: number): void;
}

/** So much of a stream is held back for what is missing, before that is given up. */
const HELD = 1 << 20;
/** Beyond this, a sequence number is not of the same stream any more. */
const FAR = 64 << 20;

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
  readonly #sink: ByteStream;

  constructor(sink: ByteStream) {
    this.#sink = sink;
  }

  /** Whether nothing waits for what is missing. */
  get settled(): boolean {
    return this.#early.length === 0;
  }

  /** The stream begins behind this number. */
  begin(seq: number): void {
    this.#begun = true;
    this.next = seq;
    this.#early = [];
    this.#held = 0;
  }

  /** Takes a segment with `length` bytes of payload, of which those from `at` to `end` were captured. */
  add(seq: number, bytes: Uint8Array, at: number, end: number, length: number, now: number): void {
    if (!this.#begun) this.begin(seq);
    const ahead = (seq - this.next) | 0;
    if (ahead > 0) {
      if (ahead > FAR) {
        this.#sink.gap(ahead);
        this.begin(seq);
      } else {
        this.#hold({ seq, bytes: bytes.slice(at, end), length, now });
        return;
      }
    }
    this.#deliver(seq, bytes, at, end, length, now);
    if (this.#early.length) this.#drain();
  }

  /** The other side has everything before `ack`: what is missing here will not come. */
  acknowledged(ack: number): void {
    while (this.#early.length) {
      const first = this.#early[0]!;
      if (((ack - first.seq) | 0) < 0) return;
      this.#skipTo(first.seq);
      this.#drain();
    }
  }

  /** Nothing more comes. */
  end(): void {
    while (this.#early.length) {
      this.#skipTo(this.#early[0]!.seq);
      this.#drain();
    }
  }

  #deliver(seq: number, bytes: Uint8Array, at: number, end: number, length: number, now: number): void {
    const old = (this.next - seq) | 0;
    if (old >= length) return;
    const from = at + old;
    const behind = Math.max(0, length - Math.max(old, end - at));
    this.next = (seq + length) | 0;
    if (from < end) this.#sink.bytes(bytes, from, end, now);
    if (behind > 0) this.#sink.gap(behind);
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
    const missing = (seq - this.next) | 0;
    if (missing <= 0) return;
    this.next = seq;
    this.#sink.gap(missing);
  }

  #drain(): void {
    while (this.#early.length) {
      const { seq, bytes, length, now } = this.#early[0]!;
      if (((seq - this.next) | 0) > 0) return;
      this.#early.shift();
      this.#held -= bytes.length + 64;
      this.#deliver(seq, bytes, 0, bytes.length, length, now);
    }
  }
}
