import { describe, expect, it } from 'vitest';
import type { EventOf } from '../../src/node/events.ts';
import type { PodTarget, Target } from '../../src/plan/target.ts';
import { cpuCounters } from '../../src/session/cpu-counters.ts';

const [APP, SIDECAR] = ['a'.repeat(64), 'b'.repeat(64)];
const POD: PodTarget = {
  ...{ kind: 'pod', namespace: 'n', name: 'x', uid: 'u', cgroupUids: ['u'], node: 'node-a' },
  ...{ ips: [], hostNetwork: false },
  containers: [
    { name: 'app', id: APP, running: true },
    { name: 'sidecar', id: SIDECAR, running: true },
  ],
};
const CONTAINER: PodTarget = { ...POD, container: POD.containers[0]! };
const NODE: Target = { kind: 'node', node: 'node-a' };

const counters = (target: Target, fields: Partial<EventOf<'end'>>) =>
  cpuCounters({ event: 'end', seq: 1, t: 1, cpu_elapsed_us: 10_000_000, ...fields }, target);

describe('the counters of the last event', () => {
  it('are in seconds, cores and shares, with the names of the containers', () => {
    expect(
      counters(POD, {
        ...{
          cpu_used_us: 2_000_000,
          cpu_pressure_us: 4_000_000,
          cpu_waited_us: 7_300_000,
          cpu_ran_us: 1_500_000,
        },
        ...{ cpu_threads: 3, cpu_threads_ended: 1, cpu_limit_ucores: 500_000, cpu_limit_before_ucores: 0 },
        ...{ cpu_throttled_us: 6_100_000, cpu_periods: 100, cpu_throttled_periods: 94 },
        ...{
          cpu_throttler: 'container',
          cpu_throttler_id: SIDECAR.slice(0, 12),
          cpu_throttler_ucores: 200_000,
        },
        ...{ cpu_node_ticks: 2000, cpu_steal_ticks: 68, cpu_count: 2 },
        cpu_containers: `${SIDECAR.slice(0, 12)}=1900000,${APP.slice(0, 12)}=100000,${'f'.repeat(12)}=7`,
      }),
    ).toEqual({
      ...{ seconds: 10, usedSeconds: 2, limitCores: 0.5, limitCoresBefore: null, throttledSeconds: 6.1 },
      throttling: {
        by: 'container',
        container: 'sidecar',
        limitCores: 0.2,
        periods: 100,
        throttledPeriods: 94,
      },
      ...{ runQueueSeconds: 7.3, runQueueCoverage: 0.75, waitedSeconds: 4, stealShare: 0.034 },
      ...{ threads: 3, threadsEnded: 1 },
      containers: [
        { name: 'app', usedSeconds: 0.1 },
        { name: 'sidecar', usedSeconds: 1.9 },
      ],
    });
  });

  it.each([
    ['the pod itself', POD, 'target', { by: 'pod' }],
    ['the container itself', CONTAINER, 'target', { by: 'container', container: 'app' }],
    ['the pod of the container', CONTAINER, 'pod', { by: 'pod' }],
    ['a cgroup above', CONTAINER, 'above', { by: 'outer' }],
    ['a cgroup that the container made', CONTAINER, 'below', { by: 'inner' }],
    ['a cgroup of the node', NODE, 'below', { by: 'inner' }],
  ] as const)('say whose limit it was: %s', (_what, target, role, throttling) => {
    expect(counters(target, { cpu_throttler: role })?.throttling).toEqual(throttling);
  });

  it('have the number of CPUs for a node only, and no limit as null', () => {
    expect(counters(NODE, { cpu_used_us: 1, cpu_count: 2 })).toEqual({
      seconds: 10,
      usedSeconds: 1e-6,
      nodeCpus: 2,
    });
    expect(counters(POD, { cpu_limit_ucores: 0, cpu_count: 2 })).toEqual({ seconds: 10, limitCores: null });
  });

  it('are more than nothing only with their time', () => {
    expect(cpuCounters(undefined, POD)).toBeUndefined();
    expect(cpuCounters({ event: 'end', seq: 1, t: 1 }, POD)).toBeUndefined();
    // Threads run on between the readings of the cgroup and of the threads.
    expect(counters(POD, { cpu_used_us: 10, cpu_ran_us: 11 })).toMatchObject({ runQueueCoverage: 1 });
  });
});
