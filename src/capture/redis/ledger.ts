import { bucketOf } from '../durations.ts';
import { type CommandKind, Commands } from './commands.ts';
import { type PatternRule, Patterns } from './pattern.ts';
import { newScratch } from './request.ts';
import { Group, type Notable, RedisStatistics } from './statistics.ts';

/** A command that waits for its reply. */
export interface Asked {
  readonly kind: CommandKind;
  readonly pattern: number;
  readonly size: number;
  /** When its last byte came. */
  readonly at: number;
  readonly blocking: boolean;
  /** How far the client had heard the server when it sent this: a sequence number of the server. */
  readonly heard: number;
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

  /** Counts a command that ran, everywhere it belongs. */
  count(
    client: Client,
    asked: Asked,
    replySize: number,
    latency: number | undefined,
    at: number,
    failed = false,
  ): void {
    const { statistics } = this;
    const { kind, pattern } = asked;
    const bucket = latency === undefined ? 0 : bucketOf(latency);
    add(groupOf(statistics.commands, kind.id), asked, replySize, latency, bucket, failed);
    add(client.group, asked, replySize, latency, bucket, failed);
    if (pattern >= 0) add(groupOf(statistics.patterns, pattern), asked, replySize, latency, bucket, failed);
    statistics.combinations.add(client.number, kind.id, pattern);
    this.#answered(at, latency);
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
