import type { Client, CommandRecorder, ConnectionEnds } from './recorder.ts';

/**
 * The recorder in which the commands of one connection are counted. If the capture begins within the connection, the recorder is
 * provisional until replies show that these are commands: the middle of a value may look like commands, too.
 */
export class Account {
  readonly #real: CommandRecorder;
  recorder: CommandRecorder;
  client!: Client;
  ends!: ConnectionEnds;
  /** Commands since the connection began, and replies to them. */
  commands = 0;
  replies = 0;
  /** Whether the server sent anything. */
  hasServerData = false;
  /** Whether the supposed commands turned out not to be commands. */
  disproved = false;

  constructor(recorder: CommandRecorder) {
    this.#real = recorder;
    this.recorder = recorder;
  }

  /** `isSure`: it is known that commands follow; `began`: the SYN is in the capture. */
  open(ends: ConnectionEnds, isSure: boolean, began: boolean): void {
    this.ends = ends;
    this.hasServerData = false;
    this.disproved = false;
    this.#begin(isSure, began);
  }

  get isProvisional(): boolean {
    return this.recorder !== this.#real;
  }

  /** Keeps what was counted until now. */
  confirm(): void {
    this.#real.merge(this.recorder);
    this.recorder = this.#real;
    this.client = this.#real.clientOf(this.ends, false);
  }

  /** Discards what was counted until now. */
  discard(): void {
    this.disproved = true;
    this.#begin(false, this.recorder.statistics.joined === 0);
  }

  /** The connection is over: if the server answered none of several commands, they were only the beginning of one. */
  close(): void {
    if (!this.isProvisional || this.commands === 0) return;
    if (this.replies > 0 || this.commands === 1 || !this.hasServerData) this.confirm();
  }

  #begin(isSure: boolean, began: boolean): void {
    this.recorder = isSure ? this.#real : this.#real.provisional();
    const { statistics } = this.recorder;
    statistics.connections += 1;
    if (!began) statistics.joined += 1;
    this.client = this.recorder.clientOf(this.ends);
    this.commands = 0;
    this.replies = 0;
  }
}
