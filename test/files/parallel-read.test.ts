import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readInParallel } from '../../src/files/parallel-read.ts';
import { USUAL_LAYOUT } from '../../src/profile/read/layout.ts';
import { gkeprof } from '../command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-half-'));
afterAll(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('a large file', () => {
  // Above the size from which on two threads read: the samples differ, so that a lost one would show.
  const samples = Array.from({ length: 60_000 }, (_, at) =>
    [
      `worker-${at % 7} ${100 + (at % 5)}/${200 + (at % 11)} [000] ${(1000 + at / 1000).toFixed(6)}:   ${at} cpu-clock: `,
      ...Array.from(
        { length: 26 },
        (_, depth) =>
          `\t    55d0${depth}0 module::function_${(at * depth) % 13}_${depth}+0x1f (/usr/bin/service-with-a-long-name)`,
      ),
      '',
      '',
    ].join('\n'),
  );
  const path = put('large.txt', samples.join(''));

  it('gives the same when two threads read it', async () => {
    const half = await readInParallel(path, true, USUAL_LAYOUT);
    expect(half!.from).toBeGreaterThan(40e6);
    const fold = ['--format', 'folded', '--output', '-', '--weight', 'period'];
    const both = await gkeprof(['render', path, ...fold]);
    const one = await gkeprof(['render', '-', ...fold], samples.join(''));
    expect(both.code).toBe(0);
    expect(both.stdout.equals(one.stdout)).toBe(true);
    expect(both.stderr).toBe(one.stderr);
    await half!.part;
  });

  it('is read by one where it is small, or has no place to cut', async () => {
    expect(await readInParallel(put('small.txt', samples[0]!), true, USUAL_LAYOUT)).toBeUndefined();
    expect(
      await readInParallel(
        put('lines.txt', 'a 1/1 [000] 1.0: 1 cycles: 1 f (/x)\n'.repeat(3_000_000)),
        true,
        USUAL_LAYOUT,
      ),
    ).toBeUndefined();
  });
});
