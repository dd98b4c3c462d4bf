import type { Frame } from '../frame.ts';
import type { About, Profile, Thread, Unit } from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { treeOf } from '../tree.ts';

/** More threads than fit into memory. So are 2 ** 27 stacks, and the two numbers together are an exact double. */
const MOST_THREADS = 2 ** 26;

/** A thread without its counts. */
type ThreadName = Omit<Thread, 'samples' | 'weight'>;

/** A profile put together stack by stack, from the root to the leaf, as other tools' files hold them. */
export class ProfileBuilder {
  readonly #frames: Frame[] = [];
  readonly #frameNumbers = new Map<string, number>();
  readonly #threads: ThreadName[] = [];
  readonly #threadNumbers = new Map<string, number>();
  readonly #stacks = new Stacks('root first');
  /** By stack and thread as one number. */
  readonly #rows = new Map<number, number>();
  readonly #stackOf: number[] = [];
  readonly #threadOf: number[] = [];
  readonly #samples: number[] = [];
  readonly #weights: number[] = [];
  readonly #squares: number[] = [];

  /** The number of a frame; equal ones are one. */
  frame(frame: Frame): number {
    const key = `${frame.kind}\0${frame.unknown ? 1 : 0}\0${frame.dso}\0${frame.name}`;
    const known = this.#frameNumbers.get(key);
    if (known !== undefined) return known;
    this.#frameNumbers.set(key, this.#frames.length);
    return this.#frames.push(frame) - 1;
  }

  /** The number of a thread; `owned`: its cgroup and whose it is. */
  thread(comm: string, pid: number, tid: number, owned: Pick<ThreadName, 'cgroup' | 'owner'> = {}): number {
    // Two pods can have the same numbers, on two nodes.
    const { name, container = '' } = owned.owner ?? {};
    const key = [pid, tid, owned.cgroup ?? '', name ?? '', container, comm].join('\0');
    const known = this.#threadNumbers.get(key);
    if (known !== undefined) return known;
    this.#threadNumbers.set(key, this.#threads.length);
    return this.#threads.push({ comm, pid, tid, ...owned }) - 1;
  }

  /** Adds samples of a stack; -1 is no thread. `squares`: of what each sample weighs, by default all of them the same. */
  add(
    path: Int32Array,
    thread: number,
    samples: number,
    weight: number,
    squares = samples > 0 ? weight ** 2 / samples : 0,
  ): void {
    const stack = this.#stacks.number(path, 0, path.length);
    const key = stack * MOST_THREADS + thread + 1;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = this.#stackOf.push(stack) - 1;
      this.#rows.set(key, row);
      this.#threadOf.push(thread);
      this.#samples.push(0);
      this.#weights.push(0);
      this.#squares.push(0);
    }
    this.#samples[row]! += samples;
    this.#weights[row]! += weight;
    this.#squares[row]! += squares;
  }

  profile(about: About, event: string, unit: Unit): Profile {
    const samples = Float64Array.from(this.#samples);
    const weight = unit === 'samples' ? samples : Float64Array.from(this.#weights);
    const self = new Float64Array(this.#stacks.size);
    weight.forEach((each, row) => {
      self[this.#stackOf[row]!]! += each;
    });
    const { tree, place } = treeOf(this.#stacks, this.#frames, self);
    const counts = this.#threads.map(() => ({ samples: 0, weight: 0 }));
    this.#threadOf.forEach((thread, row) => {
      const count = counts[thread];
      if (!count) return;
      count.samples += samples[row]!;
      count.weight += weight[row]!;
    });
    return {
      about,
      event,
      unit,
      frames: this.#frames,
      tree,
      threads: this.#threads.map((thread, at) => ({ ...thread, ...counts[at]! })),
      stacks: {
        node: Int32Array.from(this.#stackOf, (stack) => place[stack]!),
        thread: Int32Array.from(this.#threadOf),
        samples,
        weight,
        ...(unit !== 'samples' && { squares: Float64Array.from(this.#squares) }),
      },
      timeline: undefined,
      samples: samples.reduce((sum, each) => sum + each, 0),
      idle: { samples: 0, leftOut: false },
      lost: undefined,
    };
  }
}
