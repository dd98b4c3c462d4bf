import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOfBytes, Words } from '../../src/profile/words.ts';

describe('Words', () => {
  it('gives the same number to the same bytes alone, wherever they stand', () => {
    const word = fc.uint8Array({ maxLength: 9, max: 3 });
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.nat(5))), (list) => {
        const words = new Words();
        const known = new Map<string, number>();
        for (const [bytes, away] of list) {
          const view = new DataView(Uint8Array.from([...Array(away).fill(7), ...bytes, 7]).buffer);
          const hash = hashOfBytes(view, away, away + bytes.length);
          const key = bytes.join();
          const number = words.number(view, away, away + bytes.length, hash);
          expect(number).toBe(known.get(key) ?? known.size);
          known.set(key, number);
        }
        expect(words.size).toBe(known.size);
      }),
    );
  });

  it('tells words of the same hash apart', () => {
    const words = new Words();
    const view = new DataView(Uint8Array.from([1, 2, 3, 1, 2]).buffer);
    expect([0, 1, 2, 3, 4].map((at) => words.number(view, at, at + 1, 5))).toEqual([0, 1, 2, 0, 1]);
  });
});
