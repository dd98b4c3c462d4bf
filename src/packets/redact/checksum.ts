/** The Internet checksum (RFC 1071) over parts one behind the other, each of even length but the last. */
export class Checksum {
  #sum = 0;

  add(bytes: Uint8Array, at: number, end: number): this {
    let sum = this.#sum;
    for (let from = at; from < end - 1; from += 2) sum += (bytes[from]! << 8) | bytes[from + 1]!;
    if ((end - at) & 1) sum += bytes[end - 1]! << 8;
    this.#sum = sum;
    return this;
  }

  /** A number of 16 bits. */
  word(value: number): this {
    this.#sum += value;
    return this;
  }

  get value(): number {
    let sum = this.#sum;
    while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
    return ~sum & 0xffff;
  }
}
