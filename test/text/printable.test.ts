import { describe, expect, it } from 'vitest';
import { printable, printableLines } from '../../src/text/printable.ts';
import { fc } from '../properties.ts';

describe('printable', () => {
  it.each([
    ['plain text, größe 日本', 'plain text, größe 日本'],
    ['\x1b[31mred\x1b]0;title\x07', '\\x1b[31mred\\x1b]0;title\\x07'],
    ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
    ['\u009b31m', '\\x9b31m'],
    ['abc\u202edef', 'abc\\u202edef'],
    ['\ud800x', '\\ud800x'],
  ])('%j', (text, want) => expect(printable(text)).toBe(want));

  it('leaves no character that moves a cursor or turns the reading direction, and changes nothing twice', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0x2000, max: 0x2070 }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0xd7f0, max: 0xe00f }).map((code) => String.fromCharCode(code)),
      fc.constantFrom('😀', '日', '\ufeff', '\u061c'),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
        expect(printable(shown)).toBe(shown);
      }),
    );
  });

  it('keeps the lines of text of several lines', () => {
    expect(printableLines('a\r\nb\x1bc\n')).toBe('a\nb\\x1bc\n');
  });
});
