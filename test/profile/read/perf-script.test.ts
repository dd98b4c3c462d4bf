import { describe, expect, it } from 'vitest';
import { PerfScriptReader } from '../../../src/profile/read/perf-script.ts';
import { fc } from '../../properties.ts';
import { fold, folded, read } from '../reading.ts';

const TAIL = '   101/102   [003]  3967.038416:   10101010 cpu-clock: ';

const TEXT = [
  '# hostname : node-a',
  '# cmdline : /usr/bin/perf record -F 99',
  '#',
  `redis-server${TAIL}`,
  '\t    55d0 aeMain+0x1e (/usr/bin/redis-server)',
  '\t    55d1 main+0x1 (/usr/bin/redis-server)',
  '',
  `日本 x${TAIL}`,
  '\t    55d0 größe+0x1e (/x)',
  '',
  'a 1/2 [000] 1.5: PERF_RECORD_LOST lost 7',
  `ab${TAIL} ffffffff81000000 f+0x1 ([kernel.kallsyms])`,
  `ab${TAIL} ffffffff81000000 f+0x1 ([kernel.kallsyms])`,
  `              dd${TAIL} ffffffff81000000 f+0x1 ([kernel.kallsyms])`,
  `none${TAIL}`,
  '',
  `last${TAIL}`,
  '\t    55d0 aeMain+0x1e (/usr/bin/redis-server)',
].join('\n');

const FOLDED = [
  'ab;f 2',
  'dd;f 1',
  'last;aeMain 1',
  'none 1',
  'redis-server;main;aeMain 1',
  '日本_x;größe 1',
  '',
].join('\n');

describe('PerfScriptReader', () => {
  it('reads samples, header, losses, one-line samples and a last sample without a blank line', async () => {
    const { profile, header, warnings } = await read(TEXT);
    expect(folded(profile)).toBe(FOLDED);
    expect(profile.lost).toBe(7);
    expect(header.get('hostname')).toBe('node-a');
    expect(warnings).toEqual([]);
  });

  it('gives the same for CRLF, and for blanks in place of tabs', async () => {
    expect(await fold(TEXT.replaceAll('\n', '\r\n'))).toBe(FOLDED);
    expect(await fold(TEXT.replaceAll('\t', '        '))).toBe(FOLDED);
  });

  it('reads frames that stand at the beginning of their lines, and event lines without a time', async () => {
    const text = [
      '',
      'java 19983 cycles:',
      'ffffffff8103d0ca native_write_msr_safe ([kernel.kallsyms])',
      '7f7241fbe6d8 arrayOopDesc::base(BasicType) const (/jre/libjvm.so)',
      '7f722d12e1d4 LBusy;::main (/tmp/perf-19982.map)',
      '',
      'dead 19984 cycles:',
      '7f72432b4e9a start_thread (/lib/libpthread-2.15.so)',
      'a 1/2 [000] 1.5: PERF_RECORD_LOST lost 12',
      '',
    ].join('\n');
    const { profile, warnings } = await read(text);
    expect(folded(profile)).toBe(
      'dead;start_thread 1\njava;LBusy:::main;arrayOopDesc::base;native_write_msr_safe 1\n',
    );
    expect(warnings).toEqual([]);
    expect(profile.lost).toBe(12);
  });

  it('leaves out a last sample that the text is cut in, and says so', async () => {
    const whole = `app${TAIL}\n\t    10 leaf+0x1 (/x)\n\t    20 main+0x2 (/x)\n`;
    const wanted = 'app;main;leaf 1\n';
    for (const end of [
      'app 1/1 [000] 2.5: 10',
      '\t    10 lea',
      '\t    10 leaf+0x',
      '\t    10 leaf+0x1 (/',
      '\t    10',
    ]) {
      const cut = end.startsWith('\t') ? `app${TAIL}\n${end}` : end;
      const { profile, warnings } = await read(`${whole}\n${cut}`);
      expect(folded(profile)).toBe(wanted);
      expect(warnings).toMatchObject([{ line: end, count: 1 }]);
    }
    // Only the last line feed is gone.
    expect(folded((await read(whole.trimEnd())).profile)).toBe(wanted);
    expect(folded((await read(whole.replaceAll(' (/x)', '').trimEnd())).profile)).toBe(wanted);
  });

  it('gives the same however the bytes are cut, and keeps nothing of a piece it was given', async () => {
    const whole = (await read(TEXT)).profile;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(Buffer.byteLength(TEXT)), { maxLength: 30 }), async (cuts) => {
        expect((await read(TEXT, {}, cuts)).profile).toEqual(whole);
      }),
    );
  });

  it('keeps the sum, and every name, of any samples', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 15 })
      .map((text) => text.replaceAll(/[\s\u0000;]/g, '_'));
    const symbol = fc
      .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 })
      .map((text) => `s${text.replaceAll(/[ ;(]/g, '_')}`)
      .filter((text) => !/\+0x[\da-f]+$/.test(text));
    const sample = fc.record({
      comm: name,
      stack: fc.array(symbol, { maxLength: 6 }),
      times: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(sample, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(4000)),
        async (samples, cuts) => {
          const text = samples
            .flatMap(({ comm, stack, times }) =>
              Array.from({ length: times }, () =>
                [
                  `${comm}${TAIL}`,
                  ...stack.map((each, at) => `\t    ${at}0 ${each}+0x1f (/opt/a b)`),
                  '',
                  '',
                ].join('\n'),
              ),
            )
            .join('');
          const wanted = new Map([['some;f', 1]]);
          for (const { comm, stack, times } of samples) {
            const key = [comm, ...[...stack].reverse()].join(';');
            wanted.set(key, (wanted.get(key) ?? 0) + times);
          }
          const { profile, warnings } = await read(`some${TAIL}\n\t10 f (/x)\n\n${text}`, {}, cuts);
          expect(warnings).toEqual([]);
          const lines = folded(profile).trimEnd().split('\n');
          expect(
            new Map(
              lines.map((line) => [
                line.slice(0, line.lastIndexOf(' ')),
                Number(line.slice(line.lastIndexOf(' ') + 1)),
              ]),
            ),
          ).toEqual(wanted);
          expect(lines).toEqual(
            [...lines].sort((a, b) =>
              Buffer.compare(
                Buffer.from(a.slice(0, a.lastIndexOf(' '))),
                Buffer.from(b.slice(0, b.lastIndexOf(' '))),
              ),
            ),
          );
        },
      ),
    );
  });

  it('never throws, whatever it reads, and never takes a sample out of nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        const reader = new PerfScriptReader({ timeline: true });
        reader.push(Buffer.concat([Buffer.from(`a${TAIL}\n`), bytes]));
        reader.end();
        expect(reader.origins[0]!.samples).toBeGreaterThan(0);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 200, max: TEXT.length }), async (length) => {
        expect((await read(TEXT.slice(0, length))).profile.samples).toBeLessThanOrEqual(7);
      }),
    );
  });

  it('names what it does not understand, once a kind, with a count', async () => {
    const good = `good${TAIL}\n\t1 f (/x)\n\n`.repeat(20);
    const { profile, warnings } = await read(`${TEXT}\n\nwhat is this\nand this\n\n\tzz no frame\n${good}`);
    expect(profile.samples).toBe(27);
    expect(warnings).toEqual([
      { kind: 'event line', line: 'what is this', count: 2 },
      { kind: 'frame line', line: '\tzz no frame', count: 1 },
    ]);
  });

  it('goes on with a sample behind a line that is none of it, and takes source lines as they are', async () => {
    const text = [
      `a${TAIL}`,
      '\t    55d0 f+0x1 (/x)',
      '  file.h:300',
      '\t    55d1 g+0x1 (/x)',
      '  libc-2.33.so[27b25]',
      '\tthis is no frame',
      ' insn: 48 01 f1',
      'nor this',
      '# nor this',
      '\t    55d2 main+0x1 (/x)',
      '  ??:0',
      '',
      `a${TAIL}`,
      '\t    55d0 f+0x1 (/x)',
      '  file.h:300',
      '\t    55d1 g+0x1 (/x)',
      'nor this',
      '\t    55d2 main+0x1 (/x)',
      'a 1/2 [000] 1.5: PERF_RECORD_LOST lost 7',
      'a 1/2 [000] 1.5: PERF_RECORD_FORK(1:1):(2:2)',
      '',
      `a${TAIL}\n\t    55d0 f+0x1 (/x)\n\t    55d1 g+0x1 (/x)\n\t    55d2 main+0x1 (/x)\n\n`.repeat(20),
    ].join('\n');
    const { profile, warnings } = await read(text);
    expect(folded(profile)).toBe('a;main;g;f 22\n');
    expect(profile.lost).toBe(7);
    expect(warnings).toEqual([
      { kind: 'frame line', line: '\tthis is no frame', count: 1 },
      { kind: 'event line', line: 'nor this', count: 2 },
    ]);
  });

  it('takes a thread for one that calls itself like a comment, and no bare address for a frame', async () => {
    const text = [
      '#x 12 5.1: cycles:',
      '\t 1 f (/x)',
      '',
      '#x 12 5.1: 7 page-faults:  7ffe1234',
      '\t 1 f (/x)',
      '',
    ];
    expect(await fold(text.join('\n'))).toBe('#x;f 1\n');
    expect(await fold(text.join('\n'), { event: 'page-faults' })).toBe('#x;f 1\n');
  });

  it('tells lines apart that begin alike, however many', async () => {
    const lines = Array.from({ length: 300 }, (_, at) => `a${TAIL}\n\t0000000000000000 f${at % 150}x (/x)\n`);
    const { profile } = await read(lines.join('\n'));
    expect(profile.tree.frame.length).toBe(152);
    expect(
      new Set(
        folded(profile)
          .trimEnd()
          .split('\n')
          .map((line) => line.split(' ')[1]),
      ),
    ).toEqual(new Set(['2']));
  });

  it('reads stacks of thousands of frames', async () => {
    const frames = Array.from({ length: 5000 }, (_, at) => `\t${at.toString(16)} f${at} (/x)`);
    const { profile } = await read([`a${TAIL}`, ...frames, ''].join('\n'));
    expect(profile.tree.frame.length).toBe(5002);
  });
});
