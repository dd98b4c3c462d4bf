import { type Wait, waitKey } from './categories.ts';
import type { GroupTimes } from './group-times.ts';
import type { StepClock } from './step-clock.ts';
import { restOf, type Stretch } from './thread-clock.ts';

const RUNNING: Wait = { category: 'running' };
const THROTTLED: Wait = { category: 'throttled' };
const QUEUED: Wait = { category: 'queued' };
const UNSEEN: Wait = { category: 'other', what: 'sleeps that no look saw' };

/** How often each wait was seen, as µs of the time around the looks. */
class SeenWaits {
  readonly #seen = new Map<string, { readonly wait: Wait; us: number }>();
  #sum = 0;

  add(waits: readonly Wait[], us: number): void {
    if (waits.length > 0) this.#sum += us;
    for (const wait of waits) {
      const key = waitKey(wait);
      const known = this.#seen.get(key);
      if (known) known.us += us / waits.length;
      else this.#seen.set(key, { wait, us: us / waits.length });
    }
  }

  /** Divides a time by how often each was seen. False if none was seen. */
  divide(us: number, give: (wait: Wait, us: number) => void): boolean {
    if (this.#sum <= 0) return false;
    for (const { wait, us: seen } of this.#seen.values()) give(wait, (us * seen) / this.#sum);
    return true;
  }
}

/**
 * The time of one thread, given to its group. Times on a CPU and in a queue are exact. What is left, in which it slept, is
 * exact while it slept in one wait; where it woke up in between, it is divided by how often the looks in the same step saw each
 * wait: a look that finds it on a CPU says nothing about its sleeps.
 */
export class ThreadTimes {
  group: GroupTimes;
  readonly #clock: StepClock;
  #step = -1;
  #slept = 0;
  #seen = new SeenWaits();
  readonly #seenInAll = new SeenWaits();
  /** Sleeps in steps in which no look saw one. */
  readonly #unseen: Array<{ readonly group: GroupTimes; step: number; readonly us: number }> = [];

  constructor(group: GroupTimes, clock: StepClock) {
    this.group = group;
    this.#clock = clock;
  }

  /** Takes a stretch, of whose delay `throttled` µs were spent throttled. */
  add(stretch: Stretch, throttled: number): void {
    const { from, to, run, delay, before, after, weight, isOneWait } = stretch;
    const rest = restOf(stretch);
    const { stepUs } = this.#clock;
    for (let at = from; at < to; ) {
      const step = this.#clock.stepOf(at);
      const end = Math.min(to, (step + 1) * stepUs);
      const share = (end - at) / (to - from);
      if (step !== this.#step) this.#close(step);
      this.group.add(RUNNING, run * share, step);
      this.group.add(THROTTLED, throttled * share, step);
      this.group.add(QUEUED, (delay - throttled) * share, step);
      if (isOneWait) {
        for (const wait of before) this.group.add(wait, (rest * share) / before.length, step);
        this.#seenInAll.add(before, end - at);
      } else {
        this.#slept += rest * share;
        for (const waits of [before, after])
          for (const seen of [this.#seen, this.#seenInAll]) seen.add(waits, weight * share);
      }
      at = end;
    }
  }

  /** Two steps become one. */
  halve(): void {
    if (this.#step > 0) this.#step >>= 1;
    for (const each of this.#unseen) each.step >>= 1;
  }

  /** Its next stretches belong to another group, because its name has changed. */
  moveTo(group: GroupTimes): void {
    this.#close(-1);
    this.group = group;
  }

  /** All stretches were given. */
  end(): void {
    this.#close(-1);
    for (const { group, step, us } of this.#unseen)
      if (!this.#seenInAll.divide(us, (wait, part) => group.add(wait, part, step)))
        group.add(UNSEEN, us, step);
    this.#unseen.length = 0;
  }

  #close(next: number): void {
    const { group } = this;
    const step = this.#step;
    if (this.#slept > 0 && !this.#seen.divide(this.#slept, (wait, us) => group.add(wait, us, step)))
      this.#unseen.push({ group, step, us: this.#slept });
    this.#step = next;
    this.#slept = 0;
    this.#seen = new SeenWaits();
  }
}
