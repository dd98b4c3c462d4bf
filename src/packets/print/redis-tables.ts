import { rowsOf, table, tablePieces } from '../../output/table.ts';
import { printable } from '../../text/printable.ts';
import { counted, formatBytes } from '../../text/quantity.ts';
import { clockOf } from '../times.ts';
import type { quantiles } from './facts.ts';
import type { RedisFacts } from './redis-facts.ts';
import { endText, heading, latencyText, left, quantileText, right } from './wording.ts';

const quantileCells = (of: ReturnType<typeof quantiles>): string[] =>
  of ? [of.p50Seconds, of.p95Seconds, of.p99Seconds, of.maxSeconds].map(latencyText) : ['', '', '', ''];

const GROUP_COLUMNS = [
  right('CALLS'),
  right('ERRORS'),
  right('IN'),
  right('OUT'),
  right('P50'),
  right('P95'),
  right('P99'),
  right('MAX'),
];

type GroupFacts = RedisFacts['commands' | 'keys' | 'clients' | 'servers'][number];

const groupCells = (group: GroupFacts) => [
  String(group.calls),
  group.errors ? String(group.errors) : '',
  formatBytes(group.bytesIn),
  formatBytes(group.bytesOut),
  ...quantileCells(group.latency),
];

/** The text if the user asked for Redis and none was found. */
export const NONE_FOUND = '\nRedis: none found\n';

/** Prints everything about Redis piece by piece, with at most `rows` rows of the slowest and the biggest commands. */
export function* redisTables(facts: RedisFacts, rows: number): Generator<string> {
  const isFound = facts.connections.count > 0 || facts.tls.some(({ portOfRedis }) => portOfRedis);
  yield isFound ? '\nRedis\n' : NONE_FOUND;
  const line = (label: string, text: string) => `${label.padEnd(16)}${text}\n`;
  const { connections, missing, pubsub, transactions } = facts;
  for (const { server, connections: count, portOfRedis } of facts.tls)
    yield line(
      'TLS',
      `${counted(count, 'connection')} to ${printable(endText(server))}, encrypted: the commands can't be read${portOfRedis ? '' : ', if this is Redis'}`,
    );
  if (connections.count === 0) return;
  yield line(
    'Connections',
    `${connections.count}, ${connections.joinedInTheMiddle} from before the capture, at most ${counted(connections.deepestPipeline, 'command')} at once${connections.replication ? `, ${connections.replication} of replicas` : ''}`,
  );
  if (facts.latency) yield line('Latency', quantileText(facts.latency));
  if (facts.blocking) yield line('Blocking', `${quantileText(facts.blocking)}, not in the latency`);
  const holes = [
    missing.bytes && `${formatBytes(missing.bytes)} are not in the capture`,
    missing.lostThread &&
      `the position in the stream was lost and found again ${counted(missing.lostThread, 'time')}`,
    missing.commandsWithoutReply && `${counted(missing.commandsWithoutReply, 'command')} without a reply`,
    missing.packetsCutBeforeCommands &&
      `${counted(missing.packetsCutBeforeCommands, 'packet')} truncated before the last of several commands`,
    missing.repliesWithoutCommand &&
      `${counted(missing.repliesWithoutCommand, 'reply', 'replies')} without a command`,
  ].filter(Boolean);
  if (holes.length) yield line('Missing', holes.join(', '));
  const errors = Object.entries(facts.errors);
  if (errors.length)
    yield line('Errors', errors.map(([kind, count]) => `${printable(kind)} ${count}`).join(', '));
  if (facts.redirects.length)
    yield line(
      'Redirects',
      facts.redirects
        .slice(0, 5)
        .map(({ kind, to, count }) => `${kind} ${printable(to)} ${count}`)
        .join(', '),
    );
  if (transactions.executed + transactions.discarded + transactions.aborted > 0)
    yield line(
      'Transactions',
      `${transactions.executed} executed (${counted(transactions.commands, 'command')}), ${transactions.discarded} discarded, ${transactions.aborted} aborted`,
    );
  if (pubsub.messages + pubsub.published + pubsub.subscriptions > 0)
    yield line(
      'Pub/sub',
      `${pubsub.published} published, ${pubsub.messages} messages to subscribers (${formatBytes(pubsub.messageBytes)}), ${pubsub.subscriptions} subscriptions`,
    );
  yield* groups('Commands', 'COMMAND', facts.commands, facts.counts.commands, (each) => each.command);
  if (facts.counts.servers > 1)
    yield* groups('Servers', 'SERVER', facts.servers, facts.counts.servers, (each) => endText(each.server));
  yield* groups('Clients', 'CLIENT', facts.clients, facts.counts.clients, (each) => endText(each.client));
  yield* groups('Keys', 'KEY', facts.keys, facts.counts.keys, (each) => each.key);
  yield* combinations(facts);
  yield* notables('Slowest commands', facts.slowest, rows);
  yield* notables('Biggest requests', facts.biggestRequests, rows);
  yield* notables('Biggest replies', facts.biggestReplies, rows);
}

function* groups<Row extends GroupFacts>(
  title: string,
  column: string,
  shown: readonly Row[],
  count: number,
  name: (row: Row) => string,
): Generator<string> {
  if (count === 0) return;
  yield heading(title, shown.length, count);
  yield* tablePieces([{ title: column, longest: 80 }, ...GROUP_COLUMNS], () =>
    rowsOf(shown, (row) => [name(row), ...groupCells(row)]),
  );
}

function* combinations(facts: RedisFacts): Generator<string> {
  const shown = facts.callsByClientCommandKey;
  if (shown.length < 2) return;
  yield heading('Who does what', shown.length, facts.counts.callsByClientCommandKey);
  yield* tablePieces([right('CALLS'), left('CLIENT'), left('COMMAND'), { title: 'KEY', longest: 80 }], () =>
    rowsOf(shown, ({ calls, client, command, key = '' }) => [String(calls), endText(client), command, key]),
  );
}

function* notables(title: string, all: RedisFacts['slowest'], rows: number): Generator<string> {
  if (all.length === 0) return;
  const shown = all.slice(0, Math.min(rows, 10));
  yield `\n${title}\n`;
  yield table(
    [
      right('bytes' in all[0]! ? 'BYTES' : 'TOOK'),
      left('COMMAND'),
      { title: 'KEY', longest: 80 },
      left('CLIENT'),
      left('TIME'),
    ],
    shown.map((each) => [
      'bytes' in each ? formatBytes(each.bytes) : latencyText(each.seconds),
      each.command,
      each.key ?? '',
      endText(each.client),
      clockOf(each.time, 15),
    ]),
  );
}
