import { Exchange } from '../tcp/exchange.ts';
import type { ByteStream } from '../tcp/reassembly.ts';
import { Account } from './account.ts';
import { Mode } from './mode.ts';
import { Pace } from './pace.ts';
import { PendingCommands } from './pending-commands.ts';
import type { CommandRecorder, ConnectionEnds, PendingCommand } from './recorder.ts';
import { ARRAY, PUSH, type Reply, ReplyParser } from './reply.ts';
import { beginsCommand, RequestParser } from './request.ts';
import { Transaction } from './transaction.ts';

const MOST_ASKED = 1 << 20;
/**
 * One connection: commands one way, replies the other, paired in order. It is taken up in the middle, or again behind
 * a gap, at a segment that begins with a known command, and replies where the client had heard up to then.
 */
export class RedisConnection {
  readonly account: Account;
  readonly #request: RequestParser;
  readonly #reply: ReplyParser;
  readonly #waiting: PendingCommands;
  /** Whether commands are understood, and replies. */
  #asking = false;
  #answering = false;
  /** Whether all commands are in the capture and were understood, and whether there was one already. */
  #trust: 'none' | 'whole' | 'sure' = 'none';
  readonly #mode = new Mode();
  readonly #transaction = new Transaction();
  /** The last command, where it was cut off, and the one whose reply is broken off and was the last. */
  #cut: PendingCommand | undefined;
  #brokenOff: PendingCommand | undefined;
  /** What the client has acknowledged. */
  #heard = 0;
  /** Where the segment's first command begins, and what the server had of them when it last replied. */
  #asks = 0;
  #serverAck = 0;
  readonly #pace = new Pace();
  /** Where replies are taken up again, a sequence number, and whether they are. */
  #resume = 0;
  #resumes = false;
  readonly exchange: Exchange;
  /** Whose segments are the client's: those of A, or of B. */
  clientIsA = false;
  /** A bit for each side that closed. */
  closed = 0;

  constructor(recorder: CommandRecorder) {
    this.account = new Account(recorder);
    this.#waiting = new PendingCommands((asked) =>
      this.account.recorder.unanswered(this.account.client, asked),
    );
    this.#request = new RequestParser(recorder.scratch, (now) => this.#commandDone(now));
    this.#reply = new ReplyParser(() => this.#replyDone(this.#reply));
    const toServer: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#heard = ack;
        this.#asks = seq;
        this.#commandBytes(bytes, at, end, now);
      },
      gap: (length, now) => {
        this.account.recorder.statistics.gaps += length;
        if (!this.#request.skip(length, now)) this.#missedCommands(length, now);
      },
    };
    const toClient: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#serverAck = ack;
        this.account.serverSpoke = true;
        this.#replyBytes(bytes, at, end, now, seq);
      },
      gap: (length, now) => {
        this.account.recorder.statistics.gaps += length;
        if (!this.#answering) this.#repliesGoOn(length);
        else if (!this.#reply.skip(length, now, this.#waiting.length === 1))
          this.#missedReplies(this.exchange.answers);
      },
    };
    this.exchange = new Exchange(toServer, toClient);
  }

  /**
   * Begins anew: one object serves many connections, one after the other. `began`: its SYN is in the capture; `whole`: all
   * that was said is, and `asks` and `answers` are the sequence numbers that both sides begin with then.
   */
  open(
    ends: ConnectionEnds,
    clientIsA: boolean,
    began: boolean,
    whole: boolean,
    asks: number,
    answers: number,
  ): void {
    this.account.open(ends, whole, began);
    this.#request.strict = !whole;
    this.clientIsA = clientIsA;
    this.closed = 0;
    this.#forget(whole);
    this.exchange.reset();
    if (whole) this.exchange.begin(asks, answers);
  }

  /** Whether commands and replies are understood from here on, and nothing of what was before. */
  #forget(whole: boolean): void {
    this.#asking = whole;
    this.#answering = whole;
    this.#trust = whole ? 'whole' : 'none';
    this.#mode.reset();
    this.#transaction.forget();
    this.#pace.reset();
    this.#resumes = false;
    this.#cut = undefined;
    this.#brokenOff = undefined;
    this.#waiting.reset();
    this.#request.reset();
    this.#reply.reset();
  }

  /** Nothing more comes. */
  end(): void {
    this.exchange.end();
    this.#waiting.forget();
    this.account.close();
  }

  /** What was taken for commands is the middle of a value: nothing of it counts. */
  #disprove(): void {
    this.#waiting.forget();
    this.#forget(false);
    this.#request.strict = true;
    this.account.drop();
  }

  /** Whether all is there up to the client's `asks`, it has heard no more than was seen, and no command waits. */
  isDone(asks: number, heard: number): boolean {
    const { exchange } = this;
    return (
      this.#mode.kind === 'commands' &&
      this.#asking &&
      this.#answering &&
      this.#waiting.length === 0 &&
      exchange.settled &&
      exchange.asks === asks &&
      ((heard - exchange.answers) | 0) <= 0
    );
  }

  #commandBytes(bytes: Uint8Array, at: number, end: number, now: number): void {
    if (this.#mode.kind === 'replication') return;
    if (!this.#asking) {
      const { commands } = this.account.recorder;
      if (!beginsCommand(bytes, at, end, (name, from, length) => commands.isKnown(name, from, length))) {
        this.#extendTruncated(end - at, now);
        return;
      }
      this.#asking = true;
      this.#cut = undefined;
      this.#request.reset();
      // What is missing before may have been sent just now.
      this.#pace.lastAt = now;
    }
    if (this.#request.feed(bytes, at, end, now)) return;
    if (this.account.isOnTrial) this.#disprove();
    else this.#lost();
  }

  #replyBytes(bytes: Uint8Array, at: number, end: number, now: number, seq: number): void {
    if (this.#mode.kind === 'replication') return;
    this.#pace.lastAt = now;
    if (this.#resumes && ((this.#resume - seq) | 0) < 0) this.#missedReplies(seq);
    if (!this.#answering) {
      this.#repliesGoOn(end - at);
      return;
    }
    const before = this.#resumes ? (this.#resume - seq) | 0 : 0;
    if (before >= end - at) return;
    this.#resumes = false;
    if (!this.#reply.feed(bytes, at + before, end, now, (seq + before) | 0)) this.#lostReplies();
  }

  /** Nothing is known of commands any more, nor which replies are whose. */
  #lost(): void {
    if (this.#asking) this.account.recorder.statistics.desyncs += 1;
    this.#asking = false;
    this.#answering = false;
    this.#trust = 'none';
    this.#transaction.forget();
    this.#lostReplies();
  }

  /**
   * Commands are missing: those before have their replies still, and one behind them has its where it leads. Of a segment that
   * was cut off, `now`, the command that it was in is known by its beginning.
   */
  #missedCommands(length: number, now: number | undefined): void {
    this.#trust = 'none';
    if (!this.#asking) {
      if (now !== undefined) this.#extendTruncated(length, now);
      return;
    }
    const isNamed = now !== undefined && this.#request.cut(length);
    this.#cut = isNamed
      ? this.account.recorder.asked(this.#request, now, this.#heard, false, false)
      : undefined;
    if (isNamed && this.#request.behindCut) this.account.recorder.statistics.behindCut += 1;
    if (this.#cut && now !== undefined) this.#ask(this.#cut, now);
    else this.account.recorder.statistics.desyncs += 1;
    this.#asking = false;
    if (this.#answering && this.#waiting.canMatchByAck) this.#waiting.skipped(false);
    else this.#lost();
  }

  /** More of a command that was cut off: it is not whole before that. */
  #extendTruncated(length: number, now: number): void {
    if (!this.#cut) return;
    this.#cut.size += length;
    this.#cut.at = now;
  }

  /** Replies are taken up with a later command. */
  #lostReplies(): void {
    if (this.#answering) this.account.recorder.statistics.desyncs += 1;
    this.#answering = false;
    this.#resumes = false;
    this.#waiting.forget();
  }

  /** Replies before `start` are missing: the thread is taken up with the first command behind them that leads. */
  #missedReplies(start: number): void {
    const broken = this.#broken();
    const waiting = this.#waiting;
    const { length } = waiting;
    const resume = this.#answering && waiting.canMatchByAck ? waiting.missed(start) : undefined;
    if (broken) {
      // The next command tells where it ended.
      const end = resume === undefined || waiting.length < length || waiting.isHoled ? start : resume;
      this.#reply.size = (end - this.#reply.start) | 0;
      this.#answered(broken, this.#reply);
    }
    if (resume === undefined) {
      if (broken) this.#answering = false;
      this.#lostReplies();
      if (length === 0) this.#brokenOff = broken;
      return;
    }
    if (!broken && !this.#resumes) this.account.recorder.statistics.desyncs += 1;
    this.#resumeAt(resume);
  }

  /** The command whose reply has begun, of which there is no more. */
  #broken(): PendingCommand | undefined {
    const { type, start, isOpen } = this.#reply;
    if (!this.#answering || this.#resumes || !isOpen || type === PUSH || this.#mode.kind !== 'commands')
      return undefined;
    const asked = this.#waiting.whose(start);
    if (asked === 'unseen' || asked === 'lost' || asked.replies > 1 || asked.ofAll) return undefined;
    this.#waiting.take();
    return asked;
  }

  /** More of the reply that was broken off: nothing else was asked. */
  #repliesGoOn(length: number): void {
    if (this.#brokenOff) this.account.recorder.more(this.account.client, this.#brokenOff, length);
  }

  #resumeAt(seq: number): void {
    this.#answering = true;
    this.#brokenOff = undefined;
    this.#resumes = true;
    this.#resume = seq;
    this.#reply.reset();
  }

  /**
   * Takes replies up with this command, if its reply begins where the client had heard up to. Of one that overlaps that is
   * known when it had heard all, the server had had all when it said the last of it, and then it was quiet for a while.
   */
  #tryResync({ heard }: PendingCommand): boolean {
    const { answers, answersBegun } = this.exchange;
    const { canMatchByAck } = this.#waiting;
    const tells = canMatchByAck
      ? !answersBegun || ((answers - heard) | 0) <= 0
      : heard === answers && this.#serverAck === this.#asks && this.#pace.isQuiet(this.#request.began);
    if (!tells) return false;
    this.#resumeAt(heard);
    this.#waiting.skipped(!canMatchByAck);
    return true;
  }

  #commandDone(now: number): boolean {
    // The first word that is typed may be no command, as a password; bytes that nobody types are of another protocol.
    const isSure = this.#trust === 'sure' || (this.#trust === 'whole' && this.#request.isText);
    const asked = this.account.recorder.asked(this.#request, now, this.#heard, true, isSure);
    if (!asked) return false;
    if (this.#trust === 'whole') this.#trust = 'sure';
    this.#ask(asked, now);
    return true;
  }

  #ask(asked: PendingCommand, now: number): void {
    this.#brokenOff = undefined;
    // All that was asked before has its answer.
    const account = this.account;
    if (account.isOnTrial && account.answers > 0 && this.#waiting.length === 0) {
      account.prove();
      this.#request.strict = false;
    }
    account.asked += 1;
    const request = this.#request;
    const recorder = this.account.recorder;
    const { statistics } = recorder;
    if (request.size > statistics.biggestRequests.least)
      statistics.biggestRequests.add(recorder.notable(this.account.client, request.size, asked, now));
    const mode = this.#mode;
    const { skipped } = mode;
    mode.skipped = false;
    if (asked.kind.steering) {
      mode.steer(asked, request, statistics);
      if (mode.kind === 'replication') this.#waiting.forget();
    }
    if (skipped || mode.silent || asked.replies === 0) {
      recorder.count(this.account.client, asked, 0, undefined, now);
      return;
    }
    if (this.#answering || this.#tryResync(asked)) this.#waits(asked);
    else recorder.unanswered(account.client, asked);
    this.#pace.lastAt = now;
  }

  #waits(asked: PendingCommand): void {
    const waiting = this.#waiting;
    const { statistics } = this.account.recorder;
    const { settled, answers } = this.exchange;
    waiting.add(asked, settled && answers === asked.heard);
    const { length } = waiting;
    // While something is missing, replies wait here, not commands there.
    if (length > statistics.deepest && waiting.pipelines && settled) statistics.deepest = length;
    else if (statistics.deepest === 0) statistics.deepest = 1;
    if (length > MOST_ASKED) this.#lostReplies();
  }

  #replyDone(reply: Reply): void {
    const { statistics } = this.account.recorder;
    if (this.#mode.isMessage(reply, statistics, this.#waiting.next)) return;
    // The rest of a segment in which the thread was lost.
    if (!this.#answering) return;
    const waiting = this.#waiting;
    const asked = waiting.whose(reply.start);
    if (asked === 'unseen' || asked === 'lost') {
      if (this.#mode.kind === 'commands') statistics.unasked += 1;
      if (asked === 'lost') this.#lostReplies();
      return;
    }
    if (!this.#mode.isLast(asked, reply)) return;
    if (asked.behindHole) this.#transaction.forget();
    waiting.take();
    this.#answered(asked, reply);
  }

  #answered(asked: PendingCommand, reply: Reply): void {
    const account = this.account;
    account.answers += 1;
    const { steering, name } = asked.kind;
    let { error } = reply;
    // Errors in the array that EXEC replies with are of the commands that it ran: `INFO commandstats` counts them there, too.
    if (error !== undefined && name === 'EXEC' && reply.type === ARRAY) error = undefined;
    if (steering || this.#transaction.isOpen) {
      if (this.#transaction.takes(asked, reply, error !== undefined, account.client, account.recorder))
        return;
      this.#mode.answered(name, reply);
    }
    const latency = reply.began - asked.at;
    this.#pace.answered(latency);
    account.recorder.answered(account.client, asked, reply, latency, error);
  }
}
