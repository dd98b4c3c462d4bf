import type { PendingCommand } from './recorder.ts';

const NONE = -1;
/** No sequence number. */
const NEVER = 0.5;

/**
 * The commands of one connection that wait for their replies, in the order they were sent, and whose a reply is.
 *
 * Replies carry no number: the next one is that of the first command. Where some of either are missing, sequence numbers tell.
 * Who hears everything before it asks again has the reply where it had heard up to: a command that `leads`, the first
 * sent after something was heard, is one whose reply begins at `heard`. Who asks on while replies are on their way
 * `overlaps`, and nothing tells there.
 */
export class PendingCommands {
  /** Whether the client ever asked again before it had heard anything, and before it had heard everything. */
  pipelines = false;
  #overlaps = false;
  /** Whether it is known to have heard all that was to be heard before it asked again. */
  #heardAll = false;
  /** Whether replies were taken up in the belief that it does not overlap. */
  #believes = false;
  /** From `#first` to `#end`. It never gets shorter, for then the next one would have to make room again. */
  #asked: PendingCommand[] = [];
  #first = 0;
  #end = 0;
  /** The first of them before which commands are missing. */
  #hole = NONE;
  /** Whether commands are missing before the next one, and how far the client had heard at the first behind them. */
  #missing = false;
  #isFirst = false;
  #heardThen = NEVER;
  #heardBefore = NEVER;
  readonly #lost: (asked: PendingCommand) => void;

  /** `lost` is told of every command whose reply will not be known. */
  constructor(lost: (asked: PendingCommand) => void) {
    this.#lost = lost;
  }

  /** Another connection. Nothing waits. */
  reset(): void {
    this.pipelines = false;
    this.#overlaps = false;
    this.#heardAll = false;
    this.#believes = false;
    this.#missing = false;
    this.#heardBefore = NEVER;
  }

  get length(): number {
    return this.#end - this.#first;
  }

  /** The one whose reply comes next, if nothing is missing. */
  get next(): PendingCommand | undefined {
    return this.#first === this.#end ? undefined : this.#asked[this.#first];
  }

  /** Whether commands are missing before the first one. */
  get isHoled(): boolean {
    return this.#hole !== NONE && this.#hole === this.#first;
  }

  /** Whether the reply to a command that leads begins at `heard`, as far as is known. */
  get canMatchByAck(): boolean {
    return !this.#overlaps && (!this.pipelines || this.#believes || this.#heardAll);
  }

  /** Commands are missing before the next one; `quiet`: it is known to be the first that was sent together. */
  skipped(quiet: boolean): void {
    this.#missing = true;
    this.#isFirst = quiet;
    this.#heardThen = NEVER;
    if (!quiet) this.#believes = true;
  }

  /** The next command; `whole`: every reply that the client had heard is known here. */
  add(asked: PendingCommand, whole: boolean): void {
    const isFirst = this.#heardBefore === NEVER;
    asked.leads = asked.heard !== this.#heardBefore;
    this.#heardBefore = asked.heard;
    if (!asked.leads && this.length > 0) this.#together();
    if (asked.leads && whole && !isFirst && !this.#believes) {
      if (this.length > 0) this.#overlaps = true;
      else this.#heardAll = true;
    }
    if (this.#missing && this.#isUnsure(asked.heard)) {
      this.#lost(asked);
      return;
    }
    if (this.#missing) {
      this.#missing = false;
      asked.behindHole = true;
      if (this.#hole === NONE) this.#hole = this.#end;
    }
    this.#asked[this.#end++] = asked;
  }

  /** Several are sent at a time: if that shows only now, the one behind a hole may not have been the first of them. */
  #together(): void {
    if (this.pipelines) return;
    this.pipelines = true;
    const last = this.#asked[this.#end - 1]!;
    if (!last.behindHole || this.#isFirst) return;
    this.#end -= 1;
    this.#hole = this.#nextHole(this.#first);
    this.#missing = true;
    this.#heardThen = last.heard;
    this.#lost(last);
  }

  /** Whether the first of those that were sent together with this one may be missing. */
  #isUnsure(heard: number): boolean {
    if (!this.pipelines || this.#isFirst) return false;
    if (this.#heardThen === NEVER) this.#heardThen = heard;
    return this.#heardThen === heard;
  }

  /** Whose the reply is that begins at `start`; `unseen` where its command is missing, `lost` where it was not as believed. */
  whose(start: number): PendingCommand | 'unseen' | 'lost' {
    if (this.#hole !== NONE) this.#pass(start);
    if (this.#first === this.#end) return this.#overlaps ? 'lost' : 'unseen';
    const asked = this.#asked[this.#first]!;
    if (!asked.leads) return asked;
    const before = (asked.heard - start) | 0;
    if (before === 0) return asked;
    if (asked.behindHole && before > 0) return 'unseen';
    this.#overlaps = true;
    return this.#believes || asked.behindHole ? 'lost' : asked;
  }

  /** The first one has its reply. */
  take(): void {
    const wasHole = this.#hole === this.#first;
    this.#first += 1;
    if (wasHole) this.#hole = this.#nextHole(this.#first);
    if (this.#first === this.#end) {
      this.#first = 0;
      this.#end = 0;
    } else if (this.#first > 1024) this.#pack();
  }

  /** Replies before `start` are missing. Drops commands up to one that leads, and says where its reply begins. */
  missed(start: number): number | undefined {
    this.#believes = true;
    while (this.#first < this.#end) {
      const asked = this.#asked[this.#first]!;
      if (asked.leads && ((asked.heard - start) | 0) >= 0) break;
      this.#drop();
    }
    if (this.#hole < this.#first) this.#hole = this.#nextHole(this.#first);
    return this.#first === this.#end ? undefined : this.#asked[this.#first]!.heard;
  }

  /** Drops all. */
  forget(): void {
    while (this.#first < this.#end) this.#drop();
    if (this.#asked.length > 0) this.#asked = [];
    this.#first = 0;
    this.#end = 0;
    this.#hole = NONE;
    this.#missing = false;
    this.#believes = false;
  }

  /** Drops what stands before a hole that replies are behind already. */
  #pass(start: number): void {
    while (this.#hole !== NONE && ((start - this.#asked[this.#hole]!.heard) | 0) >= 0) {
      while (this.#first < this.#hole) this.#drop();
      const next = this.#nextHole(this.#first + 1);
      if (next === NONE || ((start - this.#asked[next]!.heard) | 0) < 0) return;
      this.#hole = next;
    }
  }

  #drop(): void {
    this.#lost(this.#asked[this.#first]!);
    this.#first += 1;
  }

  #nextHole(from: number): number {
    for (let at = from; at < this.#end; at += 1) if (this.#asked[at]!.behindHole) return at;
    return NONE;
  }

  #pack(): void {
    this.#asked.splice(0, this.#first);
    this.#end -= this.#first;
    if (this.#hole !== NONE) this.#hole -= this.#first;
    this.#first = 0;
  }
}
