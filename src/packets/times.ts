/**
 * Seconds since 1970 and the nanoseconds beyond. Where the seconds are more than a number holds exactly, what it lacks is
 * among the nanoseconds, so that comparing one after the other stays right.
 */
export type Time = readonly [seconds: number, nanos: number];

const EXACT = 2 ** 53;
const isFar = (seconds: number): boolean => seconds >= EXACT || seconds <= -EXACT;

/** A time of 64 bits in the form in which it is kept. */
export function kept(seconds: bigint, nanos: number): Time {
  const rounded = Number(seconds);
  return isFar(rounded) ? [rounded, Number(seconds - BigInt(rounded)) * 1e9 + nanos] : [rounded, nanos];
}

/** The exact seconds of a time and its nanoseconds. If the clock is broken, the nanoseconds may be more than a second. */
export function exact([seconds, nanos]: Time): readonly [seconds: bigint, nanos: number] {
  if (!isFar(seconds)) return [BigInt(seconds), nanos];
  const whole = Math.floor(nanos / 1e9);
  return [BigInt(seconds) + BigInt(whole), nanos - whole * 1e9];
}

export const isAfter = (seconds: number, nanos: number, thanSeconds: number, thanNanos: number): boolean =>
  seconds > thanSeconds || (seconds === thanSeconds && nanos > thanNanos);

/** The time between two, exact to the nanosecond below 104 days. */
export const nanosBetween = ([seconds, nanos]: Time, [laterSeconds, laterNanos]: Time): number =>
  (laterSeconds - seconds) * 1e9 + (laterNanos - nanos);

/** From this many seconds on Wireshark's order of two times is not the real one. */
export const WIDE = 2 ** 31;

/** Wireshark's nstime_cmp (wsutil/nstime.c), which keeps 32 bits of the seconds between. */
export function compareAsWireshark(one: Time, other: Time): number {
  const [seconds, nanos] = exact(one);
  const [otherSeconds, otherNanos] = exact(other);
  return seconds === otherSeconds ? nanos - otherNanos : Number(BigInt.asIntN(32, seconds - otherSeconds));
}

/** What a Date holds, in seconds on either side of 1970 (ECMAScript, 21.4.1.1). */
const DATE = 8_640_000_000_000;

/** The second of the time that was printed last, with its text. */
let latest = { seconds: 0, text: '1970-01-01T00:00:00.' };

/** `2022-05-20T22:44:50.961767000Z`, `+010000-01-01T…`; seconds since 1970 where no Date holds it. */
export function isoTime(time: Time): string {
  // Nearly all times are of our days, and many are of one second.
  const [here, beyond] = time;
  if (here >= 0 && here < DATE && beyond >= 0 && beyond < 1e9) {
    if (here !== latest.seconds)
      latest = { seconds: here, text: `${new Date(here * 1000).toISOString().slice(0, -5)}.` };
    return `${latest.text}${nineDigits(beyond)}Z`;
  }
  const [givenSeconds, givenNanos] = exact(time);
  const carry = Math.floor(givenNanos / 1e9);
  const seconds = givenSeconds + BigInt(carry);
  const nanos = givenNanos - carry * 1e9;
  if (seconds >= -DATE && seconds < DATE)
    return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -5)}.${nineDigits(nanos)}Z`;
  if (seconds >= 0 || nanos === 0) return `${seconds}.${nineDigits(nanos)}`;
  return `${seconds === -1n ? '-0' : seconds + 1n}.${nineDigits(1e9 - nanos)}`;
}

const nineDigits = (nanos: number): string => String(nanos).padStart(9, '0');

/** The time of day of an ISO time, with this many letters; any other text as it is. */
export const clockOf = (iso: string, letters: number): string => {
  const at = iso.indexOf('T');
  return at < 0 ? iso : iso.slice(at + 1, at + 1 + letters);
};

/** Times of a list, to the second: the time of day, with the day where they are not all of one. */
export function toTheSecond(times: readonly string[]): (iso: string) => string {
  const day = (iso: string | undefined) => iso?.split('T')[0];
  return day(times[0]) === day(times.at(-1))
    ? (iso) => clockOf(iso, 8)
    : (iso) => iso.replace(/T(.{8}).*/, ' $1');
}
