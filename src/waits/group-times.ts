import { CATEGORIES, type Category, placeOfCategory, type Wait, waitKey } from './categories.ts';
import type { StepClock } from './step-clock.ts';
import type { GroupKey } from './thread-group.ts';

/** The time of the threads of a group, in µs. */
export class GroupTimes {
  readonly key: GroupKey;
  /** The names of its threads and of their processes, at most two of each: more are not needed to see that they differ. */
  readonly names = new Set<string>();
  readonly processNames = new Set<string>();
  threads = 0;
  readonly #totals = new Float64Array(CATEGORIES.length);
  readonly #waits = new Map<string, { readonly wait: Wait; us: number }>();
  /** By the number of the step. */
  #steps = new Map<number, Float64Array>();
  readonly #clock: StepClock;

  constructor(key: GroupKey, clock: StepClock) {
    this.key = key;
    this.#clock = clock;
  }

  add(wait: Wait, us: number, step: number): void {
    if (us <= 0) return;
    const place = placeOfCategory(wait.category);
    this.#totals[place]! += us;
    let figures = this.#steps.get(step);
    if (!figures) {
      figures = new Float64Array(CATEGORIES.length);
      this.#steps.set(step, figures);
    }
    figures[place]! += us;
    if (wait.peer === undefined && wait.what === undefined) return;
    const key = waitKey(wait);
    const known = this.#waits.get(key);
    if (known) known.us += us;
    else if (this.#waits.size < MOST_WAITS) this.#waits.set(key, { wait, us });
  }

  /** Two steps become one. */
  halve(): void {
    const before = this.#steps;
    this.#steps = new Map();
    for (const [number, figures] of before) {
      const into = this.#steps.get(number >> 1);
      if (!into) this.#steps.set(number >> 1, figures);
      else for (let at = 0; at < figures.length; at += 1) into[at]! += figures[at]!;
    }
  }

  get wallUs(): number {
    return this.#totals.reduce((sum, each) => sum + each, 0);
  }

  of(category: Category): number {
    return this.#totals[placeOfCategory(category)]!;
  }

  /** What its threads waited for, the longest first. */
  waits(): Array<{ readonly wait: Wait; readonly us: number }> {
    return [...this.#waits.values()].sort((one, other) => other.us - one.us);
  }

  /** The figures of each step up to the last one of the recording, in the order of the categories. */
  steps(): Float64Array[] {
    return Array.from(
      { length: this.#clock.count },
      (_, at) => this.#steps.get(at) ?? new Float64Array(CATEGORIES.length),
    );
  }
}

/** A program that takes a new lock for each request would otherwise fill the memory. */
const MOST_WAITS = 10_000;
