import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { openInput } from '../../src/files/input.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

// Larger than the pieces that are read, and not the same everywhere.
const TEXT = Buffer.from(Array.from({ length: 300_000 }, (_, at) => `line ${at}\n`).join(''));

const nothing = (async function* () {})();

async function content(path: string, stdin: AsyncIterable<Uint8Array> = nothing) {
  const input = await openInput(path, stdin);
  const parts: Buffer[] = [];
  for await (const chunk of input.chunks) parts.push(Buffer.from(chunk));
  return { bytes: Buffer.concat(parts), ...input.condition };
}

const file = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

/** What a packer of the system makes of it: there is none for these in Node. */
const packed = (program: string, ...words: string[]): Buffer =>
  execFileSync(program, [...words, '-c'], { input: TEXT, maxBuffer: 1 << 26 });

/** A header with all that it may have: extra field, name, comment, check of the header (RFC 1952). */
const FULL_HEADER = Buffer.from([
  ...[0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 255],
  ...[3, 0, 1, 2, 3],
  ...Buffer.from('name\0a comment\0'),
  ...[0, 0],
]);

const PACKED: ReadonlyArray<readonly [string, Uint8Array]> = [
  ['plain', TEXT],
  ['gzip', gzipSync(TEXT)],
  ['zstd', zstdCompressSync(TEXT)],
  ['two gzip members', Buffer.concat([gzipSync(TEXT.subarray(0, 1000)), gzipSync(TEXT.subarray(1000))])],
  ['gzip with a full header', Buffer.concat([FULL_HEADER, gzipSync(TEXT).subarray(10)])],
  ['xz', packed('xz')],
  ['two streams of xz', Buffer.concat([packed('xz'), packed('xz', '--check=crc32')])],
];

const wanted = (name: string): Buffer => (name === 'two streams of xz' ? Buffer.concat([TEXT, TEXT]) : TEXT);

describe('openInput', () => {
  it.each(PACKED)('reads %s, told by what it holds, not by its name', async (name, bytes) => {
    const { bytes: got, cut } = await content(file(`${name}.bin`, bytes));
    expect(got.equals(wanted(name))).toBe(true);
    expect(cut).toBe(false);
  });

  it.each(PACKED)('reads %s from stdin, however it comes', async (name, bytes) => {
    async function* drops() {
      for (const each of [1, 2, 3, 4, 5]) yield bytes.subarray(each - 1, each);
      yield bytes.subarray(5);
    }
    expect((await content('-', drops())).bytes.equals(wanted(name))).toBe(true);
  });

  it.each([...PACKED.slice(1, 3), PACKED[5]!])(
    'gives what there is of %s that is cut short, and says so',
    async (name, bytes) => {
      const { bytes: got, cut } = await content(file(`cut ${name}`, bytes.subarray(0, bytes.length / 2)));
      expect(cut).toBe(true);
      expect(got.length).toBeGreaterThan(1000);
      expect(got.equals(TEXT.subarray(0, got.length))).toBe(true);
    },
  );

  it.each([
    ['text', Buffer.from('junk')],
    ['a newline', Buffer.from('\n')],
    ['half of the mark of a member', Buffer.from([0x1f])],
    ['much', Buffer.alloc(3e6, 'x')],
  ])('reads gzip with %s behind it, as gzip does, and says so', async (name, junk) => {
    const small = await content(file(`junk ${name}`, Buffer.concat([gzipSync('a;b 1\n'), junk])));
    expect(small).toMatchObject({ cut: false, trailing: true });
    expect(small.bytes.toString()).toBe('a;b 1\n');
    const large = await content(
      file(`junk ${name}`, Buffer.concat([gzipSync(TEXT), gzipSync('end\n'), junk])),
    );
    expect(large.bytes.equals(Buffer.concat([TEXT, Buffer.from('end\n')]))).toBe(true);
    expect(large.trailing).toBe(true);
  });

  it('says nothing of zeros that fill up the last block', async () => {
    const got = await content(file('zeros', Buffer.concat([gzipSync('a\n'), Buffer.alloc(9000)])));
    expect(got).toMatchObject({ cut: false, trailing: false });
  });

  it('finds gzip whose check does not fit', async () => {
    const bytes = gzipSync(TEXT);
    bytes[bytes.length - 8]! ^= 1;
    await expect(content(file('check', bytes))).rejects.toThrow('damaged: incorrect data check');
  });

  it('reads two files of xz at a time, and lets one go that is not read to its end', async () => {
    const path = file('twice.xz', packed('xz'));
    const first = await openInput(path, nothing);
    for await (const _ of first.chunks) break;
    const both = await Promise.all([content(path), content(path)]);
    for (const { bytes } of both) expect(bytes.equals(TEXT)).toBe(true);
  });

  it.each([
    ['bzip2', () => Buffer.from('BZh91AY&SY....'), 'bzip2 -dc'],
    ['lz4', () => Buffer.from([4, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7, 0, 0, 0, 0]), 'lz4 -dc'],
    ['lzma', () => packed('xz', '--format=lzma'), 'xz --format=lzma -dc'],
    ['zip', () => Buffer.from('PK\x03\x04\x14\0\0\0\x08\0'), 'unzip -p'],
  ])('names %s with the line that unpacks it', async (name, make, command) => {
    const path = file(`some ${name}`, make());
    for (const verb of ['render', 'analyze'] as const) {
      const input = await openInput(path, nothing, verb);
      const error = await input.chunks[Symbol.asyncIterator]()
        .next()
        .then(String, (each) => each);
      expect(error.message).toBe(`the input is compressed with ${name}, which gkeprof cannot read`);
      expect(error.hint).toBe(`unpack it: ${command} '${path}' | kubectl gkeprof ${verb} -`);
    }
    const stdin = await openInput(
      '-',
      (async function* () {
        yield* [make()];
      })(),
    );
    const error = await stdin.chunks[Symbol.asyncIterator]()
      .next()
      .then(String, (each) => each);
    expect(error.hint).toBe(`unpack it: ${command} | kubectl gkeprof render -`);
  });

  it('says what is wrong with a damaged file, a folder, and one that is not there', async () => {
    const damaged = Buffer.from(gzipSync(TEXT));
    damaged.fill(0xff, 1000, 1100);
    await expect(content(file('damaged', damaged))).rejects.toThrow('the compressed input is damaged');
    await expect(content(folder)).rejects.toThrow('it is a folder');
    await expect(content(join(folder, 'none'))).rejects.toThrow(/cannot read .*none: no such file$/);
  });

  it('reads an empty file and one shorter than any mark', async () => {
    expect((await content(file('empty', Buffer.alloc(0)))).bytes.length).toBe(0);
    expect((await content(file('short', Buffer.from('ab')))).bytes.toString()).toBe('ab');
  });
});
