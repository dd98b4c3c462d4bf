import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { perf } from '../../src/collectors/perf/perf.ts';
import { tcpdump } from '../../src/collectors/tcpdump/tcpdump.ts';
import { type EventOf, parseEvent } from '../../src/node/events.ts';
import { Log } from '../../src/output/log.ts';
import type { NodeTask } from '../../src/plan/plan.ts';
import { Progress } from '../../src/session/progress.ts';
import { fakeCluster } from '../fake-cluster.ts';
import { PERF, planOf, TCPDUMP } from '../plans.ts';
import { contextOf } from './scene.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const BEGUN = 1_790_000_000_000;

/** A terminal on which a capture of a minute is followed; `at` is when an event came, by the node's clock, in seconds. */
function terminal(task: NodeTask, limits: object = {}, recorders = 1) {
  const base = planOf(task);
  const plan = { ...base, limits: { ...base.limits, durationSeconds: 60, maxBytes: 2 ** 30, ...limits } };
  const written: string[] = [];
  const log = new Log({ isTTY: true, columns: 200, write: (text) => written.push(text) });
  const context = contextOf(fakeCluster({}), { log });
  const collector = task.collector === 'perf' ? perf : tcpdump;
  const plans = Array.from({ length: recorders }, (_, at) => ({ ...plan, recorder: at + 1 }));
  const shown = new Progress(recorders === 1 ? [plan] : plans, collector, context);
  let seq = 0;
  const event = (name: string, at: number, fields: object = {}, recorder = 1) => {
    seq += 1;
    const line = { gkeprof: 1, seq, nonce: 'n', t: BEGUN + at * 1000, event: name, ...fields };
    const parsed = parseEvent(JSON.stringify(line), 'n')!;
    shown.show(parsed, recorders === 1 ? plan : plans[recorder - 1]!);
  };
  event('capturing', 0);
  return {
    progress: (at: number, fields: Partial<EventOf<'progress'>>, recorder = 1) =>
      event('progress', at, { bytes: 0, free: 1, ...fields }, recorder),
    end: (at: number, recorder: number) => event('end', at, { reason: 'target-gone', status: 0 }, recorder),
    stop: () => event('stopping', 60, { reason: 'time' }),
    live: () => written.at(-1)!.replace('\r\u001b[K', ''),
    lines: () => written.length,
  };
}

describe('the live line of a capture', () => {
  it('goes on every second between two events of the node', () => {
    const { progress, live } = terminal(PERF);
    progress(1, { bytes: 100 * 2 ** 10 });
    expect(live()).toBe('capturing 1s of 60s · 100 KiB');
    vi.advanceTimersByTime(1000);
    expect(live()).toBe('capturing 2s of 60s · 100 KiB');
    progress(3, { bytes: 300 * 2 ** 10 });
    expect(live()).toBe('capturing 3s of 60s · 300 KiB · 100 KiB/s');
    vi.advanceTimersByTime(2000);
    expect(live()).toBe('capturing 5s of 60s · 300 KiB · 100 KiB/s');
  });

  it('says how long it still takes only where another limit than the duration comes first', () => {
    const { progress, live } = terminal({ ...TCPDUMP, count: 100 } as NodeTask);
    progress(10, { packets: 10, dropped: 0 });
    expect(live()).toBe('capturing 10s of 60s · 0 dropped · 0 B · 10 packets');
    progress(12, { packets: 50, dropped: 0 });
    expect(live()).toBe('capturing 12s of 60s · 12s left · 0 dropped · 20 packets/s · 0 B · 50 packets');
    const sized = terminal(PERF, { maxBytes: 1000 });
    sized.progress(10, { bytes: 500 });
    expect(sized.live()).toBe('capturing 10s of 60s · 10s left · 500 B');
  });

  it('has the sums of several recorders, at the pace of one that still records', () => {
    const { progress, end, live } = terminal({ ...TCPDUMP, count: 100 } as NodeTask, {}, 2);
    progress(2, { bytes: 2 ** 10, packets: 10, dropped: 1 }, 1);
    progress(2.1, { bytes: 2 ** 10, packets: 20, dropped: 0 }, 2);
    progress(4, { bytes: 2 ** 11, packets: 30, dropped: 1 }, 1);
    expect(live()).toBe('capturing 4s of 60s · 12s left · 1 dropped · 20 packets/s · 3.0 KiB · 50 packets');
    end(4.5, 1);
    progress(6.1, { bytes: 2 ** 11, packets: 40, dropped: 0 }, 2);
    expect(live()).toContain('· 4.0 KiB · 70 packets');
  });

  it('goes no further than the duration, and ends when the node finishes', () => {
    const { progress, stop, live, lines } = terminal(PERF);
    progress(59, {});
    vi.advanceTimersByTime(5000);
    expect(live()).toBe('capturing 60s of 60s · 0 B');
    stop();
    expect(live()).toBe('finishing on the node');
    const before = lines();
    vi.advanceTimersByTime(1000);
    expect(live()).toBe('finishing on the node · 1s');
    expect(lines()).toBe(before + 1);
  });
});
