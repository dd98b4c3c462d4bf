import type { RecordingLine } from './recording-line.ts';

/** Another thread that had the CPU. */
export interface Neighbour {
  readonly container: string | undefined;
  /** Undefined for a thread of another pod. */
  readonly comm: string | undefined;
  /** How long threads of the target waited meanwhile. */
  readonly waitedNs: number;
}

/** Of more, only the first are kept. */
const MOST_NEIGHBOURS = 1000;

/** Who had the CPUs that threads of the target waited for. */
export class Neighbours {
  readonly #all = new Map<string, { -readonly [Key in keyof Neighbour]: Neighbour[Key] }>();

  add({ container, comm, waitedNs }: Extract<RecordingLine, { readonly kind: 'ran' }>): void {
    const key = `${container ?? ''}\0${comm ?? ''}`;
    const known = this.#all.get(key);
    if (known) known.waitedNs += waitedNs;
    else if (this.#all.size < MOST_NEIGHBOURS) this.#all.set(key, { container, comm, waitedNs });
  }

  /** By how long was waited for them, the longest first. */
  list(): Neighbour[] {
    return [...this.#all.values()].sort((one, other) => other.waitedNs - one.waitedNs);
  }
}
