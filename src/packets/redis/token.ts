/**
 * Finds the random parts of a key: session ids, API keys, JWTs, in hexadecimal, base32, base36, base62, base64 and
 * base64url. Words and numbers are not random: the letters of a word follow each other as in English, its capitals are at its
 * beginning, and a number follows a word. If it is not clear, the part is a token: hiding too much loses a name, hiding too
 * little shows a secret, and gives each session its own row.
 */

const A = 97;
const LETTERS = 26;

/** What follows each letter within words: pairs that are at least 7 in 10,000 of the words in documentation. */
const FOLLOWERS =
  'bcdgiklmnprstuvwy aeilorsu acehiklorstu adeilorsu abcdefgilmnoprstvwxy aefiloru aehilnorsu aeiortu abcdefgklmnoprstvxz aeo aeios adeilostuy abeimopsu acdefgiknostuv abcdfgiklmnoprstuvw aehiloprstu u acdegiklmnorstuvy acehiklmopstuy acehilorstuy abcdegilmnprst aei aeio ept ps e'.split(
    ' ',
  );
const USUAL = new Uint8Array(LETTERS * LETTERS);
for (const [first, followers] of FOLLOWERS.entries())
  for (const follower of followers) USUAL[first * LETTERS + follower.charCodeAt(0) - A] = 1;

/** This many random characters are a token. */
const LONG = 16;
/** Up to this many characters next to a token belong to it. */
const FEW = 3;
/** The first characters of the secrets of well-known services. */
const PREFIXES = new Set([
  'live',
  'test',
  'prod',
  'github',
  'glpat',
  'xoxa',
  'xoxb',
  'xoxe',
  'xoxp',
  'xoxr',
  'xoxs',
  'whsec',
]);

const LOWER = 1;
const UPPER = 2;
const DIGIT = 4;

function classOf(byte: number): number {
  if (byte >= 97 && byte <= 122) return LOWER;
  if (byte >= 65 && byte <= 90) return UPPER;
  return byte >= 48 && byte <= 57 ? DIGIT : 0;
}

/** Whether a byte stands between the parts of one token: `-` `_` `+` `/` `=` `.` `~` `%`. */
export const joins = (byte: number): boolean =>
  byte === 45 ||
  byte === 95 ||
  byte === 43 ||
  byte === 47 ||
  byte === 61 ||
  byte === 46 ||
  byte === 126 ||
  byte === 37;

/** What a piece of letters and digits looks like. */
interface Look {
  readonly classes: number;
  /** Stretches of small letters (a capital before them included), of capitals, of digits. */
  readonly runs: number;
  readonly digitRuns: number;
  readonly digits: number;
  /** Whether letters follow digits. */
  readonly mixes: boolean;
  /** Pairs of letters within its stretches, and how many of them no word has. */
  readonly pairs: number;
  readonly unusual: number;
  /** Whether all letters are those of hexadecimal digits. */
  readonly hex: boolean;
}

function look(bytes: Uint8Array, at: number, end: number): Look {
  let classes = 0;
  let runs = 0;
  let digitRuns = 0;
  let digits = 0;
  let mixes = false;
  let pairs = 0;
  let unusual = 0;
  let hex = true;
  let before = 0;
  let length = 0;
  for (let from = at; from < end; from += 1) {
    const kind = classOf(bytes[from]!);
    classes |= kind;
    if (kind === DIGIT) digits += 1;
    if (kind !== DIGIT && (bytes[from]! | 32) > 102) hex = false;
    const goesOn = kind === before || (kind === LOWER && before === UPPER && length === 1);
    if (goesOn && kind !== DIGIT) {
      pairs += 1;
      const first = (bytes[from - 1]! | 32) - A;
      if (!USUAL[first * LETTERS + (bytes[from]! | 32) - A]) unusual += 1;
    }
    if (!goesOn) {
      runs += 1;
      length = 0;
      if (kind === DIGIT) digitRuns += 1;
      else if (before === DIGIT) mixes = true;
    }
    length += 1;
    before = kind;
  }
  return { classes, runs, digitRuns, digits, mixes, pairs, unusual, hex };
}

/** Whether a piece by itself is a token. */
function isToken(
  length: number,
  { classes, runs, digitRuns, digits, mixes, pairs, unusual, hex }: Look,
): boolean {
  const each = length / runs;
  const mixed = (classes & DIGIT) !== 0 && classes !== DIGIT;
  if (length >= LONG) {
    if (each < 3 || (mixes && digitRuns > 1 && hex)) return true;
    // Words written as one have at most one number, and that is short.
    if (classes === (LOWER | UPPER | DIGIT) && (digitRuns > 1 || digits > 3)) return true;
    // These are words with a number after them, or real words with numbers between them.
    if (mixed) return mixes ? unusual > pairs / 5 : unusual > pairs / 3;
    return unusual > (3 * pairs) / 8;
  }
  return length >= 8 && ((digitRuns >= 3 && each < 2.5) || (length >= 10 && mixed && each < 2));
}

/** The ids of access keys of AWS: four letters that are always the same, then base32. */
const isAwsKey = (bytes: Uint8Array, at: number, end: number): boolean =>
  end - at === 20 && /^A(KIA|SIA)[A-Z2-7]{16}$/.test(Buffer.from(bytes.subarray(at, end)).toString('latin1'));

/** Whether a piece is a word in small letters, in capitals or with one capital before it, or a number of some length. */
function isPlain(length: number, { classes, runs, pairs, unusual }: Look): boolean {
  if (length <= FEW || runs > 1) return false;
  return classes === DIGIT || unusual <= pairs / 3;
}

/** Whether a piece may be part of a token: it is neither a word nor a word with a number after it. */
function isOdd(length: number, { classes, runs, mixes, pairs, unusual }: Look): boolean {
  if (classes === DIGIT || length >= LONG) return false;
  if (mixes || length / runs < 2) return true;
  return length >= 6 && unusual > pairs / 2;
}

interface Piece {
  readonly at: number;
  readonly end: number;
  readonly token: boolean;
  readonly odd: boolean;
  readonly plain: boolean;
  readonly seen: Look;
}

/** From where to where the tokens are within bytes that no other separator parts, one behind the other. */
export function tokensOf(bytes: Uint8Array, at: number, end: number): number[] {
  const pieces: Piece[] = [];
  for (let from = at; from < end; ) {
    if (classOf(bytes[from]!) === 0) {
      from += 1;
      continue;
    }
    let to = from + 1;
    while (to < end && classOf(bytes[to]!) !== 0) to += 1;
    const seen = look(bytes, from, to);
    pieces.push({
      at: from,
      end: to,
      token: isToken(to - from, seen) || isAwsKey(bytes, from, to),
      odd: isOdd(to - from, seen),
      plain: isPlain(to - from, seen),
      seen,
    });
    from = to;
  }
  const spans: number[] = [];
  const isMade = isMadeByChance(pieces);
  for (let first = 0; first < pieces.length; ) {
    // Pieces that may be of one token, with short ones between them.
    let last = first;
    let size = 0;
    let odd = 0;
    let isSure = false;
    for (let next = first; next < pieces.length; next += 1) {
      const piece = pieces[next]!;
      const length = piece.end - piece.at;
      if (isMade ? piece.plain : !piece.token && !piece.odd && length > FEW) break;
      size += length;
      if (isMade || piece.odd || piece.token) {
        odd += length;
        last = next;
      }
      isSure ||= piece.token;
    }
    const isChance = isMade
      ? pieces[last]!.end - pieces[first]!.at >= LONG - 2
      : 4 * odd >= 3 * size && odd >= LONG;
    if (!isSure && !isChance) {
      first += 1;
      continue;
    }
    let start = first;
    while (start > 0 && belongs(bytes, pieces[start - 1]!)) start -= 1;
    let stop = last;
    while (stop + 1 < pieces.length && belongs(bytes, pieces[stop + 1]!)) stop += 1;
    let to = pieces[stop]!.end;
    // The padding of base64.
    while (to < end && bytes[to] === 61) to += 1;
    spans.push(pieces[start]!.at, to);
    first = stop + 1;
  }
  return spans;
}

/** Whether all of it, words beside, is small letters, capitals and digits in stretches as short as base64 has them. */
function isMadeByChance(pieces: readonly Piece[]): boolean {
  let classes = 0;
  let length = 0;
  let runs = 0;
  for (const { at, end, plain, seen } of pieces) {
    if (plain) continue;
    classes |= seen.classes;
    length += end - at;
    runs += seen.runs;
  }
  return classes === (LOWER | UPPER | DIGIT) && length >= LONG - 3 && length / runs < 2.6;
}

function belongs(bytes: Uint8Array, { at, end, plain }: Piece): boolean {
  return !plain || PREFIXES.has(Buffer.from(bytes.subarray(at, end)).toString('latin1'));
}
