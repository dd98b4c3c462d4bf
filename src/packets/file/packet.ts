/**
 * One packet as it lies in the reader's memory: valid until the sink returns. One object serves all packets, so that a
 * million of them allocate nothing.
 */
export class Packet {
  /** Counted from 1 over all files. */
  number = 0;
  /** Records before this one, over all files, that are no packets, but that Wireshark lists and numbers among them. */
  others = 0;
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the link layer begins in `bytes`, and where what was captured ends. */
  at = 0;
  end = 0;
  /** Bytes on the wire; the captured ones may be fewer. */
  length = 0;
  /** Since 1970, and what is left of them in nanoseconds; 0 and 0 where `timed` is false (pcapng's simple packets). */
  seconds = 0;
  nanos = 0;
  timed = true;
  /** LINKTYPE_ of https://www.tcpdump.org/linktypes.html. */
  linkType = 0;
  /** Among the interfaces of the file, from 0. */
  interface = 0;
  /** Decimal places of the times: 6 or 9 for pcap, what the interface says for pcapng. */
  places = 6;
  /** Where the whole record begins and ends in `bytes`, its header included, as it stands in the file. */
  recordAt = 0;
  recordEnd = 0;
  /** The record's own byte order. */
  littleEndian = true;

  /** Counted from 1 over all files as Wireshark counts frames in each; `FrameNumbers` tells which file it is of. */
  get frame(): number {
    return this.number + this.others;
  }
}

/** What a reader hands over. */
export interface PacketSink {
  packet(packet: Packet): void;
  /** Anything of the file that is no packet: its header, pcapng's blocks. For those who write files. */
  other?(bytes: Uint8Array, at: number, end: number): void;
  /** A section of a pcapng file began. */
  section?(): void;
  /** A record without a time that is no packet, but that Wireshark lists among them: pcapng's custom blocks. */
  event?(): void;
  /** A name for an address, from pcapng's name resolution blocks. */
  name?(address: Uint8Array, name: string): void;
  /** An interface is that of one pod, as our files of several pods describe it (packets/combine). */
  pod?(interfaceNumber: number, pod: PodOfInterface): void;
  /** Statistics of an interface follow its last packet. */
  ended?(interfaceNumber: number): void;
  /** Packets that the capturing system says it lost, from pcapng's interface statistics. */
  dropped?(interfaceNumber: number, packets: number): void;
}

/** The pod whose packets an interface has, and its own addresses, of 4 or 16 bytes. */
export interface PodOfInterface {
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
  readonly addresses: readonly Uint8Array[];
  /** Whether the capture has packets of one direction only. */
  readonly isOneWay: boolean;
}

/** Takes records from the front of what is there. */
export interface RecordFormat {
  /** As capinfos would call it. */
  readonly name: 'pcap' | 'pcapng';
  /** The largest captured length that the file allows, where it says one; 0: none. */
  readonly snapLength: number;
  /** What of blocks could not be read though their lengths are right, such as options: how often, and the first. */
  readonly malformed?: { readonly count: number; readonly first: string } | undefined;
  /**
   * Handles whole records from `at` on and returns where the first one that is not whole begins. Throws DamagedError
   * at one that no file can hold.
   */
  take(bytes: Uint8Array, at: number, end: number): number;
}

/** The rest of a file cannot be read: its lengths are beyond any sense. */
export class DamagedError extends Error {}

/** Wireshark's limit too (wiretap/wtap.h, WTAP_MAX_PACKET_SIZE_STANDARD): a longer one is damage. */
export const LONGEST_PACKET = 262144;
