import { Exchange } from '../exchange.ts';
import type { ByteStream } from '../reassembly.ts';
import type { Asked, Client, Ledger } from './ledger.ts';
import { type Reply, ReplyParser } from './reply.ts';
import { beginsCommand, RequestParser, WORDS_KEPT, wordAt } from './request.ts';
import { Transaction } from './transaction.ts';
import { findWord, keyPlace, text } from './words.ts';

const PUSH = 62;
const ARRAY = 42;
const MOST_ASKED = 1 << 20;

/**
 * One connection: commands one way, replies the other, paired in order. It is taken up in the middle, or again behind
 * a gap, at a segment that begins with a known command; replies from the segment on that acknowledges it.
 */
export class RedisConnection {
  readonly #ledger: Ledger;
  #client!: Client;
  readonly #request: RequestParser;
  readonly #reply: ReplyParser;
  /**
   * In order, from `#first` to `#end`: those before have their replies. It never gets shorter, for then the next one would
   * have to make room again.
   */
  #asked: Asked[] = [];
  #first = 0;
  #end = 0;
  /** Whether commands are understood, and replies. */
  #asking = false;
  #answering = false;
  /** Sequence number that a segment must acknowledge before replies can be told from those to unknown commands. */
  #from = 0;
  #mode: 'commands' | 'subscribed' | 'monitor' | 'replication' = 'commands';
  readonly #transaction: Transaction;
  /** CLIENT REPLY OFF, or SKIP for the next one. */
  #silent = false;
  #skipped = false;
  #ack = 0;
  /** The last that the client acknowledged. */
  #heard = 0;
  /** Whether it ever asked again before it had heard anything. */
  #pipelines = false;
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
    this.#request = new RequestParser(ledger.scratch, (now) => this.#commandDone(now));
    this.#reply = new ReplyParser(
      () => this.#replyDone(this.#reply),
      (line) => ledger.statistics.error(line),
    );
    const toServer: ByteStream = {
      bytes: (bytes, at, end, now, _, ack) => {
        this.#heard = ack;
        this.#commandBytes(bytes, at, end, now);
      },
      gap: (length) => this.#gap(length, this.#request, () => this.#lost()),
    };
    const toClient: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#ack = ack;
        this.#replyBytes(bytes, at, end, now, seq);
      },
      gap: (length) => this.#gap(length, this.#reply, () => this.#missedReplies()),
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
    this.#from = 0;
    this.#mode = 'commands';
    this.#transaction.forget();
    this.#silent = false;
    this.#skipped = false;
    this.#ack = 0;
    this.#pipelines = false;
    this.#resumes = false;
    this.#request.reset();
    this.#reply.reset();
    this.exchange.reset();
    if (whole) this.exchange.begin(asks, answers);
  }

  /** Nothing more comes. */
  end(): void {
    this.exchange.end();
    this.#forget();
  }

  #commandBytes(bytes: Uint8Array, at: number, end: number, now: number): void {
    if (this.#mode === 'replication') return;
    if (!this.#asking) {
      const { commands } = this.#ledger;
      if (!beginsCommand(bytes, at, end, (name, from, length) => commands.isKnown(name, from, length)))
        return;
      this.#asking = true;
      this.#request.reset();
      if (!this.#answering) this.#from = (this.exchange.asks - (end - at)) | 0;
    }
    if (!this.#request.feed(bytes, at, end, now)) this.#lost();
  }

  #replyBytes(bytes: Uint8Array, at: number, end: number, now: number, seq: number): void {
    if (this.#mode === 'replication') return;
    if (this.#resumes) {
      const before = (this.#resume - seq) | 0;
      if (before >= end - at) return;
      this.#resumes = false;
      if (before > 0) {
        this.#replyBytes(bytes, at + before, end, now, this.#resume);
        return;
      }
    }
    if (!this.#answering) {
      if (!this.#asking || this.#end === this.#first || ((this.#ack - this.#from) | 0) <= 0) return;
      this.#answering = true;
      this.#reply.reset();
    }
    if (!this.#reply.feed(bytes, at, end, now)) this.#lostReplies();
  }

  #gap(length: number, parser: RequestParser | ReplyParser, lost: () => void): void {
    this.#ledger.statistics.gaps += length;
    if (!parser.skip(length)) lost();
  }

  /** Nothing is known of commands any more, nor which replies are whose. */
  #lost(): void {
    this.#resumes = false;
    if (this.#asking) this.#ledger.statistics.lostThread += 1;
    this.#asking = false;
    this.#answering = false;
    this.#transaction.forget();
    this.#forget();
  }

  /** Replies are taken up with the next command. */
  #lostReplies(): void {
    if (this.#answering) this.#ledger.statistics.lostThread += 1;
    this.#answering = false;
    this.#from = this.exchange.asks;
    this.#forget();
  }

  /**
   * Replies are missing up to here. A client that asks one at a time had all replies before it asked again: the next
   * one whose question was behind the hole begins where the client had heard the server then.
   */
  #missedReplies(): void {
    const here = this.exchange.answers;
    const sure = this.#pipelines
      ? []
      : this.#asked.slice(this.#first, this.#end).filter(({ heard }) => ((heard - here) | 0) >= 0);
    this.#ledger.statistics.unanswered -= sure.length;
    this.#lostReplies();
    if (sure.length === 0) return;
    this.#asked = sure;
    this.#end = sure.length;
    this.#answering = true;
    this.#resumes = true;
    this.#resume = sure[0]!.heard;
    this.#reply.reset();
  }

  #forget(): void {
    this.#ledger.statistics.unanswered += this.#end - this.#first;
    if (this.#asked.length > 0) this.#asked = [];
    this.#first = 0;
    this.#end = 0;
  }

  #commandDone(now: number): boolean {
    const request = this.#request;
    const ledger = this.#ledger;
    const { commands, patterns, statistics } = ledger;
    let kind = commands.kindOf(request.bytes, 0, request.lengths[0]!);
    // What is typed may be anything: the middle of a value, too.
    if (request.inline && !kind.known) return false;
    if (kind.parts && request.words > 1)
      kind = kind.parts.find(request.bytes, wordAt(1), request.lengths[1]!) ?? kind;
    const place = keyPlace(kind, request);
    const pattern =
      place > 0 && place < Math.min(request.words, WORDS_KEPT)
        ? patterns.numberOf(request.bytes, wordAt(place), request.lengths[place]!)
        : -1;
    const blocking = kind.blocking || (kind.key === 'streams' && findWord(request, 'BLOCK') > 0);
    const asked: Asked = {
      kind,
      pattern,
      size: request.size,
      at: now,
      blocking,
      heard: this.#heard,
      replies: 1,
    };
    if (request.size > statistics.biggestRequests.least)
      statistics.biggestRequests.add(this.#ledger.notable(this.#client, request.size, asked, now));
    const skipped = this.#skipped;
    this.#skipped = false;
    if (kind.steering) this.#steered(kind.name, asked, request);
    if (skipped || this.#silent || asked.replies === 0) {
      ledger.count(this.#client, asked, 0, undefined, now);
      return true;
    }
    if (this.#end > 0 && this.#asked[this.#end - 1]!.heard === asked.heard) this.#pipelines = true;
    this.#asked[this.#end++] = asked;
    const waiting = this.#end - this.#first;
    // While something is missing, replies wait here, not commands there.
    if (waiting > statistics.deepest && this.#pipelines && this.exchange.settled)
      statistics.deepest = waiting;
    else if (statistics.deepest === 0) statistics.deepest = 1;
    if (waiting > MOST_ASKED) this.#lostReplies();
    return true;
  }

  /** Commands that change how the connection is to be read. */
  #steered(name: string, asked: Asked, request: RequestParser): void {
    const { statistics } = this.#ledger;
    switch (name) {
      case 'SUBSCRIBE':
      case 'PSUBSCRIBE':
      case 'SSUBSCRIBE':
        statistics.pubsub.subscriptions += request.words - 1;
        this.#mode = 'subscribed';
        asked.replies = Math.max(1, request.words - 1);
        return;
      case 'UNSUBSCRIBE':
      case 'PUNSUBSCRIBE':
      case 'SUNSUBSCRIBE':
        asked.replies = Math.max(1, request.words - 1);
        return;
      case 'PUBLISH':
      case 'SPUBLISH':
        statistics.pubsub.published += 1;
        return;
      case 'MONITOR':
        this.#mode = 'monitor';
        return;
      case 'SYNC':
      case 'PSYNC':
        this.#mode = 'replication';
        statistics.replication += 1;
        this.#forget();
        return;
      case 'CLIENT|REPLY': {
        const word = request.words > 2 ? text(request, 2) : '';
        this.#skipped = word === 'SKIP';
        this.#silent = word === 'OFF';
        if (word !== 'ON') asked.replies = 0;
      }
    }
  }

  #replyDone(reply: Reply): void {
    const { statistics } = this.#ledger;
    if (this.#isPush(reply)) return;
    if (this.#first === this.#end) {
      if (this.#mode === 'commands') statistics.unasked += 1;
      return;
    }
    const asked = this.#asked[this.#first]!;
    asked.replies -= 1;
    if (asked.replies > 0) return;
    this.#take();
    this.#answered(asked, reply);
  }

  #take(): void {
    this.#first += 1;
    if (this.#first === this.#end) {
      this.#first = 0;
      this.#end = 0;
    } else if (this.#first > 1024) {
      this.#asked.splice(0, this.#first);
      this.#end -= this.#first;
      this.#first = 0;
    }
  }

  /** Messages to subscribers, and what RESP3 pushes, answer no command. */
  #isPush(reply: Reply): boolean {
    if (reply.type !== PUSH && !(reply.type === ARRAY && this.#mode === 'subscribed')) return false;
    const word = reply.text;
    if (word === 'message' || word === 'pmessage' || word === 'smessage') {
      const { pubsub } = this.#ledger.statistics;
      pubsub.messages += 1;
      pubsub.messageBytes += reply.size;
      return true;
    }
    return reply.type === PUSH && !word.endsWith('subscribe');
  }

  #answered(asked: Asked, reply: Reply): void {
    const { statistics } = this.#ledger;
    const failed = reply.type === 45 || reply.type === 33;
    const { steering, name } = asked.kind;
    if (steering || this.#transaction.isOpen) {
      if (this.#transaction.takes(asked, reply, failed, this.#client)) return;
      if (name === 'RESET' && !failed) this.#mode = 'commands';
    }
    const latency = reply.began - asked.at;
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
