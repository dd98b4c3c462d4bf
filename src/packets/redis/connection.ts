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

const MOST_PENDING = 1 << 20;
/**
 * One connection: commands one way, replies the other, paired in order. In the middle of a connection, and
 * after a gap, reading begins at a segment that begins with a known command, and replies are read from the sequence number that
 * this segment acknowledges.
 */
export class RedisConnection {
  readonly account: Account;
  readonly #request: RequestParser;
  readonly #reply: ReplyParser;
  readonly #pending: PendingCommands;
  /** Whether the positions of commands and of replies in their streams are known. */
  #commandsInSync = false;
  #repliesInSync = false;
  /** Whether all commands are in the capture and were understood (`whole`), and whether there was one already (`sure`). */
  #trust: 'none' | 'whole' | 'sure' = 'none';
  readonly #mode = new Mode();
  readonly #transaction = new Transaction();
  /** The last command if it was truncated, and the command whose reply was the last one and is incomplete. */
  #truncated: PendingCommand | undefined;
  #brokenReplyOf: PendingCommand | undefined;
  /** What the client has acknowledged. */
  #clientAck = 0;
  /** The sequence number of the client's last segment, and the acknowledgment number of the server's last reply. */
  #commandSeq = 0;
  #serverAck = 0;
  readonly #pace = new Pace();
  /** The sequence number from which replies are read again, and whether it is still to come. */
  #resume = 0;
  #resumes = false;
  readonly exchange: Exchange;
  /** Whose segments are the client's: those of A, or of B. */
  clientIsA = false;
  /** A bit for each side that closed. */
  closed = 0;

  constructor(recorder: CommandRecorder) {
    this.account = new Account(recorder);
    this.#pending = new PendingCommands((command) =>
      this.account.recorder.unanswered(this.account.client, command),
    );
    this.#request = new RequestParser(recorder.scratch, (now) => this.#commandDone(now));
    this.#reply = new ReplyParser(() => this.#replyDone(this.#reply));
    const toServer: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#clientAck = ack;
        this.#commandSeq = seq;
        this.#commandBytes(bytes, at, end, now);
      },
      gap: (length, now) => {
        this.account.recorder.statistics.gaps += length;
        if (!this.#request.skip(length, now)) this.#skipCommands(length, now);
      },
    };
    const toClient: ByteStream = {
      bytes: (bytes, at, end, now, seq, ack) => {
        this.#serverAck = ack;
        this.account.hasServerData = true;
        this.#replyBytes(bytes, at, end, now, seq);
      },
      gap: (length, now) => {
        this.account.recorder.statistics.gaps += length;
        if (!this.#repliesInSync) this.#extendBrokenReply(length);
        else if (!this.#reply.skip(length, now, this.#pending.length === 1))
          this.#skipReplies(this.exchange.nextFromServer);
      },
    };
    this.exchange = new Exchange(toServer, toClient);
  }

  /**
   * Begins anew: one object serves many connections, one after the other. `began`: its SYN is in the capture; `whole`: all
   * that was said is, and `clientSeq` and `serverSeq` are the sequence numbers that the two sides begin with.
   */
  open(
    ends: ConnectionEnds,
    clientIsA: boolean,
    began: boolean,
    whole: boolean,
    clientSeq: number,
    serverSeq: number,
  ): void {
    this.account.open(ends, whole, began);
    this.#request.strict = !whole;
    this.clientIsA = clientIsA;
    this.closed = 0;
    this.#restart(whole);
    this.exchange.reset();
    if (whole) this.exchange.begin(clientSeq, serverSeq);
  }

  /** Whether commands and replies are understood from here on, and nothing of what was before. */
  #restart(whole: boolean): void {
    this.#commandsInSync = whole;
    this.#repliesInSync = whole;
    this.#trust = whole ? 'whole' : 'none';
    this.#mode.reset();
    this.#transaction.reset();
    this.#pace.reset();
    this.#resumes = false;
    this.#truncated = undefined;
    this.#brokenReplyOf = undefined;
    this.#pending.reset();
    this.#request.reset();
    this.#reply.reset();
  }

  /** Nothing more comes. */
  end(): void {
    this.exchange.end();
    this.#pending.dropAll();
    this.account.close();
  }

  /** The supposed commands are the middle of a value: none of them is counted. */
  #discard(): void {
    this.#pending.dropAll();
    this.#restart(false);
    this.#request.strict = true;
    this.account.discard();
  }

  /** Whether the stream is complete up to the client's sequence number `clientSeq` and the acknowledgment `ack`, and every
   * command has its reply. */
  isDone(clientSeq: number, ack: number): boolean {
    const { exchange } = this;
    return (
      this.#mode.kind === 'commands' &&
      this.#commandsInSync &&
      this.#repliesInSync &&
      this.#pending.length === 0 &&
      exchange.settled &&
      exchange.nextFromClient === clientSeq &&
      ((ack - exchange.nextFromServer) | 0) <= 0
    );
  }

  #commandBytes(bytes: Uint8Array, at: number, end: number, now: number): void {
    if (this.#mode.kind === 'replication') return;
    if (!this.#commandsInSync) {
      const { commands } = this.account.recorder;
      if (!beginsCommand(bytes, at, end, (name, from, length) => commands.isKnown(name, from, length))) {
        this.#extendTruncated(end - at, now);
        return;
      }
      this.#commandsInSync = true;
      this.#truncated = undefined;
      this.#request.reset();
      // What is missing before may have been sent just now.
      this.#pace.lastAt = now;
    }
    if (this.#request.feed(bytes, at, end, now)) return;
    if (this.account.isProvisional) this.#discard();
    else this.#loseSync();
  }

  #replyBytes(bytes: Uint8Array, at: number, end: number, now: number, seq: number): void {
    if (this.#mode.kind === 'replication') return;
    this.#pace.lastAt = now;
    if (this.#resumes && ((this.#resume - seq) | 0) < 0) this.#skipReplies(seq);
    if (!this.#repliesInSync) {
      this.#extendBrokenReply(end - at);
      return;
    }
    const before = this.#resumes ? (this.#resume - seq) | 0 : 0;
    if (before >= end - at) return;
    this.#resumes = false;
    if (!this.#reply.feed(bytes, at + before, end, now, (seq + before) | 0)) this.#loseReplies();
  }

  /** It is not known any more where a command begins, nor which reply is for which command. */
  #loseSync(): void {
    if (this.#commandsInSync) this.account.recorder.statistics.desyncs += 1;
    this.#commandsInSync = false;
    this.#repliesInSync = false;
    this.#trust = 'none';
    this.#transaction.reset();
    this.#loseReplies();
  }

  /**
   * Commands are missing in the capture. Those before them still get their replies, and so does the first command after them that
   * acknowledges something new. If a segment of the time `now` was truncated, the beginning of its command tells which it is.
   */
  #skipCommands(length: number, now: number | undefined): void {
    this.#trust = 'none';
    if (!this.#commandsInSync) {
      if (now !== undefined) this.#extendTruncated(length, now);
      return;
    }
    const isNamed = now !== undefined && this.#request.cut(length);
    this.#truncated = isNamed
      ? this.account.recorder.pendingCommand(this.#request, now, this.#clientAck, false, false)
      : undefined;
    if (isNamed && this.#request.behindCut) this.account.recorder.statistics.behindCut += 1;
    if (this.#truncated && now !== undefined) this.#addCommand(this.#truncated, now);
    else this.account.recorder.statistics.desyncs += 1;
    this.#commandsInSync = false;
    if (this.#repliesInSync && this.#pending.canMatchByAck) this.#pending.skipCommands(false);
    else this.#loseSync();
  }

  /** More bytes of a truncated command: its latency counts from the last of them. */
  #extendTruncated(length: number, now: number): void {
    if (!this.#truncated) return;
    this.#truncated.size += length;
    this.#truncated.at = now;
  }

  /** It is not known any more where a reply begins: a later command tells. */
  #loseReplies(): void {
    if (this.#repliesInSync) this.account.recorder.statistics.desyncs += 1;
    this.#repliesInSync = false;
    this.#resumes = false;
    this.#pending.dropAll();
  }

  /** Replies before `start` are missing: reading goes on with the first command after them that acknowledges something new. */
  #skipReplies(start: number): void {
    const broken = this.#takeBroken();
    const pending = this.#pending;
    const { length } = pending;
    const resume = this.#repliesInSync && pending.canMatchByAck ? pending.skipReplies(start) : undefined;
    if (broken) {
      // The next command tells where it ended.
      const end = resume === undefined || pending.length < length || pending.hasGapFirst ? start : resume;
      this.#reply.size = (end - this.#reply.start) | 0;
      this.#addReply(broken, this.#reply);
    }
    if (resume === undefined) {
      if (broken) this.#repliesInSync = false;
      this.#loseReplies();
      if (length === 0) this.#brokenReplyOf = broken;
      return;
    }
    if (!broken && !this.#resumes) this.account.recorder.statistics.desyncs += 1;
    this.#resumeAt(resume);
  }

  /** Takes the command whose reply has begun and is incomplete. */
  #takeBroken(): PendingCommand | undefined {
    const { type, start, isOpen } = this.#reply;
    if (!this.#repliesInSync || this.#resumes || !isOpen || type === PUSH || this.#mode.kind !== 'commands')
      return undefined;
    const command = this.#pending.commandOf(start);
    if (command === 'unseen' || command === 'lost' || command.replies > 1 || command.unsubscribesAll)
      return undefined;
    this.#pending.take();
    return command;
  }

  /** More of the reply that was broken off: nothing else was command. */
  #extendBrokenReply(length: number): void {
    if (this.#brokenReplyOf)
      this.account.recorder.addReplyBytes(this.account.client, this.#brokenReplyOf, length);
  }

  #resumeAt(seq: number): void {
    this.#repliesInSync = true;
    this.#brokenReplyOf = undefined;
    this.#resumes = true;
    this.#resume = seq;
    this.#reply.reset();
  }

  /**
   * Reads replies again from this command on, if its reply begins at the sequence number that the command acknowledges. With a
   * client that sends commands before it has all replies, that is known only if it had acknowledged everything, if the server
   * had acknowledged every command in its last segment, and if nothing was sent for a while after that.
   */
  #tryResync({ ack }: PendingCommand): boolean {
    const { nextFromServer, hasServerBegun } = this.exchange;
    const { canMatchByAck } = this.#pending;
    const tells = canMatchByAck
      ? !hasServerBegun || ((nextFromServer - ack) | 0) <= 0
      : ack === nextFromServer &&
        this.#serverAck === this.#commandSeq &&
        this.#pace.isQuiet(this.#request.began);
    if (!tells) return false;
    this.#resumeAt(ack);
    this.#pending.skipCommands(!canMatchByAck);
    return true;
  }

  #commandDone(now: number): boolean {
    // The first word that is typed may be no command, as a password; bytes that nobody types are of another protocol.
    const isSure = this.#trust === 'sure' || (this.#trust === 'whole' && this.#request.isText);
    const command = this.account.recorder.pendingCommand(this.#request, now, this.#clientAck, true, isSure);
    if (!command) return false;
    if (this.#trust === 'whole') this.#trust = 'sure';
    this.#addCommand(command, now);
    return true;
  }

  #addCommand(command: PendingCommand, now: number): void {
    this.#brokenReplyOf = undefined;
    // Every command before this one has its reply.
    const account = this.account;
    if (account.isProvisional && account.replies > 0 && this.#pending.length === 0) {
      account.confirm();
      this.#request.strict = false;
    }
    account.commands += 1;
    const request = this.#request;
    const recorder = this.account.recorder;
    const { statistics } = recorder;
    if (request.size > statistics.biggestRequests.least)
      statistics.biggestRequests.add(recorder.notable(this.account.client, request.size, command, now));
    const mode = this.#mode;
    const { skipped } = mode;
    mode.skipped = false;
    if (command.kind.steering) {
      mode.steer(command, request, statistics);
      if (mode.kind === 'replication') this.#pending.dropAll();
    }
    if (skipped || mode.silent || command.replies === 0) {
      recorder.count(this.account.client, command, 0, undefined, now);
      return;
    }
    if (this.#repliesInSync || this.#tryResync(command)) this.#addPending(command);
    else recorder.unanswered(account.client, command);
    this.#pace.lastAt = now;
  }

  #addPending(command: PendingCommand): void {
    const pending = this.#pending;
    const { statistics } = this.account.recorder;
    const { settled, nextFromServer } = this.exchange;
    pending.add(command, settled && nextFromServer === command.ack);
    const { length } = pending;
    // While something is missing, replies wait here, not commands there.
    if (length > statistics.deepest && pending.isPipelined && settled) statistics.deepest = length;
    else if (statistics.deepest === 0) statistics.deepest = 1;
    if (length > MOST_PENDING) this.#loseReplies();
  }

  #replyDone(reply: Reply): void {
    const { statistics } = this.account.recorder;
    if (this.#mode.isMessage(reply, statistics, this.#pending.next)) return;
    // The rest of a segment in which the position of replies was lost.
    if (!this.#repliesInSync) return;
    const pending = this.#pending;
    const command = pending.commandOf(reply.start);
    if (command === 'unseen' || command === 'lost') {
      if (this.#mode.kind === 'commands') statistics.unmatchedReplies += 1;
      if (command === 'lost') this.#loseReplies();
      return;
    }
    if (!this.#mode.isLast(command, reply)) return;
    if (command.isAfterGap) this.#transaction.reset();
    pending.take();
    this.#addReply(command, reply);
  }

  #addReply(command: PendingCommand, reply: Reply): void {
    const account = this.account;
    account.replies += 1;
    const { steering, name } = command.kind;
    let { error } = reply;
    // Errors in the array that EXEC replies with are of the commands that it ran: `INFO commandstats` counts them there, too.
    if (error !== undefined && name === 'EXEC' && reply.type === ARRAY) error = undefined;
    if (steering || this.#transaction.isOpen) {
      if (this.#transaction.queues(command, reply, error !== undefined, account.client, account.recorder))
        return;
      this.#mode.replied(name, reply);
    }
    const latency = reply.began - command.at;
    this.#pace.answered(latency);
    account.recorder.answered(account.client, command, reply, latency, error);
  }
}
