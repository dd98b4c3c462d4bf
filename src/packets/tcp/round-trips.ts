import { grown } from '../columns.ts';
import { ACK, FIN, type Layers, SYN } from '../decode/decode.ts';
import { optionAt, SACK } from '../decode/tcp-options.ts';
import { Durations } from '../durations.ts';

/** State of a side, as 32 bits each. */
const SIDE = 9;
/** Segments that were not acknowledged yet: the first and the last one's place, 0: none; how many. */
const HEAD = 0;
const TAIL = 1;
const COUNT = 2;
/** Which of those the other side has acknowledged by SACK. */
const SACKED = 3;
const BITS = 4;
/** The most bytes in flight. */
const MOST = 5;
/** How many round trips were measured. */
const MEASURED = 6;
/** Where the first of the segments begins and the last one ends, where they are in no order. */
const LOWEST = 7;
const HIGHEST = 8;

/** After a hole the bytes in flight are not known until something is acknowledged. */
const HOLE = 1;
/** The segments are not in the order of their numbers: something was sent again. */
const MIXED = 2;
/** Some of those were acknowledged: the lowest and the highest are to be looked for anew. */
const STALE = 4;

/** The first round trips of a side, as they are; conversations of a few packets have no more. */
const FEW = 4;
/** As many as Wireshark keeps of a side (TCP_MAX_UNACKED_SEGMENTS), and of all sides together. */
const MOST_OF_A_SIDE = 10_000;
const MOST_OF_ALL = 1 << 20;
/** Beyond that it is no number of bytes in flight (packet-tcp.c). */
const ABSURD = 2_000_000_000;
/** As many ranges as Wireshark takes of a SACK option for this. */
const RANGES = 3;

const isAfter = (one: number, other: number): boolean => ((one - other) | 0) > 0;

/** One side's segments on their way to the other's acknowledgment. Nanoseconds and bytes. */
export interface RoundTripsOfSide {
  readonly count: number;
  readonly least: number;
  readonly median: number;
  readonly most: number;
  readonly mostInFlight: number;
}

/**
 * How long segments took to be acknowledged, and how much was on its way: `tcp.analysis.ack_rtt` and
 * `tcp.analysis.bytes_in_flight`, by the rules of Wireshark 4.0 (packet-tcp.c, tcp_analyze_sequence_number).
 */
export class RoundTrips {
  #sides = new Int32Array(2 * SIDE * 64);
  #few = new Float64Array(2 * FEW * 64);
  readonly #many = new Map<number, Durations>();
  #rows = 0;
  /** Segments as lists, the oldest first: where each begins and ends, when it was sent, which is next. Place 0 means no segment. */
  #begin = new Int32Array(1024);
  #end = new Int32Array(1024);
  #sent = new Float64Array(1024);
  #next = new Int32Array(1024);
  #used = 1;
  #free = 0;

  /**
   * Takes a segment of stream `row`; `first` is the sequence number that its side began with, `afterHole` whether segments
   * before it were not captured, `now` in nanoseconds.
   */
  add(row: number, fromA: boolean, layers: Layers, first: number, afterHole: boolean, now: number): void {
    if (row >= this.#rows) {
      this.#rows = row + 1;
      this.#sides = grown(this.#sides, 2 * SIDE * this.#rows);
      this.#few = grown(this.#few, 2 * FEW * this.#rows);
    }
    const { flags, seq, ack, payload } = layers;
    const own = 2 * row + (fromA ? 0 : 1);
    const other = own ^ 1;
    const sides = this.#sides;
    if (flags & ACK) sides[SIDE * other + BITS]! &= ~HOLE;
    if (afterHole) sides[SIDE * own + BITS]! |= HOLE;
    const virtual = (flags & (SYN | FIN)) !== 0;
    const base = (first - 1) | 0;
    if (payload > 0 || virtual) this.#keep(own, seq, (seq + payload + (virtual ? 1 : 0)) | 0, base, now);
    // A SYN moves what is counted from.
    if (flags & SYN) sides[SIDE * own + BITS]! |= STALE;
    if (sides[SIDE * other + COUNT]! > 0) this.#acknowledged(other, ack, now);
    if (payload > 0 && sides[SIDE * own + COUNT]! > 0 && !(sides[SIDE * own + BITS]! & HOLE)) {
      const bytes = (this.#span(own, base) - sides[SIDE * own + SACKED]!) >>> 0;
      if (bytes > 0 && bytes < ABSURD) {
        const shown = virtual ? bytes - 1 : bytes;
        if (shown > sides[SIDE * own + MOST]!) sides[SIDE * own + MOST] = shown;
      }
    }
    sides[SIDE * other + SACKED] = layers.optionsEnd > layers.optionsAt ? sackedBy(layers) : 0;
  }

  /** What was measured for a side's segments; undefined if nothing was. */
  of(row: number, fromA: boolean): RoundTripsOfSide | undefined {
    if (row >= this.#rows) return undefined;
    const side = 2 * row + (fromA ? 0 : 1);
    const count = this.#sides[SIDE * side + MEASURED]!;
    const mostInFlight = this.#sides[SIDE * side + MOST]!;
    if (count === 0 && mostInFlight === 0) return undefined;
    const many = this.#many.get(side);
    if (many) return { count, least: many.least, median: many.quantile(0.5), most: many.most, mostInFlight };
    const few = this.#few.subarray(FEW * side, FEW * side + count).toSorted();
    return {
      count,
      least: few[0] ?? 0,
      median: few[Math.ceil(count / 2) - 1] ?? 0,
      most: few[count - 1] ?? 0,
      mostInFlight,
    };
  }

  #keep(side: number, begin: number, end: number, base: number, now: number): void {
    const sides = this.#sides;
    const at = SIDE * side;
    if (sides[at + COUNT]! >= MOST_OF_A_SIDE) return;
    let place = this.#free;
    if (place > 0) this.#free = this.#next[place]!;
    else {
      if (this.#used >= MOST_OF_ALL) return;
      place = this.#used;
      this.#used += 1;
      this.#begin = grown(this.#begin, this.#used);
      this.#end = grown(this.#end, this.#used);
      this.#sent = grown(this.#sent, this.#used);
      this.#next = grown(this.#next, this.#used);
    }
    this.#begin[place] = begin;
    this.#end[place] = end;
    this.#sent[place] = now;
    this.#next[place] = 0;
    const tail = sides[at + TAIL]!;
    if (tail === 0) {
      sides[at + HEAD] = place;
      sides[at + BITS]! &= ~MIXED;
    } else {
      if (sides[at + BITS]! & MIXED) {
        if ((begin - base) >>> 0 < (sides[at + LOWEST]! - base) >>> 0) sides[at + LOWEST] = begin;
        if ((end - base) >>> 0 > (sides[at + HIGHEST]! - base) >>> 0) sides[at + HIGHEST] = end;
      } else if (isAfter(this.#end[tail]!, begin)) sides[at + BITS]! |= MIXED | STALE;
      this.#next[tail] = place;
    }
    sides[at + TAIL] = place;
    sides[at + COUNT]! += 1;
  }

  /** Lets go of what the other side acknowledged, and measures what it acknowledged exactly. */
  #acknowledged(side: number, ack: number, now: number): void {
    const sides = this.#sides;
    const at = SIDE * side;
    const isMixed = (sides[at + BITS]! & MIXED) !== 0;
    // A duplicate ACK acknowledges nothing new, and with many segments in flight there are many of them.
    if (isMixed && !(sides[at + BITS]! & STALE)) {
      const lowest = sides[at + LOWEST]!;
      if (!isAfter(ack, lowest) && isAfter(sides[at + HIGHEST]!, lowest)) return;
    }
    let isOrdered = true;
    let took = 0;
    let isMeasured = false;
    let before = 0;
    let place = sides[at + HEAD]!;
    while (place > 0) {
      const end = this.#end[place]!;
      const next = this.#next[place]!;
      if (isAfter(end, ack)) {
        if (isAfter(ack, this.#begin[place]!)) this.#begin[place] = ack;
        if (before > 0 && isAfter(this.#end[before]!, this.#begin[place]!)) isOrdered = false;
        // If segments are in order, those after this one are not acknowledged either.
        if (!isMixed) break;
        before = place;
        place = next;
        continue;
      }
      // The oldest of several is the one that counts.
      if (end === ack && !isMeasured) {
        isMeasured = true;
        took = now - this.#sent[place]!;
      }
      if (before === 0) sides[at + HEAD] = next;
      else this.#next[before] = next;
      if (next === 0) sides[at + TAIL] = before;
      sides[at + COUNT]! -= 1;
      this.#next[place] = this.#free;
      this.#free = place;
      place = next;
    }
    if (isMixed)
      sides[at + BITS] = isOrdered ? sides[at + BITS]! & ~(MIXED | STALE) : sides[at + BITS]! | STALE;
    if (took !== 0) this.#measured(side, took);
  }

  #measured(side: number, took: number): void {
    const at = SIDE * side + MEASURED;
    const count = this.#sides[at]!;
    this.#sides[at] = count + 1;
    if (count < FEW) {
      this.#few[FEW * side + count] = took;
      return;
    }
    let many = this.#many.get(side);
    if (!many) {
      many = new Durations();
      for (let few = 0; few < FEW; few += 1) many.add(this.#few[FEW * side + few]!);
      this.#many.set(side, many);
    }
    many.add(took);
  }

  /** From the lowest sequence number of a side's segments to the highest, counted from `base`. */
  #span(side: number, base: number): number {
    const sides = this.#sides;
    const at = SIDE * side;
    const head = sides[at + HEAD]!;
    if (!(sides[at + BITS]! & MIXED))
      return ((this.#end[sides[at + TAIL]!]! - base) >>> 0) - ((this.#begin[head]! - base) >>> 0);
    if (sides[at + BITS]! & STALE) {
      let lowest = this.#begin[head]!;
      let highest = this.#end[head]!;
      for (let place = this.#next[head]!; place > 0; place = this.#next[place]!) {
        if ((this.#begin[place]! - base) >>> 0 < (lowest - base) >>> 0) lowest = this.#begin[place]!;
        if ((this.#end[place]! - base) >>> 0 > (highest - base) >>> 0) highest = this.#end[place]!;
      }
      sides[at + LOWEST] = lowest;
      sides[at + HIGHEST] = highest;
      sides[at + BITS]! &= ~STALE;
    }
    return ((sides[at + HIGHEST]! - base) >>> 0) - ((sides[at + LOWEST]! - base) >>> 0);
  }
}

/** How many bytes a segment says that it has beyond a hole. */
function sackedBy({ bytes, optionsAt, optionsEnd }: Layers): number {
  const at = optionAt(bytes, optionsAt, optionsEnd, SACK);
  if (at < 0) return 0;
  const edges = new DataView(bytes.buffer, bytes.byteOffset + at + 2, bytes[at + 1]! - 2);
  let sum = 0;
  for (let range = 0; range < RANGES && 8 * range + 8 <= edges.byteLength; range += 1)
    sum += (edges.getUint32(8 * range + 4) - edges.getUint32(8 * range)) >>> 0;
  return sum | 0;
}
