import { TICKS_PER_SECOND } from '../profile.ts';

/** Entries that are kept as they come; with more, samples are put together in bins. */
const MOST = 2_000_000;
/** Bins wider than this show nothing of when a sample was: then the times are given up. */
const WIDEST_BIN = TICKS_PER_SECOND;

/** Seconds on perf's clock in ticks: whole numbers, so that differences of differences are exact. */
export const ticksOf = (seconds: number): number => Math.round(seconds * TICKS_PER_SECOND);

/**
 * When each sample was, and which row (stack and thread) it was of: 8 bytes a sample. Above two million entries, samples
 * of the same row within a bin become one entry with a count; the bins double as often as that is needed.
 */
export class SampleTimesBuilder {
  /** Ticks since the first sample; samples of several processors do not come quite in order. */
  at = new Int32Array(4096);
  row = new Int32Array(4096);
  /** How many samples an entry is; undefined while each is one. */
  samples: Uint32Array | undefined;
  size = 0;
  /** In ticks; 0 while nothing was put together. */
  binTicks = 0;
  /** The input has no times, or so many different stacks over time that bins do not help. */
  givenUp = false;
  readonly #most: number;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** `ticks` since the first sample; NaN where the sample has no time. */
  add(ticks: number, row: number): void {
    if (this.givenUp) return;
    if (!(Math.abs(ticks) <= 0x7fffffff)) {
      this.givenUp = true;
      return;
    }
    if (this.size === this.at.length) this.#makeRoom();
    if (this.givenUp) return;
    this.at[this.size] = this.binTicks ? Math.floor(ticks / this.binTicks) * this.binTicks : ticks;
    this.row[this.size] = row;
    if (this.samples) this.samples[this.size] = 1;
    this.size += 1;
  }

  #makeRoom(): void {
    if (this.size < this.#most) {
      const length = Math.min(this.#most, this.at.length * 2);
      this.at = copyTo(new Int32Array(length), this.at);
      this.row = copyTo(new Int32Array(length), this.row);
      return;
    }
    this.samples ??= new Uint32Array(this.size).fill(1);
    this.binTicks = this.binTicks ? this.binTicks : 50;
    for (;;) {
      this.binTicks *= 2;
      this.#merge();
      if (this.size <= this.#most / 2) return;
      if (this.binTicks >= WIDEST_BIN) {
        this.givenUp = true;
        return;
      }
    }
  }

  #merge(): void {
    const { size, binTicks } = this;
    const samples = this.samples!;
    const order = new Float64Array(size);
    // Bin and entry in one number, sorted as one: the bin is below 2^31, the entry below 2^21.
    for (let each = 0; each < size; each += 1)
      order[each] = (Math.floor(this.at[each]! / binTicks) + 2 ** 31) * 2 ** 21 + each;
    order.sort();
    const at = new Int32Array(this.at.length);
    const row = new Int32Array(this.at.length);
    const merged = new Uint32Array(this.at.length);
    const inBin = new Map<number, number>();
    let used = 0;
    let bin = Number.NaN;
    for (const key of order) {
      const entry = key % 2 ** 21;
      const here = (Math.floor(key / 2 ** 21) - 2 ** 31) * binTicks;
      if (here !== bin) {
        inBin.clear();
        bin = here;
      }
      const known = inBin.get(this.row[entry]!);
      if (known !== undefined) {
        merged[known]! += samples[entry]!;
        continue;
      }
      inBin.set(this.row[entry]!, used);
      at[used] = here;
      row[used] = this.row[entry]!;
      merged[used] = samples[entry]!;
      used += 1;
    }
    this.at = at;
    this.row = row;
    this.samples = merged;
    this.size = used;
  }
}

function copyTo(target: Int32Array<ArrayBuffer>, source: Int32Array): Int32Array<ArrayBuffer> {
  target.set(source);
  return target;
}
