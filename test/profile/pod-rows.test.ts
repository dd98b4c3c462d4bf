import { describe, expect, it } from 'vitest';
import { findOutliers } from '../../src/profile/compare/outliers.ts';
import type { CpuCounters } from '../../src/profile/counters.ts';
import type { PodPart } from '../../src/profile/merge-by-pod.ts';
import { labelsOf, outlierLines, podRows, podTable } from '../../src/profile/pod-rows.ts';
import type { StacksBy } from '../../src/profile/unwinding.ts';
import { golden } from '../golden.ts';
import { COMMANDS, type Recording, recordingOf } from './pods.ts';

const SORTS = { ...COMMANDS, getCommand: 15, sortCommand: 41 };

interface Pod extends Recording {
  readonly node?: string;
  readonly cpu?: CpuCounters;
  readonly namespace?: string;
  readonly stacks?: StacksBy;
}

const partsOf = (...pods: readonly Pod[]): Promise<PodPart[]> =>
  Promise.all(
    pods.map(async ({ node = 'node-a', cpu, namespace = 'redis', stacks, ...recording }, at) => ({
      pod: { namespace, name: `redis-${at}`, container: 'redis' },
      profile: await recordingOf(at + 1, {
        ...recording,
        about: { node, ...(cpu && { cpu }), ...(stacks && { stacks }) },
      }),
    })),
  );

const rowsOf = async (...pods: readonly Pod[]) => {
  const parts = await partsOf(...pods);
  return podRows(parts, findOutliers(parts.map(({ profile }) => profile)));
};

const text = (rows: ReturnType<typeof podRows>) => `${podTable(rows)}\n${outlierLines(rows).join('\n')}\n`;

describe('the table of pods', () => {
  it('has those that differ first, then the busiest', async () => {
    const limited = { limitCores: 0.5, seconds: 60 };
    golden(
      'profile/pods.txt',
      text(
        await rowsOf(
          { samples: 3000, cpu: { seconds: 60, usedSeconds: 30.4, limitCores: null, throttledSeconds: 0 } },
          {
            node: 'node-b',
            cpu: {
              ...limited,
              ...{ usedSeconds: 20, throttledSeconds: 6.1 },
              throttling: { by: 'container', periods: 600, throttledPeriods: 564 },
            },
          },
          { commands: SORTS, samples: 1500, cpu: { ...limited, usedSeconds: 15.1, throttledSeconds: 0.25 } },
          { samples: 12, node: 'node-b', cpu: { ...limited, usedSeconds: 0.12, throttledSeconds: 0 } },
          { samples: 4000 },
        ),
      ),
    );
  });

  it('tells which of two pods has what', async () =>
    golden('profile/two-pods.txt', text(await rowsOf({ samples: 3000 }, { commands: SORTS }))));

  it('tells with whom the second of several was compared', async () => {
    const rows = await rowsOf(
      {},
      { commands: SORTS },
      {},
      { commands: { scanCommand: 9, getCommand: 1 } },
      {},
      {},
    );
    expect(rows.map(({ name, comparison, others }) => [name, comparison, others]).slice(0, 3)).toEqual([
      ['redis-3', 'differs', 5],
      ['redis-1', 'differs', 4],
      ['redis-0', 'alike', 0],
    ]);
    const [first, second, ...more] = outlierLines(rows);
    expect(first).toMatch(
      /^redis-3 differs: scanCommand 9\d % of its CPU, 0 % in the others; .*\(significant, p < 0\.001\)$/,
    );
    expect(second).toMatch(
      /^redis-1 differs: sortCommand \d\d % of its CPU, 0 % in the 4 that are not named above;/,
    );
    expect(more).toEqual([]);
  });

  it('says that nothing differs, and what was too small to tell', async () => {
    const lines = outlierLines(await rowsOf({}, {}, { samples: 29 }, { samples: 0 }));
    expect(lines).toEqual([
      "no pod differs from the others: no function's share of the CPU differs significantly by 5 points or more",
      'too few samples to compare (fewer than 30): redis-2, redis-3',
    ]);
    expect(outlierLines(await rowsOf({}, { samples: 3 }))).toEqual([
      'too few samples to compare (fewer than 30): redis-1',
    ]);
    expect(outlierLines(await rowsOf({}))).toEqual([]);
    expect((await rowsOf({}))[0]!.comparison).toBe('not compared');
  });

  it('compares only pods whose callers were found in the same way', async () => {
    const [fp, ebpf] = [{ stacks: { way: 'fp' } }, { stacks: { way: 'ebpf' } }] as const;
    const rows = await rowsOf(fp, { ...ebpf, commands: SORTS }, fp, { ...ebpf, samples: 3 });
    expect(Object.fromEntries(rows.map(({ name, comparison }) => [name, comparison]))).toEqual({
      'redis-0': 'alike',
      'redis-1': 'not compared',
      'redis-2': 'alike',
      'redis-3': 'too few samples',
    });
    expect(outlierLines(rows).at(-1)).toBe(
      'callers were found by frame pointers in redis-0, redis-2, and by eBPF in redis-1; only pods with the same way are compared (--call-graph chooses one for all)',
    );
    expect(outlierLines(await rowsOf(fp, fp)).join()).not.toContain('callers');
  });

  it('takes the cores from the counters where the samples do not show them', async () => {
    const cpu = { seconds: 60, usedSeconds: 30 };
    const rows = podRows(
      await partsOf({ event: 'cycles', cpu }, { event: 'cycles', seconds: 30 }),
      undefined,
    );
    const lines = podTable(rows).split('\n');
    expect(lines[1]).toMatch(/^redis-0 +node-a +2000 +0\.50 +- +-$/);
    expect(lines[2]).toMatch(/^redis-1 +node-a +2000 +- +- +-$/);
  });

  it('says where the samples and the counters of a pod disagree', async () => {
    const rows = await rowsOf(
      { samples: 3000, cpu: { seconds: 60, usedSeconds: 30.5 } },
      { samples: 3000, cpu: { seconds: 60, usedSeconds: 55 } },
      // So few samples show nothing to the contrary.
      { samples: 9, cpu: { seconds: 60, usedSeconds: 0.2 } },
    );
    expect(outlierLines(rows).filter((line) => line.includes('counters'))).toEqual([
      "redis-1: the samples show 0.51 cores busy, the kernel's counters 0.92",
    ]);
  });

  it('names the namespace or the container only where it is needed', () => {
    const pod = (namespace: string, name: string, container?: string) => ({
      ...{ namespace, name },
      ...(container !== undefined && { container }),
    });
    expect(labelsOf([pod('a', 'x', 'app'), pod('a', 'y', 'app')])).toEqual(['x', 'y']);
    expect(labelsOf([pod('a', 'x'), pod('b', 'x')])).toEqual(['a/x', 'b/x']);
    expect(labelsOf([pod('a', 'x', 'app'), pod('a', 'x', 'side'), pod('a', 'y', 'app')])).toEqual([
      'x, app',
      'x, side',
      'y',
    ]);
  });
});
