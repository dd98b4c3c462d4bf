const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION = 60;
const MOBILITY = 135;
const SHIM6 = 140;

const SEGMENTS = 4;
const PAD1 = 0;
const JUMBO = 0xc2;

/** Whether another header stands behind it. HIP has none behind it in practice (RFC 7401, section 5.1). */
export const isExtension = (protocol: number): boolean =>
  protocol === HOP_BY_HOP ||
  protocol === ROUTING ||
  protocol === FRAGMENT ||
  protocol === AUTHENTICATION ||
  protocol === DESTINATION ||
  protocol === MOBILITY ||
  protocol === SHIM6;

/**
 * Where an extension header that begins at `at` ends: they count in words of eight bytes behind the first, AH in words
 * of four behind the second (RFC 8200, RFC 4302). -1 where it, or one of its options, is not whole before `end`.
 */
export function behindHeader(protocol: number, bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 8) return -1;
  if (protocol === FRAGMENT) return at + 8;
  const behind = at + (protocol === AUTHENTICATION ? (bytes[at + 1]! + 2) << 2 : (bytes[at + 1]! + 1) << 3);
  if (behind > end) return -1;
  // Segment routing (RFC 8754) says how many segments follow.
  if (protocol === ROUTING && bytes[at + 2] === SEGMENTS && at + 8 + 16 * (bytes[at + 4]! + 1) > behind)
    return -1;
  if (protocol !== HOP_BY_HOP && protocol !== DESTINATION) return behind;
  let from = at + 2;
  while (from < behind) {
    if (from + 1 >= end) return -1;
    from += bytes[from] === PAD1 ? 1 : 2 + bytes[from + 1]!;
    if (from > end) return -1;
  }
  return behind;
}

/** The length of a jumbogram's payload from the hop-by-hop header at `at` (RFC 2675); 0 where there is none. */
export function jumboLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 2) return 0;
  const behind = at + ((bytes[at + 1]! + 1) << 3);
  let from = at + 2;
  while (from < behind && end - from >= 6) {
    const kind = bytes[from]!;
    if (kind === PAD1) from += 1;
    else if (kind === JUMBO && bytes[from + 1] === 4) {
      const length =
        ((bytes[from + 2]! << 24) | (bytes[from + 3]! << 16) | (bytes[from + 4]! << 8) | bytes[from + 5]!) >>>
        0;
      return length > 0xffff ? length : 0;
    } else from += 2 + bytes[from + 1]!;
  }
  return 0;
}
