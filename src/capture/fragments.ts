/** Datagrams that are being put together at once; beyond that the oldest is given up. */
const KEPT = 1024;
/** As much of a datagram as holds every header that is read. */
const HEAD = 128;

interface Datagram {
  readonly head: Uint8Array;
  /** How much of `head` is there, from its start on. */
  held: number;
  /** Ranges that came, sorted, apart from each other: from, to, from, to … */
  ranges: number[];
  /** Of the whole, once its last piece was seen; 0 before. */
  length: number;
}

/** Puts the pieces of datagrams together as far as headers need it (RFC 791, RFC 8200). */
export class Fragments {
  readonly #datagrams = new Map<string, Datagram>();

  /**
   * Takes a piece: `offset` in units of eight bytes, captured from `at` to `end`, sent up to `limit`. Returns the
   * datagram when this piece completes it.
   */
  add(
    { version, src, dst, bytes }: { version: number; src: number; dst: number; bytes: Uint8Array },
    protocol: number,
    id: number,
    offset: number,
    more: boolean,
    at: number,
    end: number,
    limit: number,
  ): { head: Uint8Array; held: number; length: number } | undefined {
    const key = `${version} ${src} ${dst} ${protocol} ${id}`;
    let datagram = this.#datagrams.get(key);
    if (!datagram) {
      if (this.#datagrams.size >= KEPT) this.#datagrams.delete(this.#datagrams.keys().next().value!);
      datagram = { head: new Uint8Array(HEAD), held: 0, ranges: [], length: 0 };
      this.#datagrams.set(key, datagram);
    }
    const from = offset * 8;
    const to = from + limit - at;
    if (!more && datagram.length === 0) datagram.length = to;
    if (from < HEAD) {
      const part = bytes.subarray(at, Math.min(end, at + HEAD - from));
      datagram.head.set(part, from);
      if (from <= datagram.held) datagram.held = Math.max(datagram.held, from + part.length);
    }
    datagram.ranges = joined(datagram.ranges, from, to);
    const [first, last] = datagram.ranges;
    if (datagram.length === 0 || first !== 0 || last! < datagram.length) return undefined;
    this.#datagrams.delete(key);
    return datagram;
  }
}

/** The ranges with one more, those that touch made one. */
function joined(ranges: readonly number[], from: number, to: number): number[] {
  let low = from;
  let high = to;
  const before: number[] = [];
  const after: number[] = [];
  for (let at = 0; at < ranges.length; at += 2) {
    const [start, end] = [ranges[at]!, ranges[at + 1]!];
    if (end < low) before.push(start, end);
    else if (start > high) after.push(start, end);
    else {
      low = Math.min(low, start);
      high = Math.max(high, end);
    }
  }
  return [...before, low, high, ...after];
}
