import { describe, expect, it } from 'vitest';
import { speedscopePieces } from '../../src/profile/export/speedscope.ts';
import { mergeThreads, poolsOf } from '../../src/profile/merge-threads.ts';
import { parseFolded } from '../../src/profile/read/folded-reader.ts';
import { topOf } from '../../src/profile/top.ts';
import { fc } from '../properties.ts';
import { folded, read, textOf } from './reading.ts';

const pools = (...names: string[]) => Object.fromEntries(poolsOf(names));

describe('poolsOf', () => {
  it.each([
    ['worker-1', 'worker-22', 'worker-*'],
    ['pool-3-thread-7', 'pool-1-thread-7', 'pool-*-thread-*'],
    ['GC Thread#0', 'GC Thread#11', 'GC Thread#*'],
    ['kworker/0:1', 'kworker/12:0', 'kworker/*:*'],
    ['io_thd_1', 'io_thd_2', 'io_thd_*'],
    ['Рабочий 1', 'Рабочий 2', 'Рабочий *'],
  ])('puts %s and %s together', (one, other, pool) => {
    expect(pools(one, other)).toEqual({ [one]: pool, [other]: pool });
  });

  it('leaves a name that no other is like, and names that are alike without numbers', () => {
    expect(pools('python3', 'kswapd0', 'worker-1', 'tokio-runtime-w', 'grpc-default-ex')).toEqual({});
    expect(pools('kworker/0:1-events', 'kworker/0:1H-kblockd')).toEqual({});
  });

  it('takes a number that perf put for a name for no pool', () => {
    expect(pools(':71', ':72', '0', '1')).toEqual({});
  });

  it('knows names that the kernel cut after 15 bytes', () => {
    expect(pools('pool-3-thread-7', 'pool-10-thread-', 'pool-123-thread')).toEqual({
      'pool-3-thread-7': 'pool-*-thread-*',
      'pool-10-thread-': 'pool-*-thread-*',
      'pool-123-thread': 'pool-*-thread-*',
    });
    // A shorter one was not cut, and of two pools none is chosen.
    expect(pools('pool-3-thread-7', 'pool-10')).toEqual({});
    expect(pools('stage-10-worker', 'stage-1-worker-a', 'stage-1-worker-b')).toEqual({});
  });
});

/** Two processes with a pool each, a thread alone, and one without a name. */
const RAW = [
  ['worker-1', '5/6', '1.0', 'read'],
  ['worker-2', '5/7', '1.1', 'read'],
  ['worker-2', '5/7', '1.2', 'write'],
  ['worker-1', '9/10', '1.3', 'read'],
  ['python3', '9/9', '1.4', 'read'],
  [':77', '77/77', '1.5', 'read'],
]
  .map(
    ([comm, ids, time, name]) =>
      `${comm} ${ids} [000] ${Number(time).toFixed(6)}: 10 cpu-clock:\n\t1 ${name} (/x)\n\t1 main (/x)\n\n`,
  )
  .join('');

describe('mergeThreads', () => {
  it('makes one outermost frame of a pool, and one thread of it in each process', async () => {
    const { profile } = await read(RAW, { mergeThreads: true });
    expect(folded(profile)).toBe(
      ':77;main;read 1\npython3;main;read 1\nworker-*;main;read 3\nworker-*;main;write 1\n',
    );
    expect(profile.samples).toBe(6);
    expect(profile.threads).toEqual([
      { comm: 'worker-*', pid: 5, tid: -1, samples: 3, weight: 3 },
      { comm: 'worker-*', pid: 9, tid: 10, samples: 1, weight: 1 },
      { comm: 'python3', pid: 9, tid: 9, samples: 1, weight: 1 },
      { comm: ':77', pid: 77, tid: 77, samples: 1, weight: 1 },
    ]);
    expect([...profile.timeline!.stack]).toEqual([0, 0, 1, 2, 3, 4]);
    expect([...profile.stacks.samples]).toEqual([2, 1, 1, 1, 1]);
    expect(topOf(profile).threads.map(({ comm }) => comm)).toContain('worker-*');
    expect(textOf(speedscopePieces(profile, 'test'))).toContain('"worker-* 5"');
    expect(profile.frames.map(({ name }) => name)).not.toContain('worker-1');
  });

  it('keeps threads apart that are asked for by their own names', async () => {
    const { profile } = await read(RAW, { mergeThreads: true, comm: 'worker-2' });
    expect(folded(profile)).toBe('worker-2;main;read 1\nworker-2;main;write 1\n');
  });

  it('takes the outermost frame of folded stacks for the thread, and no other', () => {
    const profile = parseFolded('w-1;w-2;f 1\nw-2;w-1;f 2\nw-2;w-2;f 4\nw-2 3\n', { target: 'x' });
    expect(folded(mergeThreads(profile))).toBe('w-* 3\nw-*;w-1;f 2\nw-*;w-2;f 5\n');
  });

  it('is the profile itself where there is no pool', async () => {
    const { profile } = await read(RAW, { comm: 'python3' });
    expect(mergeThreads(profile)).toBe(profile);
  });

  it('gives the stacks of a text in which the names of the pools stand already', () => {
    const stack = fc.tuple(
      fc.constantFrom('a-', 'b', 'c/x:'),
      fc.integer({ min: 0, max: 3 }),
      fc.array(fc.constantFrom('f', 'g', 'h'), { maxLength: 4 }),
      fc.integer({ min: 1, max: 9 }),
    );
    fc.assert(
      fc.property(fc.array(stack, { minLength: 1, maxLength: 30 }), (stacks) => {
        const lines = (name: (pool: string, number: number) => string) =>
          stacks
            .map(([pool, number, path, count]) => `${[name(pool, number), ...path].join(';')} ${count}\n`)
            .join('');
        // Every pool has two threads at the least.
        const more = 'a-8 1\na-9 1\nb8 1\nb9 1\nc/x:8 1\nc/x:9 1\n';
        const merged = mergeThreads(
          parseFolded(lines((pool, number) => pool + number) + more, { target: 'x' }),
        );
        const want = parseFolded(lines((pool) => `${pool}*`) + more.replaceAll(/\d /g, '* '), {
          target: 'x',
        });
        expect(folded(merged)).toBe(folded(want));
        expect(merged.samples).toBe(want.samples);
      }),
      { numRuns: 30 },
    );
  });
});
