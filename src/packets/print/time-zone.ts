/** Where local time stood at a moment: seconds east of UTC, and how the zone is called then (`CEST`). */
export interface LocalOffset {
  readonly offset: number;
  readonly name: string;
}

export interface TimeZone {
  at(seconds: number): LocalOffset;
}

const FIXED_UTC: LocalOffset = { offset: 0, name: 'UTC' };
export const UTC: TimeZone = { at: () => FIXED_UTC };

/**
 * A zone as the system describes it: a TZif file (RFC 9636), whose footer is a rule for the time behind its last
 * transition. Undefined when the bytes are none.
 */
export function readTimeZone(bytes: Uint8Array): TimeZone | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    if (view.getUint32(0) !== 0x545a6966) return undefined;
    if (bytes[4] === 0) return readData(view, 0, 4, '').zone;
    // The first block is for old readers; the second has 64-bit times and the footer behind it.
    const second = readData(view, 0, 4, '').end;
    const { end } = readData(view, second, 8, '');
    const footer = Buffer.from(bytes.subarray(end + 1))
      .toString('latin1')
      .split('\n')[0]!;
    return readData(view, second, 8, footer).zone;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readData(
  view: DataView,
  at: number,
  size: 4 | 8,
  footer: string,
): { readonly zone: TimeZone; readonly end: number } {
  const [isUt, isStd, leaps, times, types, letters] = [20, 24, 28, 32, 36, 40].map((from) =>
    view.getUint32(at + from),
  ) as [number, number, number, number, number, number];
  let from = at + 44;
  const transitions = Array.from({ length: times }, (_, index) =>
    size === 8 ? Number(view.getBigInt64(from + 8 * index)) : view.getInt32(from + 4 * index),
  );
  from += size * times;
  const kinds = Array.from({ length: times }, (_, index) => view.getUint8(from + index));
  from += times;
  const names = from + 6 * types;
  const text = (index: number) => {
    let name = '';
    for (let each = names + index; view.getUint8(each) !== 0; each += 1)
      name += String.fromCharCode(view.getUint8(each));
    return name;
  };
  const offsets = Array.from({ length: types }, (_, index) => ({
    offset: view.getInt32(from + 6 * index),
    name: text(view.getUint8(from + 6 * index + 5)),
  }));
  const end = names + letters + leaps * (size + 4) + isStd + isUt;
  const rule = footer === '' ? undefined : parsePosixZone(footer);
  const last = transitions.at(-1) ?? Number.NEGATIVE_INFINITY;
  const zone: TimeZone = {
    at(seconds) {
      if (rule && seconds >= last) return rule.at(seconds);
      const next = transitions.findIndex((each) => each > seconds);
      const index = (next < 0 ? transitions.length : next) - 1;
      return offsets[index < 0 ? 0 : kinds[index]!] ?? FIXED_UTC;
    },
  };
  return { zone, end };
}

/** A day of a year and the seconds into it, as POSIX writes them: `M3.2.0/2`, `J60`, `59`. */
interface Moment {
  readonly kind: 'month' | 'julian' | 'day';
  readonly numbers: readonly number[];
  readonly seconds: number;
}

/** So many seconds before and after 1970 there are rules for. */
const LAST_RULED = (2 ** 31 / 365) * 365.2425 * 86_400;

/** Seconds of 400 years, after which the calendar repeats: a Date does not hold all times that there are. */
const CYCLE = 146_097 * 86_400;

/**
 * The value of TZ in POSIX's own form: `EST5EDT,M3.2.0,M11.1.0`, `<+03>-3` (POSIX.1-2024, section 8.3). Undefined when
 * it is none.
 */
export function parsePosixZone(text: string): TimeZone | undefined {
  const match =
    /^(<[-+\w]+>|[A-Za-z]+)([-+]?\d[\d:]*)(?:(<[-+\w]+>|[A-Za-z]+)([-+]?\d[\d:]*)?(?:,([^,]+),([^,]+))?)?$/.exec(
      text,
    );
  if (!match) return undefined;
  const plain = (name: string) => name.replace(/[<>]/g, '');
  // POSIX counts west of Greenwich.
  const standard = { offset: -clockSeconds(match[2]!), name: plain(match[1]!) };
  if (match[3] === undefined) return { at: () => standard };
  const summer = {
    offset: match[4] === undefined ? standard.offset + 3600 : -clockSeconds(match[4]),
    name: plain(match[3]),
  };
  const begins = parseMoment(match[5] ?? 'M3.2.0');
  const ends = parseMoment(match[6] ?? 'M11.1.0');
  if (!begins || !ends) return undefined;
  return {
    at(given) {
      const seconds = Math.abs(given) < 8e12 ? given : given % CYCLE;
      const year = new Date((seconds + standard.offset) * 1000).getUTCFullYear();
      const from = inYear(year, begins) - standard.offset;
      const to = inYear(year, ends) - summer.offset;
      // There the C library's own number of days, of 32 bits, goes round (glibc, time/tzset.c, compute_change).
      if (Math.abs(given) > LAST_RULED) return from < to ? standard : summer;
      const isSummer = from < to ? seconds >= from && seconds < to : seconds >= from || seconds < to;
      return isSummer ? summer : standard;
    },
  };
}

function clockSeconds(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[-+]/, '').split(':').map(Number);
  const total = hours * 3600 + minutes * 60 + seconds;
  return text.startsWith('-') ? -total : total;
}

function parseMoment(text: string): Moment | undefined {
  const [day, clock = '2'] = text.split('/');
  const month = /^M(\d+)\.(\d+)\.(\d+)$/.exec(day!);
  const seconds = clockSeconds(clock);
  if (month) return { kind: 'month', numbers: month.slice(1).map(Number), seconds };
  const julian = /^(J?)(\d+)$/.exec(day!);
  return julian ? { kind: julian[1] ? 'julian' : 'day', numbers: [Number(julian[2])], seconds } : undefined;
}

/** Seconds since 1970 of a moment, as if its clock were UTC. */
function inYear(year: number, { kind, numbers, seconds }: Moment): number {
  const day = 86_400;
  const midnight = (month: number, date: number) => Date.UTC(year, month, date) / 1000;
  if (kind === 'day') return midnight(0, 1) + numbers[0]! * day + seconds;
  if (kind === 'julian') {
    // Julian days do not count the 29th of February.
    const leap = new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1 && numbers[0]! >= 60 ? 1 : 0;
    return midnight(0, 1) + (numbers[0]! - 1 + leap) * day + seconds;
  }
  const [month, week, weekday] = numbers as [number, number, number];
  const first = new Date(Date.UTC(year, month - 1, 1)).getUTCDay();
  let date = 1 + ((weekday - first + 7) % 7) + (week - 1) * 7;
  if (date > new Date(Date.UTC(year, month, 0)).getUTCDate()) date -= 7;
  return midnight(month - 1, date) + seconds;
}
