import { kept, type Time } from '../times.ts';

/** An interface of a pcapng file, with its clock (draft-ietf-opsawg-pcapng, section 4.2). */
export interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  /** How many time stamp units a second has, exactly and as a number. */
  readonly units: bigint;
  readonly perSecond: number;
  /** `if_tsoffset`: seconds to add. */
  readonly offset: bigint;
  readonly places: number;
  /**
   * The upper half of the last time stamp, with the seconds and units that it stands for, the offset included; whether
   * numbers hold all that lies behind it.
   */
  high: number;
  highSeconds: number;
  highUnits: number;
  isNear: boolean;
}

/** What 64 bits hold at most. */
export const MOST_UNITS = 2n ** 64n - 1n;
/** Below it a number has all of the seconds, and of what four seconds or so add. */
const NEAR = 2n ** 52n;

/** Divides the upper half of a time stamp. */
export function setUpperHalf(face: Interface, high: number): void {
  const stamp = BigInt(high) << 32n;
  const seconds = stamp / face.units + face.offset;
  face.high = high;
  face.highSeconds = Number(seconds);
  face.highUnits = Number(stamp % face.units);
  // Where a unit is no whole number of nanoseconds, products of 53 bits decide.
  const isExact = face.units <= 1_000_000_000n && (1e9 % face.perSecond === 0 || face.perSecond <= 2 ** 22);
  face.isNear = isExact && seconds > -NEAR && seconds < NEAR;
}

/** Any time stamp of 64 bits; sums beyond them go round, as in C. */
export function timeOf({ units, offset }: Interface, stamp: bigint): Time {
  const seconds = BigInt.asIntN(64, BigInt.asIntN(64, stamp / units) + offset);
  return kept(seconds, Number(((stamp % units) * 1_000_000_000n) / units));
}

/** As many decimal places as Wireshark shows (wiretap/pcapng.c): those of the next coarser of its own resolutions. */
export const placesOf = (perSecond: number): number =>
  ([9, 6, 3, 2, 1] as const).find((places) => perSecond >= 10 ** places) ?? 0;
