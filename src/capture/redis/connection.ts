import { Exchange } from '../exchange.ts';
import type { ByteStream } from '../reassembly.ts';
import type { Asked, Client, Ledger } from './ledger.ts';
import { Mode } from './mode.ts';
import { BLOB_ERROR, ERROR, PUSH, type Reply, ReplyParser } from './reply.ts';
import { beginsCommand, RequestParser } from './request.ts';
import { Transaction } from './transaction.ts';
import { Waiting } from './waiting.ts';

const MOST_ASKED = 1 << 20;
/** It is quiet after so many times what replies take of late, and so many nanoseconds at least. */
const PATIENCE = 4;
const QUIET = 2e5;
/** What a reply may take while none was seen. */
const SLOW = 1e7;

/**
 * One connection: commands one way, replies the other, paired in order. It is taken up in the middle, or again behind
 * a gap, at a segment that begins with a known command, and replies where the client had heard up to then.
 */
export class RedisConnection {
  readonly #ledger: Ledger;
  #client!: Client;
  readonly #request: RequestParser;
  readonly #reply: ReplyParser;
  readonly #waiting: Waiting;
  /** Whether commands are understood, and replies. */
  #asking = false;
  #answering = false;
  readonly #mode = new Mode();
  readonly #transaction: Transaction;
  /** The last command, where it was cut off, and the one whose reply is broken off and was the last. */
  #cut: Asked | undefined;
  #brokenOff: Asked | undefined;
  /** What the client has acknowledged. */
  #heard = 0;
  /** Where the segment's first command begins, and what the server had of them when it last replied. */
  #asks = 0;
  #had = 0;
  /** When the last command or part of a reply came, and what replies take of late. */
  #lastAt = 0;
  #latency = SLOW;
  /** Where replies are taken up again, a sequence number, and whether they are. */
  #resume = 0;
  #resumes = false;
  readonly exchange: Exchange;
  /** Whose segments are the client's: those of A, or of B. */
  clientIsA = false;
  /** A bit for each side that closed. */
  closed = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#transaction = new Transaction(ledger);
    this.#waiting = new Waiting((asked) => this.#unanswered(asked));
    this.#request = new RequestParser(ledger.scratch, (now) => this.#commandDone(now));
    this.#reply = new ReplyParser(
      () => this.#replyDone(this.#reply),
      (line) => ledger.statistics.error(line),
    );
    const toServer: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#heard = ack;
        this.#asks = seq;
        this.#commandBytes(bytes, at, end, now);
      },
      gap: (length, now) => {
        this.#ledger.statistics.gaps += length;
        if (!this.#request.skip(length, now)) this.#missedCommands(length, now);
      },
    };
    const toClient: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#had = ack;
        this.#replyBytes(bytes, at, end, now, seq);
      },
      gap: (length, now) => {
        this.#ledger.statistics.gaps += length;
        if (!this.#answering) this.#repliesGoOn(length);
        else if (!this.#reply.skip(length, now, this.#waiting.length === 1))
          this.#missedReplies(this.exchange.answers);
      },
    };
    this.exchange = new Exchange(toServer, toClient);
  }

  /**
   * Begins anew: one object serves many connections, one after the other. `whole`: the beginning is in the
   * capture; `asks` and `answers` are the sequence numbers that both sides begin with then.
   */
  open(client: Client, clientIsA: boolean, whole: boolean, asks: number, answers: number): void {
    const { statistics } = this.#ledger;
    statistics.connections += 1;
    if (!whole) statistics.joined += 1;
    this.#client = client;
    this.clientIsA = clientIsA;
    this.closed = 0;
    this.#asking = whole;
    this.#answering = whole;
    this.#mode.reset();
    this.#transaction.forget();
    this.#lastAt = 0;
    this.#latency = SLOW;
    this.#resumes = false;
    this.#cut = undefined;
    this.#brokenOff = undefined;
    this.#waiting.reset();
    this.#request.reset();
    this.#reply.reset();
    this.exchange.reset();
    if (whole) this.exchange.begin(asks, answers);
  }

  /** Nothing more comes. */
  end(): void {
    this.exchange.end();
    this.#waiting.forget();
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
      const { commands } = this.#ledger;
      if (!beginsCommand(bytes, at, end, (name, from, length) => commands.isKnown(name, from, length))) {
        this.#goesOn(end - at, now);
        return;
      }
      this.#asking = true;
      this.#cut = undefined;
      this.#request.reset();
      // What is missing before may have been sent just now.
      this.#lastAt = now;
    }
    if (!this.#request.feed(bytes, at, end, now)) this.#lost();
  }

  #replyBytes(bytes: Uint8Array, at: number, end: number, now: number, seq: number): void {
    if (this.#mode.kind === 'replication') return;
    this.#lastAt = now;
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
    if (this.#asking) this.#ledger.statistics.lostThread += 1;
    this.#asking = false;
    this.#answering = false;
    this.#transaction.forget();
    this.#lostReplies();
  }

  /**
   * Commands are missing: those before have their replies still, and one behind them has its where it leads. Of a segment that
   * was cut off, `now`, the command that it was in is known by its beginning.
   */
  #missedCommands(length: number, now: number | undefined): void {
    if (!this.#asking) {
      if (now !== undefined) this.#goesOn(length, now);
      return;
    }
    const isNamed = now !== undefined && this.#request.cut(length);
    this.#cut = isNamed ? this.#ledger.asked(this.#request, now, this.#heard, false) : undefined;
    if (this.#cut && now !== undefined) this.#ask(this.#cut, now);
    else this.#ledger.statistics.lostThread += 1;
    this.#asking = false;
    if (this.#answering && this.#waiting.leadsTell) this.#waiting.skipped(false);
    else this.#lost();
  }

  /** More of a command that was cut off: it is not whole before that. */
  #goesOn(length: number, now: number): void {
    if (!this.#cut) return;
    this.#cut.size += length;
    this.#cut.at = now;
  }

  /** Replies are taken up with a later command. */
  #lostReplies(): void {
    if (this.#answering) this.#ledger.statistics.lostThread += 1;
    this.#answering = false;
    this.#resumes = false;
    this.#waiting.forget();
  }

  /** Replies before `start` are missing: the thread is taken up with the first command behind them that leads. */
  #missedReplies(start: number): void {
    const broken = this.#broken();
    const waiting = this.#waiting;
    const { length } = waiting;
    const resume = this.#answering && waiting.leadsTell ? waiting.missed(start) : undefined;
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
    if (!broken && !this.#resumes) this.#ledger.statistics.lostThread += 1;
    this.#resumeAt(resume);
  }

  /** The command whose reply has begun, of which there is no more. */
  #broken(): Asked | undefined {
    const { type, start, isOpen } = this.#reply;
    if (!this.#answering || this.#resumes || !isOpen || type === PUSH || this.#mode.kind !== 'commands')
      return undefined;
    const asked = this.#waiting.whose(start);
    if (asked === 'unseen' || asked === 'lost' || asked.replies > 1) return undefined;
    this.#waiting.take();
    return asked;
  }

  /** More of the reply that was broken off: nothing else was asked. */
  #repliesGoOn(length: number): void {
    if (this.#brokenOff) this.#ledger.more(this.#client, this.#brokenOff, length);
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
  #takesUp({ heard }: Asked): boolean {
    const { answers, answersBegun } = this.exchange;
    const { leadsTell } = this.#waiting;
    const quiet = this.#request.began - this.#lastAt;
    const tells = leadsTell
      ? !answersBegun || ((answers - heard) | 0) <= 0
      : heard === answers && this.#had === this.#asks && quiet >= Math.max(QUIET, PATIENCE * this.#latency);
    if (!tells) return false;
    this.#resumeAt(heard);
    this.#waiting.skipped(!leadsTell);
    return true;
  }

  #commandDone(now: number): boolean {
    const asked = this.#ledger.asked(this.#request, now, this.#heard, true);
    if (asked) this.#ask(asked, now);
    return asked !== undefined;
  }

  #ask(asked: Asked, now: number): void {
    this.#brokenOff = undefined;
    const request = this.#request;
    const ledger = this.#ledger;
    const { statistics } = ledger;
    if (request.size > statistics.biggestRequests.least)
      statistics.biggestRequests.add(ledger.notable(this.#client, request.size, asked, now));
    const mode = this.#mode;
    const { skipped } = mode;
    mode.skipped = false;
    if (asked.kind.steering) {
      mode.steer(asked, request, statistics);
      if (mode.kind === 'replication') this.#waiting.forget();
    }
    if (skipped || mode.silent || asked.replies === 0) {
      ledger.count(this.#client, asked, 0, undefined, now);
      return;
    }
    if (this.#answering || this.#takesUp(asked)) this.#waits(asked);
    else this.#unanswered(asked);
    this.#lastAt = now;
  }

  /** It was asked, and so counts. What the reply was, and when, is not known. */
  #unanswered(asked: Asked): void {
    this.#ledger.statistics.unanswered += 1;
    this.#ledger.count(this.#client, asked, 0, undefined, asked.at);
  }

  #waits(asked: Asked): void {
    const waiting = this.#waiting;
    const { statistics } = this.#ledger;
    const { settled, answers } = this.exchange;
    waiting.add(asked, settled && answers === asked.heard);
    const { length } = waiting;
    // While something is missing, replies wait here, not commands there.
    if (length > statistics.deepest && waiting.pipelines && settled) statistics.deepest = length;
    else if (statistics.deepest === 0) statistics.deepest = 1;
    if (length > MOST_ASKED) this.#lostReplies();
  }

  #replyDone(reply: Reply): void {
    const { statistics } = this.#ledger;
    if (this.#mode.isMessage(reply, statistics)) return;
    // The rest of a segment in which the thread was lost.
    if (!this.#answering) return;
    const waiting = this.#waiting;
    const asked = waiting.whose(reply.start);
    if (asked === 'unseen' || asked === 'lost') {
      if (this.#mode.kind === 'commands') statistics.unasked += 1;
      if (asked === 'lost') this.#lostReplies();
      return;
    }
    asked.replies -= 1;
    if (asked.replies > 0) return;
    if (asked.behindHole) this.#transaction.forget();
    waiting.take();
    this.#answered(asked, reply);
  }

  #answered(asked: Asked, reply: Reply): void {
    const { statistics } = this.#ledger;
    const failed = reply.type === ERROR || reply.type === BLOB_ERROR;
    const { steering, name } = asked.kind;
    if (steering || this.#transaction.isOpen) {
      if (this.#transaction.takes(asked, reply, failed, this.#client)) return;
      if (name === 'RESET' && !failed) this.#mode.kind = 'commands';
    }
    const latency = reply.began - asked.at;
    this.#latency = this.#latency === SLOW ? latency : this.#latency + (latency - this.#latency) / 8;
    if (asked.blocking) {
      statistics.blocking.add(latency);
      this.#ledger.count(this.#client, asked, reply.size, undefined, reply.began, failed);
    } else this.#ledger.count(this.#client, asked, reply.size, latency, reply.began, failed);
    if (reply.size > statistics.biggestReplies.least)
      statistics.biggestReplies.add(this.#ledger.notable(this.#client, reply.size, asked, reply.began));
    if (!asked.blocking && latency > statistics.slowest.least)
      statistics.slowest.add(this.#ledger.notable(this.#client, latency, asked, asked.at));
  }
}
