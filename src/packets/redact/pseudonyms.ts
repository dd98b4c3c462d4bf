import { createCipheriv } from 'node:crypto';
import { classOf4, classOf6, hasLinkAddress, isIsatap, V4_AT_THE_END } from './address-kinds.ts';

/** Bytes of a key: one half for the cipher, the other for the padding. */
export const KEY_BYTES = 32;
const BLOCK = 16;

/** What carries the last 24 bits of addresses: the prefix of solicited-node groups (RFC 4291, section 2.7.1). */
const SOLICITED = Uint8Array.from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0]);
const SOLICITED_BITS = 104;

/** Flags of IPv6 groups (RFC 3306, RFC 3956): there is a prefix in it, and an address of a router. */
const HAS_PREFIX = 2;
const HAS_ROUTER = 4;
const OF_INTERFACE = 0xff;

/**
 * Other addresses for addresses, the same each time, with prefixes kept: two addresses that share n bits share n bits
 * afterwards. Crypto-PAn (J. Xu, J. Fan, M. Ammar, S. Moon, "Prefix-Preserving IP Address Anonymization", 2002) with
 * AES-128, for IPv4 and in the same way for IPv6. What an address says of its kind stays (private, link-local, of a
 * tunnel), and addresses within addresses are made up as they are alone: IPv4 in IPv6, link addresses in interface
 * identifiers, the last 24 bits of an address in groups.
 */
export class Pseudonyms {
  readonly #key: Uint8Array;
  readonly #pad: Uint8Array;
  readonly #known = new Map<string, Uint8Array>();

  /** `key`: 32 bytes. */
  constructor(key: Uint8Array) {
    this.#key = key.slice(0, BLOCK);
    this.#pad = this.#encrypt(key.slice(BLOCK, 2 * BLOCK));
  }

  /** Replaces the 4 or 16 bytes of an address where they stand. An address that identifies nobody is kept. */
  address(bytes: Uint8Array, at: number, length: 4 | 16): void {
    bytes.set(this.addressOf(bytes.subarray(at, at + length)), at);
  }

  /** The made-up address of one of 4 or 16 bytes. */
  addressOf(given: Uint8Array): Uint8Array {
    // slice() of a Buffer would not be a copy.
    const own = Uint8Array.from(given);
    return this.#remembered('', own, () => (own.length === 4 ? this.#four(own) : this.#six(own)));
  }

  /**
   * Replaces a link address of 6 bytes; zeros and the broadcast stay, all others are marked as made up (locally
   * administered). Groups hold bits of the network's address: they become those of `group`, the address that the packet
   * is for, where they are its own.
   */
  link(bytes: Uint8Array, at: number, group?: Uint8Array): void {
    const own = Uint8Array.from(bytes.subarray(at, at + 6));
    bytes.set(own[0]! & 1 ? this.#groupLink(own, group) : this.#linkOf(own), at);
  }

  /** Replaces any other link address, of up to 16 bytes. */
  opaque(bytes: Uint8Array, at: number, length: number): void {
    const block = new Uint8Array(BLOCK);
    block.set(bytes.subarray(at, at + length));
    block[BLOCK - 1]! ^= 0x80;
    bytes.set(this.#encrypt(block).subarray(0, length), at);
  }

  #linkOf(own: Uint8Array): Uint8Array {
    if (own.every((byte) => byte === 0)) return own;
    return this.#remembered('link ', own, () => {
      const made = own.slice();
      this.opaque(made, 0, 6);
      made[0] = (made[0]! & 0xfc) | 2;
      made.set(this.#last24(own.subarray(3)), 3);
      return made;
    });
  }

  #groupLink(own: Uint8Array, group: Uint8Array | undefined): Uint8Array {
    const made = own.slice();
    const six = own[0] === 0x33 && own[1] === 0x33;
    const four = own[0] === 1 && own[1] === 0 && own[2] === 0x5e && own[3]! < 0x80;
    if (!six && !four) return own;
    if (six && group?.length === 16 && own.subarray(2).every((byte, at) => byte === group[12 + at])) {
      made.set(this.addressOf(group).subarray(12), 2);
    } else if (four && group?.length === 4 && isLast23(own, group)) {
      const [, second, third, fourth] = this.addressOf(group);
      made.set([second! & 0x7f, third!, fourth!], 3);
    } else if (six && own[2] === 0xff) {
      made.set(this.#last24(own.subarray(3)), 3);
    } else if (six ? own[2] !== 0 || own[3]! > 1 : own[3] !== 0 || own[4]! > 1) {
      // The group's address is not in the packet. Low numbers are well-known groups such as mDNS (IANA's registries).
      this.opaque(made, six ? 2 : 3, six ? 4 : 3);
      if (four) made[3]! &= 0x7f;
    }
    return made;
  }

  #four(own: Uint8Array): Uint8Array {
    const { kind, kept } = classOf4(own);
    if (kind === 'plain') return own;
    if (kind === 'group') return this.#group4(own);
    let made = own;
    // A result that looks like another kind is replaced again; the mapping is still one to one.
    do made = this.#flipped(made, kept, 32);
    while (classOf4(made).kind !== kind);
    return made;
  }

  /** Numbers of autonomous systems (RFC 3180) and prefixes (RFC 6034) are in groups of IPv4. */
  #group4(own: Uint8Array): Uint8Array {
    if (own[0] === 233 && own[1]! < 252) return this.#flipped(own, 8, 24);
    if (own[0] !== 234) return own;
    const prefix = this.addressOf(Uint8Array.of(own[1]!, own[2]!, own[3]!, 0));
    return Uint8Array.of(234, ...prefix.subarray(0, 3));
  }

  #six(own: Uint8Array): Uint8Array {
    const { kind, kept } = classOf6(own);
    if (kind === 'plain') return own;
    if (kind === 'group') return this.#group6(own);
    const made = own.slice();
    if (kind === 'v4') {
      this.address(made, V4_AT_THE_END, 4);
      return made;
    }
    if (kind === 'teredo') {
      // The server; flags and port; the client, with its bits turned over (RFC 4380, section 4).
      made.set(this.#flipped(own, 64, 96).subarray(8, 12), 8);
      this.address(made, 4, 4);
      const client = own.slice(12).map((byte) => byte ^ 0xff);
      made.set(
        this.addressOf(client).map((byte) => byte ^ 0xff),
        12,
      );
      return made;
    }
    if (kind === '6to4') {
      made.set(this.#flipped(own, 48, 64).subarray(6, 8), 6);
      this.address(made, 2, 4);
    } else {
      let prefix = own;
      do prefix = this.#flipped(prefix, kept, 64);
      while (classOf6(prefix).kind !== kind);
      made.set(prefix.subarray(0, 8));
    }
    made.set(this.#interfaceOf(own), 8);
    return made;
  }

  /** The made-up interface identifier: the last 8 bytes of an address. */
  #interfaceOf(own: Uint8Array): Uint8Array {
    const made = own.slice();
    if (isIsatap(own)) this.address(made, V4_AT_THE_END, 4);
    else if (hasLinkAddress(own)) {
      const link = Uint8Array.of(own[8]! ^ 2, own[9]!, own[10]!, own[13]!, own[14]!, own[15]!);
      const [a, b, c, d, e, f] = this.#linkOf(link);
      made.set([a! ^ 2, b!, c!, 0xff, 0xfe, d!, e!, f!], 8);
    } else {
      made.set(this.#flipped(own, 64, SOLICITED_BITS).subarray(8, 13), 8);
      made.set(this.#last24(own.subarray(13)), 13);
    }
    return made.subarray(8);
  }

  #group6(own: Uint8Array): Uint8Array {
    const made = own.slice();
    const flags = own[1]! >>> 4;
    // Solicited-node, and of names for node information (RFC 4620).
    if (
      own.subarray(2, 11).every((byte) => byte === 0) &&
      (own[11] === 1 || own[11] === 2) &&
      own[12] === 0xff
    )
      made.set(this.#last24(own.subarray(13)), 13);
    if (!(flags & HAS_PREFIX)) return made;
    const inside = new Uint8Array(16);
    if (own[3] === OF_INTERFACE) {
      // RFC 4489: the identifier of an interface in place of a prefix.
      inside.set([0xfe, 0x80]);
      inside.set(own.subarray(4, 12), 8);
      made.set(this.addressOf(inside).subarray(8), 4);
      return made;
    }
    inside.set(own.subarray(4, 12));
    const prefix = this.addressOf(inside).slice(0, 8);
    clearBehind(prefix, own.subarray(4, 12), own[3]!);
    made.set(prefix, 4);
    if (flags & HAS_ROUTER) made[2] = (own[2]! & 0xf0) | (this.#last24([0, 0, own[2]! & 15])[2]! & 15);
    return made;
  }

  /** The last 24 bits of addresses: equal bits get equal replacements wherever they are, and prefixes are kept. */
  #last24(own: ArrayLike<number>): Uint8Array {
    const node = SOLICITED.slice();
    node.set(own, 13);
    return this.#remembered('last ', node.subarray(13), () =>
      this.#flipped(node, SOLICITED_BITS, 128).slice(13),
    );
  }

  /** Replaces the bits from `from` to `to`; each replacement depends on the bits before it. */
  #flipped(own: Uint8Array, from: number, to: number): Uint8Array {
    // One block for each prefix: its bits, then those of the padding. The first bit of each encrypted block counts.
    const blocks = new Uint8Array((to - from) * BLOCK);
    for (let length = from; length < to; length += 1) {
      const at = (length - from) * BLOCK;
      blocks.set(this.#pad, at);
      for (let byte = 0; byte < length >> 3; byte += 1) blocks[at + byte] = own[byte]!;
      const rest = length & 7;
      if (rest) {
        const mask = (0xff << (8 - rest)) & 0xff;
        const byte = length >> 3;
        blocks[at + byte] = (own[byte]! & mask) | (this.#pad[byte]! & ~mask & 0xff);
      }
    }
    const encrypted = this.#encrypt(blocks);
    const made = own.slice();
    for (let bit = from; bit < to; bit += 1)
      if (encrypted[(bit - from) * BLOCK]! & 0x80) made[bit >> 3]! ^= 0x80 >> (bit & 7);
    return made;
  }

  #remembered(kind: string, own: Uint8Array, make: () => Uint8Array): Uint8Array {
    const name = kind + Buffer.from(own).toString('latin1');
    const known = this.#known.get(name);
    if (known) return known;
    const made = make();
    this.#known.set(name, made);
    return made;
  }

  #encrypt(blocks: Uint8Array): Uint8Array {
    const cipher = createCipheriv('aes-128-ecb', this.#key, null);
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update(blocks), cipher.final()]);
  }
}

/** Whether a link address of a group is that of this group of IPv4 (RFC 1112, section 6.4). */
const isLast23 = (link: Uint8Array, group: Uint8Array): boolean =>
  link[3] === (group[1]! & 0x7f) && link[4] === group[2] && link[5] === group[3];

/** The bits after a prefix are usually zero, and stay zero; other bits may belong to the prefix. */
function clearBehind(prefix: Uint8Array, own: Uint8Array, length: number): void {
  const bitOf = (bytes: Uint8Array, bit: number) => (bytes[bit >> 3]! >>> (7 - (bit & 7))) & 1;
  for (let bit = length; bit < 64; bit += 1) if (bitOf(own, bit)) return;
  for (let bit = length; bit < 64; bit += 1) prefix[bit >> 3]! &= ~(0x80 >> (bit & 7));
}
