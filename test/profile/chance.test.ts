import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjusted, chanceOf } from '../../src/profile/chance.ts';

/** The two-sided p-value in whole numbers: shares are `part` of `whole`, so nothing is rounded before the division. */
function exactly(before: number, after: number, part: number, whole: number): number {
  const n = before + after;
  let choose = 1n;
  const terms: bigint[] = [];
  for (let k = 0; k <= n; k += 1) {
    terms.push(choose * BigInt(part) ** BigInt(k) * BigInt(whole - part) ** BigInt(n - k));
    choose = (choose * BigInt(n - k)) / BigInt(k + 1);
  }
  const sum = terms.filter((term) => term <= terms[after]!).reduce((a, b) => a + b, 0n);
  return Number((sum * 10n ** 40n) / BigInt(whole) ** BigInt(n)) / 1e40;
}

describe('chanceOf', () => {
  it('is the exact sum, for any counts and shares', () => {
    const count = fc.integer({ min: 0, max: 150 });
    fc.assert(
      fc.property(count, count, fc.integer({ min: 1, max: 99 }), (before, after, part) => {
        const want = exactly(before, after, part, 100);
        const got = chanceOf(before, after, part / 100);
        expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * want + 1e-30);
      }),
    );
  });

  // Beyond 2,000 samples, and one recording much longer than the other: where a normal law would cry wolf.
  it.each([
    [1996, 5, 1, 3600],
    [2500, 4, 1, 5000],
    [3000, 3000, 1, 2],
    [2900, 3100, 1, 2],
  ])('%i before, %i after, %i/%i of the exposure after', (before, after, part, whole) => {
    const want = exactly(before, after, part, whole);
    expect(chanceOf(before, after, part / whole) / want).toBeCloseTo(1, 6);
  });

  it.each([
    [13, 12, 0.5],
    [12, 13, 0.5],
    [99, 0, 0.01],
  ])(
    'is 1 for %i and %i by %d: two outcomes are the likeliest, and it is one of them',
    (before, after, share) => {
      expect(chanceOf(before, after, share)).toBe(1);
    },
  );

  it('knows its limits: equal counts, nothing, and very much', () => {
    expect(chanceOf(5, 5, 0.5)).toBe(1);
    expect(chanceOf(0, 0, 0.5)).toBe(1);
    expect(chanceOf(0, 10, 0)).toBe(1);
    expect(chanceOf(10, 0, 1)).toBe(1);
    expect(chanceOf(1e9, 1e9 + 1000, 0.5)).toBeGreaterThan(0.9);
    expect(chanceOf(1e9, 1.001e9, 0.5)).toBeLessThan(1e-9);
    expect(chanceOf(1e9, 0, 0.5)).toBe(0);
  });

  it('is the same whichever side is called after', () => {
    const count = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(count, count, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (a, b, share) => {
        expect(Math.abs(chanceOf(a, b, share) - chanceOf(b, a, 1 - share))).toBeLessThan(1e-6);
      }),
    );
  });
});

it('adjusts as R’s p.adjust(method = "BH") does', () => {
  const of = (p: readonly number[]) => adjusted(p).map((each) => Number(each.toFixed(9)));
  expect(of([0.01, 0.02, 0.03, 0.04, 0.05])).toEqual([0.05, 0.05, 0.05, 0.05, 0.05]);
  expect(of([0.5, 0.001, 0.04])).toEqual([0.5, 0.003, 0.06]);
  expect(adjusted([])).toEqual([]);
});
