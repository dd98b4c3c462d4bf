import { describe, expect, it } from 'vitest';
import { fitToWidth, leftText, secondsLeft } from '../../src/output/live.ts';

const PARTS = ['capturing 12s of 60s', '48s left', '0 dropped', '1234 packets/s', '1.2 MiB', '14808 packets'];

describe('the live line', () => {
  it.each([
    [10, 'capturing…'],
    [20, 'capturing 12s of 60s'],
    [39, 'capturing 12s of 60s · 48s left'],
    [59, 'capturing 12s of 60s · 48s left · 0 dropped'],
    [80, 'capturing 12s of 60s · 48s left · 0 dropped · 1234 packets/s · 1.2 MiB'],
    [200, PARTS.join(' · ')],
  ])('at %i columns is never longer', (width, expected) => {
    expect(fitToWidth(PARTS, width)).toBe(expected);
    expect(fitToWidth(PARTS, width).length).toBeLessThanOrEqual(width);
  });

  it('ends at the limit that comes first', () => {
    const time = { done: 10, whole: 60 };
    expect(secondsLeft(10, [time])).toBe(50);
    expect(secondsLeft(10, [time, { done: 500, whole: 1000 }])).toBe(10);
    expect(secondsLeft(10, [time, { done: 0, whole: 1000 }, { done: 5, whole: 0 }])).toBe(50);
    expect(secondsLeft(10, [time, { done: 2000, whole: 1000 }])).toBe(0);
    expect(secondsLeft(0, [{ done: 0, whole: 60 }])).toBeUndefined();
  });

  it('says seconds that are whole, or nothing', () => {
    expect([leftText(0.2), leftText(61), leftText(undefined)]).toEqual([['1s left'], ['1m1s left'], []]);
  });
});
