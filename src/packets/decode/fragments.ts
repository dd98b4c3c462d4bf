/** At most this many datagrams are reassembled at the same time; beyond that the oldest is dropped. */
const KEPT = 8192;
/** As much of a datagram as holds every header that is read. */
const HEAD = 128;
const NOBODY = 255;

interface Datagram {
  readonly head: Uint8Array;
  /** Which piece each byte of `head` came from: its offset, in units of eight. */
  readonly owner: Uint8Array;
  /** Ranges that came, sorted, apart from each other: from, to, from, to … */
  ranges: number[];
  /** Of the whole, once its last piece was seen; 0 before. */
  length: number;
}

/**
 * Reassembles fragments of datagrams as far as headers need it (RFC 791, RFC 8200). Where fragments overlap, the one that begins
 * first counts, then the one that came first; the first final fragment gives the length: all as Wireshark does it (epan/reassemble.c, fragment_add_work).
 */
export class Fragments {
  readonly #datagrams = new Map<string, Datagram>();

  /**
   * Adds a fragment that was captured completely, from `at` to `end`; `offset` in units of eight bytes. Returns the datagram
   * if this fragment completes it.
   */
  add(
    {
      version,
      src,
      dst,
      vlan,
      bytes,
    }: { version: number; src: number; dst: number; vlan: number; bytes: Uint8Array },
    id: number,
    offset: number,
    more: boolean,
    at: number,
    end: number,
  ): { head: Uint8Array; held: number; length: number } | undefined {
    const key = `${version} ${src} ${dst} ${id} ${vlan}`;
    let datagram = this.#datagrams.get(key);
    if (!datagram) {
      if (this.#datagrams.size >= KEPT) this.#datagrams.delete(this.#datagrams.keys().next().value!);
      datagram = {
        head: new Uint8Array(HEAD),
        owner: new Uint8Array(HEAD).fill(NOBODY),
        ranges: [],
        length: 0,
      };
      this.#datagrams.set(key, datagram);
    }
    const from = offset * 8;
    const to = from + end - at;
    if (!more && datagram.length === 0) datagram.length = to;
    const { head, owner } = datagram;
    for (let place = from; place < Math.min(to, HEAD); place += 1) {
      if (offset >= owner[place]!) continue;
      head[place] = bytes[at + place - from]!;
      owner[place] = offset;
    }
    datagram.ranges = joined(datagram.ranges, from, to);
    const { length } = datagram;
    const [first, last] = datagram.ranges;
    if (length === 0 || first !== 0 || last! < length) return undefined;
    this.#datagrams.delete(key);
    return { head, held: Math.min(HEAD, length), length };
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
