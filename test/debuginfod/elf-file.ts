/** A symbol of a made ELF file, with the defaults of a global function in .text. */
export interface MadeSymbol {
  readonly name: string;
  readonly value: number;
  readonly size?: number;
  /** 0: a label, 1: data, 2: a function, 10: an indirect function. */
  readonly kind?: number;
  /** 0: local, 1: global, 2: weak. */
  readonly binding?: number;
  /** 1: .text; 0: undefined. */
  readonly section?: number;
}

export interface MadeElf {
  readonly is64?: boolean;
  readonly little?: boolean;
  readonly buildId?: string;
  readonly symbols?: readonly MadeSymbol[];
  /** The executable segment: its place in the file, its address, its sizes there and in memory. */
  readonly code?: readonly [offset: number, address: number, fileSize: number, memorySize: number];
}

export const BUILD_ID = 'b194f028b6e76f42fa92fcbd4bf6b2e38e01c39b';

/** An ELF file with a build ID, .text, .symtab and its names, and one executable segment; of any class and byte order. */
export function elfFile({
  is64 = true,
  little = true,
  buildId = BUILD_ID,
  symbols = [],
  code = [0, 0x1000, 0x10000, 0x10000],
}: MadeElf = {}): Buffer {
  const writer = () => {
    const parts: Buffer[] = [];
    const number = (bytes: 1 | 2 | 4 | 8) => (value: number) => {
      const part = Buffer.alloc(bytes);
      if (bytes === 8) little ? part.writeBigUInt64LE(BigInt(value)) : part.writeBigUInt64BE(BigInt(value));
      else little ? part.writeUIntLE(value, 0, bytes) : part.writeUIntBE(value, 0, bytes);
      parts.push(part);
    };
    return {
      ...{ u8: number(1), u16: number(2), u32: number(4), word: number(is64 ? 8 : 4) },
      done: () => Buffer.concat(parts),
    };
  };
  const note = writer();
  for (const value of [4, buildId.length / 2, 3]) note.u32(value);
  const notes = Buffer.concat([note.done(), Buffer.from('GNU\0'), Buffer.from(buildId, 'hex')]);
  const names = Buffer.from(`\0${symbols.map(({ name }) => `${name}\0`).join('')}`);
  const table = writer();
  const entry = (nameAt: number, info: number, section: number, value: number, size: number) => {
    table.u32(nameAt);
    if (is64) {
      table.u8(info);
      table.u8(0);
      table.u16(section);
      table.word(value);
      table.word(size);
    } else {
      table.word(value);
      table.word(size);
      table.u8(info);
      table.u8(0);
      table.u16(section);
    }
  };
  entry(0, 0, 0, 0, 0);
  let at = 1;
  for (const { name, value, size = 0, kind = 2, binding = 1, section = 1 } of symbols) {
    entry(at, (binding << 4) | kind, section, value, size);
    at += Buffer.byteLength(name) + 1;
  }
  const shNames = Buffer.from('\0.text\0.symtab\0.strtab\0.note.gnu.build-id\0.shstrtab\0');
  const headSize = is64 ? 64 : 52;
  const segmentSize = is64 ? 56 : 32;
  const bodies = [notes, table.done(), names, shNames];
  const places = bodies.map((_, index) =>
    bodies.slice(0, index).reduce((sum, body) => sum + body.length, headSize + segmentSize),
  );
  const sectionsAt = places[3]! + shNames.length;
  const head = writer();
  head.u16(3);
  head.u16(62);
  head.u32(1);
  head.word(0);
  head.word(headSize);
  head.word(sectionsAt);
  head.u32(0);
  for (const value of [headSize, segmentSize, 1, is64 ? 64 : 40, 6, 5]) head.u16(value);
  const segment = writer();
  const [offset, address, fileSize, memorySize] = code;
  segment.u32(1);
  if (is64) segment.u32(5);
  for (const value of [offset, address, address, fileSize, memorySize]) segment.word(value);
  if (!is64) segment.u32(5);
  segment.word(0x1000);
  const sections = writer();
  const nameAt = (name: string) => shNames.indexOf(`\0${name}\0`) + 1;
  const section = (name: string, type: number, flags: number, place: number, size: number, link = 0) => {
    sections.u32(name === '' ? 0 : nameAt(name));
    sections.u32(type);
    for (const value of [flags, name === '.text' ? address : 0, place, size]) sections.word(value);
    sections.u32(link);
    sections.u32(0);
    sections.word(1);
    sections.word(type === 2 ? (is64 ? 24 : 16) : 0);
  };
  section('', 0, 0, 0, 0);
  section('.text', 8, 6, offset, memorySize);
  section('.note.gnu.build-id', 7, 2, places[0]!, notes.length);
  section('.symtab', 2, 0, places[1]!, bodies[1]!.length, 4);
  section('.strtab', 3, 0, places[2]!, names.length);
  section('.shstrtab', 3, 0, places[3]!, shNames.length);
  const ident = Buffer.alloc(16);
  ident.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, little ? 1 : 2, 1]);
  return Buffer.concat([ident, head.done(), segment.done(), ...bodies, sections.done()]);
}

/** Reads from bytes as from a file. */
export const readerOf =
  (bytes: Uint8Array) =>
  (at: number, length: number): Uint8Array =>
    bytes.subarray(Math.min(at, bytes.length), Math.min(at + length, bytes.length));
