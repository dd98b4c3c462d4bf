import type { Client, Ends, Ledger } from './ledger.ts';

/**
 * The ledger in which the commands of one connection are counted. If the capture begins within the connection, the ledger is
 * provisional until replies show that these are commands: the middle of a value may look like commands, too.
 */
export class Account {
  readonly #real: Ledger;
  ledger: Ledger;
  client!: Client;
  ends!: Ends;
  /** Commands since it began, and answers to them. */
  asked = 0;
  answers = 0;
  /** Whether the server said anything. */
  serverSpoke = false;
  /** Whether the supposed commands turned out not to be commands. */
  disproved = false;

  constructor(ledger: Ledger) {
    this.#real = ledger;
    this.ledger = ledger;
  }

  /** `isSure`: it is known that commands follow; `began`: the SYN is in the capture. */
  open(ends: Ends, isSure: boolean, began: boolean): void {
    this.ends = ends;
    this.serverSpoke = false;
    this.disproved = false;
    this.#begin(isSure, began);
  }

  get isOnTrial(): boolean {
    return this.ledger !== this.#real;
  }

  /** Keeps what was counted until now. */
  prove(): void {
    this.#real.take(this.ledger);
    this.ledger = this.#real;
    this.client = this.#real.client(this.ends, false);
  }

  /** Discards what was counted until now. */
  drop(): void {
    this.disproved = true;
    this.#begin(false, this.ledger.statistics.joined === 0);
  }

  /** The connection is over: if the server answered none of several commands, they were only the beginning of one. */
  close(): void {
    if (!this.isOnTrial || this.asked === 0) return;
    if (this.answers > 0 || this.asked === 1 || !this.serverSpoke) this.prove();
  }

  #begin(isSure: boolean, began: boolean): void {
    this.ledger = isSure ? this.#real : this.#real.provisional();
    const { statistics } = this.ledger;
    statistics.connections += 1;
    if (!began) statistics.joined += 1;
    this.client = this.ledger.client(this.ends);
    this.asked = 0;
    this.answers = 0;
  }
}
