import { Durations } from './durations.ts';

/** What happened in one step of time. */
export interface TimelineStep {
  /** Seconds since the first packet, of the step's beginning. */
  readonly at: number;
  packets: number;
  bytes: number;
  retransmissions: number;
  commands: number;
  readonly latency: Durations;
}

/** At most this many steps are kept and printed; if there are more, two become one. */
const MOST = 3600;

/** Packets, bytes and what went on in them, second by second; longer steps where those would be too many. */
export class PacketTimeline {
  /** Seconds of a step. */
  step = 1;
  /** By number; a step in which nothing was is not there. */
  #steps = new Map<number, TimelineStep>();
  #last: TimelineStep | undefined;
  #lastNumber = Number.NaN;

  packet(now: number, bytes: number): void {
    const step = this.#at(now);
    step.packets += 1;
    step.bytes += bytes;
  }

  retransmission(now: number): void {
    this.#at(now).retransmissions += 1;
  }

  command(now: number, latency: number | undefined): void {
    const step = this.#at(now);
    step.commands += 1;
    if (latency !== undefined) step.latency.add(latency);
  }

  /** Makes the steps so long that they are not too many, the empty ones between them included. */
  end(): void {
    while (this.#between().reduce((sum, { empties }) => sum + 1 + empties, 0) > MOST) this.#halve();
  }

  /** In order of time, the empty ones between them included; those of a clock that jumped far are left out. */
  *steps(): Generator<TimelineStep> {
    for (const { number, empties } of this.#between()) {
      for (let back = empties; back > 0; back -= 1) yield empty((number - back) * this.step);
      yield this.#steps.get(number)!;
    }
  }

  /** The places of the steps that come after some that are left out. */
  jumps(): ReadonlySet<number> {
    const jumps = new Set<number>();
    let place = 0;
    for (const { empties, isJump } of this.#between()) {
      place += empties;
      if (isJump) jumps.add(place);
      place += 1;
    }
    return jumps;
  }

  /** The steps in which something happened, each with the number of empty steps that are printed before it. */
  #between(): Array<{ readonly number: number; readonly empties: number; readonly isJump: boolean }> {
    const numbers = [...this.#steps.keys()].sort((one, other) => one - other);
    return numbers.map((number, at) => {
      const gap = at === 0 ? 0 : number - numbers[at - 1]! - 1;
      return { number, empties: gap <= MOST ? gap : 0, isJump: gap > MOST };
    });
  }

  #at(now: number): TimelineStep {
    const number = Math.floor(now / 1e9 / this.step);
    if (number === this.#lastNumber) return this.#last!;
    let step = this.#steps.get(number);
    if (!step) {
      if (this.#steps.size >= MOST) {
        this.#halve();
        return this.#at(now);
      }
      step = empty(number * this.step);
      this.#steps.set(number, step);
    }
    this.#last = step;
    this.#lastNumber = number;
    return step;
  }

  #halve(): void {
    const before = this.#steps;
    this.step *= 2;
    this.#steps = new Map();
    this.#lastNumber = Number.NaN;
    for (const [number, step] of before) {
      const half = Math.floor(number / 2);
      const into = this.#steps.get(half);
      if (!into) this.#steps.set(half, { ...step, at: half * this.step });
      else {
        into.packets += step.packets;
        into.bytes += step.bytes;
        into.retransmissions += step.retransmissions;
        into.commands += step.commands;
        into.latency.merge(step.latency);
      }
    }
  }
}

const empty = (at: number): TimelineStep => ({
  at,
  packets: 0,
  bytes: 0,
  retransmissions: 0,
  commands: 0,
  latency: new Durations(),
});
