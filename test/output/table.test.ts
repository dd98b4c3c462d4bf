import { describe, expect, it } from 'vitest';
import { fitLastColumn, rowsOf, table, tablePieces } from '../../src/output/table.ts';
import { fc } from '../properties.ts';

describe('table', () => {
  it('aligns columns, without frames and without blanks at the end', () => {
    expect(
      table(
        [{ title: 'COUNT', right: true }, { title: 'NAME' }, { title: 'OBJECT' }],
        [
          ['1', 'a', ''],
          ['200', 'longer', '/x'],
        ],
      ),
    ).toBe('COUNT  NAME    OBJECT\n    1  a\n  200  longer  /x\n');
  });

  it('cuts the middle of what is too long, between whole characters', () => {
    const of = (cell: string) => table([{ title: 'N', longest: 5 }], [[cell]]).split('\n')[1];
    expect(of('abcde')).toBe('abcde');
    expect(of('abcdefg')).toBe('ab…fg');
    expect(of('😀😀😀😀😀')).toBe('😀😀😀😀😀');
    expect(of('😀😀😀😀😀😀')).toBe('😀😀…😀😀');
  });

  it('is cut at the edge of a terminal, and of a narrow one behind the beginning of its last column', () => {
    const text = `A  LAST\n1  ${'x'.repeat(99)}\n`;
    expect(fitLastColumn(text, {})).toBe(text);
    expect(fitLastColumn(text, { isTTY: true, columns: 60 })).toBe(`A  LAST\n1  ${'x'.repeat(57)}\n`);
    expect(fitLastColumn(text, { isTTY: true, columns: 10 })).toBe(`A  LAST\n1  ${'x'.repeat(39)}\n`);
    expect(fitLastColumn(text, { isTTY: true, columns: 200 })).toBe(text);
  });

  it('lets nothing through that a terminal obeys', () => {
    const rows = Array.from({ length: 200 }, () => ['\x1b[2J\u202e\n']);
    const text = table([{ title: 'N' }], rows);
    expect(text).not.toMatch(/[\x1b\u202e]/);
    expect(text.split('\n')).toHaveLength(rows.length + 2);
  });

  it('is the same, to the byte, whether it is short or long', () => {
    const letter = fc.constantFrom(
      ...'a b1µ→…©®é\u0301漢ｶ😀👩‍👩‍👧\u200d\t\u00a0\ud800#*',
      '🇩🇪',
      '1\ufe0f\u20e3',
    );
    const cell = fc.string({ unit: letter, maxLength: 12 });
    const columns = [{ title: 'N', right: true }, { title: '漢', longest: 8 }, { title: 'LAST' }];
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 20 }), (rows) => {
        const lines = (all: typeof rows) => table(columns, all).split('\n');
        // So many more times that it is laid out otherwise; columns stay as wide as they were.
        const many = Array.from({ length: 30 * Math.ceil(20 / rows.length) }, () => rows).flat();
        expect(lines(many).slice(0, rows.length + 1)).toEqual(lines(rows).slice(0, rows.length + 1));
        expect(lines(many)).toHaveLength(many.length + 2);
      }),
      { numRuns: 20 },
    );
  });

  it('of a hundred thousand rows is made piece by piece, and none is kept', () => {
    let made = 0;
    const rows = () =>
      rowsOf(
        (function* () {
          for (;;) {
            made += 1;
            yield made;
          }
        })(),
        (number) => [String(number), 'x'],
        100_000,
      );
    let written = 0;
    for (const piece of tablePieces([{ title: 'N', right: true }, { title: 'X' }], rows)) {
      expect(piece.length).toBeLessThan(50_000);
      written += piece.split('\n').length - 1;
      // What was made of the second time is in the pieces but for the last few.
      if (made > 100_000) expect(made - 100_000 - written).toBeLessThan(1000);
    }
    expect(written).toBe(100_001);
  });
});
