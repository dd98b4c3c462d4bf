import { bucketOf } from '../durations.ts';
import type { CommandKind, Commands } from './commands.ts';
import { findWord, keyPlace } from './key-place.ts';
import type { Patterns } from './pattern.ts';
import type { Reply } from './reply.ts';
import { newScratch, type RequestParser, type Scratch, WORDS_KEPT, wordAt } from './request.ts';
import { clientKey, type Notable, RedisStatistics, serverKey } from './statistics.ts';

/** A command that waits for its reply. */
export interface PendingCommand {
  readonly kind: CommandKind;
  readonly pattern: number;
  size: number;
  /** When its last byte came. */
  at: number;
  readonly blocking: boolean;
  /** The client's acknowledgment number when it sent this: how much of the server's stream it had received. */
  readonly ack: number;
  /** Whether it is the first that the client sent with this acknowledgment number. */
  isFirstWithAck: boolean;
  /** Whether commands before it are missing in the capture. */
  isAfterGap: boolean;
  /** Replies that it gets: one for each channel of SUBSCRIBE. */
  replies: number;
  /** UNSUBSCRIBE without channels: one reply for each subscribed channel, or one reply if there is none. */
  unsubscribesAll: boolean;
}

/** Both ends of a connection; addresses are numbers of Addresses. */
export interface ConnectionEnds {
  readonly six: boolean;
  readonly client: number;
  readonly clientPort: number;
  readonly server: number;
  readonly serverPort: number;
}

/** The client and the server. */
export interface Client {
  readonly ends: ConnectionEnds;
  /** Its row among the clients, and the server's among the servers. */
  readonly client: number;
  readonly server: number;
}

/** What all connections share: the known commands and patterns, and the counts. */
export class CommandRecorder {
  readonly commands: Commands;
  readonly patterns: Patterns;
  readonly statistics = new RedisStatistics();
  readonly scratch: Scratch;
  /** The time and the latency of each command of a provisional recorder, for the timeline. */
  #provisional: [number, number | undefined][] = [];
  readonly #answered: (at: number, latency: number | undefined) => void;

  constructor(
    commands: Commands,
    patterns: Patterns,
    answered: (at: number, latency: number | undefined) => void,
    scratch = newScratch(),
  ) {
    this.commands = commands;
    this.patterns = patterns;
    this.#answered = answered;
    this.scratch = scratch;
  }

  /** Another recorder with the same commands and patterns. Its counts may be merged into this one later. */
  provisional(): CommandRecorder {
    const answered: [number, number | undefined][] = [];
    const { commands, patterns, scratch } = this;
    const own = new CommandRecorder(
      commands,
      patterns,
      (at, latency) => answered.push([at, latency]),
      scratch,
    );
    own.#provisional = answered;
    return own;
  }

  /** Adds the counts of another recorder. */
  merge(other: CommandRecorder): void {
    this.statistics.merge(other.statistics);
    for (const [at, latency] of other.#provisional) this.#answered(at, latency);
  }

  /** A client of a server, each with the row that its commands count in. */
  clientOf(ends: ConnectionEnds, isNew = true): Client {
    const { statistics } = this;
    const client = statistics.clients.rowOf(clientKey(ends.client, ends.six));
    const server = statistics.servers.rowOf(serverKey(ends.server, ends.six, ends.serverPort));
    statistics.addConnections(server, isNew ? 1 : 0);
    return { ends, client, server };
  }

  isServer(address: number, six: boolean, port: number): boolean {
    return this.statistics.servers.has(serverKey(address, six, port));
  }

  /**
   * The command of a request that was sent at `now` with the acknowledgment number `ack`; undefined where it can't be a
   * command, or where too much of it is missing to know which. `isSure`: all that came before was understood.
   */
  pendingCommand(
    request: RequestParser,
    now: number,
    ack: number,
    whole: boolean,
    isSure: boolean,
  ): PendingCommand | undefined {
    const { commands, patterns } = this;
    let kind = commands.kindOf(request.bytes, 0, request.lengths[0]!);
    // A typed line may be anything, even the middle of a value.
    if (request.inline && !kind.known && !isSure) return undefined;
    if (!whole && (!kind.known || kind.steering)) return undefined;
    let place = 0;
    if (kind.parts && request.known < 2) {
      const parts = kind.parts.likely(request.bytes, wordAt(1), request.lengths[1]!, request.cutLength);
      // A command that changes how the connection is read must not be missed.
      if (parts.some(({ steering }) => steering)) return undefined;
      if (parts.length === 1) kind = parts[0]!;
    } else if (kind.parts && request.words > 1) {
      const part = kind.parts.find(request.bytes, wordAt(1), request.lengths[1]!);
      // If a subcommand does not exist, none of its words is known to be a key.
      if (part) place = keyPlace(part, request);
      kind = part ?? kind;
    } else place = keyPlace(kind, request);
    const pattern =
      place > 0 && place < Math.min(request.words, request.known, WORDS_KEPT)
        ? patterns.numberOf(request.bytes, wordAt(place), request.lengths[place]!)
        : -1;
    const waits = kind.key === 'streams' && (!whole || findWord(request, 'BLOCK') > 0);
    const blocking = kind.blocking || waits;
    const { size } = request;
    return {
      kind,
      pattern,
      size,
      at: now,
      blocking,
      ack,
      isFirstWithAck: false,
      isAfterGap: false,
      replies: 1,
      unsubscribesAll: false,
    };
  }

  /** Counts a command that ran, in every table; `error` is the line that it failed with. */
  count(
    client: Client,
    command: PendingCommand,
    replySize: number,
    latency: number | undefined,
    at: number,
    error?: string,
  ): void {
    const { statistics } = this;
    const failed = error !== undefined;
    if (failed) statistics.error(error);
    const { kind, pattern, size } = command;
    const { commands, clients, servers, patterns, combinations } = statistics;
    const bucket = latency === undefined ? 0 : bucketOf(latency);
    commands.count(commands.rowOf(kind.id), size, replySize, latency, bucket, failed);
    clients.count(client.client, size, replySize, latency, bucket, failed);
    servers.count(client.server, size, replySize, latency, bucket, failed);
    if (pattern >= 0) patterns.count(patterns.rowOf(pattern), size, replySize, latency, bucket, failed);
    combinations.add(client.client, kind.id, pattern);
    this.#answered(at, latency);
  }

  /** Counts a command that was answered, and keeps it if it is one of the slowest or the biggest. */
  answered(
    client: Client,
    command: PendingCommand,
    { size, began }: Reply,
    latency: number,
    error?: string,
  ): void {
    const { blocking, biggestReplies, slowest } = this.statistics;
    if (command.blocking) blocking.add(latency);
    this.count(client, command, size, command.blocking ? undefined : latency, began, error);
    if (size > biggestReplies.least) biggestReplies.add(this.notable(client, size, command, began));
    if (!command.blocking && latency > slowest.least)
      slowest.add(this.notable(client, latency, command, command.at));
  }

  /** Counts a command without a reply in the capture: its latency is not known. */
  unanswered(client: Client, command: PendingCommand): void {
    this.statistics.unanswered += 1;
    this.count(client, command, 0, undefined, command.at);
  }

  /** The reply to a command that was counted has so many bytes more. */
  addReplyBytes(client: Client, { kind, pattern }: PendingCommand, bytes: number): void {
    const { commands, patterns, clients, servers } = this.statistics;
    commands.addReplyBytes(commands.rowOf(kind.id), bytes);
    clients.addReplyBytes(client.client, bytes);
    servers.addReplyBytes(client.server, bytes);
    if (pattern >= 0) patterns.addReplyBytes(patterns.rowOf(pattern), bytes);
  }

  notable({ ends }: Client, value: number, { kind, pattern }: PendingCommand, at: number): Notable {
    const { client, six, clientPort } = ends;
    const key = pattern < 0 ? '' : this.patterns.text(pattern);
    return { value, command: kind.name, key, client, six, clientPort, at };
  }
}
