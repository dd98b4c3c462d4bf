import { describe, expect, it } from 'vitest';
import { shorten, wrap } from '../../src/text/wrap.ts';

describe('wrap', () => {
  it.each([
    ['', ['']],
    ['one two', ['one two']],
    ['one two three', ['one two', '  three']],
    ['one two three four five', ['one two', '  three', '  four', '  five']],
    ['  one two three', ['  one two', '    three']],
    ['12345678901234 two', ['12345678901234', '  two']],
    ['äöüäöü äöüß', ['äöüäöü', '  äöüß']],
    // Columns that were aligned with blanks stay aligned.
    ['  a   b', ['  a   b']],
  ])('%j: %j', (line, expected) => expect(wrap(line, 10)).toEqual(expected));

  it('fits into 80 columns by default', () => {
    const lines = wrap('word '.repeat(100).trim());
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(lines.map((line) => line.trim()).join(' ')).toBe('word '.repeat(100).trim());
  });
});

it.each([
  ['abcdef', 6, 'abcdef'],
  ['abcdefg', 6, 'abc…fg'],
  ['😀😀😀', 3, '😀😀😀'],
  ['😀😀😀😀', 3, '😀…😀'],
])('shorten(%s, %i) is %s', (text, longest, expected) => expect(shorten(text, longest)).toBe(expected));
