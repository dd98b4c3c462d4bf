const END = 0;
const NO_OPERATION = 1;
export const WINDOW_SCALE = 3;
export const SACK = 5;

/**
 * Whether the options from `at` to `end`, which were cut at `cut`, are known as far as they are any: one whose length
 * cannot be ends them (RFC 9293, section 3.1). What Wireshark would still show of the rest has to be there too.
 */
export function endBefore(bytes: Uint8Array, at: number, end: number, cut: number): boolean {
  let from = at;
  let ended = false;
  while (from < cut) {
    const kind = bytes[from]!;
    if (ended && kind !== END) return false;
    if (kind === END || kind === NO_OPERATION) {
      ended ||= kind === END;
      from += 1;
      continue;
    }
    if (from + 1 >= cut) return false;
    const length = bytes[from + 1]!;
    if (length < 2) return true;
    if (from + length > end) return end - 2 <= cut;
    from += length;
  }
  return false;
}

/** Where a complete option begins; -1 if there is none. */
export function optionAt(bytes: Uint8Array, at: number, end: number, wanted: number): number {
  let from = at;
  while (from < end) {
    const kind = bytes[from]!;
    if (kind === END) return -1;
    if (kind === NO_OPERATION) {
      from += 1;
      continue;
    }
    const length = bytes[from + 1]!;
    if (from + 1 >= end || length < 2 || from + length > end) return -1;
    if (kind === wanted) return from;
    from += length;
  }
  return -1;
}
