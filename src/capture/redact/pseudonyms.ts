import { createCipheriv } from 'node:crypto';

/** Bytes of a key: one half for the cipher, the other for the padding. */
export const KEY_BYTES = 32;
const BLOCK = 16;

/**
 * Other addresses for addresses, the same each time, with prefixes kept: two addresses that share n bits share n bits
 * afterwards. Crypto-PAn (J. Xu, J. Fan, M. Ammar, S. Moon, "Prefix-Preserving IP Address Anonymization", 2002) with
 * AES-128, for IPv4 and in the same way for IPv6.
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

  /** Replaces the 4 or 16 bytes of an address where they stand. What says nothing of anybody stays: see isSpecial. */
  address(bytes: Uint8Array, at: number, length: 4 | 16): void {
    const own = bytes.slice(at, at + length);
    if (isSpecial(own)) return;
    bytes.set(this.#of(own), at);
  }

  /** Replaces a link address; group addresses and zeros stay, all others are marked as made up (locally administered). */
  link(bytes: Uint8Array, at: number, length: number): void {
    const own = bytes.slice(at, at + length);
    if (own.every((byte) => byte === 0) || own[0]! & 1) return;
    const block = new Uint8Array(BLOCK);
    block.set(own.subarray(0, BLOCK));
    block[BLOCK - 1]! ^= 0x80;
    const made = this.#encrypt(block).slice(0, length);
    made[0] = (made[0]! & 0xfc) | 2;
    bytes.set(made, at);
  }

  #of(own: Uint8Array): Uint8Array {
    const name = Buffer.from(own).toString('latin1');
    const known = this.#known.get(name);
    if (known) return known;
    const bits = own.length * 8;
    // One block for each prefix: its bits, then those of the padding. The first bit of each encrypted block counts.
    const blocks = new Uint8Array(bits * BLOCK);
    for (let length = 0; length < bits; length += 1) {
      const at = length * BLOCK;
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
    for (let bit = 0; bit < bits; bit += 1)
      if (encrypted[bit * BLOCK]! & 0x80) made[bit >> 3]! ^= 0x80 >> (bit & 7);
    this.#known.set(name, made);
    return made;
  }

  #encrypt(blocks: Uint8Array): Uint8Array {
    const cipher = createCipheriv('aes-128-ecb', this.#key, null);
    cipher.setAutoPadding(false);
    return Buffer.concat([cipher.update(blocks), cipher.final()]);
  }
}

/** Loopback, unspecified, multicast and broadcast addresses: they tell what a packet is for, and of nobody. */
function isSpecial(address: Uint8Array): boolean {
  const first = address[0]!;
  if (address.length === 4)
    return (
      first === 127 || first === 0 || (first >= 224 && first <= 239) || address.every((byte) => byte === 255)
    );
  return first === 0xff || address.subarray(0, 15).every((byte) => byte === 0);
}
