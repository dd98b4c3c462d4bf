import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { faults } from '../schemas.ts';
import { recorded } from './recorded.ts';

const STACKS = gzipSync(
  `# cmdline : perf record\n${'a  1/1  [000]  1.000000:  10101010 cycles: \n\t     55d0 f+0x1 (/bin/a)\n\n'.repeat(60)}`,
);
const NO_STACKS = gzipSync('# cmdline : perf record\n');

/** What the node says of a pod that is at its limit. */
const THROTTLED = {
  ...{ cpu_elapsed_us: 10_000_000, cpu_used_us: 2_000_000, cpu_limit_ucores: 200_000 },
  ...{ cpu_throttled_us: 6_100_000, cpu_periods: 100, cpu_throttled_periods: 94 },
  ...{ cpu_throttler: 'target', cpu_throttler_ucores: 200_000 },
  ...{ cpu_waited_us: 7_300_000, cpu_ran_us: 2_000_000, cpu_pressure_us: 4_200_000 },
  ...{ cpu_threads: 3, cpu_threads_ended: 0, cpu_node_ticks: 2000, cpu_steal_ticks: 68, cpu_count: 2 },
};
const LINE =
  '0.20 of 0.20 cores: throttled in 94 % of periods, 6.10 s; waited 7.30 s for a CPU; PSI some 42 %; steal 3.4 %';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-cpu-line-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const record = (data: Buffer, more: Readonly<Record<string, unknown>>, ...words: string[]) =>
  recorded(folder, 'flamegraph', 'perf-script.txt.gz', data, more, ...words);
const file = (ending: string) => join(folder, readdirSync(folder).find((name) => name.endsWith(ending))!);
const pictureText = (ending: string) => readFileSync(file(ending), 'utf8');
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

describe('the line about the CPU', () => {
  it('is in the summary, in the caption of the picture, and in both when the recording is drawn again', async () => {
    const run = await record(STACKS, THROTTLED);
    expect(oneLine(run.stderr)).toContain(`by the kernel's counters, ${LINE}`);
    expect(pictureText('.svg')).toContain(`>by the kernel's counters, ${LINE}</text>`);
    const again = await gkeprof(['render', file('.txt.gz'), '--output-dir', folder]);
    expect(oneLine(again.stderr)).toContain(`by the kernel's counters, ${LINE}`);
  });

  it('is in the receipt and in the result, as data, and a row in Markdown', async () => {
    const run = await record(STACKS, THROTTLED, '-o', 'json');
    const cpu = {
      ...{ seconds: 10, usedSeconds: 2, limitCores: 0.2, throttledSeconds: 6.1 },
      throttling: { by: 'pod', limitCores: 0.2, periods: 100, throttledPeriods: 94 },
      ...{ runQueueSeconds: 7.3, runQueueCoverage: 1, waitedSeconds: 4.2, stealShare: 0.034 },
      ...{ threads: 3, threadsEnded: 0 },
    };
    const result = JSON.parse(run.stdout);
    expect(result).toMatchObject({ cpu, profile: { cpu } });
    expect(run.receipt.capture.cpu).toEqual(cpu);
    expect(faults('flamegraph', result)).toEqual([]);
    expect(faults('receipt', run.receipt)).toEqual([]);
    const rendered = await gkeprof(['render', file('.txt.gz'), '--output-dir', folder, '-o', 'json']);
    expect(faults('render', JSON.parse(rendered.stdout.toString()))).toEqual([]);
    const markdown = await gkeprof(['render', file('.txt.gz'), '--output-dir', folder, '--markdown']);
    expect(markdown.stdout.toString()).toContain(`| by the kernel's counters | ${LINE} |`);
  });

  it('is in a comparison, for each side', async () => {
    await record(STACKS, THROTTLED);
    const words = ['diff', file('.txt.gz'), file('.txt.gz'), '--output-dir', folder];
    const markdown = (await gkeprof([...words, '--markdown'])).stdout.toString();
    const picture = pictureText('.diff.svg');
    for (const side of ['before', 'after']) {
      expect(picture).toContain(`>${side}, by the kernel's counters, ${LINE}</text>`);
      expect(markdown).toContain(`| ${side}, by the kernel's counters | ${LINE} |`);
    }
    const json = await gkeprof([...words, '-o', 'json']);
    expect(faults('diff', JSON.parse(json.stdout.toString()))).toEqual([]);
  });

  it('is left out where the node counted nothing', async () => {
    const run = await record(STACKS, {});
    expect(run.stderr).not.toContain('by the kernel');
    expect(readFileSync(file('.svg'), 'utf8')).not.toContain('by the kernel');
  });
});

describe('a recording without samples: exit code 4, and why', () => {
  it.each([
    [
      'throttled',
      { ...THROTTLED, cpu_used_us: 10_000 },
      'a CPU limit throttled it for 6.10 s, and it waited',
    ],
    [
      'idle',
      { cpu_elapsed_us: 10_000_000, cpu_used_us: 3000 },
      'pod/redis-0 was idle, it used 3 ms of CPU time',
    ],
    [
      'its processes ended',
      { cpu_elapsed_us: 10_000_000, cpu_used_us: 3000, cpu_threads: 0, cpu_threads_ended: 2 },
      'all processes of pod/redis-0 had ended before the recording did',
    ],
    [
      'the pod is gone',
      { reason: 'target-gone', cpu_elapsed_us: 10_000_000, cpu_threads: 0, cpu_threads_ended: 2 },
      'pod/redis-0 ended after',
    ],
  ])('%s', async (_what, more, reason) => {
    const run = await record(NO_STACKS, more);
    expect(run.stderr).toMatch(/^warning: 0 samples/m);
    expect(oneLine(run.stderr)).toContain(reason);
    expect(run.code).toBe(4);
    const again = await gkeprof(['render', file('.txt.gz'), '--output-dir', folder]);
    expect(again.code).toBe(4);
    expect(oneLine(again.stderr)).toMatch(/error: no samples in \S+ hint: .*pod\/redis-0/);
  });

  it.each([
    [['--min-wait', '10s'], 'every wait was shorter than 10s; the longest of 2 took 3s', '--min-wait'],
    [['--max-wait', '500ms'], 'every wait was longer than 0.5s; the shortest of 2 took 1s', '--max-wait'],
    [
      ['--min-wait', '1.5s', '--max-wait', '2s'],
      'no wait took between 1.5s and 2s; the shortest of 2 took 1s, and the longest took 3s',
      '--min-wait or --max-wait',
    ],
  ])('all waits are left out by %j', async (words, reason, flag) => {
    const leaving = (at: number) =>
      [
        `app 7/7 [000] ${at}.000000: 1 sched:sched_switch: prev_pid=7 prev_state=S`,
        '\tffffffff82202a7b do_nanosleep+0x1 ([kernel.kallsyms])',
        '',
        `app 7/7 [000] ${at}.000003: 0 cpu-clock: `,
        '',
      ].join('\n');
    const header = '# cmdline : perf record -e {context-switches/period=1/,cpu-clock}:S --cgroup x\n';
    const stacks = gzipSync(header + [10, 11, 14].map(leaving).join(''));
    const run = await record(stacks, {}, '--off-cpu', ...words);
    expect(oneLine(run.stderr)).toContain(
      `warning: 0 waits of pod/redis-0: ${reason}; the raw stacks have them all`,
    );
    expect(run.stderr).toMatch(/^0 waits, 0 lost, event off-cpu/m);
    expect(run.code).toBe(4);
    const again = await gkeprof(['render', file('.txt.gz'), '--output-dir', folder, ...words]);
    expect(again.code).toBe(4);
    expect(oneLine(again.stderr)).toMatch(/error: no samples in \S+ hint: /);
    expect(oneLine(again.stderr)).toContain(`hint: ${reason}; change ${flag}`);
  });

  it('but 5 if the recording is cut', async () => {
    const run = await record(NO_STACKS, { ...THROTTLED, cut: 'time' });
    expect(run.code).toBe(5);
  });
});
