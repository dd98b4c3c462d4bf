const FINE = 6;
const FEW = 16;
const NONE = new Uint32Array(0);
const SHIFT = 20 - FINE;

/** A number's upper half: exponent and the first bits behind the leading one, in order of size. */
const number = new Float64Array(1);
const halves = new Uint32Array(number.buffer);

/**
 * Many durations in nanoseconds. Quantiles are exact for up to 16 durations, and right to 0.8 % for any number of them, in a few
 * hundred counters. Count, sum, least and most are exact.
 */
export class Durations {
  count = 0;
  sum = 0;
  least = Number.POSITIVE_INFINITY;
  most = 0;
  #counts = NONE;
  /** Of the first counter. */
  #from = 0;
  /** The first few, as they were: many groups never have more. */
  #few: number[] | undefined = [];

  /** `bucket`: its `bucketOf`, where that is known. */
  add(nanos: number, bucket = bucketOf(nanos)): void {
    this.count += 1;
    this.sum += nanos;
    if (nanos < this.least) this.least = nanos;
    if (nanos > this.most) this.most = nanos;
    if (this.#few) {
      if (this.#few.length < FEW) {
        this.#few.push(nanos);
        return;
      }
      this.#toBuckets();
    }
    this.#countBucket(bucket);
  }

  #toBuckets(): void {
    const few = this.#few ?? [];
    this.#few = undefined;
    for (const each of few) this.#countBucket(bucketOf(each));
  }

  #countBucket(bucket: number): void {
    const at = bucket - this.#from;
    if (at >= 0 && at < this.#counts.length) this.#counts[at]! += 1;
    else this.#countBeyond(bucket);
  }

  /** The smallest duration that at least this part of all are not longer than; 0 where there are none. */
  quantile(part: number): number {
    // Many groups have one duration only.
    if (this.least === this.most) return this.most;
    const wanted = Math.max(1, Math.ceil(part * this.count));
    if (this.#few) return this.#few.toSorted((one, other) => one - other)[wanted - 1] ?? 0;
    let seen = 0;
    for (let at = 0; at < this.#counts.length; at += 1) {
      seen += this.#counts[at]!;
      if (seen < wanted) continue;
      // The ends are known exactly.
      if (seen === this.count && wanted === this.count) return this.most;
      return Math.min(Math.max(middle(at + this.#from), this.least), this.most);
    }
    return this.most;
  }

  /** Takes over what another has counted. */
  merge(other: Durations): void {
    if (other.#few) {
      for (const each of other.#few) this.add(each);
      return;
    }
    this.#toBuckets();
    this.#cover(other.#from, other.#from + other.#counts.length);
    other.#counts.forEach((count, at) => {
      this.#counts[at + other.#from - this.#from]! += count;
    });
    this.count += other.count;
    this.sum += other.sum;
    this.least = Math.min(this.least, other.least);
    this.most = Math.max(this.most, other.most);
  }

  #countBeyond(bucket: number): void {
    // A little more on both sides: neighbours come next.
    this.#cover(Math.max(0, bucket - 16), bucket + 17);
    this.#counts[bucket - this.#from]! += 1;
  }

  #cover(start: number, stop: number): void {
    const old = this.#counts;
    const from = old.length ? Math.min(this.#from, start) : start;
    const to = old.length ? Math.max(this.#from + old.length, stop) : stop;
    const wider = new Uint32Array(to - from);
    if (old.length) wider.set(old, this.#from - from);
    this.#counts = wider;
    this.#from = from;
  }
}

/** Which of the counters is a duration's: what is the same for all that count it. */
export function bucketOf(nanos: number): number {
  number[0] = nanos < 1 ? 1 : nanos;
  return halves[1]! >>> SHIFT;
}

function middle(bucket: number): number {
  halves[1] = (bucket << SHIFT) | (1 << (SHIFT - 1));
  halves[0] = 0;
  return number[0]!;
}
