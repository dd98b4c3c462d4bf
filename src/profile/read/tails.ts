import { hashOfBytes, Words } from './byte-interner.ts';

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const BLANK = 32;

/**
 * The text after the address in a line of a call chain, without the offset into the function, and without the place in
 * the file that perf's field dsoff puts behind the object: `symbol (object)`. A
 * line's frames depend on nothing else, and there are far fewer of these than of lines: each instruction of a function
 * makes another line. So most lines that are new need not be parsed.
 */
export class Tails {
  readonly #words = new Words();
  /** For each tail, the numbers of its frames, the callee first. */
  readonly #frames: Array<readonly number[]> = [];
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);

  /**
   * The frames of the line from `at` to `end`, its line feed included; `parse` gives them where the tail is a new one.
   * Undefined, without asking it, where the line does not look like perf's own: a tab, blanks, an address, a blank.
   */
  frames(
    bytes: Uint8Array,
    at: number,
    end: number,
    parse: () => readonly number[] | undefined,
  ): readonly number[] | undefined {
    const length = this.#copyTail(bytes, at, end);
    if (length <= 0) return undefined;
    const known = this.#words.size;
    const word = this.#words.number(this.#view, 0, length, hashOfBytes(this.#view, 0, length));
    if (word < known) return this.#frames[word];
    // A line that cannot be parsed is reported each time.
    const frames = parse();
    this.#frames.push(frames as readonly number[]);
    return frames;
  }

  /** Copies the tail of a line, and returns its length; 0 if the line has no tail. */
  #copyTail(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== TAB || bytes[end - 1] !== NEWLINE || bytes[end - 2] === RETURN) return 0;
    let from = at + 1;
    while (bytes[from] === BLANK) from += 1;
    const address = from;
    while (isHexadecimal(bytes[from]!)) from += 1;
    if (from === address || bytes[from] !== BLANK) return 0;
    from += 1;
    if (end - 1 - from > this.#bytes.length) {
      this.#bytes = new Uint8Array(2 * (end - from));
      this.#view = new DataView(this.#bytes.buffer);
    }
    const copy = this.#bytes;
    let length = 0;
    // Without an object, what looks like an offset is part of the symbol (frame.ts).
    const hasObject = bytes[end - 2] === CLOSED;
    for (let here = from; here < end - 1; here += 1) {
      const byte = bytes[here]!;
      if (byte === PLUS && hasObject && length === here - from) {
        const behind = endOfOffset(bytes, here);
        if (behind > 0) {
          here = behind;
          // Brackets in the path may be read in another way where there is no offset, so that is another tail.
          copy[length++] = NEWLINE;
        }
      }
      copy[length++] = bytes[here]!;
    }
    return hasObject ? lengthWithoutPlace(copy, length) : length;
  }
}

/**
 * Cuts `+0x…` off an object at the end of a tail, and returns the length that is left. Only where nothing but the object's
 * bracket can be meant: one that may be a symbol's leaves the tail as it is.
 */
function lengthWithoutPlace(tail: Uint8Array, length: number): number {
  let at = length - 1;
  while (at > 0 && isHexadecimal(tail[at - 1]!)) at -= 1;
  if (at === length - 1 || at < 4 || tail[at - 1] !== 120 || tail[at - 2] !== 48 || tail[at - 3] !== PLUS)
    return length;
  const end = at - 3;
  let open = end - 1;
  while (open > 0 && tail[open] !== OPEN && tail[open] !== CLOSED) open -= 1;
  if (tail[open] !== OPEN || tail[open - 1] !== BLANK || open === end - 1) return length;
  tail[end] = CLOSED;
  return end + 1;
}

const PLUS = 43;
const OPEN = 40;
const CLOSED = 41;

/** Where the blank before the object is, if `+0x…` and ` (` stand at `at`; else 0. */
function endOfOffset(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] !== 48 || bytes[at + 2] !== 120) return 0;
  let here = at + 3;
  while (isHexadecimal(bytes[here]!)) here += 1;
  return here > at + 3 && bytes[here] === BLANK && bytes[here + 1] === 40 ? here : 0;
}

const isHexadecimal = (byte: number): boolean => (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102);
