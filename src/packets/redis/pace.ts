/** A connection is quiet after this many times the recent latency of replies, and at least this many nanoseconds. */
const PATIENCE = 4;
const QUIET = 2e5;
/** The assumed latency as long as no reply was seen. */
const SLOW = 1e7;

/** The recent latency of replies, and the time of the last message. */
export class Pace {
  /** When the last command or part of a reply came. */
  lastAt = 0;
  #latency = SLOW;

  reset(): void {
    this.lastAt = 0;
    this.#latency = SLOW;
  }

  answered(latency: number): void {
    this.#latency = this.#latency === SLOW ? latency : this.#latency + (latency - this.#latency) / 8;
  }

  /** Whether there was no message for a while before `now`. */
  isQuiet(now: number): boolean {
    return now - this.lastAt >= Math.max(QUIET, PATIENCE * this.#latency);
  }
}
