import { enlarged } from '../arrays.ts';

/**
 * How often each stack occurred in each thread: one row for each pair of a stack and an origin, in the order of their first
 * occurrence. The rows of a stack form a list, because most stacks have only one.
 */
export class Rows {
  size = 0;
  stack = new Int32Array(1024);
  origin = new Int32Array(1024);
  samples = new Int32Array(1024);
  /** Sum of the periods. */
  weight = new Float64Array(1024);
  /** Sum of their squares. */
  squares = new Float64Array(1024);
  /** By stack, one more than its first row; 0 for none. By row, one more than the next of the same stack. */
  #first = new Int32Array(1024);
  #next = new Int32Array(1024);

  /** Counts a sample, and returns its row. */
  add(stack: number, origin: number, period: number): number {
    return this.addMany(stack, origin, 1, period, period * period);
  }

  /** Counts samples with the sum of their periods and of the squares of these, and returns their row. */
  addMany(stack: number, origin: number, samples: number, weight: number, squares: number): number {
    if (stack >= this.#first.length) this.#first = enlarged(this.#first, stack + 1);
    let row = this.#first[stack]! - 1;
    while (row >= 0 && this.origin[row] !== origin) row = this.#next[row]! - 1;
    if (row < 0) row = this.#new(stack, origin);
    this.samples[row]! += samples;
    this.weight[row]! += weight;
    this.squares[row]! += squares;
    return row;
  }

  #new(stack: number, origin: number): number {
    const row = this.size++;
    if (row === this.stack.length) this.#enlarge();
    this.stack[row] = stack;
    this.origin[row] = origin;
    this.#next[row] = this.#first[stack]!;
    this.#first[stack] = row + 1;
    return row;
  }

  #enlarge(): void {
    this.stack = enlarged(this.stack);
    this.origin = enlarged(this.origin);
    this.samples = enlarged(this.samples);
    this.#next = enlarged(this.#next);
    this.weight = doubled(this.weight);
    this.squares = doubled(this.squares);
  }
}

function doubled(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(numbers.length * 2);
  longer.set(numbers);
  return longer;
}
