const LONGEST = 200;
const MOST = 10_000;

const LONG_HASH = Buffer.from('$LONGHASH');
const HASH = Buffer.from('$HASH');
const UUID = Buffer.from('$UUID');
const NUMBER = Buffer.from('$NUMBER');
const DASH = 45;

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
 * Keys → patterns: hashes of 64 or 40 hexadecimal digits `$LONGHASH`, of 32 `$HASH`, UUIDs `$UUID`, other digits
 * `$NUMBER`. Each pattern has a number; beyond some thousands all further ones are one.
 */
export class Patterns {
  readonly #rules: readonly PatternRule[];
  readonly #whole: boolean;
  readonly #texts: string[] = ['(others)'];
  readonly #bytes: Uint8Array[] = [new Uint8Array(0)];
  readonly #table = new Int32Array(4 * 8192).fill(-1);
  readonly #made = new Uint8Array(2 * LONGEST);

  /** `whole`: keys as they are. */
  constructor(rules: readonly PatternRule[], whole: boolean) {
    this.#rules = rules;
    this.#whole = whole;
  }

  text(number: number): string {
    return this.#texts[number]!;
  }

  numberOf(bytes: Uint8Array, at: number, length: number): number {
    if (this.#rules.length) {
      const ruled = this.#ruled(bytes, at, length);
      if (ruled) return this.#number(ruled, ruled.length);
    }
    if (!this.#whole) return this.#number(this.#made, this.#mask(bytes, at, length));
    const part = Math.min(length, LONGEST);
    this.#made.set(bytes.subarray(at, at + part));
    return this.#number(this.#made, part);
  }

  /** The key with the rules applied; undefined where none fits. What they leave is masked as any other. */
  #ruled(bytes: Uint8Array, at: number, length: number): Uint8Array | undefined {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('utf8');
    let changed = text;
    for (const { regexp, name } of this.#rules) changed = changed.replace(regexp, () => `\0${name}\0`);
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
    while (from < end && size < LONGEST) {
      const byte = bytes[from]!;
      let both = KIND[byte]!;
      if (!(both & WORD)) {
        made[size++] = byte;
        from += 1;
        continue;
      }
      let some = both;
      let to = from + 1;
      for (; to < end; to += 1) {
        const kind = KIND[bytes[to]!]!;
        if (!(kind & WORD)) break;
        both &= kind;
        some |= kind;
      }
      const run = to - from;
      const hex = (both & (LOWER_HEX | UPPER_HEX)) !== 0;
      if (hex && (run === 64 || run === 40)) size = put(made, size, LONG_HASH);
      else if (hex && run === 32) size = put(made, size, HASH);
      else if (hex && run === 8 && isUuid(bytes, from, end)) {
        size = put(made, size, UUID);
        to = from + 36;
      } else if (both & DIGIT) size = put(made, size, NUMBER);
      else if (some & DIGIT) size = numbers(bytes, from, to, made, size);
      else {
        const part = Math.min(run, LONGEST - size);
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

/** 8-4-4-4-12 (RFC 9562), and nothing of a word behind it. */
function isUuid(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 36 > end || (at + 36 < end && KIND[bytes[at + 36]!]! & WORD)) return false;
  for (let index = 0; index < 36; index += 1) {
    const byte = bytes[at + index]!;
    const dash = index === 8 || index === 13 || index === 18 || index === 23;
    if (dash ? byte !== DASH : !(KIND[byte]! & (LOWER_HEX | UPPER_HEX))) return false;
  }
  return true;
}

function isSame(one: Uint8Array, other: Uint8Array, length: number): boolean {
  if (one.length !== length) return false;
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}
