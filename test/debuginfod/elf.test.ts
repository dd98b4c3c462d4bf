import { describe, expect, it } from 'vitest';
import { ElfError, readElf } from '../../src/debuginfod/elf.ts';
import { addressOf, computedSegments, keptSegments } from '../../src/debuginfod/segments.ts';
import { functionsOf } from '../../src/debuginfod/symbols.ts';
import { fc } from '../properties.ts';
import { BUILD_ID, elfFile, type MadeElf, type MadeSymbol, readerOf } from './elf-file.ts';

/** The function that a file with these symbols has at an address. */
function nameAt(symbols: readonly MadeSymbol[], address: number, made: MadeElf = {}): string | undefined {
  const read = readerOf(elfFile({ ...made, symbols }));
  const found = functionsOf(readElf(read), read).find(address);
  return found && `${found.name}+${found.offset}`;
}

describe('the headers of an ELF file', () => {
  const shapes = [true, false].flatMap((is64) => [true, false].map((little) => ({ is64, little })));
  it.each(shapes)('are read in each class and byte order: %j', (shape) => {
    const elf = readElf(readerOf(elfFile({ ...shape, code: [0x2000, 0x5000, 0x100, 0x180] })));
    expect(elf).toMatchObject({ ...shape, buildId: BUILD_ID });
    expect(elf.sections.map(({ name }) => name)).toContain('.note.gnu.build-id');
    expect(elf.segments).toEqual([
      {
        ...{ offset: 0x2000, address: 0x5000, fileSize: 0x100, memorySize: 0x180, align: 0x1000 },
        ...{ executable: true, writable: false },
      },
    ]);
    expect(nameAt([{ name: 'f', value: 0x5010, size: 8 }], 0x5012, shape)).toBe('f+2');
  });

  it('are refused where the file is another one, or is cut', () => {
    const whole = elfFile({ symbols: [{ name: 'f', value: 1 }] });
    expect(() => readElf(readerOf(Buffer.from('#!/bin/sh\necho a script of some length\n')))).toThrow(
      'it is not an ELF file',
    );
    expect(() => readElf(readerOf(whole.subarray(0, 40)))).toThrow('it is cut short: its header');
    expect(() => readElf(readerOf(whole.subarray(0, whole.length - 1)))).toThrow(
      'it is cut short: its section headers',
    );
  });

  it('cost nothing where they state a huge number', () => {
    const bytes = elfFile();
    bytes.writeUInt16LE(0, 60);
    const sections = Number(bytes.readBigUInt64LE(40));
    bytes.writeBigUInt64LE(2n ** 40n, sections + 32);
    expect(() => readElf(readerOf(bytes))).toThrow('more sections than any real file');
  });

  it('damaged anywhere, give an ElfError or other names, within bounds', () => {
    const symbols = Array.from({ length: 20 }, (_, at) => ({
      name: `f${at}`,
      value: 0x1000 + 16 * at,
      size: 16,
    }));
    fc.assert(
      fc.property(
        fc.record({ is64: fc.boolean(), little: fc.boolean() }),
        fc.array(fc.tuple(fc.nat(), fc.oneof(fc.constant(0xff), fc.nat(255))), { maxLength: 24 }),
        fc.option(fc.nat(), { nil: undefined }),
        fc.nat(0x20000),
        (shape, changes, cut, address) => {
          const bytes = elfFile({ ...shape, symbols });
          // Most of the changes in the headers, where they do the most.
          for (const [at, value] of changes) bytes[at % 2 === 0 ? at % 120 : at % bytes.length] = value;
          const read = readerOf(cut === undefined ? bytes : bytes.subarray(0, cut % bytes.length));
          let asked = 0;
          const bounded = (at: number, length: number) => {
            asked += 1;
            if (asked > 200) throw new Error('reads too often');
            return read(at, length);
          };
          try {
            const elf = readElf(bounded);
            const functions = functionsOf(elf, bounded);
            for (const segments of [keptSegments(elf), computedSegments(elf)])
              functions.find((segments && addressOf(segments, address)) ?? address);
          } catch (error) {
            expect(error).toBeInstanceOf(ElfError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('the functions of an ELF file', () => {
  it('are the one that contains the address, the inner one of two', () => {
    const symbols = [
      { name: 'outer', value: 0x1000, size: 0x100 },
      { name: 'inner', value: 0x1040, size: 0x10 },
      { name: 'next', value: 0x1100, size: 0x10 },
    ];
    expect(nameAt(symbols, 0x1045)).toBe('inner+5');
    expect(nameAt(symbols, 0x1050)).toBe('outer+80');
    expect(nameAt(symbols, 0x10ff)).toBe('outer+255');
    expect(nameAt(symbols, 0x1110)).toBeUndefined();
    expect(nameAt(symbols, 0xfff)).toBeUndefined();
  });

  it('reach to the next one where they have no size', () => {
    const symbols = [
      { name: 'a', value: 0x1000 },
      { name: 'b', value: 0x1080 },
    ];
    expect(nameAt(symbols, 0x107f)).toBe('a+127');
    expect(nameAt(symbols, 0x1fff)).toBe('b+3967');
    expect(nameAt(symbols, 0x3000)).toBeUndefined();
  });

  // choose_best_symbol of Linux tools/perf/util/symbol.c.
  it.each<[string, Partial<MadeSymbol> & { name: string }, Partial<MadeSymbol> & { name: string }]>([
    ['has a size', { name: 'a', size: 4 }, { name: 'longer' }],
    ['is a function and no label', { name: 'a' }, { name: 'longer', kind: 0 }],
    ['is not weak', { name: 'a', binding: 0 }, { name: 'longer', binding: 2 }],
    ['is global', { name: 'a' }, { name: 'longer', binding: 0 }],
    ['has fewer underscores', { name: 'a' }, { name: '_longer' }],
    ['is longer', { name: 'longer' }, { name: 'a' }],
  ])('of several names have the one that %s', (_rule, better, worse) => {
    const at = (symbol: Partial<MadeSymbol> & { name: string }) => ({ value: 0x1000, ...symbol });
    expect(nameAt([at(better), at(worse)], 0x1000)).toBe(`${better.name}+0`);
    expect(nameAt([at(worse), at(better)], 0x1000)).toBe(`${better.name}+0`);
  });

  it('are neither data nor what other files define, and keep their version as in perf', () => {
    expect(nameAt([{ name: 'data', value: 0x1000, size: 8, kind: 1 }], 0x1000)).toBeUndefined();
    expect(nameAt([{ name: 'malloc', value: 0x1000, size: 8, section: 0 }], 0x1000)).toBeUndefined();
    expect(nameAt([{ name: '$x', value: 0x1000, kind: 0 }], 0x1000)).toBeUndefined();
    expect(nameAt([{ name: 'memcpy@@GLIBC_2.14', value: 0x1000, size: 8 }], 0x1000)).toBe(
      'memcpy@@GLIBC_2.14+0',
    );
  });
});

describe('the place of code', () => {
  const segment = { align: 0x1000, executable: false, writable: false };
  const elf = (
    ...segments: Array<
      Partial<typeof segment> & { offset: number; address: number; fileSize: number; memorySize: number }
    >
  ) => ({
    ...{ little: true, is64: true, sections: [], buildId: BUILD_ID },
    segments: segments.map((each) => ({ ...segment, ...each })),
  });
  it('is given by the segments, as they are in the executable', () => {
    const whole = elf(
      { offset: 0, address: 0x400000, fileSize: 0x500, memorySize: 0x500 },
      { offset: 0x1000, address: 0x401000, fileSize: 0x200, memorySize: 0x200, executable: true },
    );
    expect(keptSegments(whole)).toBe(whole.segments);
    expect(addressOf(whole.segments, 0x1010)).toBe(0x401010);
    expect(addressOf(whole.segments, 0x10)).toBeUndefined();
    expect(addressOf(whole.segments, 0x1200)).toBeUndefined();
  });
  it('is computed where objcopy took the places away, and not where it is not sure', () => {
    const stripped = (code: object, ...more: Parameters<typeof elf>) =>
      elf(
        { offset: 0, address: 0x200000, fileSize: 0x2fc, memorySize: 0x5c4 },
        { offset: 0, address: 0x2015c8, fileSize: 0, memorySize: 0x1d0, executable: true, ...code },
        ...more,
      );
    expect(keptSegments(stripped({}))).toBeUndefined();
    expect(computedSegments(stripped({}))?.[1]).toMatchObject({ offset: 0x5c8, fileSize: 0x1d0 });
    const second = { offset: 0, address: 0x205000, fileSize: 0, memorySize: 0x10, executable: true };
    expect(computedSegments(stripped({}, second))).toBeUndefined();
    const data = { offset: 0, address: 0x200, fileSize: 0, memorySize: 16, writable: true };
    const [first, code] = stripped({}).segments;
    expect(computedSegments(elf(first!, data, code!))).toBeUndefined();
    expect(computedSegments(elf(code!))).toMatchObject([{ offset: 0 }]);
    expect(computedSegments(elf({ ...first!, offset: 0x1000 }, code!))).toBeUndefined();
  });
});
