import { addressBytes } from '../decode/addresses.ts';
import { interfaceDescription, interfaceName, type PodInterface } from './pod-interface.ts';

/** Options of draft-ietf-opsawg-pcapng, sections 3.5, 4.1, 4.2 and 4.6. */
const APPLICATION = 4;
const NAME = 2;
const DESCRIPTION = 3;
const IPV4 = 4;
const IPV6 = 5;
const RESOLUTION = 9;
const FILTER = 11;
const START_TIME = 2;
const END_TIME = 3;
const RECEIVED = 4;
const DROPPED = 5;
const DELIVERED = 8;

/** A time as pcapng has it: both halves of 64 bits. */
export interface Stamp {
  readonly high: number;
  readonly low: number;
}

/** What the header of a source says of its packets. */
export interface SourceHeader {
  readonly linkType: number;
  readonly snapLength: number;
  /** Decimal places of the times: 6 or 9. */
  readonly places: number;
}

/** What was counted of one interface. */
export interface InterfaceTotals {
  readonly packets: number;
  readonly first?: Stamp;
  readonly last?: Stamp;
}

/** The block that begins the file. Numbers are little-endian, as in all other blocks. */
export function sectionBlock(application: string): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(0x1a2b3c4d, 0);
  header.writeUInt16LE(1, 4);
  // How long the section is need not be known.
  header.fill(0xff, 8);
  return block(0x0a0d0d0a, header, option(APPLICATION, Buffer.from(application)), END);
}

/** The block that describes the interface of one pod. */
export function interfaceBlock(of: PodInterface, { linkType, snapLength, places }: SourceHeader): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(linkType, 0);
  header.writeUInt32LE(snapLength, 4);
  return block(
    1,
    header,
    option(NAME, Buffer.from(interfaceName(of))),
    option(DESCRIPTION, Buffer.from(interfaceDescription(of))),
    ...of.ips.flatMap(addressOption),
    option(RESOLUTION, Buffer.from([places])),
    // The first byte says that a text follows, and not a program of BPF.
    ...(of.filter === '' ? [] : [option(FILTER, Buffer.concat([Buffer.from([0]), Buffer.from(of.filter)]))]),
    END,
  );
}

/** The block with what the kernel counted for one interface, and how many packets of it are in the file. */
export function statisticsBlock(
  number: number,
  counts: PodInterface['counts'],
  { packets, first, last }: InterfaceTotals,
): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(number, 0);
  if (last) stampInto(header, 4, last);
  return block(
    5,
    header,
    ...(first ? [option(START_TIME, stampInto(Buffer.alloc(8), 0, first))] : []),
    ...(last ? [option(END_TIME, stampInto(Buffer.alloc(8), 0, last))] : []),
    ...(counts ? [option(RECEIVED, count(counts.received)), option(DROPPED, count(counts.dropped))] : []),
    option(DELIVERED, count(packets)),
    END,
  );
}

const END = Buffer.alloc(4);

const padded = (body: Uint8Array): Buffer => Buffer.concat([body, Buffer.alloc((4 - (body.length & 3)) & 3)]);

function option(code: number, given: Uint8Array): Buffer {
  // A filter may be longer than the 16 bits that its length has.
  const body = given.subarray(0, 65_535);
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(body.length, 2);
  return Buffer.concat([head, padded(body)]);
}

function block(type: number, ...body: readonly Uint8Array[]): Buffer {
  const inside = Buffer.concat(body);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(inside.length + 12, 4);
  return Buffer.concat([head, inside, head.subarray(4)]);
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function stampInto(bytes: Buffer, at: number, { high, low }: Stamp): Buffer {
  bytes.writeUInt32LE(high, at);
  bytes.writeUInt32LE(low, at + 4);
  return bytes;
}

/** An address with a mask of all ones, because it is one pod's alone; nothing for a text that is no address. */
function addressOption(ip: string): Buffer[] {
  const bytes = addressBytes(ip);
  if (!bytes) return [];
  return bytes.length === 4
    ? [option(IPV4, Buffer.concat([bytes, Buffer.alloc(4, 0xff)]))]
    : [option(IPV6, Buffer.concat([bytes, Buffer.from([128])]))];
}
