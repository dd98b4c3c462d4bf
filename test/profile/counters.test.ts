import { describe, expect, it } from 'vitest';
import { emptyText } from '../../src/profile/counters.ts';

describe('why a recording is empty', () => {
  it.each([
    [
      'idle',
      { usedSeconds: 0.003 },
      '0 samples: pod/x was idle, it used 3 ms of CPU time in 10s; profile it while it works, or for longer',
    ],
    ['idle, as a limit that never acted says too', { usedSeconds: 0, throttledSeconds: 0 }, 'was idle'],
    ['idle, though a busy node let it wait a little', { usedSeconds: 0.003, waitedSeconds: 0.9 }, 'was idle'],
    [
      'throttled',
      { usedSeconds: 0.01, throttledSeconds: 9.2 },
      '0 samples: pod/x used 10 ms of CPU time in 10s, and a CPU limit held it back for 9.20 s',
    ],
    ['starved', { usedSeconds: 0.01, waitedSeconds: 9.2 }, 'and it waited for a processor for 9.20 s'],
    [
      'not seen',
      { usedSeconds: 1.2 },
      '0 samples although pod/x used 1.20 s of CPU time in 10s: perf did not see it',
    ],
    ['not known', undefined, 'was idle or got no processor; the kernel has no counters'],
  ])('%s', (_what, cpu, text) => {
    expect(emptyText('pod/x', { seconds: 10, frequencyHz: 99, ...(cpu && { cpu }) })).toContain(text);
  });
});
