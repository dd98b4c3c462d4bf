import { ConversationTable } from './conversations.ts';
import type { Addresses } from './decode/addresses.ts';
import { Decoder, type Layers, MOBILITY, SYN, TCP, UDP } from './decode/decode.ts';
import { isCooked } from './decode/link.ts';
import { Mirror } from './decode/mirror.ts';
import { Repeats } from './duplicates.ts';
import type { Packet, PacketSink, PodOfInterface } from './file/packet.ts';
import { FlagCounts } from './flags.ts';
import { FrameNumbers } from './frame-numbers.ts';
import { PodViews } from './pod-views.ts';
import type { Spill } from './record-list.ts';
import { Redis, type RedisOptions } from './redis/redis.ts';
import type { Selection } from './select.ts';
import { CaptureSummary } from './summary.ts';
import { SynList } from './syns.ts';
import { AccurateEcn } from './tcp/accurate-ecn.ts';
import { Health } from './tcp/health.ts';
import { RoundTrips } from './tcp/round-trips.ts';
import { Streams } from './tcp/streams.ts';
import { TroubleList } from './tcp/trouble-list.ts';
import { PacketTimeline } from './timeline.ts';

/** What an analysis examines. */
export interface Scope {
  /** Only these packets; all if it is absent. */
  readonly selection?: Selection;
  /** Decode packets, and not only count them. */
  readonly deep: boolean;
  /** Decode the inner packets of tunnels, one level deep. */
  readonly inner: boolean;
  /** Count a packet once if several interfaces saw it or a mirror port sent it several times. */
  readonly once: boolean;
  /** Find problems of TCP. */
  readonly health: boolean;
  /** Measure how long each conversation's segments took to be acknowledged. */
  readonly roundTrips: boolean;
  readonly redis?: RedisOptions;
  readonly timeline: boolean;
}

/** Frames by their innermost decoded layer. */
export interface Protocols {
  tcp: number;
  udp: number;
  icmp: number;
  arp: number;
  /** Fragments of datagrams, except the one that completes a datagram. */
  fragments: number;
  /** Any other over IP. */
  otherIp: number;
  other: number;
}

/** Counts packets one by one into the tables, in one pass. */
export class Analysis implements PacketSink {
  readonly summary = new CaptureSummary();
  readonly ip: ConversationTable;
  readonly tcp: ConversationTable;
  readonly udp: ConversationTable;
  readonly flags = new FlagCounts();
  readonly syns: SynList;
  readonly repeats = new Repeats();
  readonly mirror = new Mirror();
  readonly views = new PodViews();
  readonly health: Health | undefined;
  readonly roundTrips: RoundTrips | undefined;
  /** The packets with a problem of TCP. */
  readonly troubles: TroubleList | undefined;
  readonly frames = new FrameNumbers();
  readonly redis: Redis | undefined;
  readonly timeline: PacketTimeline | undefined;
  readonly protocols: Protocols = { tcp: 0, udp: 0, icmp: 0, arp: 0, fragments: 0, otherIp: 0, other: 0 };
  readonly names = new Map<string, string>();
  /** How many packets the capturing system says that it dropped, by interface; the last number that it gave. */
  readonly lost = new Map<number, number>();
  readonly #decoder: Decoder;
  readonly #streams: Streams;
  readonly #ecn = new AccurateEcn();
  readonly #scope: Scope;
  /** Whether packets with ports are counted for their addresses at once, and not added at the end. */
  #countsIpAtOnce = false;

  /** With a spill `troubles`, the packets with a problem are listed. */
  constructor(scope: Scope, spill: Spill, troubles?: Spill) {
    this.#scope = scope;
    this.ip = new ConversationTable(!scope.once);
    this.tcp = new ConversationTable(!scope.once);
    this.udp = new ConversationTable(!scope.once);
    this.#streams = new Streams(this.tcp);
    this.#decoder = new Decoder(scope.inner, !scope.once);
    this.syns = new SynList(spill);
    const timeline = scope.timeline ? new PacketTimeline() : undefined;
    this.timeline = timeline;
    if (troubles) this.troubles = new TroubleList(troubles);
    if (scope.health) this.health = new Health(this.troubles);
    if (scope.roundTrips) this.roundTrips = new RoundTrips();
    if (scope.redis)
      this.redis = new Redis(
        scope.redis,
        this.#streams,
        timeline ? (at, latency) => timeline.command(at, latency) : () => {},
      );
  }

  get addresses(): Addresses {
    return this.#decoder.addresses;
  }

  /** Takes the next packet, and returns whether it is one of the selected packets. */
  packet(packet: Packet): boolean {
    const { selection, deep, once } = this.#scope;
    const { layers, addresses } = this.#decoder;
    if (deep || selection) this.#decoder.decode(packet);
    if (selection && !selection(layers, addresses)) return false;
    this.summary.count(packet);
    if (!deep) return true;
    if (!once || !this.mirror.hold(packet, layers)) this.#count(packet, layers);
    else if (this.mirror.isDue) this.#countHeld();
    return true;
  }

  section(): void {
    this.summary.sections += 1;
  }

  event(): void {
    this.summary.events += 1;
    if (!this.#scope.once) this.flags.without += 1;
  }

  name(address: Uint8Array, name: string): void {
    this.names.set(Buffer.from(address).toString('hex'), name);
  }

  pod(interfaceNumber: number, pod: PodOfInterface): void {
    this.views.add(interfaceNumber, pod, this.addresses);
    if (new Set([...this.views.pods.values()].map(({ node }) => node)).size > 1) this.repeats.spanNodes();
  }

  ended(interfaceNumber: number): void {
    if (!this.views.pods.has(interfaceNumber)) return;
    // Packets from before are still held.
    this.#countHeld();
    this.views.end(interfaceNumber);
  }

  dropped(interfaceNumber: number, packets: number): void {
    this.lost.set(interfaceNumber, packets);
  }

  end(): void {
    this.#countHeld();
    this.summary.end();
    if (!this.#countsIpAtOnce) this.#addPortsToIp();
    this.redis?.end();
    this.timeline?.end();
  }

  #addPortsToIp(): void {
    this.ip.addByAddress(this.tcp);
    this.ip.addByAddress(this.udp);
  }

  #countHeld(): void {
    for (const { packet, layers } of this.mirror.judged()) this.#count(packet, layers);
  }

  #count(packet: Packet, layers: Layers): void {
    const { seconds, nanos, length } = packet;
    if (
      this.#scope.once &&
      this.views.isActive &&
      layers.transport === TCP &&
      this.#isOfOther(packet, layers)
    ) {
      this.repeats.count += 1;
      return;
    }
    if (
      this.#scope.once &&
      (((isCooked(packet.linkType) || this.summary.interfaces.size > 1) &&
        this.repeats.isRepeat(packet, layers)) ||
        this.mirror.isCopy(packet, layers))
    )
      return;
    this.timeline?.packet(this.summary.since(seconds, nanos), length);
    const { version, src, dst, flags, transport } = layers;
    if (!this.#countsIpAtOnce && !this.#scope.once && this.summary.wide) {
      // Wireshark orders times that are this far apart by when it sees them.
      this.#addPortsToIp();
      this.#countsIpAtOnce = true;
    }
    const shown = flags >= 0 ? flags : layers.quotedFlags;
    if (shown < 0) this.flags.without += 1;
    else if (shown & SYN) this.syns.add(packet, layers);
    if (shown >= 0 && transport !== TCP) this.flags.add(shown, this.#hasCounter(shown, layers));
    if (transport === TCP) {
      this.protocols.tcp += 1;
      const known = this.tcp.rows;
      const row = this.#streams.rowOf(layers);
      if (row === known) this.#ipRow(version, src, dst);
      const { fromA } = this.#streams;
      if (this.views.isActive) this.views.count(row, fromA, packet.interface, layers);
      this.flags.add(flags, this.#ecn.hasCounter(row, flags));
      if (layers.optionsEnd > layers.optionsAt) this.#ecn.lookForOption(row, layers);
      if (this.#countsIpAtOnce) this.#countIp(packet, layers);
      this.tcp.count(row, fromA, length, seconds, nanos);
      if (!layers.fragment && (this.#scope.health || this.#scope.redis))
        this.#analyzeTcp(row, fromA, packet, layers);
    } else if (transport === UDP) {
      this.protocols.udp += 1;
      const { sport, dport } = layers;
      let row = this.udp.find(version, src, dst, sport, dport);
      if (row < 0) {
        row = this.udp.add(version, src, dst, sport, dport);
        this.#ipRow(version, src, dst);
      }
      if (this.#countsIpAtOnce) this.#countIp(packet, layers);
      this.udp.count(row, this.udp.isFromA(row, src, dst, sport, dport), length, seconds, nanos);
    } else this.#countWithoutPorts(packet, layers);
  }

  /** Whether another pod's capture is counted for the connection of this segment. */
  #isOfOther(packet: Packet, layers: Layers): boolean {
    const { version, src, dst, sport, dport } = layers;
    const row = this.tcp.find(version, src, dst, sport, dport);
    const fromA = row >= 0 && this.tcp.isFromA(row, src, dst, sport, dport);
    return this.views.isOfOther(row, fromA, packet.interface, layers);
  }

  /** For a segment that is in no conversation, because its header is truncated or an ICMP error quotes it. */
  #hasCounter(flags: number, layers: Layers): boolean {
    const { version, src, dst, quotedSrc, quotedDst, sport, dport, flags: own } = layers;
    const row =
      own >= 0
        ? this.tcp.find(version, src, dst, sport, dport)
        : this.tcp.find(version, quotedSrc, quotedDst, sport, dport);
    return row >= 0 && this.#ecn.hasCounter(row, flags);
  }

  /** The row of two addresses. Packets with ports are counted in the row of their ports, and added here at the end. */
  #ipRow(version: number, src: number, dst: number): number {
    const row = this.ip.find(version, src, dst, 0, 0);
    return row < 0 ? this.ip.add(version, src, dst, 0, 0) : row;
  }

  #analyzeTcp(row: number, fromA: boolean, packet: Packet, layers: Layers): void {
    const { health, roundTrips } = this;
    const now = this.summary.since(packet.seconds, packet.nanos);
    const again = health?.add(row, fromA, layers, now, packet, this.#streams.reused) === true;
    if (roundTrips && health)
      roundTrips.add(row, fromA, layers, this.#streams.first(row, fromA), health.afterHole, now);
    if (again) this.timeline?.retransmission(now);
    this.redis?.add(row, fromA, layers, now);
  }

  #countIp({ length, seconds, nanos }: Packet, { version, src, dst }: Layers): void {
    const row = this.#ipRow(version, src, dst);
    this.ip.count(row, this.ip.isFromA(row, src, dst, 0, 0), length, seconds, nanos);
  }

  #countWithoutPorts(packet: Packet, layers: Layers): void {
    const { version } = layers;
    // tshark counts every fragment of IPv4, but of IPv6 only the fragment that completes a datagram, and not Mobile IPv6.
    if (
      version === 4 ||
      (version === 6 && (this.#scope.once || !(layers.fragment || layers.protocol === MOBILITY)))
    )
      this.#countIp(packet, layers);
    if (layers.arp) this.protocols.arp += 1;
    else if (version === 0) this.protocols.other += 1;
    else if (layers.fragment) this.protocols.fragments += 1;
    else if (layers.protocol === 1 || layers.protocol === 58) this.protocols.icmp += 1;
    else this.protocols.otherIp += 1;
  }
}
