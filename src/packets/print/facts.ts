import type { Analysis } from '../analysis.ts';
import type { Conversation, ConversationTable } from '../conversations.ts';
import { ip4Text, ip6Text } from '../decode/addresses.ts';
import type { Durations } from '../durations.ts';
import { Endpoints } from '../endpoints.ts';
import type { PodOfInterface } from '../file/packet.ts';
import { flagText } from '../flags.ts';
import type { FrameOf } from '../frame-numbers.ts';
import { type Sort, sorted } from '../sorting.ts';
import type { Syn } from '../syns.ts';
import { FEW_FRAMES } from '../tcp/health.ts';
import type { RoundTripsOfSide } from '../tcp/round-trips.ts';
import { TROUBLES, type Trouble } from '../tcp/troubles.ts';
import { exact, isoTime, kept, nanosBetween } from '../times.ts';
import { evidence } from './evidence.ts';

/** Names of pods and services by address. */
export type AddressNames = ReadonlyMap<string, string>;

/** One side of a conversation. */
export interface End {
  readonly address: string;
  readonly port?: number;
  readonly name?: string;
}

/** A conversation for people and programs. Times in ISO 8601, numbers in seconds and bytes. */
export interface ConversationFacts {
  readonly a: End;
  readonly b: End;
  readonly framesAToB: number;
  readonly framesBToA: number;
  readonly bytesAToB: number;
  readonly bytesBToA: number;
  readonly start: string;
  readonly durationSeconds: number;
  /** For Wireshark and tshark -Y. */
  readonly filter: string;
  readonly health?: {
    readonly opening: 'unseen' | 'unanswered' | 'refused' | 'opened';
    readonly handshakeSeconds?: number;
    /** What each side did; what it did not do is left out. */
    readonly a: Partial<Record<Trouble, number>>;
    readonly b: Partial<Record<Trouble, number>>;
    /** Of the first of those. */
    readonly firstFrame?: FrameOf;
  };
  /** Where round trips are measured. */
  readonly roundTrip?: {
    /** From the last SYN to the first ACK behind it, as Wireshark's `tcp.analysis.initial_rtt`. */
    readonly initialSeconds?: number;
    /** Of the segments that A sent, and of those that B sent. */
    readonly aToB?: RoundTripFacts;
    readonly bToA?: RoundTripFacts;
  };
}

/** How long segments took to be acknowledged (`tcp.analysis.ack_rtt`), and the most that was on its way (`bytes_in_flight`). */
export interface RoundTripFacts {
  readonly count: number;
  readonly minSeconds?: number;
  readonly medianSeconds?: number;
  readonly maxSeconds?: number;
  readonly maxBytesInFlight: number;
}

/** A segment with SYN, as it is told. */
export interface SynFacts extends FrameOf {
  /** Absent where the file has no times. */
  readonly time?: string;
  readonly flags: string;
  readonly source: End;
  readonly destination: End;
  readonly filter: string;
}

/** Nanoseconds as seconds. */
export const inSeconds = (nanos: number): number => nanos / 1e9;

/** The time so many nanoseconds behind the first packet. */
export const isoAfter = ({ summary }: Analysis, nanos: number): string => {
  const whole = Math.floor((summary.firstNanos + nanos) / 1e9);
  return isoTime([summary.firstSeconds + whole, Math.round(summary.firstNanos + nanos - whole * 1e9)]);
};

/** The pods that the interfaces of a file are of, by address: `redis-0`, or `db/redis-0` if another namespace has one too. */
function* podNames(pods: readonly PodOfInterface[]): Generator<readonly [address: string, name: string]> {
  const nameOf = shortPodNames(pods);
  for (const pod of pods)
    for (const bytes of pod.addresses)
      yield [bytes.length === 4 ? ip4Text(Buffer.from(bytes).readInt32BE(0)) : ip6Text(bytes), nameOf(pod)];
}

/** The name of each pod without its namespace, unless pods of several namespaces have it. */
export function shortPodNames<P extends { readonly namespace: string; readonly pod: string }>(
  pods: readonly P[],
): (pod: P) => string {
  const namespaces = new Map<string, Set<string>>();
  for (const { namespace, pod } of pods)
    namespaces.set(pod, (namespaces.get(pod) ?? new Set()).add(namespace));
  return ({ namespace, pod }) => (namespaces.get(pod)?.size === 1 ? pod : `${namespace}/${pod}`);
}

/** The text of an address by its number in PodViews. */
const addressText = ({ addresses }: Analysis, number: number): string =>
  addresses.text(number >= 2 ** 32 ? number - 2 ** 32 : number | 0, number >= 2 ** 32);

/** What the analysis knows by name: from the caller, and from the capture's own interfaces and name blocks. */
export function allNames(analysis: Analysis, given: AddressNames): AddressNames {
  const names = new Map<string, string>();
  for (const [hex, name] of analysis.names) {
    const bytes = Buffer.from(hex, 'hex');
    names.set(bytes.length === 4 ? ip4Text(bytes.readInt32BE(0)) : ip6Text(bytes), name);
  }
  for (const [address, name] of podNames([...analysis.views.pods.values()])) names.set(address, name);
  for (const [address, name] of given) names.set(address, name);
  // A Service with one pod has its name, because what it does is what the pod does.
  for (const [service, [pod, ...others]] of analysis.views.services) {
    const name = names.get(addressText(analysis, pod!));
    const address = addressText(analysis, service);
    if (others.length === 0 && name !== undefined && !names.has(address)) names.set(address, name);
  }
  return names;
}

export function endOf(address: string, port: number | undefined, names: AddressNames): End {
  // To look up a text that was just made, its hash has to be made too.
  const name = names.size > 0 ? names.get(address) : undefined;
  if (name !== undefined) return { address, ...(port !== undefined && { port }), name };
  return port === undefined ? { address } : { address, port };
}

export type ConversationKind = 'ipv4' | 'ipv6' | 'tcp' | 'udp';

export const tableOf = (analysis: Analysis, kind: ConversationKind): ConversationTable =>
  kind === 'tcp' ? analysis.tcp : kind === 'udp' ? analysis.udp : analysis.ip;

/** The conversations of a kind, most frames first where no other order is asked for. */
export function* conversations(
  analysis: Analysis,
  kind: ConversationKind,
  names: AddressNames,
  sort: Sort = 'packets',
): Generator<ConversationFacts> {
  const table = tableOf(analysis, kind);
  for (const row of sorted(table, sort, analysis)) {
    if ((kind === 'ipv4' && table.isSix(row)) || (kind === 'ipv6' && !table.isSix(row))) continue;
    yield conversationFacts(analysis, kind, table.read(row), names);
  }
}

function conversationFacts(
  { addresses, health, roundTrips, frames }: Analysis,
  kind: ConversationKind,
  each: Conversation,
  names: AddressNames,
): ConversationFacts {
  const ports = kind === 'tcp' || kind === 'udp';
  const a = endOf(addresses.text(each.a, each.six), ports ? each.aPort : undefined, names);
  const b = endOf(addresses.text(each.b, each.six), ports ? each.bPort : undefined, names);
  const took = kind === 'tcp' ? health?.handshake(each.row) : undefined;
  const first = kind === 'tcp' ? health?.troubleFrame(each.row) : 0;
  const initial = health?.roundTrip(each.row);
  return {
    a,
    b,
    framesAToB: each.framesToB,
    framesBToA: each.framesToA,
    bytesAToB: each.bytesToB,
    bytesBToA: each.bytesToA,
    start: isoTime(each.start),
    durationSeconds: inSeconds(nanosBetween(each.start, each.stop)),
    filter: filterOf(each.six, a, b, ports ? kind : undefined),
    ...(kind === 'tcp' &&
      health && {
        health: {
          opening: health.opening(each.row),
          ...(took !== undefined && { handshakeSeconds: inSeconds(took) }),
          a: troubles(health.count.bind(health, each.row, true)),
          b: troubles(health.count.bind(health, each.row, false)),
          ...(first && { firstFrame: frames.of(first) }),
        },
      }),
    ...(kind === 'tcp' &&
      roundTrips && {
        roundTrip: {
          ...(initial !== undefined && { initialSeconds: inSeconds(initial) }),
          ...roundTripFacts('aToB', roundTrips.of(each.row, true)),
          ...roundTripFacts('bToA', roundTrips.of(each.row, false)),
        },
      }),
  };
}

const roundTripFacts = (name: 'aToB' | 'bToA', of: RoundTripsOfSide | undefined) =>
  of && {
    [name]: {
      count: of.count,
      ...(of.count > 0 && {
        minSeconds: inSeconds(of.least),
        medianSeconds: inSeconds(of.median),
        maxSeconds: inSeconds(of.most),
      }),
      maxBytesInFlight: of.mostInFlight,
    },
  };

const troubles = (count: (trouble: Trouble) => number): Partial<Record<Trouble, number>> =>
  Object.fromEntries(TROUBLES.map((trouble) => [trouble, count(trouble)]).filter(([, times]) => times));

/** A display filter that leaves these two: both addresses, both ports. */
function filterOf(six: boolean, a: End, b: End, ports: 'tcp' | 'udp' | undefined): string {
  const both = (field: string, one: string | number, other: string | number) =>
    one === other ? `${field} == ${one}` : `${field} == ${one} && ${field} == ${other}`;
  const addresses = both(six ? 'ipv6.addr' : 'ip.addr', a.address, b.address);
  return ports ? `${addresses} && ${both(`${ports}.port`, a.port!, b.port!)}` : addresses;
}

export function synFacts({ addresses, frames }: Analysis, syn: Syn, names: AddressNames): SynFacts {
  const six = syn.version === 6;
  // Of one that an ICMP error quotes, its own ends are told, not the error's.
  const source = endOf(addresses.text(syn.quoted?.src ?? syn.src, six), syn.sport, names);
  const destination = endOf(addresses.text(syn.quoted?.dst ?? syn.dst, six), syn.dport, names);
  return {
    ...frames.of(syn.frame),
    ...(syn.timed && { time: isoTime([syn.seconds, syn.nanos]) }),
    flags: flagText(syn.flags),
    source,
    destination,
    filter: filterOf(six, source, destination, 'tcp'),
  };
}

/** One end of conversations. */
export interface EndpointFacts extends End {
  readonly packets: number;
  readonly bytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly filter: string;
}

export const ENDPOINT_KINDS = ['ipv4', 'ipv6', 'tcp', 'udp'] as const;

/** The endpoints of a kind, most packets first. */
export function* endpoints(
  analysis: Analysis,
  kind: ConversationKind,
  names: AddressNames,
): Generator<EndpointFacts> {
  const found = new Endpoints(tableOf(analysis, kind));
  const ports = kind === 'tcp' || kind === 'udp' ? kind : undefined;
  for (const each of found.all(ports ? undefined : kind === 'ipv6')) {
    const { address, six, port } = each;
    const end = endOf(analysis.addresses.text(address, six), ports ? port : undefined, names);
    const filter = `${six ? 'ipv6' : 'ip'}.addr == ${end.address}`;
    yield {
      ...end,
      packets: each.sentFrames + each.receivedFrames,
      bytes: each.sentBytes + each.receivedBytes,
      sentPackets: each.sentFrames,
      sentBytes: each.sentBytes,
      receivedPackets: each.receivedFrames,
      receivedBytes: each.receivedBytes,
      filter: ports ? `${filter} && ${ports}.port == ${port}` : filter,
    };
  }
}

/** Quantiles in seconds; undefined where nothing was measured. */
export const quantiles = (of: Durations) =>
  of.count === 0
    ? undefined
    : {
        count: of.count,
        meanSeconds: inSeconds(of.sum / of.count),
        p50Seconds: inSeconds(of.quantile(0.5)),
        p95Seconds: inSeconds(of.quantile(0.95)),
        p99Seconds: inSeconds(of.quantile(0.99)),
        maxSeconds: inSeconds(of.most),
      };

/** TCP as a whole, at most `rows` of each list. */
export function healthFacts(analysis: Analysis, names: AddressNames, rows = Number.POSITIVE_INFINITY) {
  const { health, addresses, tcp } = analysis;
  if (!health) return undefined;
  const openings = { opened: 0, refused: 0, unanswered: 0, unseen: 0 };
  const asked: Record<'refused' | 'unanswered', number[]> = { refused: [], unanswered: [] };
  const resets = new Map<string, { address: string; six: boolean; count: number }>();
  for (let row = 0; row < tcp.rows; row += 1) {
    const opening = health.opening(row);
    openings[opening] += 1;
    if ((opening === 'refused' || opening === 'unanswered') && asked[opening].length < FEW_FRAMES)
      asked[opening].push(health.synFrame(row));
    for (const fromA of [true, false]) {
      const count = health.count(row, fromA, 'resets');
      if (!count) continue;
      const { a, b, six } = tcp.read(row);
      const address = addresses.text(fromA ? a : b, six);
      const known = resets.get(address);
      if (known) known.count += count;
      else resets.set(address, { address, six, count });
    }
  }
  const { summary } = analysis;
  const seconds = summary.timed
    ? inSeconds(
        nanosBetween(
          [summary.earliestSeconds, summary.earliestNanos],
          [summary.latestSeconds, summary.latestNanos],
        ),
      )
    : 0;
  const { clients } = health;
  return {
    totals: Object.fromEntries(TROUBLES.map((trouble, at) => [trouble, health.totals[at]!])) as Record<
      Trouble,
      number
    >,
    connections: openings,
    /** Where what went wrong stands in the capture: the first frames of each kind, and how many more there are. */
    evidence: evidence(analysis, health, openings, asked),
    handshake: quantiles(health.handshakes),
    firstResponse: quantiles(health.firstResponses),
    resetsBySender: [...resets.values()]
      .sort((one, other) => other.count - one.count)
      .slice(0, rows)
      .map(({ address, count }) => ({ ...endOf(address, undefined, names), count })),
    /** How many clients asked for connections. */
    clients: clients.rows,
    synsByClient: [...clients.byFrames().subarray(0, Math.min(rows, clients.rows))].map((row) => {
      const each = clients.read(row);
      const count = each.framesToB + each.framesToA;
      return {
        client: endOf(addresses.text(each.a, each.six), undefined, names),
        server: endOf(addresses.text(each.b, each.six), each.bPort, names),
        count,
        // Of one moment there is no rate.
        ...(seconds > 0 && { perSecond: count / seconds }),
      };
    }),
  };
}

export type HealthFacts = NonNullable<ReturnType<typeof healthFacts>>;

/** The capture as a whole. */
export function summaryFacts({ summary, repeats, mirror, protocols, lost }: Analysis, deep: boolean) {
  const earliest = [summary.earliestSeconds, summary.earliestNanos] as const;
  const latest = [summary.latestSeconds, summary.latestNanos] as const;
  const seconds = inSeconds(nanosBetween(earliest, latest));
  return {
    packets: summary.packets,
    bytes: summary.bytes,
    capturedBytes: summary.capturedBytes,
    cutPackets: summary.cutPackets,
    ...(summary.timed && {
      start: isoTime(earliest),
      end: isoTime(latest),
      durationSeconds: seconds,
      ...(seconds > 0 && { packetsPerSecond: summary.packets / seconds }),
    }),
    untimedPackets: summary.untimed,
    outOfOrderPackets: summary.backwards,
    interfaces: summary.interfaces.size,
    linkTypes: Object.fromEntries(summary.linkTypes),
    ...(lost.size > 0 && { lostByTheSystem: [...lost.values()].reduce((sum, packets) => sum + packets, 0) }),
    ...(deep && {
      repeats: repeats.count,
      ...(mirror.count > 0 && { mirrorCopies: mirror.count }),
      protocols: { ...protocols },
    }),
  };
}

/** Step by step, in seconds and bytes. */
export function* timelineFacts(analysis: Analysis) {
  const { timeline } = analysis;
  if (!timeline) return;
  const [seconds, nanos] = exact([analysis.summary.firstSeconds, analysis.summary.firstNanos]);
  for (const step of timeline.steps())
    yield {
      time: isoTime(kept(seconds + BigInt(step.at), nanos)),
      packets: step.packets,
      bytes: step.bytes,
      retransmissions: step.retransmissions,
      commands: step.commands,
      latency: quantiles(step.latency),
    };
}
