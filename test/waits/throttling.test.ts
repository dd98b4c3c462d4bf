import { describe, expect, it } from 'vitest';
import { CgroupClock, ThrottledTime } from '../../src/waits/throttling.ts';

const TICK = 20_000;

/** A cgroup of which the kernel counted 50 ms of throttling between 100 and 200 ms. */
function throttled(quotaUs: number | undefined) {
  const cgroup = new CgroupClock({
    ...{ kind: 'cgroup', number: 1, role: 'scope', quotaUs, periodUs: 100_000, path: '/pod' },
  } as never);
  const count = (at: number, throttledUs: number) =>
    cgroup.count(
      { kind: 'cpu', at, cgroup: 1, usageUs: 0, throttledUs, periods: 1, throttledPeriods: 1 } as never,
      TICK,
    );
  count(100_000, 0);
  count(200_000, 50_000);
  return new ThrottledTime([cgroup]);
}

describe('the throttled part of a delay', () => {
  it.each<[string, number, number, number, number]>([
    ['is all of it where the counter grew at its end', 140_000, 200_000, 45_000, 45_000],
    ['is all of it where the counter grew a period later', 50_000, 110_000, 45_000, 45_000],
    ['is at most what the counter grew', 120_000, 200_000, 80_000, 50_000],
    ['is nothing where the counter did not grow within a period', 250_000, 300_000, 50_000, 0],
    ['is nothing where the counter grew later than that', 0, 30_000, 30_000, 0],
  ])('%s', (_, from, to, delay, expected) => {
    expect(throttled(20_000).take(from, to, delay)).toBe(expected);
  });

  it('is looked for without that lag in a cgroup that has no limit', () => {
    expect(throttled(undefined).take(50_000, 110_000, 45_000)).toBe(0);
  });

  it('is taken once', () => {
    const time = throttled(20_000);
    expect([time.take(60_000, 120_000, 40_000), time.take(120_000, 180_000, 40_000)]).toEqual([
      40_000, 10_000,
    ]);
  });
});
