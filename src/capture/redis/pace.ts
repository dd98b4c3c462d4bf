/** It is quiet after so many times what replies take of late, and so many nanoseconds at least. */
const PATIENCE = 4;
const QUIET = 2e5;
/** What a reply may take while none was seen. */
const SLOW = 1e7;

/** How long replies take of late, and when something was last said. */
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

  /** Whether nothing was said for a while before `now`. */
  isQuiet(now: number): boolean {
    return now - this.lastAt >= Math.max(QUIET, PATIENCE * this.#latency);
  }
}
