export const cdata = (text: string): string => text.replaceAll(']]>', ']]]]><![CDATA[>');

/** JSON that can be put into XML as it is: characters outside plain ASCII text, and those of XML's markup, are `\uXXXX`. */
export const jsonForXml = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[<>&\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/**
 * The same in pieces, for data with long lists. Typed arrays of whole numbers are packed in the form that browser/numbers.js
 * unpacks: this makes a picture of many stacks two fifths smaller than digits would.
 */
export function* embeddedJsonPieces(value: unknown): Generator<string> {
  if (value instanceof Float64Array || value instanceof Int32Array || value instanceof Uint32Array) {
    yield* numbersText(value);
    return;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    yield jsonForXml(value);
    return;
  }
  let separator = '{';
  for (const [key, each] of Object.entries(value)) {
    if (each === undefined) continue;
    yield `${separator}${jsonForXml(key)}:`;
    yield* embeddedJsonPieces(each);
    separator = ',';
  }
  yield separator === '{' ? '{}' : '}';
}

/** Divisible by three, so that the base64 texts of the pieces can be joined. */
const PIECE = 3 << 14;
/** The most bytes of a number below 2^53. */
const LONGEST = 8;

function* numbersText(numbers: Float64Array | Int32Array | Uint32Array): Generator<string> {
  // Each loop gets arrays of one type only: V8 makes slower code for a loop that gets several.
  const ints = numbers instanceof Int32Array ? numbers : new Int32Array(numbers);
  const isSmall = ints === numbers || areSame(ints, new Float64Array(numbers));
  const floats = isSmall ? undefined : new Float64Array(numbers);
  if (!(floats ? areWhole(floats) : areNatural(ints))) {
    yield JSON.stringify([...numbers]);
    return;
  }
  const bytes = Buffer.alloc(PIECE + LONGEST);
  const packing: Packing = { at: 0, used: 0 };
  yield '"';
  while (packing.at < numbers.length) {
    if (floats) packFloats(floats, bytes, packing);
    else packInts(ints, bytes, packing);
    const { used } = packing;
    if (used < PIECE) break;
    yield bytes.toString('base64', 0, PIECE);
    bytes.copyWithin(0, PIECE, used);
    packing.used = used - PIECE;
  }
  yield `${bytes.toString('base64', 0, packing.used)}"`;
}

/** How far a list is packed: the position of the next number, and the number of bytes in use. */
interface Packing {
  at: number;
  used: number;
}

/** Packs until a piece is full. */
function packInts(numbers: Int32Array, bytes: Uint8Array, packing: Packing): void {
  let { at, used } = packing;
  for (; at < numbers.length && used < PIECE; at += 1) {
    let rest = numbers[at]!;
    for (; rest >= 128; rest >>>= 7) bytes[used++] = (rest & 127) | 128;
    bytes[used++] = rest;
  }
  packing.at = at;
  packing.used = used;
}

/** The same for numbers beyond 31 bits. */
function packFloats(numbers: Float64Array, bytes: Uint8Array, packing: Packing): void {
  let { at, used } = packing;
  for (; at < numbers.length && used < PIECE; at += 1) {
    let rest = numbers[at]!;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[used++] = (rest % 128) | 128;
    bytes[used++] = rest;
  }
  packing.at = at;
  packing.used = used;
}

function areSame(ints: Int32Array, floats: Float64Array): boolean {
  for (let at = 0; at < ints.length; at += 1) if (ints[at] !== floats[at]) return false;
  return true;
}

function areNatural(ints: Int32Array): boolean {
  for (let at = 0; at < ints.length; at += 1) if (ints[at]! < 0) return false;
  return true;
}

function areWhole(floats: Float64Array): boolean {
  for (let at = 0; at < floats.length; at += 1) {
    const number = floats[at]!;
    if (!(number >= 0 && number <= Number.MAX_SAFE_INTEGER && number === Math.floor(number))) return false;
  }
  return true;
}
