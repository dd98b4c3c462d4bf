import { bucketOf } from '../durations.ts';
import { type CommandKind, Commands } from './commands.ts';
import { type PatternRule, Patterns } from './pattern.ts';
import { newScratch, type RequestParser, WORDS_KEPT, wordAt } from './request.ts';
import { Group, type Notable, RedisStatistics } from './statistics.ts';
import { findWord, keyPlace } from './words.ts';

/** A command that waits for its reply. */
export interface Asked {
  readonly kind: CommandKind;
  readonly pattern: number;
  size: number;
  /** When its last byte came. */
  at: number;
  readonly blocking: boolean;
  /** How far the client had heard the server when it sent this: a sequence number of the server. */
  readonly heard: number;
  /** Whether it is the first that the client sent after it had heard so far. */
  leads: boolean;
  /** Whether commands before it are missing in the capture. */
  behindHole: boolean;
  /** Replies that it gets: one for each channel of SUBSCRIBE. */
  replies: number;
}

/** Who asks. */
export interface Client {
  readonly address: number;
  readonly six: boolean;
  readonly port: number;
  /** Of the clients, from 0. */
  readonly number: number;
  readonly group: Group;
}

/** What all connections share: what they know, and what they count. */
export class Ledger {
  readonly commands = new Commands();
  readonly patterns: Patterns;
  readonly statistics = new RedisStatistics();
  readonly scratch = newScratch();
  /** Told of every command that ran: for the timeline. */
  readonly #answered: (at: number, latency: number | undefined) => void;

  constructor(
    rules: readonly PatternRule[],
    showKeys: boolean,
    answered: (at: number, latency: number | undefined) => void,
  ) {
    this.patterns = new Patterns(rules, showKeys);
    this.#answered = answered;
  }

  /**
   * What a request asks, sent at `now` by one who had heard the server up to `heard`; nothing where it can't be a command, or
   * too much of it is missing to know which.
   */
  asked(request: RequestParser, now: number, heard: number, whole: boolean): Asked | undefined {
    const { commands, patterns } = this;
    let kind = commands.kindOf(request.bytes, 0, request.lengths[0]!);
    // What is typed may be anything: the middle of a value, too.
    if (request.inline && !kind.known) return undefined;
    if (!whole && (!kind.known || kind.steering || (kind.parts && request.known < 2))) return undefined;
    let place = 0;
    if (kind.parts && request.words > 1) {
      const part = kind.parts.find(request.bytes, wordAt(1), request.lengths[1]!);
      // Of a subcommand that is none, nothing is known to be a key.
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
    return { kind, pattern, size, at: now, blocking, heard, leads: false, behindHole: false, replies: 1 };
  }

  /** Counts a command that ran, everywhere it belongs; `error`: the line that it failed with. */
  count(
    client: Client,
    asked: Asked,
    replySize: number,
    latency: number | undefined,
    at: number,
    error?: string,
  ): void {
    const { statistics } = this;
    const failed = error !== undefined;
    if (failed) statistics.error(error);
    const { kind, pattern } = asked;
    const bucket = latency === undefined ? 0 : bucketOf(latency);
    add(groupOf(statistics.commands, kind.id), asked, replySize, latency, bucket, failed);
    add(client.group, asked, replySize, latency, bucket, failed);
    if (pattern >= 0) add(groupOf(statistics.patterns, pattern), asked, replySize, latency, bucket, failed);
    statistics.combinations.add(client.number, kind.id, pattern);
    this.#answered(at, latency);
  }

  /** The reply to a command that was counted has so many bytes more. */
  more(client: Client, { kind, pattern }: Asked, bytes: number): void {
    const { commands, patterns } = this.statistics;
    groupOf(commands, kind.id).bytesOut += bytes;
    client.group.bytesOut += bytes;
    if (pattern >= 0) groupOf(patterns, pattern).bytesOut += bytes;
  }

  notable(client: Client, value: number, { kind, pattern }: Asked, at: number): Notable {
    const { address, six, port } = client;
    const key = pattern < 0 ? '' : this.patterns.text(pattern);
    return { value, command: kind.name, key, client: address, six, clientPort: port, at };
  }
}

function groupOf(groups: Map<number, Group>, number: number): Group {
  let group = groups.get(number);
  if (!group) {
    group = new Group();
    groups.set(number, group);
  }
  return group;
}

function add(
  group: Group,
  asked: Asked,
  replySize: number,
  latency: number | undefined,
  bucket: number,
  failed: boolean,
): void {
  group.calls += 1;
  group.bytesIn += asked.size;
  group.bytesOut += replySize;
  if (failed) group.errors += 1;
  if (latency !== undefined) group.latency.add(latency, bucket);
}
