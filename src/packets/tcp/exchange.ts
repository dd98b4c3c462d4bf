import { type ByteStream, type Early, FAR, LATE, Reassembly } from './reassembly.ts';

const MOST_AHEAD = 256;

/** Both directions of a stream in order, and each part of the server's behind the part of the client's that it replies to. */
export class Exchange {
  readonly #toServer: Reassembly;
  readonly #toClient: Reassembly;
  /** Segments of the server that acknowledge more than was seen of the client. */
  #ahead: Early[] = [];
  /** What the client acknowledged last. */
  #clientAck = 0;

  constructor(toServer: ByteStream, toClient: ByteStream) {
    this.#toServer = new Reassembly(toServer);
    this.#toClient = new Reassembly(toClient);
  }

  /** The sequence number of the client that comes next, and of the server. */
  get nextFromClient(): number {
    return this.#toServer.next;
  }

  get nextFromServer(): number {
    return this.#toClient.next;
  }

  /** Whether anything is known of the server's stream. */
  get hasServerBegun(): boolean {
    return this.#toClient.begun;
  }

  /** Nothing is known of the stream. */
  reset(): void {
    this.#ahead.length = 0;
    this.#toServer.reset();
    this.#toClient.reset();
  }

  /** The sequence numbers that both sides begin with. */
  begin(client: number, server: number): void {
    this.#toServer.begin(client);
    this.#toClient.begin(server);
  }

  /** A segment of the client. */
  fromClient(
    seq: number,
    ack: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    length: number,
    now: number,
    closes: boolean,
  ): void {
    this.#clientAck = ack;
    this.#toClient.acknowledged(ack, now);
    if (length > 0) this.#toServer.add(seq, bytes, at, end, length, now, ack);
    if (closes) this.#toServer.closes((seq + length) | 0);
    if (this.#ahead.length) this.#settle(now);
  }

  /** A segment of the server. */
  fromServer(
    seq: number,
    ack: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    length: number,
    now: number,
    closes: boolean,
  ): void {
    if (closes) this.#toClient.closes((seq + length) | 0);
    if (this.#ahead.length) this.#settle(now);
    // It acknowledges data that comes later in the file or is not in the capture: which of the two soon shows.
    const unseen = (ack - this.#toServer.next) | 0;
    if (this.#ahead.length || (this.#toServer.begun && unseen > 0 && unseen < FAR)) {
      this.#ahead.push({ seq, ack, bytes: bytes.slice(at, end), length, now });
      return;
    }
    if (length > 0) this.#toClient.add(seq, bytes, at, end, length, now, ack);
  }

  #settle(now: number): void {
    while (this.#ahead.length) {
      const { seq, ack, bytes, length, now: then } = this.#ahead[0]!;
      if (((ack - this.#toServer.next) | 0) > 0) {
        if (now - then < LATE && this.#ahead.length < MOST_AHEAD) return;
        this.#toServer.giveUp(ack);
      }
      this.#ahead.shift();
      if (length > 0) this.#toClient.add(seq, bytes, 0, bytes.length, length, then, ack);
    }
  }

  /** Whether everything that came was in order. */
  get settled(): boolean {
    return this.#ahead.length === 0 && this.#toServer.settled && this.#toClient.settled;
  }

  /** Nothing more comes. */
  end(): void {
    this.#settle(Number.POSITIVE_INFINITY);
    this.#toServer.end();
    this.#toClient.end();
    // What the client acknowledged last may be missing in the capture.
    const missing = (this.#clientAck - this.#toClient.next) | 0;
    if (this.#toClient.begun && missing > 0 && missing < FAR) this.#toClient.giveUp(this.#clientAck);
  }
}
