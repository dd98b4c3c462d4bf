/** Bytes of a file. Fewer than `length` come only at its end. Throws what the file system throws. */
export type ReadBytes = (at: number, length: number) => Uint8Array;

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** The virtual address; 0 where the section is not loaded. */
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  /** The number of another section: for symbols, of their names. */
  readonly link: number;
  readonly entrySize: number;
}

/** A part of the file that the kernel maps (PT_LOAD). */
export interface ElfSegment {
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
  readonly executable: boolean;
  readonly writable: boolean;
}

export interface Elf {
  /** Little-endian. */
  readonly little: boolean;
  readonly is64: boolean;
  readonly sections: readonly ElfSection[];
  /** In the order of the file. */
  readonly segments: readonly ElfSegment[];
  /** In lower-case hexadecimal digits; undefined where the file has none. */
  readonly buildId: string | undefined;
}

/** A file that is no ELF file, or one whose headers cannot be right. */
export class ElfError extends Error {
  override readonly name = 'ElfError';
}

/** Types of sections, flags, and kinds of symbols: the System V ABI, chapters 4 and 5. */
export const SHT_SYMTAB = 2;
const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_DYNSYM = 11;
export const SHF_EXECINSTR = 4;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_X = 1;
const PF_W = 2;
const NT_GNU_BUILD_ID = 3;
/** Where there are more than 65,279 sections, section 0 has their number; likewise for segments (PN_XNUM). */
const SHN_XINDEX = 0xffff;
const PN_XNUM = 0xffff;

/** No real file comes near these: large programs that put each function into a section have some 100,000. */
const MOST_SECTIONS = 1 << 20;
const MOST_SEGMENTS = 4096;
const MOST_NAMES = 64 << 20;
const MOST_NOTES = 1 << 20;
const LONGEST_SECTION_NAME = 256;
/** Real files have some five sections of notes. */
const MOST_NOTE_SECTIONS = 64;

/** Reads the headers of an ELF file. Throws an `ElfError` if they are damaged, or larger than those of any real file. */
export function readElf(read: ReadBytes): Elf {
  const ident = read(0, 16);
  if (ident.length < 16 || ident[0] !== 0x7f || ident[1] !== 0x45 || ident[2] !== 0x4c || ident[3] !== 0x46)
    throw new ElfError('it is not an ELF file');
  const is64 = ident[4] === 2;
  const little = ident[5] === 1;
  if ((!is64 && ident[4] !== 1) || (!little && ident[5] !== 2))
    throw new ElfError('it is an ELF file of an unknown class or byte order');
  const word = is64 ? 8 : 4;
  const head = fieldsOf(exactly(read, 0, is64 ? 64 : 52, 'header'), little, is64);
  const places = {
    segments: head.word(16 + 8 + word),
    sections: head.word(16 + 8 + 2 * word),
  };
  // Behind the three addresses and the flags: sizes and counts, two bytes each.
  const counts = 16 + 8 + 3 * word + 4;
  const segmentSize = head.u16(counts + 2);
  const sectionSize = head.u16(counts + 6);
  const sectionCount = head.u16(counts + 8);
  const namesIn = head.u16(counts + 10);
  const zeroth =
    places.sections > 0 && sectionSize > 0
      ? sectionsAt(read, places.sections, sectionSize, 1, little, is64)[0]
      : undefined;
  const raw = zeroth
    ? sectionsAt(
        read,
        places.sections,
        sectionSize,
        sectionCount === 0 ? zeroth.size : sectionCount,
        little,
        is64,
      )
    : [];
  const segmentCount = head.u16(counts + 4);
  const headers = segmentsAt(
    read,
    places.segments,
    segmentSize,
    segmentCount === PN_XNUM && zeroth ? zeroth.info : segmentCount,
    little,
    is64,
  );
  const names = raw[namesIn === SHN_XINDEX ? (zeroth?.link ?? 0) : namesIn];
  const text = names && names.type !== SHT_NOBITS ? bounded(read, names, MOST_NAMES, 'names') : undefined;
  const sections = raw.map(({ nameAt, info, ...section }) => ({
    ...section,
    name: text ? textAt(text, nameAt, LONGEST_SECTION_NAME) : '',
  }));
  const notes = [
    ...sections.filter(({ type }) => type === SHT_NOTE),
    // A program without section headers has only this; in a separate debug file the place may be wrong, the sections' are not.
    ...headers
      .filter(({ type }) => type === PT_NOTE)
      .map(({ offset, fileSize }) => ({ offset, size: fileSize })),
  ];
  return {
    little,
    is64,
    sections,
    segments: headers
      .filter(({ type }) => type === PT_LOAD)
      .map(({ type, flags, ...segment }) => ({
        ...segment,
        executable: (flags & PF_X) !== 0,
        writable: (flags & PF_W) !== 0,
      })),
    buildId: buildIdIn(read, notes, little),
  };
}

/** All bytes of a section. Throws if there are more than `most`, or fewer than its header says. */
export function bounded(
  read: ReadBytes,
  { offset, size }: Pick<ElfSection, 'offset' | 'size'>,
  most: number,
  what: string,
): Uint8Array {
  if (size > most) throw new ElfError(`its ${what} are larger than those of any real file`);
  return exactly(read, offset, size, what);
}

/** The text that begins there, up to its zero, or `most` bytes of it. Bytes that are no UTF-8 are replaced. */
export function textAt(names: Uint8Array, at: number, most: number): string {
  if (at >= names.length) return '';
  const end = names.subarray(at, at + most).indexOf(0);
  return new TextDecoder().decode(names.subarray(at, end < 0 ? Math.min(names.length, at + most) : at + end));
}

/** Numbers in a header. */
export interface Fields {
  u8(at: number): number;
  u16(at: number): number;
  u32(at: number): number;
  /** As wide as an address. What no double holds exactly is no place in a file, and becomes infinite. */
  word(at: number): number;
}

export function fieldsOf(bytes: Uint8Array, little: boolean, is64: boolean): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number) => view.getUint32(at, little);
  return {
    u8: (at) => view.getUint8(at),
    u16: (at) => view.getUint16(at, little),
    u32,
    word: (at) => {
      if (!is64) return u32(at);
      const value = u32(at + (little ? 4 : 0)) * 2 ** 32 + u32(at + (little ? 0 : 4));
      return value <= Number.MAX_SAFE_INTEGER ? value : Number.POSITIVE_INFINITY;
    },
  };
}

type RawSection = Omit<ElfSection, 'name'> & { readonly nameAt: number; readonly info: number };

function sectionsAt(
  read: ReadBytes,
  at: number,
  each: number,
  count: number,
  little: boolean,
  is64: boolean,
): RawSection[] {
  if (each !== (is64 ? 64 : 40)) throw new ElfError('its section headers have an unknown size');
  if (count > MOST_SECTIONS) throw new ElfError('it has more sections than any real file');
  const fields = fieldsOf(exactly(read, at, each * count, 'section headers'), little, is64);
  const word = is64 ? 8 : 4;
  return Array.from({ length: count }, (_, number) => {
    const base = number * each;
    return {
      nameAt: fields.u32(base),
      type: fields.u32(base + 4),
      // The flags that matter are in the low half.
      flags: fields.u32(base + 8 + (is64 && !little ? 4 : 0)),
      address: fields.word(base + 8 + word),
      offset: fields.word(base + 8 + 2 * word),
      size: fields.word(base + 8 + 3 * word),
      link: fields.u32(base + 8 + 4 * word),
      info: fields.u32(base + 12 + 4 * word),
      entrySize: fields.word(base + 16 + 5 * word),
    };
  });
}

type RawSegment = Omit<ElfSegment, 'executable' | 'writable'> & {
  readonly type: number;
  readonly flags: number;
};

function segmentsAt(
  read: ReadBytes,
  at: number,
  each: number,
  count: number,
  little: boolean,
  is64: boolean,
): RawSegment[] {
  if (count === 0) return [];
  if (each !== (is64 ? 56 : 32)) throw new ElfError('its program headers have an unknown size');
  if (count > MOST_SEGMENTS) throw new ElfError('it has more segments than any real file');
  const fields = fieldsOf(exactly(read, at, each * count, 'program headers'), little, is64);
  return Array.from({ length: count }, (_, number) => {
    const base = number * each;
    const type = fields.u32(base);
    // The flags stand behind the type in 64 bits, and behind the sizes in 32.
    return is64
      ? {
          type,
          flags: fields.u32(base + 4),
          offset: fields.word(base + 8),
          address: fields.word(base + 16),
          fileSize: fields.word(base + 32),
          memorySize: fields.word(base + 40),
          align: fields.word(base + 48),
        }
      : {
          type,
          flags: fields.u32(base + 24),
          offset: fields.word(base + 4),
          address: fields.word(base + 8),
          fileSize: fields.word(base + 16),
          memorySize: fields.word(base + 20),
          align: fields.word(base + 28),
        };
  });
}

/** The GNU build ID among notes; a place that the file does not have is passed over. */
function buildIdIn(
  read: ReadBytes,
  places: ReadonlyArray<{ readonly offset: number; readonly size: number }>,
  little: boolean,
): string | undefined {
  for (const { offset, size } of places.slice(0, MOST_NOTE_SECTIONS)) {
    if (size > MOST_NOTES || !Number.isSafeInteger(offset)) continue;
    const bytes = read(offset, size);
    const fields = fieldsOf(bytes, little, false);
    for (let at = 0; at + 12 <= bytes.length; ) {
      const nameLength = fields.u32(at);
      const length = fields.u32(at + 4);
      const description = at + 12 + padded(nameLength);
      if (description + length > bytes.length) break;
      const isGnu =
        nameLength === 4 && Buffer.from(bytes.subarray(at + 12, at + 16)).toString('latin1') === 'GNU\0';
      if (isGnu && fields.u32(at + 8) === NT_GNU_BUILD_ID && length > 0)
        return Buffer.from(bytes.subarray(description, description + length)).toString('hex');
      at = description + padded(length);
    }
  }
  return undefined;
}

const padded = (length: number): number => Math.ceil(length / 4) * 4;

function exactly(read: ReadBytes, at: number, length: number, what: string): Uint8Array {
  const bytes = Number.isSafeInteger(at + length) ? read(at, length) : new Uint8Array(0);
  if (bytes.length < length) throw new ElfError(`it is cut short: its ${what} are not there`);
  return bytes;
}
