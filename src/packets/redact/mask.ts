import type { CommandKind, Commands } from '../redis/commands.ts';
import { errorKind, isKnownKind } from '../redis/error-kind.ts';

const LF = 10;
const CR = 13;
const X = 120;
const ZERO = 48;

/** Simple strings that say nothing of anybody. */
const PLAIN = new Set(['OK', 'PONG', 'QUEUED', 'RESET', 'CONTINUE', 'Background saving started']);

/**
 * Writes over the values of one direction of a RESP stream, in place and length for length: what is left is types,
 * lengths, the names of commands, and the kinds of errors. Where it is not sure what stands there, everything goes.
 */
export class Mask {
  readonly #commands: Commands;
  readonly #requests: boolean;
  /** Whether every byte since the beginning was seen and understood. */
  #sure = true;
  #body = 0;
  /** Words of the open command that are still to come, and the number of the current one. */
  #left = 0;
  #word = 0;
  /** Whether the open bulk string may stay: the name of a command. */
  #name = false;
  /** What the second word may be, where the first says that there is one: `CONFIG GET`. */
  #parts: CommandKind['parts'];
  #next: number | undefined;

  constructor(commands: Commands, requests: boolean, next: number | undefined) {
    this.#commands = commands;
    this.#requests = requests;
    this.#next = next;
  }

  /** A segment with `length` bytes of payload, of which those from `at` to `end` are there. */
  segment(seq: number, bytes: Uint8Array, at: number, end: number, length: number): void {
    if (this.#next !== seq || end - at !== length) this.#sure = false;
    if (this.#sure) this.#mask(bytes, at, end);
    else bytes.fill(X, at, end);
    this.#next = (seq + length) | 0;
  }

  #mask(bytes: Uint8Array, at: number, end: number): void {
    let from = at;
    while (from < end) {
      if (this.#body > 0) {
        const part = Math.min(this.#body, end - from);
        const values = Math.min(part, Math.max(0, this.#body - 2));
        if (this.#name && values === this.#body - 2) this.#nameOrNot(bytes, from, from + values);
        else bytes.fill(X, from, from + values);
        this.#body -= part;
        from += part;
        if (this.#body === 0) this.#wordDone();
        continue;
      }
      const feed = bytes.indexOf(LF, from);
      // A line that is cut by the segment's end: what it says is not known yet.
      if (
        feed < 0 ||
        feed >= end ||
        feed === from ||
        bytes[feed - 1] !== CR ||
        !this.#line(bytes, from, feed - 1)
      ) {
        this.#sure = false;
        bytes.fill(X, from, end);
        return;
      }
      from = feed + 1;
    }
  }

  /** False for what is not understood. */
  #line(bytes: Uint8Array, at: number, end: number): boolean {
    const type = String.fromCharCode(bytes[at]!);
    if (this.#requests) {
      if (this.#left === 0) {
        if (type !== '*') return false;
        this.#left = count(bytes, at + 1, end);
        this.#word = 0;
        this.#parts = undefined;
        return this.#left >= 0;
      }
      const length = type === '$' ? count(bytes, at + 1, end) : -1;
      this.#name = this.#word === 0 || (this.#word === 1 && this.#parts !== undefined);
      this.#body = length + 2;
      return length >= 0;
    }
    switch (type) {
      case '$':
      case '=':
      case '!':
      case ';': {
        if (bytes[at + 1] === 45 || bytes[at + 1] === 63) return true;
        const length = count(bytes, at + 1, end);
        this.#body = length > 0 || type !== ';' ? length + 2 : 0;
        this.#name = false;
        return length >= 0;
      }
      case '*':
      case '%':
      case '~':
      case '>':
      case '|':
        return bytes[at + 1] === 45 || bytes[at + 1] === 63 || count(bytes, at + 1, end) >= 0;
      case '+':
        if (!PLAIN.has(Buffer.from(bytes.subarray(at + 1, end)).toString('latin1')))
          bytes.fill(X, at + 1, end);
        return true;
      case '-': {
        const kind = errorKind(Buffer.from(bytes.subarray(at + 1, end)).toString('latin1'));
        // A kind that Redis does not have may be data that was given to a script.
        const from = kind !== undefined && isKnownKind(kind) ? at + 1 + kind.length : at + 1;
        bytes.fill(X, from === at + 1 ? from : Math.min(end, from + 1), end);
        return true;
      }
      case ':':
      case ',':
      case '(':
        bytes.fill(ZERO, at + 1, end);
        return true;
      case '#':
        bytes.fill(102, at + 1, end);
        return true;
      case '_':
      case '.':
        return end === at + 1;
      default:
        return false;
    }
  }

  /** Names of Redis's own commands stay; any other word goes. */
  #nameOrNot(bytes: Uint8Array, at: number, end: number): void {
    const length = end - at;
    if (this.#word === 0 && this.#commands.isKnown(bytes, at, length)) {
      this.#parts = this.#commands.kindOf(bytes, at, length).parts;
      return;
    }
    if (this.#word === 1 && this.#parts?.find(bytes, at, length)) return;
    bytes.fill(X, at, end);
  }

  #wordDone(): void {
    if (!this.#requests) return;
    this.#word += 1;
    this.#left -= 1;
  }
}

/** A whole number; -1 where there is none. */
function count(bytes: Uint8Array, at: number, end: number): number {
  const text = Buffer.from(bytes.subarray(at, end)).toString('latin1');
  return /^\d{1,10}$/.test(text) ? Number(text) : -1;
}
