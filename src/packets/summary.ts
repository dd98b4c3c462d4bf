import type { Packet } from './file/packet.ts';
import { compareAsWireshark, isAfter, WIDE } from './times.ts';

/** The earliest and the latest time, with their decimal places. */
export interface TimeRange {
  earliestSeconds: number;
  earliestNanos: number;
  earliestPlaces: number;
  latestSeconds: number;
  latestNanos: number;
  latestPlaces: number;
}

/** What is known about a file's packets without decoding them. */
export class CaptureSummary implements TimeRange {
  packets = 0;
  /** On the wire, and of them in the file. */
  bytes = 0;
  capturedBytes = 0;
  /** Packets that were truncated by the snapshot length. */
  cutPackets = 0;
  /** The shortest and the longest of those; what a snapshot length can be told from. */
  shortestCut = Number.POSITIVE_INFINITY;
  longestCut = 0;
  /** Packets without a time: pcapng's simple ones. */
  untimed = 0;
  /** Records that are no packets, though Wireshark numbers them among them. */
  events = 0;
  /** Of pcapng. */
  sections = 0;
  /** Of the very first record, 0 where it has no time: what Wireshark counts times from. */
  zeroSeconds = 0;
  zeroNanos = 0;
  /**
   * Of the first packet in the file that has a time: seconds, nanoseconds. As floats, so that what is counted from there is
   * one, too: V8 would take nanoseconds for small integers, and after two seconds throw away all that it compiled for them.
   */
  readonly #first = new Float64Array(2);
  earliestSeconds = 0;
  earliestNanos = 0;
  latestSeconds = 0;
  latestNanos = 0;
  /** Packets whose time is earlier than that of the packet before. */
  backwards = 0;
  #beforeSeconds = 0;
  #beforeNanos = 0;
  /** Decimal places of the earliest and the latest time, and the most of any. */
  earliestPlaces = 6;
  latestPlaces = 6;
  /** What Wireshark takes for both ends, where times are so far apart that it errs. */
  wide: TimeRange | undefined;
  readonly linkTypes = new Map<number, number>();
  readonly interfaces = new Set<number>();
  #linkType = -1;
  #linkPackets = 0;
  #interface = -1;

  count(packet: Packet): void {
    const { seconds, nanos, length } = packet;
    const captured = packet.end - packet.at;
    this.bytes += length;
    this.capturedBytes += captured;
    if (captured < length) {
      this.cutPackets += 1;
      if (captured < this.shortestCut) this.shortestCut = captured;
      if (captured > this.longestCut) this.longestCut = captured;
    }
    if (packet.linkType !== this.#linkType) this.#link(packet.linkType);
    this.#linkPackets += 1;
    if (packet.interface !== this.#interface) {
      this.#interface = packet.interface;
      this.interfaces.add(packet.interface);
    }
    if (this.packets + this.events === 0) {
      this.zeroSeconds = seconds;
      this.zeroNanos = nanos;
    }
    this.packets += 1;
    if (!packet.timed) {
      this.untimed += 1;
      return;
    }
    if (this.packets - this.untimed === 1) {
      this.#first[0] = seconds;
      this.#first[1] = nanos;
      this.#earliest(packet);
      this.#latest(packet);
    } else if (isAfter(seconds, nanos, this.latestSeconds, this.latestNanos)) this.#latest(packet);
    else if (isAfter(this.#beforeSeconds, this.#beforeNanos, seconds, nanos)) {
      this.backwards += 1;
      if (isAfter(this.earliestSeconds, this.earliestNanos, seconds, nanos)) this.#earliest(packet);
    }
    this.#beforeSeconds = seconds;
    this.#beforeNanos = nanos;
    if (this.wide) countWide(this.wide, packet);
  }

  end(): void {
    this.#link(-1);
  }

  get firstSeconds(): number {
    return this.#first[0]!;
  }

  get firstNanos(): number {
    return this.#first[1]!;
  }

  /** Nanoseconds since the first packet. */
  since(seconds: number, nanos: number): number {
    return (seconds - this.#first[0]!) * 1e9 + (nanos - this.#first[1]!);
  }

  get timed(): boolean {
    return this.packets > this.untimed;
  }

  #link(next: number): void {
    if (this.#linkPackets > 0)
      this.linkTypes.set(this.#linkType, (this.linkTypes.get(this.#linkType) ?? 0) + this.#linkPackets);
    this.#linkType = next;
    this.#linkPackets = 0;
  }

  #earliest({ seconds, nanos, places }: Packet): void {
    if (this.latestSeconds - seconds >= WIDE && this.packets - this.untimed > 1) this.wide ??= endsOf(this);
    this.earliestSeconds = seconds;
    this.earliestNanos = nanos;
    this.earliestPlaces = places;
  }

  #latest({ seconds, nanos, places }: Packet): void {
    if (seconds - this.earliestSeconds >= WIDE && this.packets - this.untimed > 1) this.wide ??= endsOf(this);
    this.latestSeconds = seconds;
    this.latestNanos = nanos;
    this.latestPlaces = places;
  }
}

const endsOf = ({
  earliestSeconds,
  earliestNanos,
  earliestPlaces,
  latestSeconds,
  latestNanos,
  latestPlaces,
}: TimeRange): TimeRange => ({
  earliestSeconds,
  earliestNanos,
  earliestPlaces,
  latestSeconds,
  latestNanos,
  latestPlaces,
});

/** As capinfos counts (capinfos.c, process_cap_file). */
function countWide(ends: TimeRange, { seconds, nanos, places }: Packet): void {
  const time = [seconds, nanos] as const;
  if (compareAsWireshark(time, [ends.earliestSeconds, ends.earliestNanos]) < 0) {
    ends.earliestSeconds = seconds;
    ends.earliestNanos = nanos;
    ends.earliestPlaces = places;
  }
  if (compareAsWireshark(time, [ends.latestSeconds, ends.latestNanos]) > 0) {
    ends.latestSeconds = seconds;
    ends.latestNanos = nanos;
    ends.latestPlaces = places;
  }
}
