import { describe, expect, it } from 'vitest';
import { isPlain, writeDigits } from '../../../src/profile/export/digits.ts';
import { fc } from '../../properties.ts';

describe('writeDigits', () => {
  const written = (number: number): string => {
    const bytes = new Uint8Array(20);
    return Buffer.from(bytes.subarray(3, writeDigits(bytes, 3, number))).toString();
  };

  it('writes what String does', () => {
    for (const number of [0, 9, 10, 99, 100, 101, 999_999_999, 1e9, 2 ** 31 - 1])
      expect(written(number)).toBe(String(number));
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: 30 }), (number, bits) => {
        expect(written(number >> bits)).toBe(String(number >> bits));
      }),
    );
  });

  it('is for whole numbers that fit', () => {
    for (const number of [0, 1, 2 ** 31 - 1]) expect(isPlain(number)).toBe(true);
    for (const number of [-1, 0.5, 2 ** 31, 1e300, Number.NaN, Infinity]) expect(isPlain(number)).toBe(false);
  });
});
