import { describe, expect, it } from 'vitest';
import { readProfile } from '../../../src/profile/read/read-profile.ts';
import { read } from '../reading.ts';

const SAMPLE = 'a 1/2 [000] 1.5: 1 cycles:\n\t1 f (/x)\n\n';

/** A source that says whether its reader closed it: Node 26 ends the process for a file that nobody closed. */
function endless(text: string) {
  let closed = false;
  const chunks = (async function* () {
    try {
      yield Buffer.from(text);
    } finally {
      closed = true;
    }
  })();
  return { chunks, closed: () => closed };
}

describe('readProfile', () => {
  it.each([
    [SAMPLE, 'perf script'],
    [`# hostname : x\n#\n\n${SAMPLE}`, 'perf script'],
    ['a 1 1.5: cycles:\n\t1 f (/x)\n', 'perf script'],
    ['a;b 12\n', 'folded stacks'],
    ['a;b 12', 'folded stacks'],
    ['main 3\n', 'folded stacks'],
    ['# made by stackcollapse\na b;c 1\n', 'folded stacks'],
    ['what is this\n', 'perf script'],
    ['', 'perf script'],
  ])('%j is %s', async (text, from) => {
    expect((await read(text)).from).toBe(from);
    expect((await read(text, {}, [1, 2, 3, 5, 8])).from).toBe(from);
  });

  it('says what perf.data and a strange SVG are', async () => {
    await expect(read('PERFILE2xx\n')).rejects.toThrow('only perf itself can read');
    await expect(read('<?xml version="1.0"?>\n<svg/>\n')).rejects.toThrow(
      'neither from kubectl gkeprof nor a flame graph',
    );
  });

  it.each([
    [{ event: 'x' }, '--event'],
    [{ from: 1 }, '--from'],
    [{ to: 1 }, '--to'],
    [{ weight: 'period' as const }, '--weight period'],
    [{ comm: 'a' }, '--comm'],
    [{ tid: 1 }, '--tid'],
  ])('%o is refused for folded stacks, which have nothing of it', async (options, flag) => {
    await expect(read('a;b 1\n', options)).rejects.toThrow(flag);
  });

  it.each([
    ['folded stacks that are asked for what they lack', 'a;b 1\n', { event: 'x' }],
    ['perf.data', 'PERFILE2xx\n', {}],
    ['a strange SVG', '<svg/>\n', {}],
    ['an event that is not there', SAMPLE, { event: 'x' }],
  ])('leaves no file open: %s', async (_, text, options) => {
    const source = endless(text);
    await expect(
      readProfile(
        source.chunks,
        { weight: 'samples', noIdle: false, timeline: true, ...options },
        () => ({ target: 'test' }),
        () => undefined,
      ),
    ).rejects.toThrow();
    expect(source.closed()).toBe(true);
  });

  it('keeps when each sample was, in time order though processors mix them up', async () => {
    const text = [1.5, 1.4, 1.6, 1.45].map(
      (time, at) => `a 1/${at} [000] ${time}0: 1 cycles:\n\t1 f${at} (/x)\n\n`,
    );
    const { timeline, stacks, frames, tree } = (await read(text.join(''))).profile;
    expect(timeline!.start).toBeCloseTo(1.4, 9);
    expect(Array.from(timeline!.at)).toEqual([0, 5000, 10_000, 20_000]);
    const names = Array.from(timeline!.stack, (row) => frames[tree.frame[stacks.node[row]!]!]!.name);
    expect(names).toEqual(['f1', 'f3', 'f0', 'f2']);
    expect((await read(text.join(''), { timeline: false })).profile.timeline).toBeUndefined();
  });

  it('puts threads of one name together in the tree, and keeps them apart in the table', async () => {
    const text = [7, 8].map((tid) => `w 7/${tid} [000] 1.5: 1 cycles:\n\t1 f (/x)\n\n`).join('');
    const { profile } = await read(text);
    expect(Array.from(profile.tree.total)).toEqual([2, 2, 2]);
    expect(profile.threads.map(({ tid, samples }) => [tid, samples])).toEqual([
      [7, 1],
      [8, 1],
    ]);
    expect(Array.from(profile.stacks.node)).toEqual([2, 2]);
    expect(Array.from(profile.stacks.thread)).toEqual([0, 1]);
  });

  it('reads no more of a picture than fits the memory, however small the file is that unpacks to it', async () => {
    let given = 0;
    const chunks = (async function* () {
      yield Buffer.from('<svg xmlns="http://www.w3.org/2000/svg">');
      const blanks = Buffer.alloc(1 << 24, ' ');
      for (; given < 1000; given += 1) yield blanks;
    })();
    const reading = readProfile(
      chunks,
      { noIdle: false, timeline: false },
      () => ({ target: 'test' }),
      () => undefined,
    );
    await expect(reading).rejects.toThrow('a picture of more than 512 MiB is not read');
    expect(given).toBeLessThan(40);
  });
});
