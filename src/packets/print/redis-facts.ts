import type { Analysis } from '../analysis.ts';
import type { Group, Largest } from '../redis/statistics.ts';
import { type AddressNames, endOf, inSeconds, isoAfter, quantiles } from './facts.ts';

const groupFacts = (group: Group) => ({
  calls: group.calls,
  errors: group.errors,
  bytesIn: group.bytesIn,
  bytesOut: group.bytesOut,
  latency: quantiles(group.latency),
});

/** The first of them, most calls first; ties as they came. */
function most<Each>(all: Iterable<Each>, rows: number, calls: (each: Each) => number): Each[] {
  const sorted = [...all].sort((one, other) => calls(other) - calls(one));
  return rows < sorted.length ? sorted.slice(0, rows) : sorted;
}

/** Redis as a whole, at most `rows` of each list; undefined where none was seen, not even encrypted. */
export function redisFacts(analysis: Analysis, names: AddressNames, rows = Number.POSITIVE_INFINITY) {
  const { redis, addresses } = analysis;
  if (!redis || (redis.recorder.statistics.connections === 0 && redis.tls.length === 0)) return undefined;
  const { statistics, commands, patterns } = redis.recorder;
  const clients = [...statistics.clients.values()];
  const servers = [...statistics.servers.values()];
  const clientEnd = ({ address, six }: (typeof clients)[number]) =>
    endOf(addresses.text(address, six), undefined, names);
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
      repliesWithoutCommand: statistics.unasked,
      ...(statistics.behindCut > 0 && { packetsCutBeforeCommands: statistics.behindCut }),
    },
    latency: quantiles(statistics.latency),
    blocking: quantiles(statistics.blocking),
    /** How many there are of each list. */
    counts: {
      commands: statistics.commands.size,
      clients: clients.length,
      servers: servers.length,
      keys: statistics.patterns.size,
      callsByClientCommandKey: statistics.combinations.size,
    },
    commands: most(statistics.commands, rows, ([, group]) => group.calls).map(([id, group]) => ({
      command: commands.kinds[id]!.name,
      ...groupFacts(group),
    })),
    clients: most(clients, rows, ({ calls }) => calls).map((group) => ({
      client: clientEnd(group),
      ...groupFacts(group),
    })),
    servers: most(servers, rows, ({ calls }) => calls).map((group) => ({
      server: endOf(addresses.text(group.address, group.six), group.port, names),
      connections: group.connections,
      ...groupFacts(group),
    })),
    keys: most(statistics.patterns, rows, ([, group]) => group.calls).map(([number, group]) => ({
      key: patterns.text(number),
      ...groupFacts(group),
    })),
    callsByClientCommandKey: most(statistics.combinations, rows, ({ calls }) => calls).map(
      ({ client, command, pattern, calls }) => ({
        client: clientEnd(clients[client]!),
        command: commands.kinds[command]!.name,
        ...(pattern >= 0 && { key: patterns.text(pattern) }),
        calls,
      }),
    ),
    ...(statistics.combinations.left > 0 && { callsOfFurtherCombinations: statistics.combinations.left }),
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
