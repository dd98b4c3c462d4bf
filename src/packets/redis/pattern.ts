import { joins, tokensOf } from './token.ts';

const LONGEST = 200;
const MOST = 10_000;

const LONG_HASH = Buffer.from('$LONGHASH');
const HASH = Buffer.from('$HASH');
const UUID = Buffer.from('$UUID');
const NUMBER = Buffer.from('$NUMBER');
const TOKEN = Buffer.from('$TOKEN');
const IP = Buffer.from('$IP');
const DASH = 45;
const DOT = 46;
const COLON = 58;
const UNDERSCORE = 95;
const AT = 64;
const PERCENT = 37;
/** A shorter text holds no token, and a text of this length can be a token by itself. */
const SHORT = 8;
const LONG = 16;

/** Patterns that consist of several words of a key. */
const ADDRESSES: readonly PatternRule[] = [
  {
    name: '$EMAIL',
    regexp:
      /(?:[\p{L}\p{N}.!#$%&'*+=?^_`~-]+|(?<=[{|}]))(?:@|%(?:25)*40)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*/giu,
  },
  { name: '$MAC', regexp: /(?<![\p{L}\p{N}])(?:[\da-f]{2}[:-]){5}[\da-f]{2}(?![\p{L}\p{N}])/giu },
  // All eight groups, or a global, local or link-local address with some left out (RFC 4291, sections 2.2 and 2.4).
  {
    name: '$IP',
    regexp:
      /(?<![\p{L}\p{N}])(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[23][\da-f]|f[c-e])[\da-f]{2}(?::[\da-f]{1,4}){0,5}::(?:[\da-f]{1,4}(?::[\da-f]{1,4}){0,5})?)(?![\p{L}\p{N}])/giu,
  },
];

/** Bits of what a byte is. */
const DIGIT = 1;
const LOWER_HEX = 2;
const UPPER_HEX = 4;
const WORD = 8;
const KIND = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 48 && byte <= 57) return DIGIT | LOWER_HEX | UPPER_HEX | WORD;
  if (byte >= 97 && byte <= 122) return WORD | (byte <= 102 ? LOWER_HEX : 0);
  if (byte >= 65 && byte <= 90) return WORD | (byte <= 70 ? UPPER_HEX : 0);
  return 0;
});

/** A rule of the user's own, tried before the others. */
export interface PatternRule {
  readonly regexp: RegExp;
  readonly name: string;
}

/**
 * Keys → patterns: hashes of 64 or 40 hexadecimal digits `$LONGHASH`, of 32 `$HASH`, UUIDs `$UUID`, what else is made by chance
 * `$TOKEN`, addresses `$EMAIL`, `$IP` and `$MAC`, other digits `$NUMBER`. Each pattern has a number; beyond some thousands all further ones are one.
 */
export class Patterns {
  readonly #rules: readonly PatternRule[];
  /** Those of the user first. */
  readonly #all: readonly PatternRule[];
  readonly #whole: boolean;
  readonly #texts: string[] = ['(others)'];
  readonly #bytes: Uint8Array[] = [new Uint8Array(0)];
  readonly #table = new Int32Array(4 * 8192).fill(-1);
  readonly #made = new Uint8Array(2 * LONGEST);

  /** `whole`: keys as they are. */
  constructor(rules: readonly PatternRule[], whole: boolean) {
    this.#rules = rules;
    this.#all = [...rules, ...ADDRESSES];
    this.#whole = whole;
  }

  text(number: number): string {
    return this.#texts[number]!;
  }

  numberOf(bytes: Uint8Array, at: number, length: number): number {
    const rules = !this.#whole && mayHoldAddress(bytes, at, length) ? this.#all : this.#rules;
    if (rules.length) {
      const ruled = this.#ruled(rules, bytes, at, length);
      if (ruled) return this.#number(ruled, ruled.length);
    }
    if (!this.#whole) return this.#number(this.#made, this.#mask(bytes, at, length));
    const part = Math.min(length, LONGEST);
    this.#made.set(bytes.subarray(at, at + part));
    return this.#number(this.#made, part);
  }

  /** The key with the rules applied; undefined where none fits. What they leave is masked as any other. */
  #ruled(
    rules: readonly PatternRule[],
    bytes: Uint8Array,
    at: number,
    length: number,
  ): Uint8Array | undefined {
    const raw = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('utf8');
    // A zero byte marks the beginning and the end of a name that a rule inserted.
    const text = raw.replaceAll('\0', '\u2400');
    let changed = text;
    for (const { regexp, name } of rules) changed = changed.replace(regexp, () => `\0${name}\0`);
    if (changed === text) return undefined;
    if (this.#whole) return Buffer.from(changed.replaceAll('\0', ''));
    // What a rule put in is between zeros, and stays as it is.
    const parts = changed.split('\0').map((part, index) => {
      if (index % 2 === 1) return part;
      const raw = Buffer.from(part);
      return Buffer.from(this.#made.subarray(0, this.#mask(raw, 0, raw.length))).toString('utf8');
    });
    return Buffer.from(parts.join('')).subarray(0, 2 * LONGEST);
  }

  /** Writes the pattern into `#made` and returns its length. */
  #mask(bytes: Uint8Array, at: number, length: number): number {
    const end = at + length;
    const made = this.#made;
    let size = 0;
    let from = at;
    // The place up to which the tokens are known.
    let known = at;
    let tokens: readonly number[] = NONE;
    let token = 0;
    while (from < end && size < LONGEST) {
      const byte = bytes[from]!;
      let both = KIND[byte]!;
      if (!(both & WORD)) {
        // The digits of an escape are no word, but for those that a token begins with.
        const part = escaped(bytes, from, end) && tokens[token] !== from + 1 ? 3 : 1;
        for (let index = 0; index < part; index += 1) made[size++] = bytes[from + index]!;
        from += part;
        if (part > 1) {
          known = from;
          tokens = NONE;
          token = 0;
        }
        continue;
      }
      const to = wordEnd(bytes, from, end);
      const name = nameAt(bytes, from, to, end);
      if (name) {
        size = put(made, size, name);
        from += name === UUID ? 36 : to - from;
        known = from;
        continue;
      }
      if (from >= known) {
        known = chainEnd(bytes, from, end);
        tokens = mayHoldToken(bytes, from, known) ? tokensOf(bytes, from, known) : NONE;
        token = 0;
      }
      if (tokens[token] === from) {
        size = put(made, size, TOKEN);
        from = tokens[token + 1]!;
        token += 2;
        continue;
      }
      let some = both;
      for (let index = from + 1; index < to; index += 1) {
        const kind = KIND[bytes[index]!]!;
        both &= kind;
        some |= kind;
      }
      const address =
        both & DIGIT && bytes[to] === DOT && bytes[from - 1] !== DOT ? ip4End(bytes, from, end) : 0;
      if (address) {
        size = put(made, size, IP);
        from = address;
        continue;
      }
      if (both & DIGIT) size = put(made, size, NUMBER);
      else if (some & DIGIT) size = numbers(bytes, from, to, made, size);
      else {
        const part = Math.min(to - from, LONGEST - size);
        for (let index = 0; index < part; index += 1) made[size + index] = bytes[from + index]!;
        size += part;
      }
      from = to;
    }
    return Math.min(size, LONGEST);
  }

  #number(bytes: Uint8Array, length: number): number {
    let mixed = length;
    for (let at = 0; at < length; at += 1) mixed = (Math.imul(mixed, 31) + bytes[at]!) | 0;
    const mask = this.#table.length - 1;
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    for (;;) {
      const number = this.#table[slot]!;
      if (number < 0) break;
      if (isSame(this.#bytes[number]!, bytes, length)) return number;
      slot = (slot + 1) & mask;
    }
    if (this.#texts.length > MOST) return 0;
    const number = this.#texts.length;
    const own = bytes.slice(0, length);
    this.#bytes.push(own);
    this.#texts.push(Buffer.from(own).toString('utf8') + (length >= LONGEST ? '…' : ''));
    this.#table[slot] = number;
    return number;
  }
}

const NONE: readonly number[] = [];

function wordEnd(bytes: Uint8Array, at: number, end: number): number {
  let to = at + 1;
  while (to < end && KIND[bytes[to]!]! & WORD) to += 1;
  return to;
}

/** The name of the hash or UUID that begins with the word from `at` to `to`; undefined where none does. */
function nameAt(bytes: Uint8Array, at: number, to: number, end: number): Uint8Array | undefined {
  const length = to - at;
  if (length !== 8 && length !== 32 && length !== 40 && length !== 64) return undefined;
  let hex = LOWER_HEX | UPPER_HEX;
  for (let index = at; index < to; index += 1) hex &= KIND[bytes[index]!]!;
  if (!hex) return undefined;
  if (length === 8) return isUuid(bytes, at, end) ? UUID : undefined;
  return length === 32 ? HASH : LONG_HASH;
}

/** The end of the words that may belong to one token, up to a hash or UUID. */
function chainEnd(bytes: Uint8Array, at: number, end: number): number {
  let to = wordEnd(bytes, at, end);
  while (to < end && joins(bytes[to]!)) {
    const character = escaped(bytes, to, end);
    if (character && !joins(character)) return to;
    let next = to + 1;
    while (next < end && joins(bytes[next]!)) next += 1;
    if (next === end || !(KIND[bytes[next]!]! & WORD)) return next;
    const wordTo = wordEnd(bytes, next, end);
    if (nameAt(bytes, next, wordTo, end)) return to;
    to = wordTo;
  }
  return to;
}

/** Whether a text may be a token: short words of small letters, and digits, are not. */
function mayHoldToken(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < SHORT) return false;
  let digits = false;
  let letters = false;
  let length = 0;
  for (let from = at; from < end; from += 1) {
    const byte = bytes[from]!;
    const kind = KIND[byte]!;
    length = kind & WORD ? length + 1 : 0;
    if (kind & DIGIT) digits = true;
    else if (kind & WORD) letters = true;
    if (letters && (digits || length >= LONG)) return true;
  }
  return false;
}

/** The end of an IPv4 address; 0 if it is not an address, or if it continues. */
function ip4End(bytes: Uint8Array, at: number, end: number): number {
  let from = at;
  for (let group = 0; group < 4; group += 1) {
    if (group > 0 && bytes[from++] !== DOT) return 0;
    const start = from;
    while (from < end && KIND[bytes[from]!]! & DIGIT) from += 1;
    if (from === start || from > start + 3) return 0;
  }
  return from < end && (KIND[bytes[from]!]! & WORD || bytes[from] === DOT) ? 0 : from;
}

/** Whether there may be an address of more than one word: with an `@`, or with the colons or dashes of IPv6 and Ethernet. */
function mayHoldAddress(bytes: Uint8Array, at: number, length: number): boolean {
  const end = at + length;
  let colons = 0;
  for (let from = at; from < end; from += 1) {
    const byte = bytes[from]!;
    if (byte === AT) return true;
    if (byte === COLON) {
      colons += 1;
      if (colons === 7 || (from + 1 < end && bytes[from + 1] === COLON)) return true;
    }
    if ((byte === COLON || byte === DASH) && from + 3 < end && bytes[from + 3] === byte) return true;
    // %40, or %2540 where it was written so twice.
    if (byte === PERCENT && from + 2 < end && isEscapedAt(bytes[from + 1]!, bytes[from + 2]!)) return true;
  }
  return false;
}

const isEscapedAt = (high: number, low: number): boolean =>
  (high === 52 && low === 48) || (high === 50 && low === 53);

/** What `%3A` and the like stand for in a URL (RFC 3986, section 2.1), where it is no letter or digit; 0: no such thing. */
function escaped(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== PERCENT || at + 3 > end) return 0;
  for (const digit of [bytes[at + 1]!, bytes[at + 2]!])
    if (!(KIND[digit]! & (LOWER_HEX | UPPER_HEX))) return 0;
  const byte = Number.parseInt(String.fromCharCode(bytes[at + 1]!, bytes[at + 2]!), 16);
  return byte < 128 && !(KIND[byte]! & WORD) ? byte : 0;
}

/** Each run of digits is one number. */
function numbers(bytes: Uint8Array, at: number, end: number, made: Uint8Array, size: number): number {
  let to = size;
  for (let from = at; from < end && to < LONGEST; from += 1) {
    if (!(KIND[bytes[from]!]! & DIGIT)) made[to++] = bytes[from]!;
    else if (from === at || !(KIND[bytes[from - 1]!]! & DIGIT)) to = put(made, to, NUMBER);
  }
  return to;
}

function put(made: Uint8Array, size: number, text: Uint8Array): number {
  for (let at = 0; at < text.length; at += 1) made[size + at] = text[at]!;
  return size + text.length;
}

/** 8-4-4-4-12 (RFC 9562), with underscores for its dashes, too, and nothing of a word behind it. */
function isUuid(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 36 > end || (at + 36 < end && KIND[bytes[at + 36]!]! & WORD)) return false;
  if (bytes[at + 8] !== DASH && bytes[at + 8] !== UNDERSCORE) return false;
  for (let index = 0; index < 36; index += 1) {
    const byte = bytes[at + index]!;
    const joint = index === 8 || index === 13 || index === 18 || index === 23;
    if (joint ? byte !== bytes[at + 8] : !(KIND[byte]! & (LOWER_HEX | UPPER_HEX))) return false;
  }
  return true;
}

function isSame(one: Uint8Array, other: Uint8Array, length: number): boolean {
  if (one.length !== length) return false;
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}
