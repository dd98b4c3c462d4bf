import type { Layers } from '../decode/decode.ts';
import { beginsInline, beginsText, mayBegin } from './begins.ts';
import type { ConnectionEnds } from './recorder.ts';
import { beginsCommand } from './request.ts';

/** A segment as it came, in memory of its own. */
export interface Segment {
  readonly fromA: boolean;
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly bytes: Uint8Array;
  /** On the wire. */
  readonly payload: number;
  readonly now: number;
}

/** How many bytes of a client are examined, and how many segments are held back. */
const HEAD = 1024;
const MOST_SEGMENTS = 1024;
/** How many segments are held back of a client that begins with a word that is no command. */
const MOST_OF_TEXT = 16;
/** The memory that a segment needs besides its bytes. */
const SEGMENT = 128;

/** `+PONG`, `-ERR no`, `:1`, `$3`, `*-1` and what else of RESP begins with a line: what a server answers. */
const REPLY = /^(\+[^\r\n]*|-[A-Z][^\r\n]*|:[+-]?\d{1,20}|[$*%~]-?\d{1,10}|_|#[tf]|,[^\r\n]{1,40})\r\n/;
/** The incomplete beginning of a reply. */
const REPLY_BEGINS = /^([+,][^\r\n]*|-([A-Z][^\r\n]*)?|:[+-]?\d{0,20}|[$*%~]-?\d{0,10}|_|#[tf]?)\r?$/;

/** What Redis says of a command that it does not know, or that comes before a password (processCommand in its server.c). */
const REFUSAL = /^-(ERR unknown command|NOAUTH )/;
const REFUSALS = ['-ERR unknown command', '-NOAUTH '];

/**
 * The first segments of a connection, on a port that is not known as one of Redis, whose first bytes may be a command: typed,
 * as `PING`, or sent in pieces. What is answered, and whether other connections know the server, tells whether it is Redis.
 */
export class Opening {
  readonly ends: ConnectionEnds;
  readonly segments: Segment[] = [];
  /** Bytes that are held back. */
  size = 0;
  isRedis = false;
  readonly #isKnown: (bytes: Uint8Array, at: number, length: number) => boolean;
  readonly #head = new Uint8Array(HEAD);
  #headLength = 0;
  #next: number | undefined;
  #answer = '';

  constructor(ends: ConnectionEnds, isKnown: (bytes: Uint8Array, at: number, length: number) => boolean) {
    this.ends = ends;
    this.#isKnown = isKnown;
  }

  /** Adds a segment; A is the client. False where this is not Redis. */
  add(
    fromA: boolean,
    { flags, seq, ack, bytes, payloadAt: at, captured, payload }: Layers,
    now: number,
  ): boolean {
    const own = bytes.slice(at, at + captured);
    this.segments.push({ fromA, flags, seq, ack, bytes: own, payload, now });
    this.size += SEGMENT + own.length;
    if (this.segments.length > MOST_SEGMENTS) return false;
    if (payload <= 0) return true;
    if (fromA) return this.#isCommand(seq, own);
    const isCommand = beginsInline(this.#head, 0, this.#headLength, this.#isKnown);
    if (!isCommand && !beginsText(this.#head, 0, this.#headLength)) return false;
    this.#answer = (this.#answer + Buffer.from(own).toString('latin1')).slice(0, HEAD);
    this.isRedis = (isCommand ? REPLY : REFUSAL).test(this.#answer);
    if (this.isRedis) return true;
    return isCommand
      ? REPLY_BEGINS.test(this.#answer)
      : REFUSALS.some((refusal) => refusal.startsWith(this.#answer));
  }

  #isCommand(seq: number, bytes: Uint8Array): boolean {
    // The segment is out of order or repeated; the first bytes in sequence decide.
    if (this.#next === undefined || this.#next === seq) {
      const part = bytes.subarray(0, HEAD - this.#headLength);
      this.#head.set(part, this.#headLength);
      this.#headLength += part.length;
      this.#next = (seq + bytes.length) | 0;
    }
    if (beginsCommand(this.#head, 0, this.#headLength, this.#isKnown)) {
      this.isRedis = true;
      return true;
    }
    if (mayBegin(this.#head, 0, this.#headLength, this.#isKnown)) return true;
    // It may be a password or a mistyped word. A text that goes on and on is neither of the two.
    return this.segments.length <= MOST_OF_TEXT && beginsText(this.#head, 0, this.#headLength);
  }
}
