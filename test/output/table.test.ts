import { describe, expect, it } from 'vitest';
import { fitted, table } from '../../src/output/table.ts';

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
    expect(fitted(text, {})).toBe(text);
    expect(fitted(text, { isTTY: true, columns: 60 })).toBe(`A  LAST\n1  ${'x'.repeat(57)}\n`);
    expect(fitted(text, { isTTY: true, columns: 10 })).toBe(`A  LAST\n1  ${'x'.repeat(39)}\n`);
    expect(fitted(text, { isTTY: true, columns: 200 })).toBe(text);
  });

  it('lets nothing through that a terminal obeys', () => {
    const rows = Array.from({ length: 200 }, () => ['\x1b[2J\u202e\n']);
    const text = table([{ title: 'N' }], rows);
    expect(text).not.toMatch(/[\x1b\u202e]/);
    expect(text.split('\n')).toHaveLength(rows.length + 2);
  });
});
