import { describe, expect, it } from 'vitest';
import { type CpuCounters, countersText, emptyReason } from '../../src/profile/counters.ts';

describe('the counters as one line', () => {
  const throttled: CpuCounters = {
    ...{ seconds: 10, usedSeconds: 2, limitCores: 0.2, throttledSeconds: 6.1 },
    throttling: { by: 'container', container: 'app', limitCores: 0.2, periods: 100, throttledPeriods: 94 },
  };
  it.each<[what: string, cpu: CpuCounters, text: string]>([
    [
      'a container at its limit',
      { ...throttled, runQueueSeconds: 7.3, runQueueCoverage: 1 },
      '0.20 of 0.20 cores: throttled in 94 % of periods, 6.10 s; waited 7.30 s for a CPU',
    ],
    [
      'the same with pressure and steal',
      { ...throttled, runQueueSeconds: 7.3, waitedSeconds: 0.42, stealShare: 0.034 },
      '0.20 of 0.20 cores: throttled in 94 % of periods, 6.10 s; waited 7.30 s for a CPU; PSI some 4.2 %; steal 3.4 %',
    ],
    [
      'a limit that was never reached',
      { seconds: 10, usedSeconds: 0.1, limitCores: 0.2, throttledSeconds: 0, runQueueSeconds: 0.003 },
      '0.010 of 0.20 cores: not throttled; waited 3 ms for a CPU',
    ],
    [
      'no limit',
      {
        seconds: 10,
        usedSeconds: 13.5,
        limitCores: null,
        throttledSeconds: 0,
        waitedSeconds: 2,
        stealShare: 0.0001,
      },
      '1.35 cores, no CPU limit: PSI some 20 %',
    ],
    [
      'a pod without a limit, of which one container has one',
      { ...throttled, limitCores: null },
      '0.20 cores, no CPU limit: throttled by the limit of container app (0.20 cores) in 94 % of periods, 6.10 s',
    ],
    [
      'a limit above the pod, in few periods',
      {
        ...throttled,
        throttling: { by: 'outer', limitCores: 0.5, periods: 10, throttledPeriods: 9 },
      },
      '0.20 of 0.20 cores: throttled by the limit of a cgroup above the pod (0.50 cores) in 9 of 10 periods, 6.10 s',
    ],
    [
      'a limit that was raised meanwhile',
      { ...throttled, limitCoresBefore: 0.1 },
      '0.20 of 0.20 cores (the limit was changed during the recording, 0.10 before): throttled in 94 % of periods, 6.10 s',
    ],
    [
      'a limit that was removed meanwhile',
      { seconds: 10, usedSeconds: 2, limitCores: null, limitCoresBefore: 0.1 },
      '0.20 cores, no CPU limit (the limit was changed during the recording, 0.10 before)',
    ],
    [
      'a limit that was set meanwhile',
      { seconds: 10, usedSeconds: 2, limitCores: 0.5, limitCoresBefore: null },
      '0.20 of 0.50 cores (the limit was changed during the recording, there was none before)',
    ],
    [
      'threads that ended',
      { seconds: 10, usedSeconds: 2, runQueueSeconds: 7.3, runQueueCoverage: 0.6 },
      '0.20 cores: waited at least 7.30 s for a CPU (threads that ended are not counted)',
    ],
    [
      'a node',
      { seconds: 10, usedSeconds: 15.2, nodeCpus: 2, throttledSeconds: 0, waitedSeconds: 4.5, stealShare: 0 },
      '1.52 of 2 CPUs: PSI some 45 %; steal 0.0 %',
    ],
    [
      'an older receipt',
      { usedSeconds: 5, throttledSeconds: 3.2, waitedSeconds: 1 },
      '0.50 cores: throttled for 3.20 s; PSI some 10 %',
    ],
    ['a target that is gone', { seconds: 10, stealShare: 0, threads: 0 }, ''],
  ])('%s', (_what, cpu, text) => {
    expect(countersText(cpu, 10)).toBe(text);
  });

  it('has no rates where the time is not known', () => {
    expect(countersText({ usedSeconds: 4.953, waitedSeconds: 0.012 }, 0)).toBe('4.95 s of CPU time');
  });
});

describe('why a recording is empty', () => {
  const containers = [
    { name: 'app', usedSeconds: 0.003 },
    { name: 'worker', usedSeconds: 9.8 },
    { name: 'proxy', usedSeconds: 0.5 },
  ];
  it.each<[what: string, cpu: CpuCounters | undefined, text: string]>([
    [
      'idle',
      { usedSeconds: 0.003 },
      'pod/x was idle, it used 3 ms of CPU time in 10s; profile it while it works, or for longer',
    ],
    ['idle, as a limit that never acted says too', { usedSeconds: 0, throttledSeconds: 0 }, 'was idle'],
    ['idle, though a busy node let it wait a little', { usedSeconds: 0.003, waitedSeconds: 0.9 }, 'was idle'],
    [
      'idle, though its many threads waited a little each',
      { usedSeconds: 0.003, waitedSeconds: 0.9, runQueueSeconds: 2 },
      'was idle',
    ],
    [
      'idle, also if all containers are',
      { usedSeconds: 0.003, containers: containers.slice(0, 1) },
      'profile it while it works',
    ],
    [
      'throttled',
      { usedSeconds: 0.01, throttledSeconds: 9.2 },
      'pod/x used 10 ms of CPU time in 10s, and a CPU limit throttled it for 9.20 s',
    ],
    ['starved', { usedSeconds: 0.01, waitedSeconds: 9.2 }, 'and it waited for a CPU for 9.20 s'],
    [
      'starved on a kernel without PSI',
      { usedSeconds: 0.01, runQueueSeconds: 9.2 },
      'and it waited for a CPU for 9.20 s',
    ],
    ['not seen', { usedSeconds: 1.2 }, 'pod/x used 1.20 s of CPU time in 10s, but perf did not see it'],
    ['not known', undefined, 'was idle or got no CPU in 10s; the kernel has no counters'],
    [
      'its processes ended',
      { usedSeconds: 0.02, threads: 0, threadsEnded: 3 },
      'all processes of pod/x had ended before the recording did; it used 20 ms of CPU time in 10s',
    ],
    [
      'it had no processes',
      { usedSeconds: 0, threads: 0, threadsEnded: 0 },
      'all processes of pod/x had ended; it used 0 ms',
    ],
  ])('%s', (_what, cpu, text) => {
    expect(emptyReason('pod/x', { seconds: 10, frequencyHz: 99, ...(cpu && { cpu }) })).toContain(text);
  });

  it('names the container of the pod that does the work', () => {
    const recording = { seconds: 10, frequencyHz: 99, cpu: { usedSeconds: 0.003, containers } };
    expect(emptyReason('pod/x', { ...recording, container: 'app' })).toBe(
      'container app of pod/x was idle, it used 3 ms of CPU time in 10s; container worker of the same pod used 9.80 s: profile that one with -c worker',
    );
    expect(emptyReason('pod/x', recording)).toContain('pod/x was idle');
  });

  it('says that the target ended', () => {
    const recording = { seconds: 1.2, frequencyHz: 99, cpu: { threads: 0, threadsEnded: 3 }, hasEnded: true };
    expect(emptyReason('pod/x', recording)).toBe('pod/x ended after 1.2s');
  });
});
