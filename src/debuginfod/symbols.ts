import {
  bounded,
  type Elf,
  type ElfSection,
  fieldsOf,
  type ReadBytes,
  SHF_EXECINSTR,
  SHT_DYNSYM,
  SHT_NOBITS,
  SHT_SYMTAB,
  textAt,
} from './elf.ts';

/** A function of a file: its mangled name, and where it begins. */
export interface FoundFunction {
  readonly name: string;
  /** Bytes from the beginning of the function. */
  readonly offset: number;
}

/** The functions of a file, found by their virtual address there. */
export interface Functions {
  readonly size: number;
  find(address: number): FoundFunction | undefined;
}

/** Kinds and bindings of symbols: the System V ABI, "Symbol Table". */
const STT_NOTYPE = 0;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_GLOBAL = 1;
const STB_WEAK = 2;
const SHN_UNDEF = 0;
const SHN_LORESERVE = 0xff00;
const SHN_XINDEX = 0xffff;
const STV_INTERNAL = 1;
const STV_HIDDEN = 2;

/** In bytes, of which a symbol has 24: the largest programs have some 3 million symbols, and names of 700 MB. */
const MOST_SYMBOLS = 192 << 20;
const MOST_NAMES = 1 << 30;
/** A file has .symtab, .dynsym or both. */
const MOST_TABLES = 4;
/** In bytes: names of C++ have some thousands. */
const LONGEST_NAME = 16_384;
/** How many enclosing functions are tried where functions overlap. */
const MOST_ENCLOSING = 64;
/** perf lets the last symbol without a size end at the next page but one (Linux tools/perf/util/symbol.c, symbols__fixup_end). */
const PAGE = 4096;

interface FileSymbol {
  readonly names: Uint8Array;
  readonly nameAt: number;
  readonly start: number;
  readonly size: number;
  readonly binding: number;
  readonly kind: number;
}

/**
 * The functions that the symbol tables of a file name, by the rules of perf (Linux tools/perf/util/symbol.c): of several
 * names for one address it chooses one, and a function without a size reaches to the next one. Throws an `ElfError` for
 * tables that cannot be right.
 */
export function functionsOf(elf: Elf, read: ReadBytes): Functions {
  const all: FileSymbol[] = [];
  const tables = elf.sections.filter(({ type }) => type === SHT_SYMTAB || type === SHT_DYNSYM);
  for (const table of tables.slice(0, MOST_TABLES)) collect(elf, read, table, all);
  all.sort((a, b) => a.start - b.start || a.nameAt - b.nameAt);
  const chosen: FileSymbol[] = [];
  for (const symbol of all) {
    const last = chosen.at(-1);
    if (last?.start !== symbol.start) chosen.push(symbol);
    else if (isBetter(symbol, last)) chosen[chosen.length - 1] = symbol;
  }
  const ends = Float64Array.from(chosen, ({ start, size }, at) =>
    size > 0 ? start + size : (chosen[at + 1]?.start ?? Math.ceil(start / PAGE) * PAGE + PAGE),
  );
  return {
    size: chosen.length,
    find: (address) => {
      let at = lastAtOrBefore(chosen, address);
      // Within a function there may be another one, and behind that one the first goes on.
      for (let tries = 0; at >= 0 && tries < MOST_ENCLOSING; at -= 1, tries += 1) {
        const { start, names, nameAt } = chosen[at]!;
        if (address < ends[at]!)
          return { name: textAt(names, nameAt, LONGEST_NAME), offset: address - start };
      }
      return undefined;
    },
  };
}

function collect(elf: Elf, read: ReadBytes, table: ElfSection, into: FileSymbol[]): void {
  const names = elf.sections[table.link];
  // A separate debug file has the header of .dynsym, but not its content.
  if (table.type === SHT_NOBITS || !names || names.type === SHT_NOBITS || table.size === 0) return;
  const text = bounded(read, names, MOST_NAMES, 'names of symbols');
  const bytes = bounded(read, table, MOST_SYMBOLS, 'symbols');
  const each = elf.is64 ? 24 : 16;
  const fields = fieldsOf(bytes, elf.little, elf.is64);
  // The order of the fields differs: the value and the size stand last in 64 bits.
  const at = elf.is64
    ? { info: 4, other: 5, section: 6, value: 8, size: 16 }
    : { value: 4, size: 8, info: 12, other: 13, section: 14 };
  for (let base = each; base + each <= bytes.length; base += each) {
    const kind = fields.u8(base + at.info) & 15;
    if (kind !== STT_FUNC && kind !== STT_GNU_IFUNC && kind !== STT_NOTYPE) continue;
    const number = fields.u16(base + at.section);
    if (number === SHN_UNDEF || (number >= SHN_LORESERVE && number !== SHN_XINDEX)) continue;
    const section = number === SHN_XINDEX ? undefined : elf.sections[number];
    if (section && (section.flags & SHF_EXECINSTR) === 0) continue;
    const nameAt = fields.u32(base);
    if (kind === STT_NOTYPE && !(section && isLabel(fields.u8(base + at.other), text, nameAt))) continue;
    const start = fields.word(base + at.value);
    const size = fields.word(base + at.size);
    if (nameAt === 0 || nameAt >= text.length || text[nameAt] === 0 || !Number.isSafeInteger(start + size))
      continue;
    into.push({ names: text, nameAt, start, size, kind, binding: fields.u8(base + at.info) >> 4 });
  }
}

const DOLLAR = 0x24;

/** A label of an assembler that names code. ARM's mapping symbols `$x` and `$d` mark what code and data are. */
const isLabel = (other: number, names: Uint8Array, nameAt: number): boolean =>
  (other & 3) !== STV_INTERNAL && (other & 3) !== STV_HIDDEN && names[nameAt] !== DOLLAR;

/**
 * Whether perf prefers a symbol to another one of the same address: choose_best_symbol in Linux
 * tools/perf/util/symbol.c. One with a size, a function and no label, not weak, global, with fewer underscores in front, and
 * then with the longer name.
 */
function isBetter(a: FileSymbol, b: FileSymbol): boolean {
  if (a.size > 0 !== b.size > 0) return a.size > 0;
  if ((a.kind === STT_NOTYPE) !== (b.kind === STT_NOTYPE)) return b.kind === STT_NOTYPE;
  if ((a.binding === STB_WEAK) !== (b.binding === STB_WEAK)) return b.binding === STB_WEAK;
  if ((a.binding === STB_GLOBAL) !== (b.binding === STB_GLOBAL)) return a.binding === STB_GLOBAL;
  const [underscoresA, underscoresB] = [underscores(a), underscores(b)];
  if (underscoresA !== underscoresB) return underscoresA < underscoresB;
  return lengthOf(a) > lengthOf(b);
}

function underscores({ names, nameAt }: FileSymbol): number {
  let count = 0;
  while (count < LONGEST_NAME && names[nameAt + count] === 0x5f) count += 1;
  return count;
}

const lengthOf = ({ names, nameAt }: FileSymbol): number => {
  const end = names.subarray(nameAt, nameAt + LONGEST_NAME).indexOf(0);
  return end < 0 ? LONGEST_NAME : end;
};

function lastAtOrBefore(symbols: readonly FileSymbol[], address: number): number {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
