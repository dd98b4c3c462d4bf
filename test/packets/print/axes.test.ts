import { describe, expect, it } from 'vitest';
import { byteScale, linearScale, logScale, timeTicks } from '../../../src/packets/print/axes.ts';
import { latencyText } from '../../../src/packets/print/wording.ts';
import { fc } from '../../properties.ts';

const labels = ({ ticks }: { ticks: ReadonlyArray<{ label: string }> }) => ticks.map(({ label }) => label);
const positive = fc.double({ min: 1e-9, max: 1e12, noNaN: true });

describe('linearScale', () => {
  it.each([
    [1, ['0', '0.5', '1']],
    [3, ['0', '1', '2', '3']],
    [50, ['0', '20', '40', '60']],
    [0.07, ['0', '0.02', '0.04', '0.06', '0.08']],
  ])('has round labels up to at least %d', (most, expected) =>
    expect(labels(linearScale(most, String))).toEqual(expected),
  );
  it('has three to six labels, and room for every value', () =>
    fc.assert(
      fc.property(positive, (most) => {
        const { ticks, heightOf } = linearScale(most, String);
        expect(ticks.length).toBeGreaterThanOrEqual(3);
        expect(ticks.length).toBeLessThanOrEqual(6);
        expect(heightOf(0)).toBe(0);
        expect(heightOf(most)).toBeGreaterThan(0.5);
        expect(heightOf(most)).toBeLessThanOrEqual(1 + 1e-6);
        expect(heightOf(ticks.at(-1)!.value)).toBeCloseTo(1);
      }),
    ));
});

describe('byteScale', () => {
  it.each([
    [162, ['0 B', '50 B', '100 B', '150 B', '200 B']],
    [14_000, ['0 KiB', '5 KiB', '10 KiB', '15 KiB']],
    [1.2 * 2 ** 20, ['0 MiB', '0.5 MiB', '1 MiB', '1.5 MiB']],
  ])('is round in the unit of %d', (most, expected) => {
    const scale = byteScale(most);
    expect(labels(scale)).toEqual(expected);
    expect(scale.heightOf(scale.ticks.at(-1)!.value)).toBeCloseTo(1);
  });
});

describe('logScale', () => {
  it.each([
    [
      [0.0003, 0.2],
      ['100 µs', '1 ms', '10 ms', '100 ms', '1 s'],
    ],
    [
      [0.003, 0.04],
      ['2 ms', '5 ms', '10 ms', '20 ms', '50 ms'],
    ],
    [[0.002], ['1 ms', '2 ms', '5 ms']],
    [[0], ['1 µs', '2 µs', '5 µs', '10 µs']],
  ])('of %j has a label for powers of ten, and for 2 and 5 where there are few', (values, expected) =>
    expect(labels(logScale(values, latencyText))).toEqual(expected),
  );
  it('gives the same factor the same height, and keeps every value inside', () => {
    const { heightOf } = logScale([0.001, 10], String);
    expect(heightOf(0.01) - heightOf(0.001)).toBeCloseTo(heightOf(1) - heightOf(0.1));
    fc.assert(
      fc.property(fc.array(positive, { minLength: 1 }), (values) => {
        const scale = logScale(values, String);
        expect(scale.ticks.length).toBeGreaterThanOrEqual(3);
        for (const value of [0, ...values]) {
          expect(scale.heightOf(value)).toBeGreaterThanOrEqual(-1e-6);
          expect(scale.heightOf(value)).toBeLessThanOrEqual(1 + 1e-6);
        }
      }),
    );
  });
});

describe('timeTicks', () => {
  const times = (from: string, count: number, step = 1) =>
    Array.from({ length: count }, (_, at) => new Date(Date.parse(from) + at * step * 1000).toISOString());
  const ticks = (list: readonly string[], step = 1) =>
    timeTicks(list, step).map((at) => list[at]!.slice(11, 19));

  it('are at round times of day', () => {
    expect(ticks(times('2026-11-29T12:00:50.250Z', 240))).toEqual([
      '12:01:00',
      '12:02:00',
      '12:03:00',
      '12:04:00',
    ]);
    expect(ticks(times('2026-11-29T12:00:00.9Z', 4))).toEqual([
      '12:00:00',
      '12:00:01',
      '12:00:02',
      '12:00:03',
    ]);
    expect(ticks(times('2026-11-29T23:30:10Z', 3600, 4), 4)).toEqual([
      '00:00:02',
      '01:00:02',
      '02:00:02',
      '03:00:02',
    ]);
  });
  it('leave room for each other, where a part of the time is left out too', () => {
    const list = [...times('2026-11-29T12:00:00Z', 100), ...times('2026-11-30T17:00:19Z', 100)];
    const found = timeTicks(list, 1);
    expect(found.length).toBeGreaterThan(2);
    for (const [at, tick] of found.entries())
      if (at > 0) expect(tick - found[at - 1]!).toBeGreaterThanOrEqual(0.11 * list.length);
  });
  it('count the steps where a year is beyond what a Date holds', () =>
    expect(timeTicks(Array(60).fill('+300000-01-01T00:00:00Z'), 1)).toEqual([10, 20, 30, 40, 50]));
  it('are none without steps, and one for one step', () => {
    expect(timeTicks([], 1)).toEqual([]);
    expect(timeTicks(['2026-11-29T12:00:07Z'], 1)).toEqual([0]);
  });
});
