import type { EventOf } from '../node/events.ts';

/** Of the target's cgroup, in seconds over the capture (node/identity.sh); what the kernel does not count is absent. */
export interface CpuCounters {
  readonly usedSeconds?: number;
  /** A limit held it back. */
  readonly throttledSeconds?: number;
  /** At least one of its threads waited for a processor. */
  readonly waitedSeconds?: number;
}

/** What the last event of a capture says of them; undefined where it says nothing. */
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
