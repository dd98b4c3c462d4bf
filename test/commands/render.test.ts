import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { needing } from '../needing.ts';
import { faults } from '../schemas.ts';

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

/** A file of speedscope with one sample of 7. */
const speedscope = (unit: string) => ({
  shared: { frames: [{ name: 'f' }] },
  profiles: [{ type: 'sampled', name: 'x', unit, startValue: 0, endValue: 7, samples: [[0]], weights: [7] }],
});

describe('render', () => {
  it('gives as JSON what its schema describes, groups of threads included', async () => {
    const text = Array.from({ length: 8 }, (_, at) =>
      `worker 7/${10 + at} [000] 1.${at}: 1 cpu-clock:\n\t1 f+0x1 (/x)\n\t2 main+0x1 (/x)\n\n`.repeat(10),
    ).join('');
    const run = await gkeprof(['render', put('pool.txt', text), '--output-dir', folder, '-o', 'json']);
    const report = JSON.parse(run.stdout.toString());
    expect(report.profile.threadGroups).toHaveLength(1);
    expect(faults('render', report)).toEqual([]);
  });

  it('makes a picture of raw stacks, with what their header tells, never over another file', async () => {
    const file = put('x.perf-script.txt.gz', gzipSync(RAW));
    const run = await gkeprof(['render', file, '--output-dir', folder]);
    expect(run.stderr).toContain(
      '990 samples, event cpu-clock (weighed by samples)\n1.00 cores busy on average',
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

  needing('bash')('leaves no half of a picture where there is no room for it', async () => {
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
      /^error: EFBIG: .*\nhint: free some space, or choose another folder with --output-dir$/,
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

  it('makes one of the threads of a pool in every format', async () => {
    const two = RAW.replaceAll(/redis-server 7\/7 (?=\[000\] 10[0-4])/g, 'worker-1 7/8 ').replaceAll(
      'redis-server 7/7',
      'worker-2 7/9',
    );
    const file = put('x.txt', two);
    const run = await gkeprof([
      'render',
      file,
      '--output-dir',
      folder,
      '--merge-threads',
      '--format',
      'svg,folded,json,speedscope,pprof',
    ]);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain('worker-*, its threads together: 1.00');
    expect(readFileSync(join(folder, 'x.folded'), 'utf8')).toBe('worker-*;main;aeMain 990\n');
    const pprof = gunzipSync(readFileSync(join(folder, 'x.pb.gz'))).toString('latin1');
    for (const text of [
      ...['flamegraph.svg', 'profile.json', 'speedscope.json'].map((end) =>
        readFileSync(join(folder, `x.${end}`), 'utf8'),
      ),
      pprof,
    ]) {
      expect(text).toContain('worker-*');
      expect(text).not.toMatch(/worker-[12]/);
    }
  });

  it('warns of a file that is cut short, and draws what is there', async () => {
    const packed = gzipSync(RAW, { level: 0 });
    const run = await gkeprof([
      'render',
      put('x.txt.gz', packed.subarray(0, 40_000)),
      '--output-dir',
      folder,
    ]);
    expect(run.stderr).toContain('is cut short: everything before the cut was read');
    expect(run.code).toBe(0);
  });

  it.each([
    [[], 'error: render: missing file'],
    [['-', '-'], 'error: render: only one of the files can be stdin'],
    [
      ['x', '--format', 'png'],
      'error: --format: unknown format "png"\nhint: formats: svg, folded, speedscope',
    ],
    [
      ['x', '--format', 'svg,folded', '--output', '-'],
      'error: --output names one file, so it needs one --format',
    ],
    [['x', '--idle', '--no-idle'], 'error: --idle and --no-idle cannot be used together'],
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
    [
      '<svg xmlns="http://www.w3.org/2000/svg"/>\n',
      1,
      'an SVG that is neither from kubectl gkeprof nor a flame graph',
    ],
  ])('%j is no profile: exit %i', async (text, code, message) => {
    const run = await gkeprof(['render', put('x', text), '--output-dir', folder]);
    expect(run.stderr).toContain(message);
    expect(run.code).toBe(code);
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it.each([
    [['--comm', 'nginx'], 'none of its 990 samples is left after --comm nginx; threads: redis-server'],
    [['--tid', '8'], 'none of its 990 samples is left after --tid 8'],
    [
      ['--include', 'x+', '--exclude', 'main'],
      'none of its 990 samples is left after --include x+ and --exclude main',
    ],
    [['--from', '100'], 'the recording lasts 10s; none of its 990 samples is later than --from'],
    [
      ['--from', '20', '--to', '30'],
      'the recording lasts 10s; none of its 990 samples is between --from and --to',
    ],
  ])('%j leaves nothing of a file that is not empty: it says which flag did', async (flags, hint) => {
    const run = await gkeprof(['render', put('x', RAW), ...flags, '--output-dir', folder]);
    expect(run.stderr).toContain(`hint: ${hint}\n`);
    expect(run.stderr).not.toContain('empty');
    expect(run.code).toBe(4);
  });

  it.each([
    ['', 'it is empty'],
    ['# hostname : node-a\n#\n', 'it has the header of a recording but no samples'],
    ['a;b 0\n', 'it is folded stacks without samples'],
  ])('%j has no samples: it says why', async (text, hint) => {
    const run = await gkeprof(['render', put('x', text), '--output-dir', folder]);
    expect(run.stderr).toContain(`hint: ${hint}\n`);
    expect(run.code).toBe(4);
  });

  it('says of folded stacks that left nothing which flag it was, too', async () => {
    const run = await gkeprof(['render', put('x', 'a;b 3\n'), '--include', 'c', '--output-dir', folder]);
    expect(run.stderr).toContain('hint: none of its 3 samples is left after --include c\n');
  });

  it('warns where no line has a second frame, as of words with a number behind them', async () => {
    const flat = await gkeprof(['render', put('x', 'main 3\nother 4\n'), '--format', 'top']);
    expect(flat.stderr).toContain('no line has a second frame');
    expect(flat.code).toBe(0);
    const deep = await gkeprof(['render', put('x', 'main 3\nmain;f 4\n'), '--format', 'top']);
    expect(deep.stderr).not.toContain('second frame');
  });

  it('warns of gzip with something behind it, and draws what is there', async () => {
    const file = put('x.gz', Buffer.concat([gzipSync('a;b 3\n'), Buffer.from('junk')]));
    const run = await gkeprof(['render', file, '--format', 'folded', '--output', '-']);
    expect(run.stdout.toString()).toBe('a;b 3\n');
    expect(run.stderr).toContain('trailing garbage after the compressed data was ignored');
  });

  it('makes one profile of several files, of whatever kind', async () => {
    const one = put('one.folded', 'a;b 3\na;c 1\n');
    const two = put('two.txt.gz', gzipSync('a 1/2 [000] 1.5: 1 cpu-clock:\n\t1 b (/x)\n\n'));
    const three = put('three.json', '');
    await gkeprof(['render', two, '--format', 'speedscope', '--output', three, '--force']);
    const words = ['render', one, two, three, '--format', 'folded', '--output', '-'];
    expect((await gkeprof(words)).stdout.toString()).toBe('a;b 5\na;c 1\n');
    const stdin = await gkeprof(['render', one, '-', '--format', 'folded', '--output', '-'], 'a;b 1\nz 2\n');
    expect(stdin.stdout.toString()).toBe('a;b 4\na;c 1\nz 2\n');
    const drawn = await gkeprof(['render', one, one, '--output-dir', folder]);
    expect(drawn.stdout.toString()).toBe(`Flamegraph:       ${join(folder, 'one.merged.flamegraph.svg')}\n`);
    expect(drawn.stderr).toContain('8 samples');
  });

  it('adds up how long several recordings are, and drops times that have no common clock', async () => {
    const run = await gkeprof(['render', put('a', RAW), put('b', RAW), '--output-dir', folder, '-o', 'json']);
    const report = JSON.parse(run.stdout.toString());
    expect(report.profile).toMatchObject({ samples: 1980, durationSeconds: 20, frequencyHz: 99 });
    expect(report.input).toBe(`${join(folder, 'a')} + ${join(folder, 'b')}`);
    expect(run.stderr).toContain('no common clock');
  });

  it('does not add up what counts different things', async () => {
    const cycles = put('b', RAW.replaceAll(' cpu-clock:', ' page-faults:'));
    const events = await gkeprof(['render', put('a', RAW), cycles, '--output-dir', folder]);
    expect(events.stderr).toContain('different events, cpu-clock and page-faults: they cannot be added up');
    expect(events.code).toBe(2);
    const bytes = put('c.json', JSON.stringify(speedscope('bytes')));
    const units = await gkeprof(['render', put('a', RAW), bytes, '--output-dir', folder]);
    expect(units.stderr).toContain(
      'a counts samples, c.json counts bytes by period: they cannot be added up',
    );
    expect(units.code).toBe(2);
  });

  it('draws a file with two counts a line as diff draws two files', async () => {
    const both = put('x.folded', 'a;b 300 300\na;c 0 200\n');
    const before = put('before', 'a;b 300\n');
    const after = put('x.diff.folded', 'a;b 300\na;c 200\n');
    const top = async (...words: string[]) =>
      (await gkeprof([...words, '--format', 'top'])).stdout.toString();
    const wanted = await top('diff', before, after);
    expect(wanted).toContain('new');
    expect(await top('render', both)).toBe(wanted);
    expect(await top('diff', both)).toBe(wanted);
    const drawn = await gkeprof(['render', both, '--output-dir', folder]);
    expect(drawn.stdout.toString()).toContain(join(folder, 'x.diff.svg'));
    expect(readFileSync(join(folder, 'x.diff.svg'), 'utf8')).toContain('before and after');
    const stdin = await gkeprof(['diff', '-', '--format', 'folded', '--output', '-'], readFileSync(both));
    expect(stdin.stdout.toString()).toBe('a;b 300 300\na;c 0 200\n');
  });

  it.each([
    [['render', 'both', '--format', 'pprof'], '--format pprof: '],
    [['render', 'both', 'one'], 'is a comparison: it cannot be added to other files'],
    [['diff', 'both', 'one'], 'is already a comparison: it has two counts on each line'],
    [['diff', 'one'], 'diff: takes 2 files, got 1'],
  ])('%j: usage', async (words, message) => {
    put('both', 'a;b 3 4\n');
    put('one', 'a;b 3\n');
    const run = await gkeprof(words.map((word) => (/^(?:both|one)$/.test(word) ? join(folder, word) : word)));
    expect(run.stderr).toContain(message);
    expect(run.code).toBe(2);
  });

  it('says when no sample of it is left', async () => {
    const run = await gkeprof(['render', put('x', RAW), '--comm', 'nginx', '--output-dir', folder]);
    expect(run.stderr).toContain('none of its 990 samples is left after');
    expect(run.code).toBe(4);
  });
});
