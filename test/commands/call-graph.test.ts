import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeCluster } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { giveRedis } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';
import { recorded } from './recorded.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-ways-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A hundred samples, of which so many end in the middle. */
const stacks = (cut: number) =>
  gzipSync(
    ['# cmdline : perf record', ...Array(100).keys()]
      .map((at) => {
        if (typeof at === 'string') return `${at}\n`;
        const start = at < cut ? '' : '\t 55d1 main+0x1 (/bin/a)\n';
        return `a  1/1  [000]  1.00${at}:  10101010 cycles: \n\t 55d0 f+0x1 (/bin/a)\n\t 55d2 g+0x1 (/bin/a)\n${start}\n`;
      })
      .join(''),
  );

const record = (began: object, cut: number, ...words: string[]) =>
  recorded(folder, 'flamegraph', 'perf-script.txt.gz', stacks(cut), { began }, ...words);

describe('how the callers were found', () => {
  it('is in the receipt, in the result, in the picture and in Markdown, with the reason of the node', async () => {
    const run = await record({ stacks: 'fp', stacks_why: 'no-unwinder' }, 0, '-o', 'json');
    const why = 'frame pointers, because the image has no gkeprof-unwinder';
    expect(run.receipt.capture.stacks).toEqual({ way: 'fp', why: 'no-unwinder' });
    expect(run.receipt.plan.capture).toMatchObject({ stacks: 'auto', stackBytes: 16_384 });
    expect(faults('receipt', run.receipt)).toEqual([]);
    const printed = JSON.parse(run.stdout);
    expect(printed.stacks).toEqual({ way: 'fp', why: 'no-unwinder' });
    expect(faults('flamegraph', printed)).toEqual([]);
    const svg = printed.files.find(({ role }: { role: string }) => role === 'svg').path;
    expect(readFileSync(svg, 'utf8')).toContain(`stacks: ${why}`);
  });

  it('is printed when the node chose it, and with the plan when the user did', async () => {
    const auto = await record({ stacks: 'dwarf', stacks_why: 'no-frame-pointers' }, 0);
    expect(auto.stderr).toContain('CPU samples of pod/redis-0, 99 Hz\n');
    expect(auto.stderr).toContain(
      'stacks: DWARF, 16 KiB, because some of the programs do not set up frame pointers\n',
    );
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-ways-'));
    const typed = await record({ stacks: 'dwarf' }, 0, '--call-graph', 'dwarf,8192');
    expect(typed.stderr).toContain('CPU samples of pod/redis-0, 99 Hz, stacks: DWARF, 8 KiB\n');
    expect(typed.stderr).not.toContain('because');
    expect(typed.receipt.capture.stacks).toEqual({ way: 'dwarf', bytes: 8192 });
  });

  it('is in Markdown', async () => {
    const run = await record({ stacks: 'dwarf' }, 0, '--call-graph', 'dwarf', '--markdown');
    expect(run.stdout).toMatch(/\| stacks +\| DWARF, 16 KiB +\|/);
  });
});

describe('stacks that end early', () => {
  it('by frame pointers are followed by the line to type, with what the user had typed', async () => {
    const run = await record(
      { stacks: 'fp', stacks_why: 'no-unwinder' },
      60,
      '--frequency',
      '199',
      '-c',
      'redis',
    );
    expect(run.stderr.replaceAll(/\n +/g, ' ')).toContain('60 % of the stacks end before');
    expect(run.stderr).toContain(
      `hint: to see the missing callers: kubectl gkeprof flamegraph pod/redis-0 --container=redis --frequency=199 --output-dir=${folder} --call-graph dwarf\n`,
    );
  });

  it('are not complained about if they are whole', async () =>
    expect((await record({ stacks: 'fp' }, 10)).stderr).not.toContain('hint:'));

  it('by DWARF want a larger copy, as long as there is one', async () => {
    const run = await record({ stacks: 'dwarf' }, 60, '--call-graph', 'dwarf');
    expect(run.stderr).toContain('--call-graph dwarf,65528\n');
    expect(run.stderr).not.toContain('frame pointers');
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-ways-'));
    const most = await record({ stacks: 'dwarf' }, 60, '--call-graph', 'dwarf,65528');
    expect(most.stderr).not.toContain('hint:');
  });
});

describe('the size of a recording with copies of stacks, before anything is created', () => {
  const node = (cpu: string): V1Node => ({
    metadata: { name: 'node-a' },
    status: { conditions: [{ type: 'Ready', status: 'True' }], capacity: { cpu } } as V1Node['status'] &
      object,
  });
  async function dryRun(cpus: string, limit: string | undefined, ...words: string[]) {
    const cluster = fakeCluster({ readNode: async () => node(cpus) });
    giveRedis(cluster, () => {
      throw new Error('nothing is created');
    });
    const pod = cluster.pods.get('redis-0') as V1Pod;
    pod.spec!.containers = [{ name: 'redis', ...(limit && { resources: { limits: { cpu: limit } } }) }];
    return runOn(cluster, ['flamegraph', '--dry-run', '--output-dir', folder, ...words]);
  }

  it('is refused if the CPUs of the target could exceed the limit, with what fits', async () => {
    const run = await dryRun('128', '100', 'pod/redis-0', '--call-graph', 'dwarf');
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(
      'error: --call-graph dwarf may write 9.2 GiB here, but a recording may have at most 8.0 GiB: 99 samples per second for 60s, with 16384 bytes of the stack each, on 100 CPUs\n',
    );
    expect((await dryRun('128', undefined, 'node/node-a', '--call-graph', 'dwarf')).code).toBe(2);
  });

  it('is not refused if it fits, nor for a pod without a limit, nor without copies', async () => {
    expect((await dryRun('128', '80', 'pod/redis-0', '--call-graph', 'dwarf')).code).toBe(0);
    expect((await dryRun('128', undefined, 'pod/redis-0', '--call-graph', 'dwarf')).code).toBe(0);
    for (const way of ['auto', 'fp'])
      expect((await dryRun('128', undefined, 'node/node-a', '--call-graph', way)).code).toBe(0);
    expect((await dryRun('128', '100', 'pod/redis-0', '--call-graph', 'ebpf')).code).toBe(0);
  });

  it('does not let the eBPF unwinder loose on a whole node', async () => {
    await expect(dryRun('2', undefined, 'node/node-a', '--call-graph', 'ebpf')).rejects.toThrow(
      '--call-graph ebpf cannot be used with a whole node',
    );
  });
});
