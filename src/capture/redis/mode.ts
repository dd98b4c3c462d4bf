import type { Asked } from './ledger.ts';
import { ARRAY, PUSH, type Reply } from './reply.ts';
import type { RequestParser } from './request.ts';
import type { RedisStatistics } from './statistics.ts';
import { text } from './words.ts';

/** What its commands have made of a connection: how the next commands and replies are to be taken. */
export class Mode {
  kind: 'commands' | 'subscribed' | 'monitor' | 'replication' = 'commands';
  /** CLIENT REPLY OFF, or SKIP for the next one. */
  silent = false;
  skipped = false;

  reset(): void {
    this.kind = 'commands';
    this.silent = false;
    this.skipped = false;
  }

  /** A command that changes it, and says how many replies it gets. */
  steer(asked: Asked, request: RequestParser, statistics: RedisStatistics): void {
    switch (asked.kind.name) {
      case 'SUBSCRIBE':
      case 'PSUBSCRIBE':
      case 'SSUBSCRIBE':
        statistics.pubsub.subscriptions += request.words - 1;
        this.kind = 'subscribed';
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
        if (word !== 'ON') asked.replies = 0;
      }
    }
  }

  /** Whether it answers no command: a message to a subscriber, or what RESP3 pushes. */
  isMessage(reply: Reply, { pubsub }: RedisStatistics): boolean {
    if (reply.type !== PUSH && !(reply.type === ARRAY && this.kind === 'subscribed')) return false;
    const word = reply.text;
    if (word === 'message' || word === 'pmessage' || word === 'smessage') {
      pubsub.messages += 1;
      pubsub.messageBytes += reply.size;
      return true;
    }
    return reply.type === PUSH && !word.endsWith('subscribe');
  }
}
