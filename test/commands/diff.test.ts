import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';

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
    expect(stdout).toMatch(/made comparable by their totals \(before × 1\)/);
    expect(stdout).toMatch(/clear \(< 0\.001\) +hot\n/);
    expect(run.stderr).toBe('');
    const svg = readFileSync(join(folder, 'b.diff.svg'), 'utf8');
    expect(svg).toContain('before: a.folded · 1140 samples');
    expect(svg).toContain('gone (gone): before 40 samples');
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

  it('prints the movers alone', async () => {
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
    [['a'], 2, 'diff: takes two files, got 1'],
    [['-', '-'], 2, 'only one of the two can be stdin'],
    [['a', 'b', '--format', 'pprof'], 2, '--format: "pprof" is none'],
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
});
