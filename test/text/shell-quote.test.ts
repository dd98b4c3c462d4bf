import { describe, expect, it } from 'vitest';
import { deleteLine, quoteFor, windowsQuote } from '../../src/text/shell-quote.ts';

describe('words of commands that are shown', () => {
  it.each([
    ['C:\\captures\\a.pcap.gz', 'C:\\captures\\a.pcap.gz'],
    ['C:\\Program Files\\a.pcap.gz', '"C:\\Program Files\\a.pcap.gz"'],
    ['a&b', '"a&b"'],
    ['', '""'],
    ['say "hi"', '"say ""hi"""'],
    ['$env:x`', '"`$env:x``"'],
  ])('%s is %s on Windows', (word, expected) => expect(windowsQuote(word)).toBe(expected));

  it('are for the shell that is usual there', () => {
    expect([quoteFor(false)('a b'), quoteFor(true)('a b')]).toEqual(["'a b'", '"a b"']);
    expect([deleteLine('a b', false), deleteLine('C:\\a b', true)]).toEqual(["rm 'a b'", 'del "C:\\a b"']);
  });
});
