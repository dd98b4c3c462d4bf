import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';

const RAW = [
  '# hostname : node-a',
  '# captured on    : Mon Nov 23 13:33:04 2026',
  '# sample duration :  10000.000 ms',
  '# event : name = cpu-clock, , id = { 1 }, { sample_period, sample_freq } = 99, freq = 1, sample_id_all = 1',
  '#',
  ...Array.from({ length: 990 }, (_, at) =>
    [
      `redis-server 7/7 [000] ${(100 + at / 99).toFixed(6)}: 10101010 cpu-clock:`,
      '\t1 aeMain+0x1 (/usr/bin/redis-server)',
      '\t2 main+0x1 (/usr/bin/redis-server)',
      '',
    ].join('\n'),
  ),
  '',
].join('\n');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-render-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('render', () => {
  it('makes a picture of raw stacks, with what their header tells, never over another file', async () => {
    const file = put('x.perf-script.txt.gz', gzipSync(RAW));
    const run = await gkeprof(['render', file, '--output-dir', folder]);
    expect(run.stderr).toContain(
      '990 samples, 0 lost, event cpu-clock (weighed by samples), 1.00 cores busy on average',
    );
    expect(run.stderr).toContain('redis-server, main thread: 1.00 of one core');
    expect(run.code).toBe(0);
    const svg = join(folder, 'x.flamegraph.svg');
    expect(run.stdout.toString()).toBe(`Flamegraph:       ${svg}\n`);
    expect(statSync(svg).mode & 0o777).toBe(0o600);
    const text = readFileSync(svg, 'utf8');
    expect(text).toContain('x.perf-script.txt.gz on node-a');
    expect(text).toContain(
      '2026-11-23 13:33:04 UTC · 10s at 99 Hz · cpu-clock (weighed by samples) · 990 samples',
    );
    await gkeprof(['render', file, '--output-dir', folder]);
    expect(readFileSync(join(folder, 'x.flamegraph.2.svg'), 'utf8')).toBe(text);
  });

  it('leaves no half of a picture where there is no room for it', async () => {
    const file = put('x.perf-script.txt.gz', gzipSync(RAW));
    const plugin = fileURLToPath(new URL('../../plugin/kubectl-gkeprof', import.meta.url));
    // No file may grow beyond 4 KiB, as if the disk were full then.
    const run = await execa(
      'bash',
      [
        '-c',
        'ulimit -f 4; exec "$@"',
        'sh',
        process.execPath,
        plugin,
        'render',
        file,
        '--output-dir',
        folder,
      ],
      { reject: false },
    );
    expect(run.stderr).toMatch(
      /^error: EFBIG: .*\nhint: make room, or name another folder with --output-dir$/,
    );
    expect(run.exitCode).toBe(1);
    expect(run.stdout).toBe('');
    expect(readdirSync(folder)).toEqual(['x.perf-script.txt.gz']);
  });

  it('streams folded stacks from stdin to stdout', async () => {
    const run = await gkeprof(
      ['render', '-', '--format', 'folded', '--output', '-', '--weight', 'period'],
      RAW,
    );
    expect(run.stdout.toString()).toBe(`redis-server;main;aeMain ${990 * 10101010}\n`);
    expect(run.code).toBe(0);
  });

  it('finds the newest recording, makes several files, and names them after it', async () => {
    put('a.b.perf-script.txt.gz', gzipSync(RAW));
    const run = await gkeprof(['render', '@last', '--format', 'svg,folded', '--output-dir', folder]);
    expect(run.code).toBe(0);
    expect(readdirSync(folder).sort()).toEqual([
      'a.b.flamegraph.svg',
      'a.b.folded',
      'a.b.perf-script.txt.gz',
    ]);
  });

  it('draws folded stacks', async () => {
    const run = await gkeprof(['render', put('x.folded', 'a;b 3\n'), '--output-dir', folder]);
    expect(run.stdout.toString()).toContain(join(folder, 'x.flamegraph.svg'));
    expect(run.stderr).not.toContain('cores');
  });

  it('warns of a file that is cut short, and draws what is there', async () => {
    const packed = gzipSync(RAW, { level: 0 });
    const run = await gkeprof([
      'render',
      put('x.txt.gz', packed.subarray(0, 40_000)),
      '--output-dir',
      folder,
    ]);
    expect(run.stderr).toContain('is cut short: this is what is there');
    expect(run.code).toBe(0);
  });

  it.each([
    [[], 'error: render: a file is missing'],
    [['a', 'b'], 'error: render: one file at a time, got 2'],
    [['x', '--format', 'png'], 'error: --format: "png" is none\nhint: formats: svg, folded, speedscope'],
    [['x', '--format', 'svg,folded', '--output', '-'], 'error: --output: takes one format'],
    [['x', '--idle', '--no-idle'], 'error: --idle and --no-idle: only one of them'],
    [['x', '--include', '('], 'error: --include: Invalid regular expression'],
    [['x', '--from', '5', '--to', '3'], 'error: --to: must be later than --from'],
    [['x', '--from', 'soon'], 'error: --from: "soon" is not a number of seconds'],
    [['x', '--tid', '-3'], 'error: --tid: "-3" is not a whole number'],
  ])('%j: usage', async (words, message) => {
    const run = await gkeprof(['render', ...words]);
    expect(run.stderr).toContain(message);
    expect(run.code).toBe(2);
    expect(run.stdout.length).toBe(0);
  });

  it.each([
    ['', 4, 'no samples in'],
    ['nonsense\n', 4, 'hint: give it the text that perf script prints, or folded stacks'],
    ['PERFILE2\u0000\u0001\n', 1, 'this is perf.data, which only perf itself can read'],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>\n', 1, 'an SVG that is not of kubectl gkeprof'],
  ])('%j is no profile: exit %i', async (text, code, message) => {
    const run = await gkeprof(['render', put('x', text), '--output-dir', folder]);
    expect(run.stderr).toContain(message);
    expect(run.code).toBe(code);
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it('says when nothing of it is wanted', async () => {
    const run = await gkeprof(['render', put('x', RAW), '--comm', 'nginx', '--output-dir', folder]);
    expect(run.stderr).toContain('none of its 990 samples is wanted');
    expect(run.code).toBe(4);
  });
});
