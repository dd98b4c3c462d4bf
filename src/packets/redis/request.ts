/** So many words of a command are looked at, and so many bytes of each: names and keys, never values. */
const WORDS = 10;
const WORD = 512;
const LONGEST_LINE = 64 << 10;
/** Redis's own limits (proto-max-bulk-len, and 1024 * 1024 words): beyond that it is not RESP. */
const LONGEST_BULK = 512 << 20;
const MOST_WORDS = 1 << 20;

const STAR = 42;
const DOLLAR = 36;
const CR = 13;
const LF = 10;
const QUOTE = 34;
const APOSTROPHE = 39;
const BACKSLASH = 92;
/** What a letter behind a backslash stands for. */
const ESCAPES = new Map([
  [110, 10],
  [114, 13],
  [116, 9],
  [98, 8],
  [97, 7],
]);

/** Whether a byte stands between words that are typed. */
export const isBlank = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);

/** A vertical tab may stand between words like a blank, but it does not end a word. */
const endsWord = (byte: number): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13;

/** The byte that two hexadecimal digits stand for; -1 if they are not such digits. */
function hexByte(high: number, low: number): number {
  const value =
    Number.parseInt(String.fromCharCode(high), 16) * 16 + Number.parseInt(String.fromCharCode(low), 16);
  return Number.isNaN(value) ? -1 : value;
}

/** Where the words of a command are put, for one connection after another. */
export interface Scratch {
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
}

export const newScratch = (): Scratch => ({
  bytes: new Uint8Array(WORDS * WORD),
  lengths: new Int32Array(WORDS),
});

const NOTHING = new Uint8Array(0);

/**
 * The client's half of RESP, byte by byte wherever it is cut: arrays of bulk strings, and inline commands. What it
 * keeps of a command is its first words, until the next one.
 */
export class RequestParser {
  /** How many words the command has, and the first of them, one after another in `bytes`. */
  words = 0;
  readonly bytes: Uint8Array;
  readonly lengths: Int32Array;
  /** Of the first words, how many are known whole. */
  known = 0;
  /** The length of the word in which the command was cut off; -1 if it is not known. */
  cutLength = -1;
  /** Whether more commands follow the one that was cut off. */
  behindCut = false;
  /** Bytes of the command on the wire. */
  size = 0;
  /** When its first byte came. */
  began = 0;
  /** Whether an empty line counts as something that no client sends. */
  strict = false;
  /** Whether it was typed, not sent as an array. */
  inline = false;
  readonly #complete: (now: number) => boolean;
  /** Words of the array that are still to come; 0: between commands. */
  #left = 0;
  /** Bytes of a bulk string that are still to come, its line end included; 0: none is open. */
  #body = 0;
  #line = NOTHING;
  #held = 0;
  /** The words of a command that is not whole yet, between two feeds. */
  #saved: Scratch | undefined;

  /** `complete` is called when a command is whole, and says whether it can be one; what is known of it stands here then. */
  constructor({ bytes, lengths }: Scratch, complete: (now: number) => boolean) {
    this.bytes = bytes;
    this.lengths = lengths;
    this.#complete = complete;
  }

  reset(): void {
    this.#left = 0;
    this.#body = 0;
    this.#held = 0;
    this.#saved = undefined;
    this.size = 0;
  }

  /**
   * Bytes that were sent but are not in the capture; `now` where they are the rest of a segment. False where it cannot go on
   * behind them: they must be within a value, whose length is known, and when its end came must be known, too.
   */
  skip(length: number, now: number | undefined): boolean {
    if (now === undefined ? this.#body <= length + 2 : this.#body === 0 || this.#body < length) return false;
    this.known = Math.min(this.known, this.words);
    this.#body -= length;
    this.size += length;
    if (this.#body > 0 || now === undefined) return true;
    if (this.#saved) this.#restore(this.#saved);
    const isCommand = this.#wordDone(now);
    if (this.#left > 0) this.#save();
    return isCommand;
  }

  /** Ends a command of which `length` more bytes are missing at least. False where not even its name is known. */
  cut(length: number): boolean {
    this.known = Math.min(this.known, this.words);
    if (this.#left === 0 || this.known === 0) return false;
    if (this.#saved) this.#restore(this.#saved);
    this.cutLength =
      this.#body > 0 && this.words < WORDS ? this.lengths[this.words]! + Math.max(0, this.#body - 2) : -1;
    if (this.#body === 0 && this.words < WORDS) this.lengths[this.words] = 0;
    // The end of the last word is known, and also that another command follows it.
    this.behindCut = this.#left === 1 && this.#body > 0 && length > this.#body;
    this.size += this.behindCut ? this.#body : length;
    return true;
  }

  /** False where this is not RESP. */
  feed(bytes: Uint8Array, at: number, end: number, now: number): boolean {
    if (this.#saved) this.#restore(this.#saved);
    const isResp = this.#read(bytes, at, end, now);
    if (this.#left > 0) this.#save();
    return isResp;
  }

  #read(bytes: Uint8Array, at: number, end: number, now: number): boolean {
    let from = at;
    while (from < end) {
      if (this.#left === 0 && this.#held === 0 && this.#body === 0) this.#start(now);
      if (this.#body > 0) {
        const part = Math.min(this.#body, end - from);
        this.#keep(bytes, from, part);
        this.#body -= part;
        this.size += part;
        from += part;
        if (this.#body === 0 && !this.#wordDone(now)) return false;
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
        if (!this.#header(this.#line, 0, length, now)) return false;
      } else {
        if (!this.#header(bytes, from, feed, now)) return false;
        from = feed + 1;
      }
    }
    return true;
  }

  /** Other connections use the same scratch. */
  #save(): void {
    const words = Math.min(WORDS, this.words + 1);
    const lengths = this.lengths.slice(0, words);
    const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
    let to = 0;
    lengths.forEach((length, word) => {
      bytes.set(this.bytes.subarray(word * WORD, word * WORD + length), to);
      to += length;
    });
    this.#saved = { bytes, lengths };
  }

  #restore({ bytes, lengths }: Scratch): void {
    let from = 0;
    lengths.forEach((length, word) => {
      this.bytes.set(bytes.subarray(from, from + length), word * WORD);
      from += length;
    });
    this.lengths.set(lengths);
    this.#saved = undefined;
  }

  #start(now: number): void {
    this.lengths[0] = 0;
    this.words = 0;
    this.known = WORDS;
    this.inline = false;
    this.size = 0;
    this.began = now;
  }

  /** A line without its line feed. */
  #header(bytes: Uint8Array, at: number, feed: number, now: number): boolean {
    const end = feed > at && bytes[feed - 1] === CR ? feed - 1 : feed;
    if (this.#left > 0) {
      const length = bytes[at] === DOLLAR ? digits(bytes, at + 1, end) : -1;
      if (length < 0 || length > LONGEST_BULK) return false;
      if (this.words < WORDS) this.lengths[this.words] = 0;
      this.#body = length + 2;
      return true;
    }
    if (bytes[at] === STAR) {
      const count = digits(bytes, at + 1, end);
      // Redis takes an empty array, or *-1, for nothing.
      if (count === 0 || (bytes[at + 1] === 45 && end > at + 2)) return true;
      if (count < 0 || count > MOST_WORDS) return false;
      this.#left = count;
      return true;
    }
    return this.#inline(bytes, at, end, now);
  }

  /**
   * A command as it is typed: words with blanks between, in quotes where they hold some (sdssplitargs in sds.c of Redis). An
   * empty line is nothing.
   */
  #inline(bytes: Uint8Array, at: number, end: number, now: number): boolean {
    let from = at;
    for (;;) {
      while (from < end && isBlank(bytes[from]!)) from += 1;
      if (from === end) break;
      if (this.words < WORDS) this.lengths[this.words] = 0;
      let quote = 0;
      while (from < end && (quote !== 0 || !endsWord(bytes[from]!))) {
        let byte = bytes[from++]!;
        if (byte === 0) return false;
        if (byte === quote) {
          // Nothing but a blank follows.
          if (from < end && !isBlank(bytes[from]!)) return false;
          quote = 0;
          continue;
        }
        if (quote === 0 && (byte === QUOTE || byte === APOSTROPHE)) {
          quote = byte;
          continue;
        }
        if (byte === BACKSLASH && from < end) {
          const next = bytes[from]!;
          if (quote === QUOTE) {
            const hex = next === 120 && from + 2 < end ? hexByte(bytes[from + 1]!, bytes[from + 2]!) : -1;
            byte = hex >= 0 ? hex : (ESCAPES.get(next) ?? next);
            from += hex >= 0 ? 3 : 1;
          } else if (quote === APOSTROPHE && next === APOSTROPHE) {
            byte = next;
            from += 1;
          }
        }
        this.#add(byte);
      }
      if (quote !== 0) return false;
      this.words += 1;
    }
    this.inline = true;
    return this.words === 0 ? !this.strict : this.#complete(now);
  }

  /** Whether what is kept of its words can be typed, and is not what a proxy says before. */
  get isText(): boolean {
    if (Buffer.from(this.bytes.subarray(0, this.lengths[0]!)).toString('latin1') === 'PROXY') return false;
    for (let word = 0; word < Math.min(this.words, WORDS); word += 1)
      for (let at = word * WORD; at < word * WORD + this.lengths[word]!; at += 1)
        if (this.bytes[at]! < 32 || this.bytes[at] === 127) return false;
    return true;
  }

  #add(byte: number): void {
    const word = this.words;
    if (word >= WORDS || this.lengths[word]! >= WORD) return;
    this.bytes[word * WORD + this.lengths[word]!] = byte;
    this.lengths[word]! += 1;
  }

  #keep(bytes: Uint8Array, from: number, part: number): void {
    const word = this.words;
    if (word >= WORDS) return;
    const held = this.lengths[word]!;
    const length = Math.min(part, this.#body - 2, WORD - held);
    if (length <= 0) return;
    const to = word * WORD + held;
    for (let index = 0; index < length; index += 1) this.bytes[to + index] = bytes[from + index]!;
    this.lengths[word] = held + length;
  }

  #wordDone(now: number): boolean {
    this.words += 1;
    if (this.words < WORDS) this.lengths[this.words] = 0;
    this.#left -= 1;
    return this.#left > 0 || this.#complete(now);
  }

  #hold(bytes: Uint8Array, from: number, to: number): boolean {
    const needed = this.#held + to - from;
    if (needed > LONGEST_LINE) return false;
    if (needed > this.#line.length) {
      const larger = new Uint8Array(2 * needed);
      larger.set(this.#line.subarray(0, this.#held));
      this.#line = larger;
    }
    this.#line.set(bytes.subarray(from, to), this.#held);
    this.#held = needed;
    return true;
  }
}

/** Where word `index` of a parser begins in its bytes. */
export const wordAt = (index: number): number => index * WORD;
export const WORDS_KEPT = WORDS;

/** A whole number without a sign; -1 where there is none. */
export function digits(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || end - at > 15) return -1;
  let value = 0;
  for (let from = at; from < end; from += 1) {
    const digit = bytes[from]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Whether these bytes begin a command whose name `isKnown`: how a stream is taken up in the middle. */
export function beginsCommand(
  bytes: Uint8Array,
  at: number,
  end: number,
  isKnown: (bytes: Uint8Array, at: number, length: number) => boolean,
): boolean {
  if (bytes[at] !== STAR) return false;
  const feed = bytes.indexOf(LF, at);
  if (feed < 0 || feed > at + 12 || feed + 2 >= end || digits(bytes, at + 1, feed - 1) < 1) return false;
  if (bytes[feed + 1] !== DOLLAR) return false;
  const second = bytes.indexOf(LF, feed + 1);
  if (second < 0 || second > feed + 6) return false;
  const length = digits(bytes, feed + 2, second - 1);
  return length > 0 && second + 1 + length <= end && isKnown(bytes, second + 1, length);
}
