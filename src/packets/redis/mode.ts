import { text } from './key-place.ts';
import type { PendingCommand } from './recorder.ts';
import { ARRAY, MAP, PUSH, type Reply, STATUS } from './reply.ts';
import type { RequestParser } from './request.ts';
import type { RedisStatistics } from './statistics.ts';

/** What its commands have made of a connection: how the next commands and replies are to be taken. */
export class Mode {
  kind: 'commands' | 'subscribed' | 'monitor' | 'replication' = 'commands';
  /** CLIENT REPLY OFF, or SKIP for the next one. */
  silent = false;
  skipped = false;
  /** Since HELLO 3: messages are pushes, and an array is never one. */
  #hasPushes = false;
  /** The number of subscriptions, from the server's last reply. */
  #channels = 0;
  #patterns = 0;
  #shards = 0;
  /** SUBSCRIBE and similar commands that have no reply yet. */
  #unconfirmed = 0;

  reset(): void {
    this.silent = false;
    this.skipped = false;
    this.#hasPushes = false;
    this.endSubscriptions();
  }

  /** RESET ends subscriptions and MONITOR, and goes back to RESP2. */
  endSubscriptions(): void {
    this.kind = 'commands';
    this.#hasPushes = false;
    this.#channels = 0;
    this.#patterns = 0;
    this.#shards = 0;
    this.#unconfirmed = 0;
  }

  /** Takes a command that changes the mode, and sets how many replies the command gets. */
  steer(command: PendingCommand, request: RequestParser, statistics: RedisStatistics): void {
    switch (command.kind.name) {
      case 'SUBSCRIBE':
      case 'PSUBSCRIBE':
      case 'SSUBSCRIBE':
        statistics.pubsub.subscriptions += request.words - 1;
        this.kind = 'subscribed';
        this.#unconfirmed += 1;
        command.replies = Math.max(1, request.words - 1);
        return;
      case 'UNSUBSCRIBE':
      case 'PUNSUBSCRIBE':
      case 'SUNSUBSCRIBE':
        command.replies = Math.max(1, request.words - 1);
        command.unsubscribesAll = request.words === 1;
        return;
      case 'PUBLISH':
      case 'SPUBLISH':
        statistics.pubsub.published += 1;
        return;
      case 'MONITOR':
        this.kind = 'monitor';
        return;
      case 'SYNC':
      case 'PSYNC':
        this.kind = 'replication';
        statistics.replication += 1;
        return;
      case 'CLIENT|REPLY': {
        const word = request.words > 2 ? text(request, 2) : '';
        this.skipped = word === 'SKIP';
        this.silent = word === 'OFF';
        if (word !== 'ON') command.replies = 0;
      }
    }
  }

  /** Takes the reply to a command that changes the mode. */
  replied(name: string, reply: Reply): void {
    if (name === 'RESET' && reply.error === undefined) this.endSubscriptions();
    // In RESP3 it is a map, in RESP2 an array.
    else if (name.endsWith('SUBSCRIBE') && !name.includes('UN')) this.#unconfirmed -= 1;
    else if (name === 'HELLO' && reply.error === undefined) this.#hasPushes = reply.type === MAP;
  }

  /** Whether this was the last reply to a command that gets several: one for each channel, until an error ends it, or QUEUED. */
  isLast(command: PendingCommand, reply: Reply): boolean {
    if (!command.unsubscribesAll && command.replies === 1) return true;
    if (reply.type !== ARRAY && reply.type !== PUSH) return true;
    command.replies -= 1;
    if (!command.unsubscribesAll) return command.replies <= 0;
    const { name } = command.kind;
    const left =
      name === 'UNSUBSCRIBE' ? this.#channels : name === 'PUNSUBSCRIBE' ? this.#patterns : this.#shards;
    return left <= 0;
  }

  /**
   * Whether this is no reply to a command: a message to a subscriber, output of MONITOR, or a push of RESP3. `next` is the command
   * that waits for its reply.
   */
  isMessage(reply: Reply, { pubsub }: RedisStatistics, next: PendingCommand | undefined): boolean {
    const { type } = reply;
    if (this.kind === 'monitor' && type === STATUS) return /^\d+\.\d+ \[/.test(reply.text);
    if (type === PUSH) this.#hasPushes = true;
    else if (type !== ARRAY || this.kind !== 'subscribed' || this.#hasPushes) return false;
    const word = reply.text;
    if (word === 'message' || word === 'pmessage' || word === 'smessage') {
      pubsub.messages += 1;
      pubsub.messageBytes += reply.size;
      return true;
    }
    if (!word.endsWith('subscribe')) return type === PUSH;
    this.#count(word, reply.integer);
    // The server sends this unasked when a channel has moved to another server with its shard.
    return word === 'sunsubscribe' && next?.kind.name !== 'SUNSUBSCRIBE';
  }

  /** The reply to a subscription has the number of channels and patterns together, or of shards. */
  #count(word: string, count: number): void {
    if (word === 'ssubscribe' || word === 'sunsubscribe') this.#shards = count;
    else if (word === 'psubscribe' || word === 'punsubscribe') this.#patterns = count - this.#channels;
    else this.#channels = count - this.#patterns;
    const isNone = this.#channels <= 0 && this.#patterns <= 0 && this.#shards <= 0;
    if (isNone && this.#unconfirmed <= 0 && this.kind === 'subscribed') this.kind = 'commands';
  }
}
