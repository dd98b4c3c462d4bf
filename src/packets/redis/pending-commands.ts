import type { PendingCommand } from './recorder.ts';

const NONE = -1;
/** No sequence number. */
const NEVER = 0.5;

/**
 * The commands of one connection that wait for their replies, in the order in which they were sent, and which of them a reply is
 * for.
 *
 * Replies carry no number: the next reply is for the first command. Where commands or replies are missing in the capture,
 * sequence numbers tell. A client that receives every reply before it sends the next command acknowledges all bytes before that
 * command's reply: the reply to the first command with an acknowledgment number begins at this number. If a client sends
 * commands while replies are still on their way (`#overlaps`), sequence numbers tell nothing.
 */
export class PendingCommands {
  /** Whether the client ever sent a command before it received anything new, and before it had received everything. */
  isPipelined = false;
  #overlaps = false;
  /** Whether the client is known to have received every reply before it sent its next command. */
  #waitsForReplies = false;
  /** Whether replies were matched on the assumption that the client does not overlap. */
  #assumesNoOverlap = false;
  /** From `#first` to `#end`. It never gets shorter, for then the next one would have to make room again. */
  #commands: PendingCommand[] = [];
  #first = 0;
  #end = 0;
  /** The first command before which others are missing. */
  #gap = NONE;
  /** Whether commands are missing before the next one, and the acknowledgment number of the first command after them. */
  #missing = false;
  #isFirst = false;
  #ackAfterGap = NEVER;
  #lastAck = NEVER;
  readonly #lost: (command: PendingCommand) => void;

  /** `lost` is called for every command whose reply will not be known. */
  constructor(lost: (command: PendingCommand) => void) {
    this.#lost = lost;
  }

  /** Begins another connection. No command may be waiting. */
  reset(): void {
    this.isPipelined = false;
    this.#overlaps = false;
    this.#waitsForReplies = false;
    this.#assumesNoOverlap = false;
    this.#missing = false;
    this.#lastAck = NEVER;
  }

  get length(): number {
    return this.#end - this.#first;
  }

  /** The command whose reply comes next, if nothing is missing. */
  get next(): PendingCommand | undefined {
    return this.#first === this.#end ? undefined : this.#commands[this.#first];
  }

  /** Whether commands are missing before the first one. */
  get hasGapFirst(): boolean {
    return this.#gap !== NONE && this.#gap === this.#first;
  }

  /** Whether the reply to the first command with an acknowledgment number begins at this number, as far as is known. */
  get canMatchByAck(): boolean {
    return !this.#overlaps && (!this.isPipelined || this.#assumesNoOverlap || this.#waitsForReplies);
  }

  /** Commands are missing before the next one; `quiet`: the next one is known to be the first of those that were sent together. */
  skipCommands(quiet: boolean): void {
    this.#missing = true;
    this.#isFirst = quiet;
    this.#ackAfterGap = NEVER;
    if (!quiet) this.#assumesNoOverlap = true;
  }

  /** Adds the next command; `whole`: the capture has every reply that the client had received. */
  add(command: PendingCommand, whole: boolean): void {
    const isFirst = this.#lastAck === NEVER;
    command.isFirstWithAck = command.ack !== this.#lastAck;
    this.#lastAck = command.ack;
    if (!command.isFirstWithAck && this.length > 0) this.#setPipelined();
    if (command.isFirstWithAck && whole && !isFirst && !this.#assumesNoOverlap) {
      if (this.length > 0) this.#overlaps = true;
      else this.#waitsForReplies = true;
    }
    if (this.#missing && this.#isUnsure(command.ack)) {
      this.#lost(command);
      return;
    }
    if (this.#missing) {
      this.#missing = false;
      command.isAfterGap = true;
      if (this.#gap === NONE) this.#gap = this.#end;
    }
    this.#commands[this.#end++] = command;
  }

  /** Several commands are sent at a time. If that shows only now, the command after a gap may not have been the first of them. */
  #setPipelined(): void {
    if (this.isPipelined) return;
    this.isPipelined = true;
    const last = this.#commands[this.#end - 1]!;
    if (!last.isAfterGap || this.#isFirst) return;
    this.#end -= 1;
    this.#gap = this.#nextGap(this.#first);
    this.#missing = true;
    this.#ackAfterGap = last.ack;
    this.#lost(last);
  }

  /** Whether the first of those that were sent together with this one may be missing. */
  #isUnsure(ack: number): boolean {
    if (!this.isPipelined || this.#isFirst) return false;
    if (this.#ackAfterGap === NEVER) this.#ackAfterGap = ack;
    return this.#ackAfterGap === ack;
  }

  /** The command of the reply that begins at `start`; `unseen` if the command is missing, `lost` if the assumption was wrong. */
  commandOf(start: number): PendingCommand | 'unseen' | 'lost' {
    if (this.#gap !== NONE) this.#skipToGap(start);
    if (this.#first === this.#end) return this.#overlaps ? 'lost' : 'unseen';
    const command = this.#commands[this.#first]!;
    if (!command.isFirstWithAck) return command;
    const before = (command.ack - start) | 0;
    if (before === 0) return command;
    if (command.isAfterGap && before > 0) return 'unseen';
    this.#overlaps = true;
    return this.#assumesNoOverlap || command.isAfterGap ? 'lost' : command;
  }

  /** The first command has its reply. */
  take(): void {
    const wasGap = this.#gap === this.#first;
    this.#first += 1;
    if (wasGap) this.#gap = this.#nextGap(this.#first);
    if (this.#first === this.#end) {
      this.#first = 0;
      this.#end = 0;
    } else if (this.#first > 1024) this.#pack();
  }

  /** Replies before `start` are missing. Drops commands up to the first one with an acknowledgment number, and returns where its
   * reply begins. */
  skipReplies(start: number): number | undefined {
    this.#assumesNoOverlap = true;
    while (this.#first < this.#end) {
      const command = this.#commands[this.#first]!;
      if (command.isFirstWithAck && ((command.ack - start) | 0) >= 0) break;
      this.#drop();
    }
    if (this.#gap < this.#first) this.#gap = this.#nextGap(this.#first);
    return this.#first === this.#end ? undefined : this.#commands[this.#first]!.ack;
  }

  /** Drops all commands. */
  dropAll(): void {
    while (this.#first < this.#end) this.#drop();
    if (this.#commands.length > 0) this.#commands = [];
    this.#first = 0;
    this.#end = 0;
    this.#gap = NONE;
    this.#missing = false;
    this.#assumesNoOverlap = false;
  }

  /** Drops the commands before a gap if the replies are already beyond it. */
  #skipToGap(start: number): void {
    while (this.#gap !== NONE && ((start - this.#commands[this.#gap]!.ack) | 0) >= 0) {
      while (this.#first < this.#gap) this.#drop();
      const next = this.#nextGap(this.#first + 1);
      if (next === NONE || ((start - this.#commands[next]!.ack) | 0) < 0) return;
      this.#gap = next;
    }
  }

  #drop(): void {
    this.#lost(this.#commands[this.#first]!);
    this.#first += 1;
  }

  #nextGap(from: number): number {
    for (let at = from; at < this.#end; at += 1) if (this.#commands[at]!.isAfterGap) return at;
    return NONE;
  }

  #pack(): void {
    this.#commands.splice(0, this.#first);
    this.#end -= this.#first;
    if (this.#gap !== NONE) this.#gap -= this.#first;
    this.#first = 0;
  }
}
