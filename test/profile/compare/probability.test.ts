import { describe, expect, it } from 'vitest';
import {
  adjusted,
  adjustedDiscrete,
  chanceOf,
  chanceOfShares,
  chanceOfT,
} from '../../../src/profile/compare/probability.ts';
import { fc } from '../../properties.ts';

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

const choose = (n: number, k: number): bigint => {
  let value = 1n;
  for (let at = 0; at < k; at += 1) value = (value * BigInt(n - at)) / BigInt(at + 1);
  return k < 0 || k > n ? 0n : value;
};

/** Fisher's exact test in whole numbers. */
function fisher(before: number, beforeAll: number, after: number, afterAll: number): number {
  const ways = Array.from(
    { length: before + after + 1 },
    (_, k) => choose(afterAll, k) * choose(beforeAll, before + after - k),
  );
  const sum = ways.filter((each) => each <= ways[after]!).reduce((a, b) => a + b, 0n);
  return Number((sum * 10n ** 40n) / choose(beforeAll + afterAll, before + after)) / 1e40;
}

describe('chanceOfShares', () => {
  it('is Fisher’s exact test, for any counts', () => {
    const all = fc.integer({ min: 1, max: 120 });
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(all, all, part, part, (beforeAll, afterAll, a, b) => {
        const [before, after] = [Math.round(a * beforeAll), Math.round(b * afterAll)];
        const want = fisher(before, beforeAll, after, afterAll);
        const got = chanceOfShares(before, beforeAll, after, afterAll);
        expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-8 * want + 1e-30);
      }),
    );
  });

  it('is that of everything else: what nearly all samples have is told as well as what few have', () => {
    expect(chanceOfShares(900, 1000, 950, 1000)).toBeCloseTo(chanceOfShares(100, 1000, 50, 1000), 12);
    expect(chanceOfShares(900, 1000, 950, 1000)).toBeLessThan(1e-4);
  });

  it('knows its limits', () => {
    expect(chanceOfShares(0, 10, 0, 20)).toBe(1);
    expect(chanceOfShares(10, 10, 20, 20)).toBe(1);
    expect(chanceOfShares(5, 5, 0, 0)).toBe(1);
    expect(chanceOfShares(1e8, 1e9, 1.01e8, 1e9)).toBeLessThan(1e-9);
  });
});

// Of the table of Student's distribution (Fisher and Yates).
it.each([
  [12.7062047, 1, 0.05],
  [2.7764451, 4, 0.05],
  [3.1692727, 10, 0.01],
  [3.5511, 40, 0.001],
  [1.959964, 1e6, 0.05],
  [0, 7, 1],
])('chanceOfT(%d, %d) is %d', (t, freedom, want) => {
  expect(chanceOfT(t, freedom) / want).toBeCloseTo(1, 3);
  expect(chanceOfT(-t, freedom)).toBe(chanceOfT(t, freedom));
});

describe('adjustedDiscrete', () => {
  it('does not count what can never come out', () => {
    const hopeless = Array.from({ length: 500 }, () => 0.5);
    const p = [0.001, 0.02, ...hopeless];
    const least = [1e-9, 1e-9, ...hopeless];
    const [first, second, third] = adjustedDiscrete(p, least);
    expect(first).toBeCloseTo(0.002, 12);
    expect(second).toBeCloseTo(0.02, 12);
    expect(third).toBe(1);
    expect(adjusted(p)[0]).toBeGreaterThan(0.4);
  });

  it('never finds anything among what was left out', () => {
    const p = fc.array(
      fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
    );
    fc.assert(
      fc.property(p, (pairs) => {
        const chances = pairs.map(([a, b]) => Math.max(a, b));
        const least = pairs.map(([a, b]) => Math.min(a, b));
        adjustedDiscrete(chances, least).forEach((value, at) => {
          expect(value).toBeGreaterThanOrEqual(chances[at]! * (1 - 1e-12));
          expect(value).toBeLessThanOrEqual(1);
          if (least[at]! > 0.05) expect(value).toBeGreaterThan(0.05);
        });
      }),
    );
  });

  it('is Benjamini’s and Hochberg’s where everything can come out', () => {
    const p = [0.01, 0.5, 0.03, 0.2];
    expect(adjustedDiscrete(p, [0, 0, 0, 0])).toEqual(adjusted(p));
    expect(adjustedDiscrete([], [])).toEqual([]);
  });
});
