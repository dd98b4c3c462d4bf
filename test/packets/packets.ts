/** Capture files built byte by byte, for what real traffic does not do on demand. */

export const LINK = {
  null: 0,
  ethernet: 1,
  raw: 101,
  raw12: 12,
  sll: 113,
  ipv4: 228,
  ipv6: 229,
  sll2: 276,
} as const;
export type Link = keyof typeof LINK;

export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

export interface Segment {
  readonly src?: string;
  readonly dst?: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly payload?: string | Uint8Array;
  /** TCP options, a multiple of 4 bytes. */
  readonly options?: readonly number[];
  readonly id?: number;
}

const u16 = (value: number) => [(value >>> 8) & 255, value & 255];
const u32 = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

export const address = (text: string): Buffer => {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  const [head, tail] = text.split('::') as [string, string | undefined];
  const words = (part: string) =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const front = words(head);
  const back = tail === undefined ? [] : words(tail);
  const all = [...front, ...new Array(8 - front.length - back.length).fill(0), ...back] as number[];
  return Buffer.from(all.flatMap(u16));
};

/** The Internet checksum (RFC 1071) of the parts one behind the other. */
export function checksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function ip4(
  src: string,
  dst: string,
  protocol: number,
  payload: Uint8Array,
  more: { id?: number; fragment?: number; options?: readonly number[]; totalLength?: number } = {},
): Buffer {
  const options = more.options ?? [];
  const total = more.totalLength ?? 20 + options.length + payload.length;
  const header = Buffer.from([
    0x45 + options.length / 4,
    0,
    ...u16(total),
    ...u16(more.id ?? 1),
    ...u16(more.fragment ?? 0x4000),
    64,
    protocol,
    0,
    0,
    ...address(src),
    ...address(dst),
    ...options,
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

export function ip6(src: string, dst: string, next: number, payload: Uint8Array): Buffer {
  const header = [0x60, 0, 0, 0, ...u16(payload.length), next, 64, ...address(src), ...address(dst)];
  return Buffer.concat([Buffer.from(header), payload]);
}

const withChecksum = (src: string, dst: string, protocol: number, segment: Buffer, at: number): Buffer => {
  const pseudo = Buffer.concat([
    address(src),
    address(dst),
    Buffer.from([...u32(segment.length), 0, 0, 0, protocol]),
  ]);
  segment.writeUInt16BE(checksum(pseudo, segment), at);
  return segment;
};

export function tcp(given: Segment = {}): Buffer {
  const { src = '10.0.0.1', dst = '10.0.0.2', sport = 40000, dport = 6379 } = given;
  const { seq = 1000, ack = 0, flags = FLAG.ack, window = 65535, payload = '', options = [] } = given;
  const segment = Buffer.concat([
    Buffer.from([
      ...u16(sport),
      ...u16(dport),
      ...u32(seq),
      ...u32(ack),
      ((5 + options.length / 4) << 4) | ((flags >>> 8) & 15),
      flags & 255,
      ...u16(window),
      0,
      0,
      0,
      0,
      ...options,
    ]),
    Buffer.from(payload as string),
  ]);
  withChecksum(src, dst, 6, segment, 16);
  return src.includes(':') ? ip6(src, dst, 6, segment) : ip4(src, dst, 6, segment, { id: given.id ?? 1 });
}

export function udp({
  src = '10.0.0.1',
  dst = '10.0.0.2',
  sport = 5000,
  dport = 53,
  payload = '',
}: Segment = {}): Buffer {
  const body = Buffer.from(payload as string);
  const segment = Buffer.concat([
    Buffer.from([...u16(sport), ...u16(dport), ...u16(8 + body.length), 0, 0]),
    body,
  ]);
  withChecksum(src, dst, 17, segment, 6);
  return src.includes(':') ? ip6(src, dst, 17, segment) : ip4(src, dst, 17, segment);
}

/** A network packet behind the header of a link. */
export function framed(link: Link, packet: Uint8Array, face = 2): Buffer {
  const six = packet[0]! >>> 4 === 6;
  const ethertype = six ? 0x86dd : 0x0800;
  const header: Record<Link, readonly number[]> = {
    null: [six ? 30 : 2, 0, 0, 0],
    ethernet: [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...u16(ethertype)],
    raw: [],
    raw12: [],
    ipv4: [],
    ipv6: [],
    sll: [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, face, 0, 0, ...u16(ethertype)],
    sll2: [...u16(ethertype), 0, 0, ...u32(face), 0, 1, 0, 6, 2, 0, 0, 0, 0, face, 0, 0],
  };
  return Buffer.concat([Buffer.from(header[link]), packet]);
}

export const vlan = (packet: Uint8Array, id = 5): Buffer => {
  const frame = framed('ethernet', packet);
  return Buffer.concat([frame.subarray(0, 12), Buffer.from([0x81, 0, ...u16(id)]), frame.subarray(12)]);
};

export interface Framed {
  readonly frame: Uint8Array;
  /** Nanoseconds since 1970. */
  readonly at: bigint;
  /** Of pcapng: the 64 bits of the time stamp, instead. */
  readonly stamp?: bigint;
  /** On the wire, where the frame was cut. */
  readonly length?: number;
  readonly face?: number;
}

export const START = 1_653_086_690_497_803_000n;

/** Frames a millisecond apart. */
export const records = (frames: readonly Uint8Array[], step = 1_000_000n): Framed[] =>
  frames.map((frame, at) => ({ frame, at: START + BigInt(at) * step }));

interface PcapChoice {
  readonly nanoseconds?: boolean;
  readonly big?: boolean;
  readonly snapLength?: number;
}

export function pcap(link: Link | number, packets: readonly Framed[], choice: PcapChoice = {}): Buffer {
  const { nanoseconds = false, big = false, snapLength = 262144 } = choice;
  const word = (value: number) => {
    const bytes = Buffer.alloc(4);
    if (big) bytes.writeUInt32BE(value);
    else bytes.writeUInt32LE(value);
    return bytes;
  };
  const half = (value: number) => Buffer.from(big ? u16(value) : u16(value).reverse());
  const type = typeof link === 'number' ? link : LINK[link];
  const parts = [
    word(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4),
    half(2),
    half(4),
    word(0),
    word(0),
    word(snapLength),
    word(type),
  ];
  for (const { frame, at, length } of packets) {
    const rest = Number(at % 1_000_000_000n);
    parts.push(
      word(Number(at / 1_000_000_000n)),
      word(nanoseconds ? rest : Math.floor(rest / 1000)),
      word(frame.length),
      word(length ?? frame.length),
      Buffer.from(frame),
    );
  }
  return Buffer.concat(parts);
}

interface Face {
  readonly link: Link;
  /** `if_tsresol`, the byte as it is in the file. */
  readonly resolution?: number;
  readonly offset?: number | bigint;
  readonly name?: string;
}

interface PcapngChoice {
  readonly faces: readonly Face[];
  readonly big?: boolean;
  readonly names?: ReadonlyArray<readonly [address: string, name: string]>;
  readonly dropped?: number;
  readonly simple?: boolean;
}

export function pcapng(packets: readonly Framed[], choice: PcapngChoice): Buffer {
  const { faces, big = false, names = [], dropped, simple = false } = choice;
  const n = (value: number, size: 2 | 4) => {
    const bytes = Buffer.from(size === 2 ? u16(value) : u32(value));
    return big ? bytes : bytes.reverse();
  };
  const n64 = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    if (big) bytes.writeBigUInt64BE(value);
    else bytes.writeBigUInt64LE(value);
    return bytes;
  };
  const padded = (body: Uint8Array) => Buffer.concat([body, Buffer.alloc((4 - (body.length & 3)) & 3)]);
  const option = (code: number, body: Uint8Array) =>
    Buffer.concat([n(code, 2), n(body.length, 2), padded(body)]);
  const block = (type: number, ...body: Uint8Array[]) => {
    const inside = Buffer.concat(body);
    const length = n(inside.length + 12, 4);
    return Buffer.concat([n(type, 4), length, inside, length]);
  };
  const end = n(0, 4);
  const parts = [block(0x0a0d0d0a, n(0x1a2b3c4d, 4), n(1, 2), n(0, 2), Buffer.alloc(8, 0xff))];
  for (const { link, resolution, offset, name } of faces) {
    parts.push(
      block(
        1,
        n(LINK[link], 2),
        n(0, 2),
        n(262144, 4),
        ...(name === undefined ? [] : [option(2, Buffer.from(name))]),
        ...(resolution === undefined ? [] : [option(9, Buffer.from([resolution]))]),
        ...(offset === undefined ? [] : [option(14, n64(BigInt.asUintN(64, BigInt(offset))))]),
        end,
      ),
    );
  }
  if (names.length)
    parts.push(
      block(
        4,
        ...names.map(([ip, name]) => {
          const bytes = address(ip);
          return option(bytes.length === 4 ? 1 : 2, Buffer.concat([bytes, Buffer.from(`${name}\0`)]));
        }),
        end,
      ),
    );
  for (const { frame, at, length, face = 0, stamp: given } of packets) {
    if (simple) {
      parts.push(block(3, n(length ?? frame.length, 4), padded(frame)));
      continue;
    }
    const { resolution = 6, offset = 0 } = faces[face]!;
    const perSecond = resolution & 0x80 ? 2n ** BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
    const stamp = given ?? ((at - BigInt(offset) * 1_000_000_000n) * perSecond) / 1_000_000_000n;
    parts.push(
      block(
        6,
        n(face, 4),
        n(Number(stamp >> 32n), 4),
        n(Number(stamp & 0xffffffffn), 4),
        n(frame.length, 4),
        n(length ?? frame.length, 4),
        padded(frame),
      ),
    );
  }
  if (dropped !== undefined)
    parts.push(block(5, n(0, 4), n(0, 4), n(0, 4), option(5, n64(BigInt(dropped))), end));
  return Buffer.concat(parts);
}
