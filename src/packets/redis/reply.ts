import { digits } from './request.ts';

const CR = 13;
const LF = 10;
const LINE = 256;
/** So much of a word tells what it is. */
const HEAD = 32;
const LONGEST_LINE = 16 << 20;
const LONGEST_BULK = 512 << 20;
const DEEPEST = 64;

export const ARRAY = 42; // *
const DOLLAR = 36; // $
export const MAP = 37; // %
const SET = 126; // ~
export const PUSH = 62; // >
const ATTRIBUTE = 124; // |
export const ERROR = 45; // -
export const STATUS = 43; // +
const INTEGER = 58; // :
const BLANK = 32;
export const BLOB_ERROR = 33; // !
const VERBATIM = 61; // =
const CHUNK = 59; // ;
const END = 46; // .

/** What a whole reply was. */
export interface Reply {
  /** The byte that tells its type. */
  readonly type: number;
  /** On the wire. */
  readonly size: number;
  /** When its first byte came. */
  readonly began: number;
  /** The sequence number of its first byte. */
  readonly start: number;
  /** The first line of a simple string or error, or the first word of an array or push; its first 32 bytes. */
  readonly text: string;
  /** `*-1`, `$-1`, `_`: nothing. */
  readonly empty: boolean;
  /** The last integer in an array or push; of a subscription, how many there are. */
  readonly integer: number;
  /** The line of the first error anywhere in the reply. */
  readonly error: string | undefined;
  /** For an array: the first error in each of its values that holds one, by the value's place. */
  readonly errors: ReadonlyMap<number, string> | undefined;
}

/** The server's half of RESP2 and RESP3, byte by byte wherever it is cut. */
export class ReplyParser implements Reply {
  type = 0;
  size = 0;
  began = 0;
  start = 0;
  empty = false;
  integer = 0;
  error: string | undefined;
  errors: Map<number, string> | undefined;
  readonly #complete: () => void;
  /** Values that are still to come, on this level. */
  #left = 0;
  /** Of an array: how many values it has, and how many of them are not whole yet. */
  #values = 0;
  #open = 0;
  /** What is left on the levels above, for those of unknown length. */
  readonly #above: number[] = [];
  #body = 0;
  /** Of the open bulk string: a string told in chunks, an error. */
  #chunks = false;
  #isError = false;
  readonly #head = new Uint8Array(HEAD);
  #headLength = 0;
  /** Whether the head is still open: the first line, or the first bulk string of an array. */
  #wantsHead = false;
  #line: Uint8Array | undefined;
  #held = 0;
  /** Of the line, beyond what is held. */
  #beyond = 0;

  constructor(complete: () => void) {
    this.#complete = complete;
  }

  get text(): string {
    return Buffer.from(this.#head.subarray(0, this.#headLength)).toString('latin1');
  }

  reset(): void {
    this.#left = 0;
    this.#above.length = 0;
    this.#body = 0;
    this.#chunks = false;
    this.#held = 0;
    this.#beyond = 0;
    this.size = 0;
  }

  /**
   * Bytes that were sent but are not in the capture; `now` where they are the rest of a segment, and `isLast` where only one
   * reply is to come. False where it cannot go on behind them.
   */
  skip(length: number, now: number | undefined, isLast: boolean): boolean {
    if (now !== undefined && isLast && this.#isLine()) {
      const held = this.#held;
      this.size += length;
      this.#held = 0;
      this.#beyond = 0;
      return this.#header(this.#line!, 0, held);
    }
    if (now === undefined ? this.#body <= length + 2 : this.#body === 0 || this.#body < length) return false;
    this.#body -= length;
    this.size += length;
    return this.#body > 0 || this.#bulkDone();
  }

  /** Whether all of the reply is a line, of which the first part is held: an error or a status up to its second word. */
  #isLine(): boolean {
    if (this.#left !== 1 || this.#above.length > 0 || this.#held === 0 || this.type !== 0) return false;
    const type = this.#line![0];
    return (type === ERROR || type === STATUS) && this.#line!.subarray(0, this.#held).includes(BLANK);
  }

  /** Whether a reply has begun that is not whole yet, and it is known what it is. */
  get isOpen(): boolean {
    return this.type !== 0 && (this.#left > 0 || this.#above.length > 0);
  }

  /** Takes bytes that came at `now`, the first of them with the sequence number `seq`. False where this is not RESP. */
  feed(bytes: Uint8Array, at: number, end: number, now: number, seq: number): boolean {
    let from = at;
    while (from < end) {
      if (this.#left === 0 && this.#held === 0 && this.#above.length === 0)
        this.#start(now, (seq + (from - at)) | 0);
      if (this.#body > 0) {
        const part = Math.min(this.#body, end - from);
        if (this.#wantsHead || this.#isError) this.#keep(bytes, from, Math.min(part, this.#body - 2));
        this.#body -= part;
        this.size += part;
        from += part;
        if (this.#body === 0 && !this.#bulkDone()) return false;
        continue;
      }
      let feed = from;
      while (feed < end && bytes[feed] !== LF) feed += 1;
      this.size += Math.min(end, feed + 1) - from;
      if (feed === end || this.#held > 0) {
        if (!this.#hold(bytes, from, feed)) return false;
        from = feed + 1;
        if (feed === end) break;
        const length = this.#held;
        this.#held = 0;
        this.#beyond = 0;
        if (!this.#header(this.#line!, 0, length)) return false;
      } else {
        if (!this.#header(bytes, from, feed)) return false;
        from = feed + 1;
      }
    }
    return true;
  }

  #start(now: number, seq: number): void {
    this.#left = 1;
    this.size = 0;
    this.began = now;
    this.start = seq;
    this.type = 0;
    this.empty = false;
    this.integer = 0;
    this.error = undefined;
    this.errors = undefined;
    this.#values = 0;
    this.#open = 0;
    this.#headLength = 0;
    this.#wantsHead = true;
  }

  /** A line without its line feed; of a very long one, its beginning. */
  #header(bytes: Uint8Array, at: number, feed: number): boolean {
    const end = feed > at && bytes[feed - 1] === CR ? feed - 1 : feed;
    const type = bytes[at]!;
    const first = this.type === 0;
    if (first && type !== ATTRIBUTE) this.type = type;
    switch (type) {
      case DOLLAR:
      case VERBATIM:
      case BLOB_ERROR:
        return this.#bulk(bytes, at, end, first);
      case CHUNK: {
        const length = digits(bytes, at + 1, end);
        if (!this.#chunks || length < 0 || length > LONGEST_BULK) return false;
        if (length > 0) {
          this.#body = length + 2;
          return true;
        }
        this.#chunks = false;
        return this.#valueDone();
      }
      case ARRAY:
      case SET:
      case PUSH:
        return this.#aggregate(bytes, at, end, 1, first);
      case MAP:
      case ATTRIBUTE:
        return this.#aggregate(bytes, at, end, 2, first);
      case END: {
        const above = this.#above.pop();
        if (above === undefined || end !== at + 1) return false;
        this.#left = above;
        return this.#valueDone();
      }
      case ERROR:
        this.#simple(bytes, at + 1, end);
        this.#failed(Buffer.from(bytes.subarray(at + 1, Math.min(end, at + LINE))).toString('latin1'));
        return this.#valueDone();
      case INTEGER:
        if (!first) this.integer = digits(bytes, at + 1, end);
        this.#simple(bytes, at + 1, end);
        return this.#valueDone();
      case STATUS:
      case 95: // _
      case 35: // #
      case 44: // ,
      case 40: // (
        this.#simple(bytes, at + 1, end);
        if (first && type === 95) this.empty = true;
        return this.#valueDone();
      default:
        return false;
    }
  }

  #bulk(bytes: Uint8Array, at: number, end: number, first: boolean): boolean {
    if (bytes[at + 1] === 45) {
      if (first) this.empty = true;
      return this.#valueDone();
    }
    if (bytes[at + 1] === 63) {
      this.#chunks = true;
      return true;
    }
    const length = digits(bytes, at + 1, end);
    if (length < 0 || length > LONGEST_BULK) return false;
    // Of a bulk string alone nothing is kept: it is a value.
    if (first && bytes[at] !== BLOB_ERROR) this.#wantsHead = false;
    this.#isError = bytes[at] === BLOB_ERROR;
    if (this.#isError) this.#headLength = 0;
    this.#body = length + 2;
    return true;
  }

  #aggregate(bytes: Uint8Array, at: number, end: number, each: number, first: boolean): boolean {
    if (bytes[at + 1] === 45) {
      if (first) this.empty = true;
      return this.#valueDone();
    }
    const type = bytes[at];
    const attribute = type === ATTRIBUTE;
    if (bytes[at + 1] === 63) {
      if (this.#above.length >= DEEPEST) return false;
      this.#above.push(this.#left);
      this.#left = Number.MAX_SAFE_INTEGER;
      return true;
    }
    const count = digits(bytes, at + 1, end);
    if (count < 0 || count > LONGEST_BULK) return false;
    this.#left += count * each;
    if (first && type === ARRAY) {
      this.#values = count;
      this.#open = count;
    }
    // An attribute stands before the value that it is about.
    return attribute ? true : this.#valueDone();
  }

  #simple(bytes: Uint8Array, at: number, end: number): void {
    if (!this.#wantsHead) return;
    this.#wantsHead = false;
    this.#keepHead(bytes, at, end - at);
  }

  #bulkDone(): boolean {
    if (this.#chunks) return true;
    if (this.#isError) {
      this.#isError = false;
      this.#failed(this.text);
    }
    this.#wantsHead = false;
    return this.#valueDone();
  }

  #valueDone(): boolean {
    this.#left -= 1;
    if (this.#above.length > 0) return true;
    if (this.#left < this.#open) this.#open = this.#left;
    if (this.#left === 0) this.#complete();
    return true;
  }

  #failed(line: string): void {
    this.error ??= line;
    if (this.#values === 0) return;
    const place = this.#values - this.#open;
    this.errors ??= new Map();
    if (!this.errors.has(place)) this.errors.set(place, line);
  }

  #keep(bytes: Uint8Array, from: number, length: number): void {
    if (length > 0) this.#keepHead(bytes, from, length);
  }

  #keepHead(bytes: Uint8Array, from: number, length: number): void {
    const part = Math.min(length, HEAD - this.#headLength);
    for (let index = 0; index < part; index += 1) this.#head[this.#headLength + index] = bytes[from + index]!;
    this.#headLength += Math.max(0, part);
  }

  #hold(bytes: Uint8Array, from: number, to: number): boolean {
    this.#line ??= new Uint8Array(LINE);
    const part = Math.min(to - from, LINE - this.#held);
    this.#line.set(bytes.subarray(from, from + part), this.#held);
    this.#held += part;
    this.#beyond += to - from - part;
    return this.#beyond < LONGEST_LINE;
  }
}
