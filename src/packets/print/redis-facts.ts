import type { Analysis } from '../analysis.ts';
import { mostFirst } from '../conversations.ts';
import type { Group, GroupTable } from '../redis/group-table.ts';
import { clientOf, type Largest, serverOf } from '../redis/statistics.ts';
import { type AddressNames, endOf, inSeconds, isoAfter, quantiles } from './facts.ts';

const groupFacts = (group: Group) => ({
  calls: group.calls,
  errors: group.errors,
  bytesIn: group.bytesIn,
  bytesOut: group.bytesOut,
  latency: quantiles(group.latency),
});

/** The first places of a list, most calls first; ties in order of appearance. */
const mostCalls = (all: { readonly size: number; calls(at: number): number }, count: number): number[] => [
  ...mostFirst(all.size, (at) => all.calls(at)).subarray(0, Math.min(count, all.size)),
];

/** Redis as a whole, at most `rows` of each list; undefined where none was seen, not even encrypted. */
export function redisFacts(analysis: Analysis, names: AddressNames, rows = Number.POSITIVE_INFINITY) {
  const { redis, addresses } = analysis;
  if (!redis || (redis.recorder.statistics.connections === 0 && redis.tls.length === 0)) return undefined;
  const { statistics, commands, patterns } = redis.recorder;
  const { clients, servers, combinations } = statistics;
  const clientKeys = clients.keys;
  const serverKeys = servers.keys;
  const clientEnd = (key: number) => {
    const { address, six } = clientOf(key);
    return endOf(addresses.text(address, six), undefined, names);
  };
  const serverEnd = (key: number) => {
    const { address, six, port } = serverOf(key);
    return endOf(addresses.text(address, six), port, names);
  };
  const groups = (table: GroupTable, keys = table.keys) =>
    mostCalls(table, rows).map((row) => table.read(row, keys[row]!));
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
    /** Ports with TLS. Nobody knows what the ports are that Redis does not normally use. */
    tls: redis.tls.slice(0, rows).map(({ address, six, port, ofRedis, connections }) => ({
      server: endOf(addresses.text(address, six), port, names),
      connections,
      portOfRedis: ofRedis,
    })),
    missing: {
      bytes: statistics.gaps,
      lostThread: statistics.desyncs,
      commandsWithoutReply: statistics.unanswered,
      repliesWithoutCommand: statistics.unmatchedReplies,
      ...(statistics.behindCut > 0 && { packetsCutBeforeCommands: statistics.behindCut }),
    },
    latency: quantiles(statistics.latency),
    blocking: quantiles(statistics.blocking),
    /** How many there are of each list. */
    counts: {
      commands: statistics.commands.size,
      clients: clients.size,
      servers: servers.size,
      keys: statistics.patterns.size,
      callsByClientCommandKey: combinations.size,
    },
    commands: groups(statistics.commands).map((group) => ({
      command: commands.kinds[group.key]!.name,
      ...groupFacts(group),
    })),
    clients: groups(clients, clientKeys).map((group) => ({
      client: clientEnd(group.key),
      ...groupFacts(group),
    })),
    servers: mostCalls(servers, rows).map((row) => {
      const group = servers.read(row, serverKeys[row]!);
      return {
        server: serverEnd(group.key),
        connections: statistics.serverConnections[row]!,
        ...groupFacts(group),
      };
    }),
    keys: groups(statistics.patterns).map((group) => ({
      key: patterns.text(group.key),
      ...groupFacts(group),
    })),
    callsByClientCommandKey: mostCalls(combinations, rows).map((at) => {
      const { client, command, pattern, calls } = combinations.read(at);
      return {
        client: clientEnd(clientKeys[client]!),
        command: commands.kinds[command]!.name,
        ...(pattern >= 0 && { key: patterns.text(pattern) }),
        calls,
      };
    }),
    ...(combinations.left > 0 && { callsOfFurtherCombinations: combinations.left }),
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
