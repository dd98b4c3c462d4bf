import { describe, expect, it } from 'vitest';
import { hashOfBytes, sameBytes, sameEights, Words } from '../../../src/profile/read/byte-interner.ts';
import { fc } from '../../properties.ts';

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

const viewOf = (bytes: readonly number[]) => new DataView(Uint8Array.from(bytes).buffer);
/** As floats: zero, minus zero, two that are not a number, a letter. */
const EIGHTS = [
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0x80],
  [0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  [1, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  [97, 97, 97, 97, 97, 97, 97, 97],
];

describe('sameBytes', () => {
  it.each(EIGHTS.flatMap((one) => EIGHTS.map((other) => [one, other] as const)))(
    '%j and %j',
    (one, other) => {
      const [mine, theirs] = [viewOf(one), viewOf([9, ...other])];
      expect(sameBytes(mine, 0, theirs, 1, 9)).toBe(String(one) === String(other));
      // It may give up where they are the same, never go on where they are not.
      if (sameEights(mine, -1, theirs, 1, 9) === 9) expect(one).toEqual(other);
    },
  );

  it('is what comparing byte by byte gives, wherever they stand', () => {
    const part = fc.oneof(
      fc.constantFrom(...EIGHTS),
      fc.array(fc.constantFrom(0, 10, 65, 0x80, 255), { maxLength: 9 }),
    );
    const bytes = fc.array(part, { maxLength: 6 }).map((parts) => parts.flat());
    fc.assert(
      fc.property(bytes, bytes, fc.boolean(), fc.nat(9), (one, two, copy, before) => {
        const other = copy ? [...one] : two;
        const length = Math.min(one.length, other.length);
        const mine = viewOf([...Array<number>(before).fill(7), ...one]);
        const same = one.slice(0, length).every((byte, at) => byte === other[at]);
        expect(sameBytes(mine, before, viewOf(other), 0, length)).toBe(same);
      }),
    );
  });
});
