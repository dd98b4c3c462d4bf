const END = 0;
const NO_OPERATION = 1;
const LOOSE_ROUTE = 131;
const STRICT_ROUTE = 137;

/**
 * Where a packet goes in the end: a source route's last hop where the options from `at` to `end` have one, else `dst`,
 * the header's own destination (RFC 791, section 3.1).
 */
export function lastHop(bytes: Uint8Array, at: number, end: number, dst: number): number {
  let from = at;
  while (from < end && bytes[from] !== END) {
    const kind = bytes[from]!;
    if (kind === NO_OPERATION) {
      from += 1;
      continue;
    }
    const length = from + 1 < end ? bytes[from + 1]! : 0;
    if (length < 2 || from + length > end) return dst;
    if (kind === LOOSE_ROUTE || kind === STRICT_ROUTE) {
      const pointer = bytes[from + 2]!;
      if (pointer < 4 || (pointer & 3) !== 0 || pointer > length) return dst;
      const last = from + length - 4;
      return (bytes[last]! << 24) | (bytes[last + 1]! << 16) | (bytes[last + 2]! << 8) | bytes[last + 3]!;
    }
    from += length;
  }
  return dst;
}
