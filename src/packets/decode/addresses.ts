/** IPv6 addresses by number, in order of appearance; an IPv4 address is its own number, as 32 bits with a sign. */
export class Addresses {
  #words = new Int32Array(4 * 256);
  #table = new Int32Array(1024).fill(-1);
  #count = 0;
  #last = -1;
  readonly #texts: string[] = new Array(4096);
  readonly #textOf = new Int32Array(4096);

  get count(): number {
    return this.#count;
  }

  /** The number of the 16 bytes at `at`. */
  number6(bytes: Uint8Array, at: number): number {
    const a = word(bytes, at);
    const b = word(bytes, at + 4);
    const c = word(bytes, at + 8);
    const d = word(bytes, at + 12);
    if (this.#last >= 0 && this.#is(this.#last, a, b, c, d)) return this.#last;
    const mask = this.#table.length - 1;
    let slot = hash(a, b, c, d) & mask;
    for (;;) {
      const found = this.#table[slot]!;
      if (found < 0) break;
      if (this.#is(found, a, b, c, d)) {
        this.#last = found;
        return found;
      }
      slot = (slot + 1) & mask;
    }
    const added = this.#count;
    this.#table[slot] = added;
    this.#count += 1;
    if (4 * this.#count > this.#words.length) {
      const larger = new Int32Array(2 * this.#words.length);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words.set([a, b, c, d], 4 * added);
    if (2 * this.#count > this.#table.length) this.#rehash();
    return added;
  }

  /** The 16 bytes of a number. */
  bytes6(number: number): Uint8Array {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < 4; at += 1) view.setInt32(4 * at, this.#words[4 * number + at]!);
    return bytes;
  }

  text(number: number, six: boolean): string {
    // The same few come again and again.
    const slot = ((number ^ (number >>> 12)) & 2047) * 2 + (six ? 1 : 0);
    if (this.#texts[slot] !== undefined && this.#textOf[slot] === number) return this.#texts[slot];
    const text = six ? ip6Text(this.bytes6(number)) : ip4Text(number);
    this.#texts[slot] = text;
    this.#textOf[slot] = number;
    return text;
  }

  #is(number: number, a: number, b: number, c: number, d: number): boolean {
    const words = this.#words;
    const at = 4 * number;
    return words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
  }

  #rehash(): void {
    const words = this.#words;
    const table = new Int32Array(2 * this.#table.length).fill(-1);
    const mask = table.length - 1;
    for (let number = 0; number < this.#count; number += 1) {
      const at = 4 * number;
      let slot = hash(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!) & mask;
      while (table[slot]! >= 0) slot = (slot + 1) & mask;
      table[slot] = number;
    }
    this.#table = table;
  }
}

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

function hash(a: number, b: number, c: number, d: number): number {
  let mixed = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  mixed ^= Math.imul(c ^ (mixed >>> 15), 0xc2b2ae35);
  mixed ^= Math.imul(d ^ (mixed >>> 13), 0x27d4eb2f);
  return mixed ^ (mixed >>> 16);
}

export const ip4Text = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;

/** RFC 5952: lower case, no leading zeros, the longest run of zeros (two words at least) left out. */
export function ip6Text(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let at = 0; at < 16; at += 2) words.push((bytes[at]! << 8) | bytes[at + 1]!);
  let from = -1;
  let longest = 1;
  for (let at = 0; at < 8; at += 1) {
    let run = 0;
    while (at + run < 8 && words[at + run] === 0) run += 1;
    if (run > longest) {
      from = at;
      longest = run;
    }
    at += run;
  }
  const hex = (part: readonly number[]) => part.map((each) => each.toString(16)).join(':');
  // ::ffff:0:0/96 and ::/96 are written with the IPv4 address, as inet_ntop does.
  const v4 = words.slice(0, 5).every((each) => each === 0);
  if (v4 && (words[5] === 0xffff || (words[5] === 0 && words[6] !== 0)))
    return `::${words[5] ? 'ffff:' : ''}${[...bytes.subarray(12)].join('.')}`;
  if (from < 0) return hex(words);
  return `${hex(words.slice(0, from))}::${hex(words.slice(from + longest))}`;
}

/** The 4 or 16 bytes of an address as Kubernetes writes it; undefined for a text that is none. */
export function addressBytes(text: string): Buffer | undefined {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
  const parts = four.exec(text)?.slice(1).map(Number);
  if (parts) return parts.every((part) => part < 256) ? Buffer.from(parts) : undefined;
  if (!/^[0-9a-fA-F:]+:[0-9a-fA-F:.]*$|^::/.test(text)) return undefined;
  // An IPv4 address at the end stands for two words.
  const last = text.slice(text.lastIndexOf(':') + 1);
  const inside = last.includes('.') ? addressBytes(last) : undefined;
  if (last.includes('.') && inside?.length !== 4) return undefined;
  const whole = inside
    ? `${text.slice(0, -last.length)}${inside.readUInt16BE(0).toString(16)}:${inside.readUInt16BE(2).toString(16)}`
    : text;
  const [head = '', tail, more] = whole.split('::');
  const words = (part: string) => (part === '' ? [] : part.split(':'));
  const front = words(head);
  const back = words(tail ?? '');
  const zeros = 8 - front.length - back.length;
  const isWhole = tail === undefined ? zeros === 0 : zeros > 0 && more === undefined;
  if (!isWhole || ![...front, ...back].every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return undefined;
  const bytes = Buffer.alloc(16);
  for (const [at, word] of [...front, ...new Array<string>(zeros).fill('0'), ...back].entries())
    bytes.writeUInt16BE(Number.parseInt(word, 16), 2 * at);
  return bytes;
}
