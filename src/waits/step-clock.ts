/** In µs: fine enough to see half a minute change, and it has 25 looks, so that shares within a step mean something. */
const FIRST_STEP_US = 500_000;
/** If there are more steps, two become one. */
const MOST_STEPS = 720;

/** The steps of time into which a recording is divided, for the picture. All threads share them. */
export class StepClock {
  stepUs = FIRST_STEP_US;
  #end = 0;
  readonly #halve: () => void;

  /** `halve` is called when two steps become one. */
  constructor(halve: () => void) {
    this.#halve = halve;
  }

  /** The recording reaches this time. */
  reach(at: number): void {
    this.#end = Math.max(this.#end, at);
    while (this.#end / this.stepUs > MOST_STEPS) {
      this.stepUs *= 2;
      this.#halve();
    }
  }

  get count(): number {
    return Math.ceil(this.#end / this.stepUs);
  }

  stepOf(at: number): number {
    return Math.max(0, Math.floor(at / this.stepUs));
  }
}
