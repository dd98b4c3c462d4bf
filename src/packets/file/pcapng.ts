import { describedPod } from '../combine/pod-interface.ts';
import { DamagedError, LONGEST_PACKET, type Packet, type PacketSink, type RecordFormat } from './packet.ts';
import { type Interface, MOST_UNITS, placesOf, setUpperHalf, timeOf } from './pcapng-clock.ts';

/** Block types of draft-ietf-opsawg-pcapng, section 11.1. */
const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const NAMES = 4;
const STATISTICS = 5;
const ENHANCED_PACKET = 6;
const SECRETS = 0xa;
const CUSTOM = 0xbad;
const CUSTOM_NOT_COPIED = 0x40000bad;
/** Blocks that Wireshark 4.0 lists as frames, though nothing of them is counted here: of systemd's journal and of sysdig. */
const LISTED = new Set([9, 0x204, 0x216, 0x221]);

/** The longest block taken for real: the longest packet with options around it, or a long list of names. */
const LONGEST_BLOCK = 16 << 20;

/** Blocks with types and lengths; several interfaces and sections, each section with its own byte order. */
export class PcapngFormat implements RecordFormat {
  readonly name = 'pcapng';
  snapLength = 0;
  malformed: RecordFormat['malformed'];
  readonly #sink: PacketSink;
  readonly #packet: Packet;
  #little = true;
  #interfaces: Interface[] = [];
  /** Interfaces of the sections before: numbers go on, so that they tell interfaces apart. */
  #before = 0;

  constructor(sink: PacketSink, packet: Packet) {
    this.#sink = sink;
    this.#packet = packet;
  }

  static recognise(head: Uint8Array): boolean {
    return head[0] === 0x0a && head[1] === 0x0d && head[2] === 0x0d && head[3] === 0x0a;
  }

  take(bytes: Uint8Array, at: number, end: number): number {
    this.#packet.bytes = bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    let from = at;
    while (end - from >= 12) {
      const type = view.getUint32(from, this.#little);
      if (type === SECTION) this.#byteOrder(view, from);
      const length = view.getUint32(from + 4, this.#little);
      if (length < 12 || length > LONGEST_BLOCK)
        throw new DamagedError(`a block of ${length} bytes: a block has between 12 and ${LONGEST_BLOCK}`);
      const next = from + length + ((4 - (length & 3)) & 3);
      if (next > end) break;
      const behind = view.getUint32(next - 4, this.#little);
      if (behind !== length && ((behind + 3) & ~3) !== next - from)
        throw new DamagedError(`a block of ${length} bytes whose end says ${behind} bytes`);
      const packet = this.#packet;
      packet.recordAt = from;
      packet.recordEnd = next;
      this.#block(view, type, from + 8, next - 4);
      if (type !== ENHANCED_PACKET && type !== SIMPLE_PACKET && type !== OBSOLETE_PACKET)
        this.#sink.other?.(bytes, from, next);
      from = next;
    }
    return from;
  }

  #byteOrder(view: DataView, at: number): void {
    const magic = view.getUint32(at + 8, true);
    if (magic !== 0x1a2b3c4d && magic !== 0x4d3c2b1a)
      throw new DamagedError('a section header without a byte order');
    this.#little = magic === 0x1a2b3c4d;
  }

  #section(view: DataView, at: number, end: number): void {
    if (end - at < 16) throw new DamagedError('a section block too short for its header');
    const [major, minor] = [view.getUint16(at + 4, this.#little), view.getUint16(at + 6, this.#little)];
    // Version 1.2 is 1.0 with blocks that a reader may leave out (draft-ietf-opsawg-pcapng, section 4.1).
    if (major !== 1 || (minor !== 0 && minor !== 2))
      throw new DamagedError(`a section of version ${major}.${minor}`);
    this.#packet.littleEndian = this.#little;
    this.#before += this.#interfaces.length;
    this.#interfaces = [];
    this.#sink.section?.();
    this.#options(view, at + 16, end, 'a section block');
  }

  #block(view: DataView, type: number, at: number, end: number): void {
    const little = this.#little;
    switch (type) {
      case SECTION:
        this.#section(view, at, end);
        return;
      case CUSTOM:
      case CUSTOM_NOT_COPIED:
        this.#packet.others += 1;
        // Its data have no length, so the options after them cannot be found.
        if (end - at < 4) this.#isMalformed('a custom block is too short for its number');
        this.#sink.event?.();
        return;
      case SECRETS:
        this.#secrets(view, at, end);
        return;
      case ENHANCED_PACKET: {
        if (end - at < 20) throw new DamagedError('a packet block too short for its header');
        const captured = view.getUint32(at + 12, little);
        const number = view.getUint32(at, little);
        this.#hand(
          number,
          view.getUint32(at + 4, little),
          view.getUint32(at + 8, little),
          at + 20,
          captured,
          view.getUint32(at + 16, little),
          end,
        );
        this.#options(view, at + 20 + padded(captured), end, 'a packet block');
        return;
      }
      case OBSOLETE_PACKET: {
        if (end - at < 20) throw new DamagedError('a packet block too short for its header');
        const captured = view.getUint32(at + 12, little);
        this.#hand(
          view.getUint16(at, little),
          view.getUint32(at + 4, little),
          view.getUint32(at + 8, little),
          at + 20,
          captured,
          view.getUint32(at + 16, little),
          end,
        );
        this.#options(view, at + 20 + padded(captured), end, 'a packet block');
        return;
      }
      case SIMPLE_PACKET: {
        if (end - at < 4) throw new DamagedError('a packet block too short for its header');
        const length = view.getUint32(at, little);
        const { snapLength } = this.#interface(0);
        const sent = Math.min(length, snapLength || length);
        const captured = Math.min(sent, end - at - 4);
        if (captured < sent)
          this.#isMalformed(`a packet of ${sent} bytes is longer than what is left of its block`);
        this.#hand(0, -1, 0, at + 4, captured, length, end);
        return;
      }
      case INTERFACE:
        // Its number is that of the last interface.
        this.#interfaces.push(this.#readInterface(view, at, end));
        this.#sayWhose(view, at, end);
        return;
      case NAMES:
        this.#readNames(view, at, end);
        return;
      case STATISTICS:
        this.#readStatistics(view, at, end);
        return;
      default:
        if (LISTED.has(type)) this.#packet.others += 1;
    }
  }

  #interface(number: number): Interface {
    const found = this.#interfaces[number];
    if (!found) throw new DamagedError(`a packet of interface ${number}, which the file does not describe`);
    return found;
  }

  #hand(
    number: number,
    high: number,
    low: number,
    at: number,
    captured: number,
    length: number,
    end: number,
  ): void {
    const from = this.#interface(number);
    if (captured > LONGEST_PACKET || at + captured > end)
      throw new DamagedError(`a packet of ${captured} bytes in a block of ${end - at + 20}`);
    const packet = this.#packet;
    packet.number += 1;
    packet.interface = this.#before + number;
    packet.linkType = from.linkType;
    packet.places = from.places;
    packet.at = at;
    packet.end = at + captured;
    packet.length = length;
    packet.timed = high >= 0;
    if (high < 0) {
      packet.seconds = 0;
      packet.nanos = 0;
    } else {
      // Exact though 64 bits do not fit a number: the upper half is divided once in four seconds or so.
      if (high !== from.high) setUpperHalf(from, high);
      if (from.isNear) {
        const units = from.highUnits + low;
        const seconds = Math.floor(units / from.perSecond);
        packet.seconds = from.highSeconds + seconds;
        packet.nanos = Math.floor((units - seconds * from.perSecond) * (1e9 / from.perSecond));
      } else {
        const time = timeOf(from, (BigInt(high) << 32n) | BigInt(low));
        packet.seconds = time[0];
        packet.nanos = time[1];
      }
    }
    this.#sink.packet(packet);
  }

  #readInterface(view: DataView, at: number, end: number): Interface {
    if (end - at < 8) throw new DamagedError('an interface block too short for its header');
    let units = 1_000_000n;
    let offset = 0n;
    this.#options(view, at + 8, end, 'an interface block', (code, from, length) => {
      if (code === 9 && length !== 1)
        this.#isMalformed(`the resolution of an interface's clock has ${length} bytes instead of 1`);
      else if (code === 14 && length !== 8)
        this.#isMalformed(`the offset of an interface's clock has ${length} bytes instead of 8`);
      if (code === 9 && length >= 1) {
        const value = view.getUint8(from);
        units = (value & 0x80 ? 2n : 10n) ** BigInt(value & 0x7f);
        // A time that does not fit into 64 bits becomes the largest one that does, as in Wireshark (wiretap/pcapng.c).
        if (units > MOST_UNITS) units = MOST_UNITS;
      } else if (code === 14 && length >= 8) offset = view.getBigInt64(from, this.#little);
    });
    const snapLength = view.getUint32(at + 4, this.#little);
    if (snapLength > 0) this.snapLength = Math.max(this.snapLength, snapLength);
    return {
      linkType: view.getUint16(at, this.#little),
      snapLength,
      units,
      perSecond: Number(units),
      offset,
      places: placesOf(Number(units)),
      high: -1,
      highSeconds: 0,
      highUnits: 0,
      isNear: false,
    };
  }

  /** Our files of several pods tell whose packets an interface has. */
  #sayWhose(view: DataView, at: number, end: number): void {
    if (!this.#sink.pod) return;
    const text = new TextDecoder();
    const bytesOf = (from: number, length: number) =>
      new Uint8Array(view.buffer, view.byteOffset + from, length);
    let [name, description] = ['', ''];
    const addresses: Uint8Array[] = [];
    eachOption(view, at + 8, end, this.#little, (code, from, length) => {
      if (code === 2) name = text.decode(bytesOf(from, length));
      else if (code === 3) description = text.decode(bytesOf(from, length));
      else if (code === 4 && length === 8) addresses.push(bytesOf(from, 4).slice());
      else if (code === 5 && length === 17) addresses.push(bytesOf(from, 16).slice());
    });
    const described = describedPod(name, description);
    if (described) this.#sink.pod(this.#before + this.#interfaces.length - 1, { ...described, addresses });
  }

  #readNames(view: DataView, at: number, end: number): void {
    const text = new TextDecoder();
    let from = at;
    while (end - from >= 4) {
      const type = view.getUint16(from, this.#little);
      const length = view.getUint16(from + 2, this.#little);
      const size = type === 1 ? 4 : type === 2 ? 16 : 0;
      const next = from + 4 + padded(length);
      if (type === 0) {
        this.#options(view, next, end, 'a block of names');
        return;
      }
      if (next > end) {
        this.#isMalformed(`a name of ${length} bytes is longer than what is left of its block`);
        return;
      }
      if (size && length <= size) this.#isMalformed(`a name of ${length} bytes has no room for its address`);
      else if (size && this.#sink.name) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset + from + 4, length);
        const name = text.decode(bytes.subarray(size)).split('\0')[0]!;
        if (name) this.#sink.name(bytes.slice(0, size), name);
      }
      from = next;
    }
  }

  #readStatistics(view: DataView, at: number, end: number): void {
    if (end - at < 12) {
      this.#isMalformed('a block of statistics is too short for its header');
      return;
    }
    const number = view.getUint32(at, this.#little);
    this.#sink.ended?.(this.#before + number);
    this.#options(view, at + 12, end, 'a block of statistics', (code, from, length) => {
      // isb_ifdrop; isb_osdrop is counted by the same systems for the same packets.
      if (code !== 5) return;
      if (length !== 8) this.#isMalformed(`a count of lost packets has ${length} bytes instead of 8`);
      else this.#sink.dropped?.(this.#before + number, Number(view.getBigUint64(from, this.#little)));
    });
  }

  /** Keys of TLS and the like are not used; only whether the block is whole is looked at. */
  #secrets(view: DataView, at: number, end: number): void {
    const length = end - at < 8 ? 0 : view.getUint32(at + 4, this.#little);
    if (end - at < 8) this.#isMalformed('a block of secrets is too short for its header');
    else if (length > end - at - 8)
      this.#isMalformed(`secrets of ${length} bytes are longer than what is left of their block`);
    else this.#options(view, at + 8 + padded(length), end, 'a block of secrets');
  }

  /** Option after option, up to the end mark or the end of the block: the mark may be missing where the block ends. */
  #options(
    view: DataView,
    at: number,
    end: number,
    block: string,
    option?: (code: number, from: number, length: number) => void,
  ): void {
    const long = eachOption(view, at, end, this.#little, option);
    if (long !== undefined)
      this.#isMalformed(`an option of ${long} bytes is longer than what is left of ${block}`);
  }

  /** Something of a block cannot be read, though its packets can. */
  #isMalformed(what: string): void {
    this.malformed = { count: (this.malformed?.count ?? 0) + 1, first: this.malformed?.first ?? what };
  }
}

/** Calls `option` with each option that is whole. Returns the length of the first one that is not. */
function eachOption(
  view: DataView,
  at: number,
  end: number,
  little: boolean,
  option?: (code: number, from: number, length: number) => void,
): number | undefined {
  let from = at;
  while (end - from >= 4) {
    const code = view.getUint16(from, little);
    const length = view.getUint16(from + 2, little);
    if (code === 0) return undefined;
    if (from + 4 + padded(length) > end) return length;
    option?.(code, from + 4, length);
    from += 4 + padded(length);
  }
  return undefined;
}

/** The length with its padding to a multiple of four. */
const padded = (length: number): number => length + ((4 - (length & 3)) & 3);
