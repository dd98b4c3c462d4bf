import { grown } from '../columns.ts';
import { Durations } from '../durations.ts';

/** The numbers of a group, one behind the other. */
const WIDTH = 7;
const CALLS = 0;
const ERRORS = 1;
const BYTES_IN = 2;
const BYTES_OUT = 3;
/** How many latencies there are, and the first two of them: many groups have no more. */
const TIMED = 4;
const FIRST = 5;
const SECOND = 6;

/** What is known of a group of commands: those of one client, of one server, of one name, or with one pattern of key. */
export interface Group {
  readonly key: number;
  /** Commands with a reply. */
  readonly calls: number;
  readonly errors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly latency: Durations;
}

/**
 * Groups of commands by a number. They are kept in columns, because a capture may have 100,000 clients, and as objects these
 * would need five times as much memory.
 */
export class GroupTable implements Iterable<Group> {
  /** Rows by key, in order of appearance. */
  readonly #rows = new Map<number, number>();
  #numbers = new Float64Array(4 * WIDTH);
  /** By row, from the third latency on. */
  readonly #latencies: Array<Durations | undefined> = [];

  get size(): number {
    return this.#rows.size;
  }

  /** The keys by row. */
  get keys(): readonly number[] {
    return [...this.#rows.keys()];
  }

  has(key: number): boolean {
    return this.#rows.has(key);
  }

  /** The row of a group. Rows are numbered from 0 in order of appearance. */
  rowOf(key: number): number {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(key, row);
      this.#numbers = grown(this.#numbers, WIDTH * (row + 1));
      this.#latencies.push(undefined);
    }
    return row;
  }

  /** Counts a command; sizes in bytes, `latency` in nanoseconds, `bucket` as `bucketOf` gives it. */
  count(
    row: number,
    size: number,
    replySize: number,
    latency: number | undefined,
    bucket: number,
    failed: boolean,
  ): void {
    const numbers = this.#numbers;
    const at = WIDTH * row;
    numbers[at + CALLS]! += 1;
    numbers[at + BYTES_IN]! += size;
    numbers[at + BYTES_OUT]! += replySize;
    if (failed) numbers[at + ERRORS]! += 1;
    if (latency === undefined) return;
    const timed = numbers[at + TIMED]!;
    numbers[at + TIMED] = timed + 1;
    if (timed < 2) {
      numbers[at + FIRST + timed] = latency;
      return;
    }
    let all = this.#latencies[row];
    if (!all) {
      all = this.#latency(row, 2);
      this.#latencies[row] = all;
    }
    all.add(latency, bucket);
  }

  /** A reply that was counted already has so many bytes more. */
  addReplyBytes(row: number, bytes: number): void {
    this.#numbers[WIDTH * row + BYTES_OUT]! += bytes;
  }

  calls(row: number): number {
    return this.#numbers[WIDTH * row + CALLS]!;
  }

  read(row: number, key: number): Group {
    const at = WIDTH * row;
    const numbers = this.#numbers;
    return {
      key,
      calls: numbers[at + CALLS]!,
      errors: numbers[at + ERRORS]!,
      bytesIn: numbers[at + BYTES_IN]!,
      bytesOut: numbers[at + BYTES_OUT]!,
      latency: this.#latencies[row] ?? this.#latency(row, numbers[at + TIMED]!),
    };
  }

  /** In order of appearance. */
  *[Symbol.iterator](): Generator<Group> {
    for (const [key, row] of this.#rows) yield this.read(row, key);
  }

  /** Takes over what another table has counted. */
  merge(other: GroupTable): void {
    for (const [key, theirs] of other.#rows) {
      const row = this.rowOf(key);
      const at = WIDTH * row;
      const from = WIDTH * theirs;
      for (const column of [CALLS, ERRORS, BYTES_IN, BYTES_OUT])
        this.#numbers[at + column]! += other.#numbers[from + column]!;
      const added = other.#numbers[from + TIMED]!;
      if (added === 0) continue;
      const latency = this.#latencies[row] ?? this.#latency(row, this.#numbers[at + TIMED]!);
      latency.merge(other.#latencies[theirs] ?? other.#latency(theirs, added));
      const timed = this.#numbers[at + TIMED]! + added;
      this.#numbers[at + TIMED] = timed;
      if (timed > 2) this.#latencies[row] = latency;
      else {
        this.#numbers[at + FIRST] = latency.least;
        this.#numbers[at + SECOND] = latency.most;
      }
    }
  }

  /** The first latencies of a row, at most two. */
  #latency(row: number, count: number): Durations {
    const latency = new Durations();
    for (let place = 0; place < count; place += 1) latency.add(this.#numbers[WIDTH * row + FIRST + place]!);
    return latency;
  }
}
