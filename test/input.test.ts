import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { openInput, recentFile } from '../src/input.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

// Larger than the pieces that are read, and not the same everywhere.
const TEXT = Buffer.from(Array.from({ length: 300_000 }, (_, at) => `line ${at}\n`).join(''));

const nothing = (async function* () {})();

async function content(path: string, stdin: AsyncIterable<Uint8Array> = nothing) {
  const input = await openInput(path, stdin);
  const parts: Buffer[] = [];
  for await (const chunk of input.chunks) parts.push(Buffer.from(chunk));
  return { bytes: Buffer.concat(parts), cut: input.cut() };
}

const file = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

const PACKED: ReadonlyArray<readonly [string, Uint8Array]> = [
  ['plain', TEXT],
  ['gzip', gzipSync(TEXT)],
  ['zstd', zstdCompressSync(TEXT)],
  ['two gzip members', Buffer.concat([gzipSync(TEXT.subarray(0, 1000)), gzipSync(TEXT.subarray(1000))])],
];

describe('openInput', () => {
  it.each(PACKED)('reads %s, told by what it holds, not by its name', async (name, bytes) => {
    const { bytes: got, cut } = await content(file(`${name}.bin`, bytes));
    expect(got.equals(TEXT)).toBe(true);
    expect(cut).toBe(false);
  });

  it.each(PACKED)('reads %s from stdin, however it comes', async (_name, bytes) => {
    async function* drops() {
      for (const each of [1, 2, 3, 4, 5]) yield bytes.subarray(each - 1, each);
      yield bytes.subarray(5);
    }
    expect((await content('-', drops())).bytes.equals(TEXT)).toBe(true);
  });

  it.each(PACKED.slice(1, 3))(
    'gives what there is of %s that is cut short, and says so',
    async (name, bytes) => {
      const { bytes: got, cut } = await content(file(`cut ${name}`, bytes.subarray(0, bytes.length / 2)));
      expect(cut).toBe(true);
      expect(got.length).toBeGreaterThan(1000);
      expect(got.equals(TEXT.subarray(0, got.length))).toBe(true);
    },
  );

  it('says what is wrong with a damaged file, a folder, and one that is not there', async () => {
    const damaged = Buffer.from(gzipSync(TEXT));
    damaged.fill(0xff, 1000, 1100);
    await expect(content(file('damaged', damaged))).rejects.toThrow('the compressed input is damaged');
    await expect(content(folder)).rejects.toThrow('it is a folder');
    await expect(content(join(folder, 'none'))).rejects.toThrow(/cannot read .*none: .*no such file/i);
  });

  it('reads an empty file and one shorter than any mark', async () => {
    expect((await content(file('empty', Buffer.alloc(0)))).bytes.length).toBe(0);
    expect((await content(file('short', Buffer.from('ab')))).bytes.toString()).toBe('ab');
  });
});

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
