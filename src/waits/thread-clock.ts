import { isRunnable, type Wait } from './categories.ts';
import type { Look } from './recording-line.ts';

/** A part of a thread's time between two looks, in µs: `run`, `delay` and the rest, in which it slept, are its length. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  run: number;
  /** In the queue of a CPU, or throttled. */
  delay: number;
  /** What it was seen to wait for at both ends; empty at an end at which it was runnable. */
  readonly before: readonly Wait[];
  readonly after: readonly Wait[];
  /** How much of its time each of the two looks stands for: half of what is between two looks. */
  readonly weight: number;
  /** It slept in one wait for the whole time, and did nothing else. */
  readonly isOneWait: boolean;
}

export const restOf = ({ from, to, run, delay }: Stretch): number => Math.max(0, to - from - run - delay);

interface SeenLook {
  readonly look: Look;
  readonly waits: readonly Wait[];
}

/** So long a stretch waits at most for the time in the queue that the kernel adds later, in µs. */
const LONGEST_HOLD_US = 5_000_000;

/** Looks at one thread → stretches of its time, in order and without gaps. */
export class ThreadClock {
  #last: SeenLook;
  /** Time that a look reported and that did not fit before it: the counters of the kernel lag behind by some ms. */
  #early = { run: 0, delay: 0 };
  /**
   * Stretches at whose end the thread was runnable. The kernel adds the time in a queue when it ends, however long it was: it
   * is put back to where it was spent.
   */
  readonly #held: Stretch[] = [];
  readonly #emit: (stretch: Stretch) => void;

  constructor(look: Look, waits: readonly Wait[], emit: (stretch: Stretch) => void) {
    this.#last = { look, waits };
    this.#emit = emit;
  }

  get last(): Look {
    return this.#last.look;
  }

  /** `tickUs` is the time since it was seen last as it was at the look before: until then nothing had changed. */
  look(look: Look, waits: readonly Wait[], tickUs: number): void {
    const { look: last, waits: before } = this.#last;
    if (look.at <= last.at) {
      // The sampler looked twice at the same moment: what has been counted since stays to be counted.
      this.#last = { look: { ...look, at: last.at, runNs: last.runNs, delayNs: last.delayNs }, waits };
      return;
    }
    this.#last = { look, waits };
    const grownRun = Math.max(0, look.runNs - last.runNs) / 1000;
    const grownDelay = Math.max(0, look.delayNs - last.delayNs) / 1000;
    const hasRun = look.slices !== last.slices || grownRun > 0 || grownDelay > 0;
    const wasAsleep = !isRunnable(last.state);
    if (!hasRun && wasAsleep && !isRunnable(look.state)) {
      const isOneWait = before.length > 0 && sameWaits(before, waits);
      const weight = (look.at - last.at) / 2;
      this.#add({ from: last.at, to: look.at, run: 0, delay: 0, before, after: waits, weight, isOneWait });
      this.#flush();
      return;
    }
    let from = last.at;
    const busy = grownRun + grownDelay + this.#early.run + this.#early.delay;
    // A thread that is woken and stands in a queue looks as if it slept on, until it runs: then a long delay began before.
    const until = look.at - tickUs - (grownDelay + this.#early.delay > tickUs ? busy : 0);
    if (wasAsleep && until > from) {
      this.#addWait(from, until, before);
      from = until;
    }
    const weight = Math.min(look.at - from, tickUs) / 2;
    this.#change({ from, to: look.at, before, after: waits, weight }, grownRun, grownDelay);
    if (!isRunnable(look.state)) this.#flush();
    else this.#flush(look.at - LONGEST_HOLD_US);
  }

  /** The thread has ended: until a tick before, it was as it was seen last. */
  gone(at: number, tickUs: number): void {
    const { look, waits } = this.#last;
    if (!isRunnable(look.state) && at - tickUs > look.at) this.#addWait(look.at, at - tickUs, waits);
    this.#flush();
  }

  #addWait(from: number, to: number, waits: readonly Wait[]): void {
    const weight = (to - from) / 2;
    this.#add({ from, to, run: 0, delay: 0, before: waits, after: waits, weight, isOneWait: true });
  }

  #change(
    { from, to, before, after, weight }: Pick<Stretch, 'from' | 'to' | 'before' | 'after' | 'weight'>,
    grownRun: number,
    grownDelay: number,
  ): void {
    let run = grownRun + this.#early.run;
    let delay = grownDelay + this.#early.delay;
    let excess = run + delay - (to - from);
    for (let at = this.#held.length - 1; at >= 0 && excess > 0; at -= 1) {
      const held = this.#held[at]!;
      const moved = Math.min(excess, restOf(held));
      const movedDelay = Math.min(moved, delay);
      held.delay += movedDelay;
      held.run += moved - movedDelay;
      delay -= movedDelay;
      run -= moved - movedDelay;
      excess -= moved;
    }
    const [early, earlyDelay] = excess > 0 ? [Math.min(excess, run), Math.max(0, excess - run)] : [0, 0];
    this.#early = { run: early, delay: earlyDelay };
    this.#add({
      ...{ from, to, before, after, weight },
      run: run - early,
      delay: delay - earlyDelay,
      isOneWait: false,
    });
  }

  #add(stretch: Stretch): void {
    if (stretch.to > stretch.from) this.#held.push(stretch);
  }

  /** Gives away what is held, or only what ended before a time. */
  #flush(before = Number.POSITIVE_INFINITY): void {
    const left = this.#held.findIndex(({ to }) => to > before);
    for (const stretch of this.#held.splice(0, left < 0 ? this.#held.length : left)) {
      // Runnable at both looks, and it has not run: it was in the queue, even if the kernel has not counted that yet.
      const isQueued = !stretch.isOneWait && stretch.before.length + stretch.after.length === 0;
      if (isQueued && stretch.run === 0) stretch.delay += restOf(stretch);
      this.#emit(stretch);
    }
  }
}

const sameWaits = (one: readonly Wait[], other: readonly Wait[]): boolean =>
  one === other ||
  (one.length === other.length &&
    one.every(
      ({ category, what, peer }, at) =>
        category === other[at]!.category &&
        what === other[at]!.what &&
        peer?.address === other[at]!.peer?.address &&
        peer?.port === other[at]!.peer?.port,
    ));
