import { grown } from './columns.ts';
import { type ConversationTable, mostFirst } from './conversations.ts';

const KEYS = 3;
const COUNTS = 4;

/** An address, with or without a port, and what it sent and received. */
export interface Endpoint {
  /** A number of Addresses. */
  readonly address: number;
  readonly six: boolean;
  /** 0 if the conversations have no ports. */
  readonly port: number;
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly receivedFrames: number;
  readonly receivedBytes: number;
}

/** The endpoints of conversations, with what each sent and received. They are computed from the complete table. */
export class Endpoints {
  #keys = new Int32Array(KEYS * 64);
  #counts = new Float64Array(COUNTS * 64);
  #table = new Int32Array(128).fill(-1);
  #rows = 0;

  constructor(conversations: ConversationTable) {
    for (let row = 0; row < conversations.rows; row += 1) {
      const each = conversations.read(row);
      const { a, b, six, aPort, bPort } = each;
      this.#count(a, aPort, six, each.framesToB, each.bytesToB, each.framesToA, each.bytesToA);
      this.#count(b, bPort, six, each.framesToA, each.bytesToA, each.framesToB, each.bytesToB);
    }
  }

  /** The endpoints of one version of IP or of both, most packets first; ties in order of appearance. */
  *all(six?: boolean): Generator<Endpoint> {
    const counts = this.#counts;
    const frames = (row: number) => counts[COUNTS * row]! + counts[COUNTS * row + 2]!;
    for (const row of mostFirst(this.#rows, frames)) {
      const each = this.#read(row);
      if (six === undefined || each.six === six) yield each;
    }
  }

  /** How many there are of both versions of IP or of one. */
  count(six?: boolean): number {
    let count = 0;
    for (let row = 0; row < this.#rows; row += 1)
      if (six === undefined || this.#read(row).six === six) count += 1;
    return count;
  }

  #count(
    address: number,
    port: number,
    six: boolean,
    sent: number,
    sentBytes: number,
    received: number,
    receivedBytes: number,
  ): void {
    const at = COUNTS * this.#row(address, port, six ? 6 : 4);
    this.#counts[at]! += sent;
    this.#counts[at + 1]! += sentBytes;
    this.#counts[at + 2]! += received;
    this.#counts[at + 3]! += receivedBytes;
  }

  #row(address: number, port: number, version: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    let slot = hash(address, port) & mask;
    for (;;) {
      const row = table[slot]!;
      if (row < 0) break;
      const at = KEYS * row;
      if (this.#keys[at] === address && this.#keys[at + 1] === port && this.#keys[at + 2] === version)
        return row;
      slot = (slot + 1) & mask;
    }
    const row = this.#rows;
    this.#rows += 1;
    this.#keys = grown(this.#keys, KEYS * this.#rows);
    this.#counts = grown(this.#counts, COUNTS * this.#rows);
    this.#keys.set([address, port, version], KEYS * row);
    table[slot] = row;
    if (2 * this.#rows > table.length) this.#rehash();
    return row;
  }

  #rehash(): void {
    const table = new Int32Array(2 * this.#table.length).fill(-1);
    const mask = table.length - 1;
    for (let row = 0; row < this.#rows; row += 1) {
      let slot = hash(this.#keys[KEYS * row]!, this.#keys[KEYS * row + 1]!) & mask;
      while (table[slot]! >= 0) slot = (slot + 1) & mask;
      table[slot] = row;
    }
    this.#table = table;
  }

  #read(row: number): Endpoint {
    const at = COUNTS * row;
    return {
      address: this.#keys[KEYS * row]!,
      port: this.#keys[KEYS * row + 1]!,
      six: this.#keys[KEYS * row + 2] === 6,
      sentFrames: this.#counts[at]!,
      sentBytes: this.#counts[at + 1]!,
      receivedFrames: this.#counts[at + 2]!,
      receivedBytes: this.#counts[at + 3]!,
    };
  }
}

function hash(address: number, port: number): number {
  const mixed = Math.imul(address ^ Math.imul(port + 1, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
