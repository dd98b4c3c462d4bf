import { enlarged } from './arrays.ts';

/**
 * How often each stack was seen in each thread: one row for each pair of a tree node and an origin, in the order in
 * which they first came. The rows of a node are a list, for there is mostly one.
 */
export class Rows {
  size = 0;
  node = new Int32Array(1024);
  origin = new Int32Array(1024);
  samples = new Int32Array(1024);
  /** Sum of the periods. */
  weight = new Float64Array(1024);
  /** By node, one more than its first row; 0 for none. By row, one more than the next of the same node. */
  #first = new Int32Array(1024);
  #next = new Int32Array(1024);

  /** Counts a sample, and returns its row. */
  add(node: number, origin: number, period: number): number {
    return this.addMany(node, origin, 1, period);
  }

  /** Counts samples with the sum of their periods, and returns their row. */
  addMany(node: number, origin: number, samples: number, weight: number): number {
    if (node >= this.#first.length) this.#first = enlarged(this.#first, node + 1);
    let row = this.#first[node]! - 1;
    while (row >= 0 && this.origin[row] !== origin) row = this.#next[row]! - 1;
    if (row < 0) row = this.#new(node, origin);
    this.samples[row]! += samples;
    this.weight[row]! += weight;
    return row;
  }

  #new(node: number, origin: number): number {
    const row = this.size++;
    if (row === this.node.length) this.#enlarge();
    this.node[row] = node;
    this.origin[row] = origin;
    this.#next[row] = this.#first[node]!;
    this.#first[node] = row + 1;
    return row;
  }

  #enlarge(): void {
    this.node = enlarged(this.node);
    this.origin = enlarged(this.origin);
    this.samples = enlarged(this.samples);
    this.#next = enlarged(this.#next);
    const weight = new Float64Array(this.weight.length * 2);
    weight.set(this.weight);
    this.weight = weight;
  }
}
