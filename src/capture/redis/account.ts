import type { Client, Ends, Ledger } from './ledger.ts';

/**
 * Where the commands of one connection count. Of one that is taken up in the middle that is a provisional ledger, until answers
 * show that what looks like commands are some: the middle of a value may look like them, too.
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
  /** Whether what was taken for commands turned out to be none. */
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

  /** What was counted until now counts. */
  prove(): void {
    this.#real.take(this.ledger);
    this.ledger = this.#real;
    this.client = this.#real.client(this.ends, false);
  }

  /** Nothing of what was counted until now counts. */
  drop(): void {
    this.disproved = true;
    this.#begin(false, this.ledger.statistics.joined === 0);
  }

  /** Nothing more comes: a server that has heard several commands and answered none heard the beginning of one. */
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
