import type { Analysis } from '../analysis.ts';
import { endOf, inSeconds, isoAfter, type Names, quantiles } from '../facts.ts';
import { combinationOf, type Group, type Largest } from './statistics.ts';

const groupFacts = (group: Group) => ({
  calls: group.calls,
  errors: group.errors,
  bytesIn: group.bytesIn,
  bytesOut: group.bytesOut,
  latency: quantiles(group.latency),
});

const byCalls = <Row extends { readonly calls: number }>(rows: Row[]): Row[] =>
  rows.sort((one, other) => other.calls - one.calls);

/** Redis as a whole; undefined where none was seen, not even encrypted. */
export function redisFacts(analysis: Analysis, names: Names) {
  const { redis, addresses } = analysis;
  if (!redis || (redis.ledger.statistics.connections === 0 && redis.tls.size === 0)) return undefined;
  const { statistics, commands, patterns } = redis.ledger;
  const clientNames = [...statistics.clients.values()].map((each) =>
    endOf(addresses.text(each.address, each.six), undefined, names),
  );
  const notable = ({ all }: Largest, unit: 'bytes' | 'seconds') =>
    all.map((each) => ({
      ...(unit === 'seconds' ? { seconds: inSeconds(each.value) } : { bytes: each.value }),
      command: each.command,
      ...(each.key && { key: each.key }),
      client: endOf(addresses.text(each.client, each.six), each.clientPort, names),
      time: isoAfter(analysis, each.at),
    }));
  return {
    connections: {
      count: statistics.connections,
      joinedInTheMiddle: statistics.joined,
      replication: statistics.replication,
      deepestPipeline: statistics.deepest,
    },
    tls: [...redis.tls.values()].map(({ address, six, port, connections }) => ({
      server: endOf(addresses.text(address, six), port, names),
      connections,
    })),
    missing: {
      bytes: statistics.gaps,
      lostThread: statistics.lostThread,
      commandsWithoutReply: statistics.unanswered,
      repliesWithoutCommand: statistics.unasked,
    },
    latency: quantiles(statistics.latency),
    blocking: quantiles(statistics.blocking),
    commands: byCalls(
      [...statistics.commands].map(([id, group]) => ({
        command: commands.kinds[id]!.name,
        ...groupFacts(group),
      })),
    ),
    clients: byCalls(
      [...statistics.clients.values()].map((group, at) => ({
        client: clientNames[at]!,
        ...groupFacts(group),
      })),
    ),
    keys: byCalls(
      [...statistics.patterns].map(([number, group]) => ({
        key: patterns.text(number),
        ...groupFacts(group),
      })),
    ),
    callsByClientCommandKey: byCalls(
      [...statistics.combinations].map(([key, calls]) => {
        const { client, command, pattern } = combinationOf(key);
        return {
          client: clientNames[client]!,
          command: commands.kinds[command]!.name,
          ...(pattern >= 0 && { key: patterns.text(pattern) }),
          calls,
        };
      }),
    ),
    ...(statistics.combinationsLeft > 0 && { callsOfFurtherCombinations: statistics.combinationsLeft }),
    slowest: notable(statistics.slowest, 'seconds'),
    biggestRequests: notable(statistics.biggestRequests, 'bytes'),
    biggestReplies: notable(statistics.biggestReplies, 'bytes'),
    errors: Object.fromEntries([...statistics.errors].sort(([, one], [, other]) => other - one)),
    redirects: [...statistics.redirects.values()].sort((one, other) => other.count - one.count),
    transactions: { ...statistics.transactions },
    pubsub: { ...statistics.pubsub },
  };
}

export type RedisFacts = NonNullable<ReturnType<typeof redisFacts>>;
