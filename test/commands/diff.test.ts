import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { faults } from '../schemas.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-diff-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const BEFORE = 'redis;main;hot 100\nredis;main;gone 40\nredis;main;rest 1000\n';
const AFTER = 'redis;main;hot 240\nredis;main;new 30\nredis;main;rest 870\n';

describe('diff', () => {
  it('draws both in one picture and says what changed', async () => {
    const run = await gkeprof([
      'diff',
      put('a.folded', BEFORE),
      put('b.folded', AFTER),
      '--output-dir',
      folder,
    ]);
    expect(run.code).toBe(0);
    const stdout = run.stdout.toString();
    expect(stdout).toContain(`Comparison:       ${join(folder, 'b.diff.svg')}\n1140 samples before`);
    expect(stdout).toMatch(/\nCompared by the share of the total \(before × 1\)/);
    expect(stdout).toMatch(/significant \(p < 0\.001\) +hot\n/);
    expect(run.stderr).toBe('');
    const svg = readFileSync(join(folder, 'b.diff.svg'), 'utf8');
    expect(svg).toContain('before: a.folded · 1140 samples');
    expect(svg).toContain('gone (gone): before 40 samples');
  });

  it('says what left out the samples of a file, as render does', async () => {
    const perf = put(
      'a.txt',
      'app 7/7 [000] 1.5: 1 cycles:\n\t1 f+0x1 (/app)\n\napp 7/7 [000] 3.5: 1 cycles:\n\t1 f+0x1 (/app)\n\n',
    );
    const late = await gkeprof(['diff', perf, perf, '--from', '100']);
    expect(late.code).toBe(4);
    expect(late.stderr).toBe(
      `error: no samples in ${perf}\nhint: the recording lasts 2s; none of its 2 samples is later than --from\n`,
    );
    const nobody = await gkeprof(['diff', perf, perf, '--comm', 'x']);
    expect(nobody.stderr).toContain('none of its 2 samples is left after --comm x; threads: app\n');
  });

  it('gives programs what is known, and why nothing is compared, if a file has no samples', async () => {
    const empty = put('empty.txt', '# captured on    : Mon Nov 23 13:37:49 2026\n# event : cycles\n');
    const full = put('b.folded', AFTER);
    const why = `no samples in ${empty}: it has the header of a recording but no samples`;
    for (const files of [
      [empty, full],
      [full, empty],
    ]) {
      const run = await gkeprof(['diff', ...files, '-o', 'json', '--output-dir', folder]);
      expect(run.code).toBe(4);
      expect(run.stderr).toContain(`error: no samples in ${empty}\n`);
      const data = JSON.parse(run.stdout.toString());
      expect(faults('diff', data)).toEqual([]);
      expect(data).toMatchObject({ kind: 'ProfileComparison', notCompared: why, files: [] });
      expect([data.before.samples, data.after.samples]).toEqual(files[0] === empty ? [0, 1140] : [1140, 0]);
    }
    const drawn = await gkeprof(['render', empty, '-o', 'json', '--output-dir', folder]);
    expect(drawn.code).toBe(4);
    const data = JSON.parse(drawn.stdout.toString());
    expect(faults('render', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'ProfileReport', empty: why, profile: { samples: 0 }, files: [] });
  });

  it('compares pictures: they carry their stacks', async () => {
    for (const [name, text] of [
      ['a', BEFORE],
      ['b', AFTER],
    ] as const)
      await gkeprof(['render', put(`${name}.folded`, text), '--output-dir', folder]);
    const [a, b] = [join(folder, 'a.flamegraph.svg'), join(folder, 'b.flamegraph.svg')];
    const run = await gkeprof(['diff', a, b, '--format', 'folded', '--output', '-']);
    expect(run.stdout.toString()).toBe(
      'redis;main;gone 40 0\nredis;main;hot 100 240\nredis;main;new 0 30\nredis;main;rest 1000 870\n',
    );
    const again = await gkeprof(['render', a, '--format', 'folded', '--output', '-']);
    expect(again.stdout.toString().split('\n').sort()).toEqual(BEFORE.split('\n').sort());
  });

  it('prints the changes alone', async () => {
    const run = await gkeprof([
      'diff',
      put('a', BEFORE),
      put('b', AFTER),
      '--format',
      'top',
      '--output-dir',
      folder,
    ]);
    expect(run.stdout.toString()).toMatch(/^1140 samples before, 1140 after/);
    expect(run.stderr).toBe('');
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
  });

  it.each([
    [[], 2, 'diff: missing file'],
    [['a', 'b', 'c'], 2, 'diff: takes at most 2 files, got 3'],
    [['-', '-'], 2, 'only one of the two files can be stdin'],
    [['a', 'b', '--format', 'pprof'], 2, '--format: unknown format "pprof"'],
    [['/nonexistent/a', '/nonexistent/b'], 1, 'cannot read /nonexistent/a'],
  ])('%j: exit %i', async (words, code, message) => {
    const run = await gkeprof(['diff', ...words]);
    expect(run.stderr).toContain(message);
    expect(run.code).toBe(code);
  });

  it('refuses what does not count the same', async () => {
    const sample = (event: string) => `a 1/1 [000] 1.0: 5 ${event}:\n\t1 f (/x)\n\n`;
    const run = await gkeprof(['diff', put('a', sample('cycles')), put('b', sample('faults'))]);
    expect(run.stderr).toContain('cycles (samples) and faults (samples) cannot be compared');
    expect(run.code).toBe(2);
  });

  const PERIODS = 'app;main;a 151515150\napp;main;b 90909090\napp;main;c 60606060\n';
  const MORE = 'app;main;a 181818180\napp;main;b 70707070\napp;main;c 50505050\n';
  const top = (...words: string[]) => gkeprof(['diff', ...words, '--format', 'top', '--output-dir', folder]);
  const stdoutOf = async (...words: string[]) => {
    const run = await top(...words);
    expect(`${run.code} ${run.stderr}`).toBe('0 ');
    return run.stdout.toString();
  };

  it('takes sums of periods for what they are, and says so', async () => {
    const files = [put('a.folded', PERIODS), put('b.folded', MORE)];
    const text = await stdoutOf(...files);
    expect(text).toMatch(/^30 samples before, 30 after\nCompared by the share of the total/);
    expect(text).toContain('hold multiples of 10101010, which is assumed to be one sample');
    expect(text).toContain('none changed significantly');
    expect(await stdoutOf(...files, '--unit', '1')).toMatch(/significant \(p < 0\.001\) +a\n/);
    expect(await stdoutOf(...files, '--weight', 'samples')).toMatch(/significant \(p < 0\.001\) +a\n/);
    expect(await stdoutOf(...files, '--weight', 'period')).toContain('30 samples before');
    expect(await stdoutOf(...files, '--unit', '5050505')).toContain('5050505 is one sample (--unit)');
  });

  it('compares sums of periods with raw stacks: both are samples', async () => {
    const sample = '\n\t1 a (/x)\n\t2 main (/x)\n\n';
    const raw = Array.from(
      { length: 30 },
      (_, at) => `app 7/7 [000] ${at}.5: 10101010 cpu-clock:${sample}`,
    ).join('');
    expect(await stdoutOf(put('a.folded', 'app;main;a 303030300\n'), put('b', raw))).toContain(
      '1 sample before, 30 after',
    );
    expect(
      await stdoutOf(put('a.folded', 'app;main;a 303030300\n'), put('b', raw), '--unit', '10101010'),
    ).toContain('30 samples before, 30 after');
    const byPeriod = await stdoutOf(put('a.folded', PERIODS), put('b', raw), '--weight', 'period');
    expect(byPeriod).toMatch(/^30 samples before, 30 after/);
    expect(byPeriod).toMatch(/0\.152 s +50\.0 % +0\.303 s +100\.0 % .* significant \(p < 0\.001\) +a\n/);
  });

  it('gives no verdict where weights vary, in no form', async () => {
    const files = [
      put('a.folded', 'm;a 31234567\nm;b 1823001\n'),
      put('b.folded', 'm;a 1123987\nm;b 33876503\n'),
    ];
    const text = await stdoutOf(...files);
    expect(text).toMatch(/nothing can be tested\s+without knowing how many samples they are/);
    expect(text).toMatch(/not tested +a\n/);
    expect(text).not.toMatch(/significant|likely/);
    const run = await gkeprof(['diff', ...files, '-o', 'json', '--output-dir', folder]);
    const result = JSON.parse(run.stdout.toString());
    expect(faults('diff', result)).toEqual([]);
    expect(result.comparison).toMatchObject({ tested: 'not', changed: false });
    expect(result.comparison.assumptions).toHaveLength(1);
    const svg = readFileSync(join(folder, 'b.diff.svg'), 'utf8');
    expect(svg).toContain('nothing can be tested');
    expect(svg).not.toContain('not significant');
  });

  it('has the same verdicts in JSON and Markdown, with what was taken for granted', async () => {
    const files = [put('a.folded', PERIODS), put('b.folded', MORE)];
    const run = await gkeprof(['diff', ...files, '-o', 'json', '--rows', '2', '--output-dir', folder]);
    const { comparison, ...rest } = JSON.parse(run.stdout.toString());
    expect(faults('diff', { comparison, ...rest })).toEqual([]);
    expect(comparison).toMatchObject({
      normalizedBy: 'total',
      tested: 'as independent samples',
      changed: false,
      before: { samples: 30 },
    });
    expect(comparison.byTotalBecause).toContain('--seconds');
    expect(comparison.assumptions[0]).toContain('10101010');
    expect(comparison.movers).toHaveLength(2);
    expect(comparison.moversByTotal[0]).toMatchObject({ name: 'a', verdict: 'within chance' });
    expect(run.stderr).toBe('');
    const markdown = await gkeprof(['diff', ...files, '--markdown', '--output-dir', folder]);
    expect(markdown.stderr).toBe('');
    expect(markdown.stdout.toString()).toContain('No function changed significantly.');
    expect(markdown.stdout.toString()).toContain('10101010');
  });

  it('compares a second with a second where it is told how long both were recorded', async () => {
    const files = [put('a.folded', 'm;a 300\nm;b 3000\n'), put('b.folded', 'm;a 600\nm;b 1500\n')];
    const text = await stdoutOf(...files, '--seconds', '60,30s');
    expect(text).toContain('Compared by samples per second (before × 0.5)\n');
    expect(text).toContain('In total, 1.27 times as many samples per second after as before');
    expect(text).toMatch(/significant \(p < 0\.001\) +a\n/);
    expect(text).toMatch(/not significant \(p = 1\.000\) +b\n/);
    expect(await stdoutOf(...files, '--seconds', '60,30', '--by', 'time')).toBe(text);
    expect(await stdoutOf(...files, '--by', 'share')).toMatch(/share of the total \(before × 0\.636\)\n/);
  });

  it('writes a file to stdout alone', async () => {
    const words = [put('a.folded', BEFORE), put('b.folded', AFTER), '--format', 'folded', '--output', '-'];
    const run = await gkeprof(['diff', ...words, '--output-dir', folder]);
    expect(run.stdout.toString()).not.toContain('samples before');
    expect(run.stderr).toContain('1140 samples before');
  });

  it.each([
    [['--seconds', '0'], '--seconds: "0" is neither one number nor two numbers'],
    [['--seconds', '1,2,3'], '--seconds: "1,2,3" is neither'],
    [['--unit', 'ns'], '--unit: "ns" is neither'],
    [['--seconds', '5', '--by', 'share'], '--seconds cannot be used with --by share'],
    [['--rows', '0'], '--rows: "0" is not a whole number'],
  ])('%j is a usage error', async (words, message) => {
    const run = await gkeprof(['diff', put('a', BEFORE), put('b', AFTER), ...words]);
    expect(run.stderr).toContain(message);
    expect(run.code).toBe(2);
  });

  it('refuses to be told of raw stacks what they say themselves', async () => {
    const sample = 'a 1/1 [000] 1.0: 5 cycles:\n\t1 f (/x)\n\n';
    const run = await top(put('a', sample), put('b', sample), '--unit', '5');
    expect(run.stderr).toContain('--unit: neither file has folded stacks');
    expect(run.code).toBe(2);
  });
});
