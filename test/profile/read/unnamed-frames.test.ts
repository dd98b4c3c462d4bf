import { describe, expect, it } from 'vitest';
import { MemoryMaps, parseMemoryMap } from '../../../src/profile/read/memory-maps.ts';
import {
  isSharedFile,
  namedText,
  type UnnamedFrame,
  UnnamedFrames,
  wholeLines,
} from '../../../src/profile/read/unnamed-frames.ts';
import { fc } from '../../properties.ts';

/** All unnamed frames of a text. */
function framesOf(text: string) {
  const frames = new UnnamedFrames();
  const found: UnnamedFrame[] = [];
  frames.scan(Buffer.from(text), (frame) => found.push(frame));
  return { found, buildIds: Object.fromEntries([...frames.buildIds].map(([path, ids]) => [path, [...ids]])) };
}

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  // One buffer for all, as the reader of files has it.
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(buffer, 0, at, at + size);
    yield buffer.subarray(0, length);
  }
}

async function named(text: string, names: Readonly<Record<string, string>>, size = 1 << 16): Promise<string> {
  const parts: Buffer[] = [];
  const output = namedText(chunksOf(text, size), ({ path, offset }) => {
    const name = names[`${path} ${offset?.toString(16)}`];
    return name === undefined ? undefined : { name, offset: 3 };
  });
  for await (const part of output) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}

const TEXT = `# build-id: aabb /usr/bin/my app (deleted)
# build-id: ccdd /lib/x.so
x 7/7 1.0: 1 cpu-clock:
\t    7f0000001159 [unknown] (/lib/x.so+0x1159)
\t    7f0000001179 named+0x3 (/lib/x.so)
\t    55550000abcd [unknown] (/usr/bin/my app (deleted)+0xabcd)
\t               0 [unknown] ([unknown])

`;

describe('frames without a name', () => {
  it('have their object and the place in its file, and the text the build IDs', () =>
    expect(framesOf(TEXT)).toEqual({
      found: [
        { path: '/lib/x.so', offset: 0x1159, buildId: undefined },
        { path: '/usr/bin/my app (deleted)', offset: 0xabcd, buildId: undefined },
        { path: '[unknown]', offset: undefined, buildId: undefined },
      ],
      buildIds: { '/lib/x.so': ['ccdd'], '/usr/bin/my app (deleted)': ['aabb'] },
    }));

  it('are not what merely looks like it', () => {
    const text = `x 7/7 1.0: 1 a:b: [unknown] (/x+0x1)
# a comment # build-id: aabb /x
\tzz [unknown] (/x+0x1)
\t1 [unknown] (/x+0x1) more
\t1 g [unknown] (/x+0x1)
`;
    expect(framesOf(text)).toEqual({ found: [], buildIds: {} });
  });

  it('may stand beside the event, and in lines of Windows', () => {
    expect(framesOf('x 7/7 1.0: 1 cpu-clock:  1159 [unknown] (/x+0x1159)\n').found).toHaveLength(1);
    expect(framesOf('\t1159 [unknown] (/x+0x1159)\r\n').found[0]).toMatchObject({
      path: '/x',
      offset: 0x1159,
    });
  });

  it('may have a build ID of eight bytes, which perf buildid-list fills up with blanks', () =>
    expect(framesOf('# build-id: c1da71566ecba3e9                         /x y\n').buildIds).toEqual({
      '/x y': ['c1da71566ecba3e9'],
    }));

  it('keep several build IDs of a path apart', () =>
    expect(framesOf('# build-id: aa /x\n# build-id: bb /x\n# build-id: aa /x\n').buildIds).toEqual({
      '/x': ['aa', 'bb'],
    }));

  it('get their names, and what stays without one is of its object alone', async () => {
    const text = await named(TEXT, { '/lib/x.so 1159': 'f(int)' });
    expect(text).toBe(
      TEXT.replace('[unknown] (/lib/x.so+0x1159)', 'f(int)+0x3 (/lib/x.so)').replace(
        '(deleted)+0xabcd)',
        '(deleted))',
      ),
    );
  });

  it('get their names wherever the text is cut', async () => {
    const whole = await named(TEXT, { '/lib/x.so 1159': 'f' });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: TEXT.length + 1 }), async (size) => {
        expect(await named(TEXT, { '/lib/x.so 1159': 'f' }, size)).toBe(whole);
      }),
    );
  });

  it('get names that stay in their line', async () => {
    const text = '\t1 [unknown] (/x+0x1)\n\n';
    expect(await named(text, { '/x 1': 'a\nb 7/7 1.0: 1 cpu-clock:\u001b[0m' })).toBe(
      '\t1 a?b 7/7 1.0: 1 cpu-clock:?[0m+0x3 (/x)\n\n',
    );
  });

  it('leave a text without any as it is', async () => {
    const text = TEXT.replaceAll('[unknown]', 'known');
    expect(await named(text, {}, 100)).toBe(text);
  });
});

describe('whole lines', () => {
  it('are the text, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[ab\n]{0,40}$/),
        fc.integer({ min: 1, max: 9 }),
        async (text, size) => {
          const blocks: string[] = [];
          for await (const block of wholeLines(chunksOf(text, size))) blocks.push(block.toString());
          expect(blocks.join('')).toBe(text);
          for (const block of blocks.slice(0, -1)) expect(block).toMatch(/\n$/);
        },
      ),
    );
  });
});

describe('objects that are looked up', () => {
  it.each([
    ['/usr/lib/libc.so.6', true],
    ['/usr/bin/my app (deleted)', true],
    ['[kernel.kallsyms]', false],
    ['[vdso]', false],
    ['//anon', false],
    ['/memfd:x (deleted)', false],
    ['/dev/zero', false],
    ['/tmp/perf-7.map', false],
    ['/lib/modules/6.1/kernel/x.ko.xz', false],
    ['[unknown]', false],
  ])('%s: %s', (path, is) => expect(isSharedFile(path)).toBe(is));
});

describe('the maps of processes', () => {
  const record = (pid: number, start: string, length: string, offset: string, path: string, id = '<aabb>') =>
    `x ${pid} 1.0: PERF_RECORD_MMAP2 ${pid}/${pid}: [0x${start}(0x${length}) @ ${offset} ${id}]: r-xp ${path}`;

  it('are read as perf prints them', () => {
    expect(parseMemoryMap(record(7, '564b5040a000', '1000', '0x1000', '/x y'))).toEqual({
      ...{
        pid: 7,
        start: 0x564b5040a000,
        end: 0x564b5040b000,
        offset: 0x1000,
        path: '/x y',
        buildId: 'aabb',
      },
    });
    expect(parseMemoryMap(record(7, '1000', '2000', '0', '[vdso]', '00:00 0 0'))).toMatchObject({
      ...{ offset: 0, path: '[vdso]', buildId: undefined },
    });
    expect(parseMemoryMap('x 7 1.0: PERF_RECORD_FORK(8:8):(7:7)')).toBeUndefined();
  });

  const MAPS = [
    record(7, '5000', '1000', '0x1000', '/x'),
    record(8, '9000', '1000', '0x1000', '/x', '<ccdd>'),
    '',
  ].join('\n');
  const event = (who: string) => `x ${who} 2.0:  1 cpu-clock: \n`;

  it('tell the place in the file, and which file it is, by the process of the sample', () => {
    const text = `${MAPS}${event('7/7')}\t5159 [unknown] (/x)\n\t5160 f+0x1 (/x)\n\t5161 [unknown] (/x)\n\n${event('8')}\t9159 [unknown] (/x)\n\n`;
    expect(framesOf(text).found).toEqual([
      { path: '/x', offset: 0x1159, buildId: 'aabb' },
      { path: '/x', offset: 0x1161, buildId: 'aabb' },
      { path: '/x', offset: 0x1159, buildId: 'ccdd' },
    ]);
  });
  it('tell it too where a sample is cut into two pieces', () => {
    const frames = new UnnamedFrames();
    const found: UnnamedFrame[] = [];
    for (const piece of [MAPS, event('8/8'), '\t1 f+0x1 (/y)\n', '\t9159 [unknown] (/x)\n'])
      frames.scan(Buffer.from(piece), (frame) => found.push(frame));
    expect(found).toEqual([{ path: '/x', offset: 0x1159, buildId: 'ccdd' }]);
  });
  it('count of the parent where the process has none, and only where all agree', () => {
    const maps = new MemoryMaps();
    const add = (...args: Parameters<typeof record>) => maps.add(parseMemoryMap(record(...args))!);
    add(7, '5000', '1000', '0x1000', '/x');
    expect(maps.placeOf('/x', 9, 0x5159)).toEqual({ offset: 0x1159, buildId: 'aabb' });
    add(8, '5000', '1000', '0x2000', '/x');
    expect(maps.placeOf('/x', 9, 0x5159)).toBeUndefined();
    expect(maps.placeOf('/x', 8, 0x5159)).toEqual({ offset: 0x2159, buildId: 'aabb' });
  });
  it('count from their time on', () => {
    const maps = new MemoryMaps();
    maps.add(parseMemoryMap(record(7, '5000', '1000', '0', '/x'))!);
    expect(maps.placeOf('/x', 7, 0x5159)?.offset).toBe(0x159);
    maps.add(parseMemoryMap(record(7, '5000', '1000', '0x3000', '/x'))!);
    expect(maps.placeOf('/x', 7, 0x5159)?.offset).toBe(0x3159);
  });
  it('show where perf printed the place in the file itself, but not where it could be an address', () => {
    const maps = new MemoryMaps();
    maps.add(parseMemoryMap(record(7, '564b5040a000', '1000', '0x1000', '/x'))!);
    expect(maps.placeOf('/x', 7, 0x1159)).toEqual({ offset: 0x1159, buildId: 'aabb' });
    maps.add(parseMemoryMap(record(7, '400000', '1000000', '0', '/large'))!);
    expect(maps.placeOf('/large', 7, 0x1159)?.offset).toBe(0x1159);
    expect(maps.placeOf('/large', 7, 0x500000)).toBeUndefined();
    expect(maps.placeOf('/large', 7, 0x1200000)?.offset).toBe(0xe00000);
    expect(maps.placeOf('/y', 7, 0x1159)).toBeUndefined();
  });
});
