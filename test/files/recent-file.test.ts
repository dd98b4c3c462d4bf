import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { recentFile } from '../../src/files/recent-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-recent-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('recentFile', () => {
  it('names the newest files of a kind, and leaves other names alone', async () => {
    const dir = mkdtempSync(join(folder, 'recent-'));
    for (const [name, age] of [
      ['b.txt.gz', 5],
      ['a.txt.gz', 1],
      ['c.svg', 0],
      ['d.txt.gz', 9],
    ] as const) {
      writeFileSync(join(dir, name), '');
      utimesSync(join(dir, name), 1e9 - age, 1e9 - age);
    }
    const recent = (name: string) => recentFile(name, dir, ['.txt.gz'], 'raw stacks');
    expect(await recent('@last')).toBe(join(dir, 'a.txt.gz'));
    expect(await recent('@1')).toBe(join(dir, 'a.txt.gz'));
    expect(await recent('@3')).toBe(join(dir, 'd.txt.gz'));
    await expect(recent('@4')).rejects.toThrow('only 3 files');
    expect(await recent('@x')).toBe('@x');
    expect(await recent('-')).toBe('-');
  });
});
