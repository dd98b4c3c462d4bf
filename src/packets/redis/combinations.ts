import { grown } from '../columns.ts';

const MOST = 50_000;
const EMPTY = -1;

/** How often a client, a command and a pattern came together, each by its number; a pattern of -1: no key. */
export interface Combination {
  readonly client: number;
  readonly command: number;
  readonly pattern: number;
  readonly calls: number;
}

/** Counts combinations, in order of appearance. In arrays: put in one number, three are too large for a Map to find at once. */
export class Combinations implements Iterable<Combination> {
  size = 0;
  /** Calls of those beyond the first 50,000 combinations. */
  left = 0;
  #clients = new Int32Array(64);
  #commands = new Int32Array(64);
  #patterns = new Int32Array(64);
  #calls = new Uint32Array(64);
  /** Open addressing. */
  #table = new Int32Array(256).fill(EMPTY);

  add(client: number, command: number, pattern: number, calls = 1): void {
    const mask = this.#table.length - 1;
    let slot = hash(client, command, pattern) & mask;
    for (;;) {
      const at = this.#table[slot]!;
      if (at === EMPTY) break;
      if (this.#patterns[at] === pattern && this.#clients[at] === client && this.#commands[at] === command) {
        this.#calls[at]! += calls;
        return;
      }
      slot = (slot + 1) & mask;
    }
    if (this.size === MOST) {
      this.left += calls;
      return;
    }
    const at = this.size++;
    this.#clients = grown(this.#clients, this.size);
    this.#commands = grown(this.#commands, this.size);
    this.#patterns = grown(this.#patterns, this.size);
    this.#calls = grown(this.#calls, this.size);
    this.#clients[at] = client;
    this.#commands[at] = command;
    this.#patterns[at] = pattern;
    this.#calls[at] = calls;
    this.#table[slot] = at;
    if (2 * this.size > this.#table.length) this.#widen();
  }

  *[Symbol.iterator](): Generator<Combination> {
    for (let at = 0; at < this.size; at += 1) yield this.read(at);
  }

  /** The combination that appeared after `at` others. */
  read(at: number): Combination {
    return {
      client: this.#clients[at]!,
      command: this.#commands[at]!,
      pattern: this.#patterns[at]!,
      calls: this.#calls[at]!,
    };
  }

  calls(at: number): number {
    return this.#calls[at]!;
  }

  #widen(): void {
    const wider = new Int32Array(4 * this.#table.length).fill(EMPTY);
    for (let at = 0; at < this.size; at += 1) {
      let slot = hash(this.#clients[at]!, this.#commands[at]!, this.#patterns[at]!) & (wider.length - 1);
      while (wider[slot] !== EMPTY) slot = (slot + 1) & (wider.length - 1);
      wider[slot] = at;
    }
    this.#table = wider;
  }
}

function hash(client: number, command: number, pattern: number): number {
  const mixed = Math.imul(Math.imul(client ^ (command << 20), 0x9e3779b1) ^ pattern, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
