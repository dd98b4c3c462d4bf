import { describe, expect, it } from 'vitest';
import { safeSink } from '../../src/output/terminal-text.ts';
import { fc } from '../properties.ts';

/** What a terminal would act on, besides the ends of lines and tabs. */
const ACTS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\ufeff]/u;

function sink(isTTY: boolean) {
  const got: Buffer[] = [];
  const safe = safeSink({
    write: (data) => got.push(Buffer.from(data as string)) > 0,
    isTTY,
    columns: 80,
  });
  return { safe, got: () => Buffer.concat(got) };
}

describe('what others wrote', () => {
  it.each([
    ['a colour', '\x1b[31mred\x1b[m', '\\x1b[31mred\\x1b[m'],
    ['a title', '\x1b]0;root@prod\x07', '\\x1b]0;root@prod\\x07'],
    ['a link', '\x1b]8;;http://evil\x1b\\x', '\\x1b]8;;http://evil\\x1b\\x'],
    ['the clipboard', '\x1b]52;c;cm0gLXJmIH4=\x07', '\\x1b]52;c;cm0gLXJmIH4=\\x07'],
    ['controls of eight bits', 'a\u009b2Jb\u0085c', 'a\\x9b2Jb\\x85c'],
    ['another order of reading', 'a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
    ['a line over a line', 'good\rbad\n', 'good\\rbad\n'],
    ['nothing that is seen', 'a\u200bb\ufeffc', 'a\\u200bb\\ufeffc'],
    ['a mark at the beginning', '\ufeffa', '\\ufeffa'],
    ['lines of Windows, and tabs', 'a\tb\r\nc\n', 'a\tb\nc\n'],
  ])('is shown where it would act on a terminal: %s', (_what, text, want) => {
    const { safe, got } = sink(true);
    safe.write(Buffer.from(text));
    safe.write(text);
    safe.end();
    expect(got().toString()).toBe(want + want);
  });

  it('is the same wherever its bytes are cut, and acts on no terminal', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0x2070 }).map((code) => String.fromCharCode(code)),
      fc.constantFrom('\r\n', '\r', '\x1b[2J', '日', '😀', '\ufeff'),
    );
    fc.assert(
      fc.property(fc.string({ unit }), fc.array(fc.nat(200), { maxLength: 5 }), (text, cuts) => {
        const bytes = Buffer.from(text);
        const [whole, cut] = [sink(true), sink(true)];
        whole.safe.write(bytes);
        whole.safe.end();
        const ends = [
          ...cuts.map((each) => Math.min(each, bytes.length)).sort((a, b) => a - b),
          bytes.length,
        ];
        let at = 0;
        for (const end of ends) {
          cut.safe.write(bytes.subarray(at, end));
          at = end;
        }
        cut.safe.end();
        expect(cut.got().toString()).toBe(whole.got().toString());
        expect(whole.got().toString()).not.toMatch(ACTS);
      }),
    );
  });

  it('reaches a file or a pipe byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const { safe, got } = sink(false);
        safe.write(bytes);
        safe.end();
        expect(got().equals(bytes)).toBe(true);
      }),
    );
  });

  it('reaches a terminal as it is where that is asked for', () => {
    const { safe, got } = sink(true);
    safe.raw.write('\x1b[31m');
    expect(got().toString()).toBe('\x1b[31m');
  });
});
