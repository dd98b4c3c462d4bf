import { describe, expect, it } from 'vitest';
import { SampleTimesBuilder } from '../../../src/profile/read/sample-times.ts';

const sum = (timeline: SampleTimesBuilder) =>
  timeline.samples ? timeline.samples.subarray(0, timeline.size).reduce((a, b) => a + b, 0) : timeline.size;

describe('Timeline', () => {
  it('keeps each sample while there is room', () => {
    const timeline = new SampleTimesBuilder(10_000);
    for (let at = 0; at < 9000; at += 1) timeline.add(at * 100, at % 7);
    expect(timeline).toMatchObject({ size: 9000, binTicks: 0, samples: undefined });
    expect([timeline.at[8999], timeline.row[8999]]).toEqual([899_900, 8999 % 7]);
  });

  it('puts samples of a stack together in bins when there are more, and loses none', () => {
    const timeline = new SampleTimesBuilder(10_000);
    for (let at = 0; at < 100_000; at += 1) timeline.add(at * 10, at % 7);
    expect(timeline.size).toBeLessThanOrEqual(10_000);
    expect(timeline.binTicks).toBeGreaterThan(0);
    expect(sum(timeline)).toBe(100_000);
    for (let at = 0; at < timeline.size; at += 1) expect(timeline.at[at]! % timeline.binTicks).toBe(0);
  });

  it('gives up where bins do not help: every stack is another', () => {
    const timeline = new SampleTimesBuilder(10_000);
    for (let at = 0; at < 10_001; at += 1) timeline.add(Math.floor(at / 10), at);
    expect(timeline.givenUp).toBe(true);
  });

  it('gives up without times, and beyond six hours', () => {
    for (const ticks of [Number.NaN, 6 * 3600 * 100_000]) {
      const timeline = new SampleTimesBuilder();
      timeline.add(ticks, 1);
      expect(timeline.givenUp).toBe(true);
    }
  });
});
