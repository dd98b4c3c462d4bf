import { checksum } from './packets.ts';

/** A generator of its own, so that a frame is found again by its seed (xorshift32). */
export function random(seed: number): (below: number) => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const u16 = (value: number) => [(value >>> 8) & 255, value & 255];
const join = (...parts: (readonly number[] | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));

/**
 * Frames of every kind that is looked into, a part of them odd: lengths that lie, headers that are cut, pieces twice or
 * in the wrong order, options that are none. Each packet, or all pieces of one, has a source address of its own, so
 * that a difference between two tables names it.
 */
export class Frames {
  readonly #below: (below: number) => number;
  #number = 0;

  constructor(seed: number) {
    this.#below = random(seed);
  }

  /** The frames of the next packet on a link of Ethernet, cooked, raw or null. */
  next(link: 'ethernet' | 'sll' | 'sll2' | 'raw' | 'null'): Buffer[] {
    this.#number += 1;
    return this.#packets().map((packet) => this.#framed(link, packet));
  }

  #maybe(ofHundred: number): boolean {
    return this.#below(100) < ofHundred;
  }

  #one<T>(...of: readonly T[]): T {
    return of[this.#below(of.length)]!;
  }

  #bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.#below(256)));
  }

  #ends(six: boolean, back = false): Buffer {
    const own = [(this.#number >>> 16) & 255, (this.#number >>> 8) & 255, this.#number & 255];
    const other = 1 + this.#below(3);
    const source = six ? join([0xfd], new Array(12).fill(0), own) : join([10], own);
    const target = six
      ? join([0x20, 1, 0xd, 0xb8], new Array(11).fill(0), [other])
      : Buffer.from([172, 16, 0, other]);
    return back ? join(target, source) : join(source, target);
  }

  #port(): number[] {
    return u16(this.#one(6379, 80, 53, 443, 22, 1024 + this.#below(64_000)));
  }

  #tcp(payload = this.#one(Buffer.alloc(0), Buffer.from('PING\r\n'), this.#bytes(this.#below(40)))): Buffer {
    const options = this.#one(
      Buffer.alloc(0),
      Buffer.from([2, 4, 5, 180, 1, 3, 3, 7]),
      join([1, 1, 8, 10], this.#bytes(8)),
      join([1, 1, 5, 10], this.#bytes(8)),
      this.#bytes(4 * this.#below(11)),
    );
    const words = this.#maybe(5) ? this.#below(16) : 5 + options.length / 4;
    const flags = this.#one(2, 18, 16, 24, 17, 4, 20, this.#below(4096));
    const segment = join(
      this.#port(),
      this.#port(),
      this.#bytes(8),
      [(words << 4) | (flags >>> 8), flags & 255],
      this.#bytes(6),
      options,
      payload,
    );
    return this.#maybe(5) ? segment.subarray(0, this.#below(segment.length + 1)) : segment;
  }

  #udp(payload = this.#bytes(this.#one(0, 1, 8, 30))): Buffer {
    const length = this.#maybe(10) ? this.#one(0, 1, 7, 8, 9, 65_535) : 8 + payload.length;
    // Ports that no dissector of a tunnel listens to.
    const datagram = join(u16(20_000 + this.#below(2000)), u16(9999), u16(length), this.#bytes(2), payload);
    return this.#maybe(5) ? datagram.subarray(0, this.#below(datagram.length + 1)) : datagram;
  }

  #quote(six: boolean): Buffer {
    const body = this.#one(this.#tcp(), this.#tcp(), this.#udp());
    const protocol = this.#maybe(70) ? 6 : 17;
    const packet = six ? this.#ip6(protocol, body, true) : this.#ip4(protocol, body, {}, true);
    return this.#maybe(40)
      ? packet.subarray(0, this.#one(28, 36, 40, 48, this.#below(packet.length)))
      : packet;
  }

  #icmp(six: boolean): Buffer {
    const errors = six ? [1, 2, 3, 4] : [3, 4, 5, 11, 12];
    const kind = this.#maybe(60) ? this.#one(...errors) : this.#below(256);
    const body = errors.includes(kind) ? this.#quote(six) : this.#bytes(this.#below(30));
    return join([kind, this.#below(6)], this.#bytes(6), body);
  }

  #ip4(
    protocol: number,
    body: Uint8Array,
    given: { id?: number; fragment?: number; ends?: Buffer } = {},
    back = false,
  ): Buffer {
    const route = join([0x83, 7, this.#one(4, 8)], [192, 0, 2, 1 + this.#below(2)], [0]);
    const none = Buffer.alloc(0);
    const options =
      given.id === undefined
        ? this.#one(none, none, none, none, Buffer.from([1, 1, 1, 0]), Buffer.from([0x94, 4, 0, 0]), route)
        : none;
    const words = this.#maybe(2) ? this.#below(5) : 5 + options.length / 4;
    const whole = 20 + options.length + body.length;
    const length = this.#maybe(4) ? this.#one(0, 19, 20, whole - 1, whole + 1, whole + 50, 65_535) : whole;
    const header = join(
      [(this.#maybe(1) ? this.#below(16) : 4) * 16 + words, 0],
      u16(length),
      u16(given.id ?? this.#below(65_536)),
      u16(given.fragment ?? this.#one(0, 0x4000)),
      [64, protocol, 0, 0],
      given.ends ?? this.#ends(false, back),
      options,
    );
    header.writeUInt16BE(checksum(header), 10);
    return join(header, body);
  }

  #ip6(next: number, body: Uint8Array, back = false, ends = this.#ends(true, back)): Buffer {
    const { length } = body;
    const said = this.#maybe(4) ? this.#one(0, 3, length + 1, Math.max(0, length - 1), 65_535) : length;
    const version = this.#maybe(1) ? this.#below(16) : 6;
    return join([version * 16, 0, 0, 0], u16(said), [next, 64], ends, body);
  }

  /** Hop-by-hop and destination options, segment routing, AH, pieces that are the whole, mobility. */
  #extended(next: number, body: Buffer): [number, Buffer] {
    const kind = this.#one(0, 60, 60, 43, 44, 51, 135);
    const options = this.#maybe(90) ? join([1, 4], [0, 0, 0, 0]) : this.#bytes(6);
    const header =
      kind === 43
        ? join([next, 2, 4, 0, this.#one(0, 0, 9), 0, 0, 0], this.#bytes(16))
        : kind === 44
          ? join([next, 0, 0, this.#one(0, 6)], this.#bytes(4))
          : kind === 51
            ? join([next, 4], this.#bytes(22))
            : join([next, 0], kind === 135 ? this.#bytes(6) : options);
    return [kind, join(header, body)];
  }

  #pieces(six: boolean): Buffer[] {
    const protocol = this.#one(6, 17);
    const whole = protocol === 6 ? this.#tcp(this.#bytes(60)) : this.#udp(this.#bytes(100));
    const cut = 8 * (1 + this.#below(Math.max(1, Math.floor(whole.length / 8) - 1)));
    const parts = [
      { from: 0, bytes: whole.subarray(0, cut), more: 1 },
      { from: cut, bytes: whole.subarray(cut), more: 0 },
    ];
    if (this.#maybe(30)) parts.reverse();
    if (this.#maybe(20)) parts.pop();
    if (this.#maybe(20)) parts.push(this.#one(...parts));
    if (this.#maybe(15)) parts.push(...parts);
    const id = this.#below(65_536);
    const ends = this.#ends(six);
    return parts.map(({ from, bytes, more }) =>
      six
        ? this.#ip6(44, join([protocol, 0], u16(from | more), [0, 0], u16(id), bytes), false, ends)
        : this.#ip4(protocol, bytes, { id, fragment: (more << 13) | (from / 8), ends }),
    );
  }

  #packets(): Buffer[] {
    const kind = this.#below(100);
    if (kind < 25) return [this.#ip4(6, this.#tcp())];
    if (kind < 33) return [this.#ip4(this.#one(17, 17, 136), this.#udp())];
    if (kind < 42) return [this.#ip4(1, this.#icmp(false))];
    if (kind < 46) return [this.#ip4(this.#one(2, 50, 89, 112), this.#bytes(this.#below(60)))];
    if (kind < 49) return [this.#ip4(51, join([6, 4], this.#bytes(22), this.#tcp()))];
    if (kind < 62) return [this.#ip6(6, this.#tcp())];
    if (kind < 67) return [this.#ip6(17, this.#udp())];
    if (kind < 73) return [this.#ip6(58, this.#icmp(true))];
    if (kind < 85) {
      const body = this.#one([6, this.#tcp()], [17, this.#udp()], [58, this.#icmp(true)]) as [number, Buffer];
      const once = this.#extended(...body);
      return [this.#ip6(...(this.#maybe(40) ? this.#extended(...once) : once))];
    }
    return this.#pieces(kind >= 93);
  }

  #framed(link: string, packet: Buffer): Buffer {
    const six = packet[0]! >>> 4 === 6;
    const type = u16(six ? 0x86dd : 0x0800);
    const snap = join([0xaa, 0xaa, 3, 0, 0, 0], type, packet);
    const tagged = join([0, this.#one(5, 6)], type, packet);
    if (link === 'ethernet') {
      const addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
      const label = (last: number) => [this.#below(256), 1, this.#below(128) * 2 + last, 64];
      const protocol = this.#one([0], []).concat(six ? 0x57 : 0x21);
      const point = join([0x11, 0, 0, 1], u16(packet.length + protocol.length), protocol, packet);
      return this.#one(
        join(addresses, type, packet),
        join(addresses, type, packet, new Uint8Array(this.#below(20))),
        join(addresses, [0x81, 0], tagged),
        join(addresses, this.#one([0x88, 0xa8], [0x91, 0]), [0, 7, 0x81, 0], tagged),
        join(addresses, u16(snap.length), snap),
        join(addresses, [0x88, 0x47], this.#maybe(50) ? label(0) : [], label(1), packet),
        join(addresses, [0x88, 0x64], point),
        join(addresses, this.#one([8, 6], [0x88, 0xcc]), this.#bytes(28)),
      );
    }
    if (link === 'sll' || link === 'sll2') {
      const [protocol, body] = this.#one(
        [type, packet],
        [type, packet],
        [[0x81, 0], tagged],
        [[0, 4], snap],
        [[0, 1], packet],
      ) as [number[], Buffer];
      const hardware = this.#one([0, 1], [3, 4], [0xff, 0xfe], [3, 0x38]);
      const address = [...new Array(6).fill(0), 0, 0];
      return link === 'sll'
        ? join([0, this.#below(5)], hardware, [0, 6], address, protocol, body)
        : join(protocol, [0, 0, 0, 0, 0, 2], hardware, [this.#below(5), 6], address, body);
    }
    if (link === 'null') {
      const family = this.#one(...(six ? [24, 28, 30] : [2]));
      const odd = this.#one([0, 0, 0, 7], [8, 0, 0, 0], [0, 0, 8, 0], [0, family, 0, 0], [0, 0, 1, 0]);
      return join(this.#maybe(10) ? odd : this.#one([family, 0, 0, 0], [0, 0, 0, family]), packet);
    }
    return packet;
  }
}
