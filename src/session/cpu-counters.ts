import type { EventOf } from '../node/events.ts';

/** CPU times of the target's cgroup during the capture, in seconds (node/identity.sh). What the kernel does not count is absent. */
export interface CpuCounters {
  readonly usedSeconds?: number;
  /** How long a CPU limit throttled it. */
  readonly throttledSeconds?: number;
  /** How long at least one of its threads waited for a CPU. */
  readonly waitedSeconds?: number;
}

/** The counters in the last event of a capture; undefined if it has none. */
export function cpuCounters(end: EventOf<'end'> | undefined): CpuCounters | undefined {
  const counters = Object.fromEntries(
    [
      ['usedSeconds', end?.cpu_used_us],
      ['throttledSeconds', end?.cpu_throttled_us],
      ['waitedSeconds', end?.cpu_waited_us],
    ].flatMap(([name, value]) => (typeof value === 'number' ? [[name, value / 1e6]] : [])),
  ) as CpuCounters;
  return Object.keys(counters).length ? counters : undefined;
}
