import type { Snapshot } from './snapshot.ts';

/** What the node's kernel offers for profiling: the snapshot's `probe` part. */
export interface Probe {
  readonly cgroup: 'v1' | 'hybrid' | 'v2';
  /** Whether the processor's own counters are available; without them perf samples by the clock. */
  readonly pmu: boolean;
}

/** Devices of a processor's counters: x86, hybrid x86, arm64 (Linux, /sys/bus/event_source/devices). */
const PMU = /^(cpu|cpu_core|cpu_atom|armv\d.*|arm.*pmu.*|apple_.*pmu)$/;

export function probeOf({ lines }: Snapshot): Probe {
  const [root, unified] = (lines.get('cgroup')?.[0] ?? '').split(' ');
  return {
    cgroup: root === 'cgroup2fs' ? 'v2' : unified === 'cgroup2fs' ? 'hybrid' : 'v1',
    pmu: (lines.get('pmu') ?? []).some((name) => PMU.test(name)),
  };
}
