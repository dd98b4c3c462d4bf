import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PerfScriptReader, parseEventLine, type Sample } from '../../src/profile/perf-script.ts';

function read(text: string | Uint8Array, cuts: readonly number[] = []) {
  const samples: Sample[] = [];
  const reader = new PerfScriptReader((sample) => samples.push(sample));
  const bytes = Buffer.from(text as string);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, Math.max(from, cut));
    reader.push(bytes.subarray(from, end));
    from = end;
  }
  reader.end();
  return { samples, reader };
}

const TAIL = '   101/102   [003]  3967.038416:   10101010 cpu-clock: ';

describe('parseEventLine', () => {
  it.each([
    'redis-server',
    'x',
    '0',
    'a;b',
    'worker 3 x',
    'pool-1-thread-2',
    'ET_NET 0]',
    '[ET_NET 0]',
    '([JIT app cache])',
    'V8 WorkerThread',
    'kworker/0:1',
    'a 1/2 [000] 1.0: 5 cycles:',
    '日本語',
    '\x1b[31mred',
    "it's",
    ':123',
  ])('the thread may be called %j', (comm) => {
    expect(parseEventLine(`${comm}${TAIL}`)).toEqual({
      head: { comm, pid: 101, tid: 102, cpu: 3, time: 3967.038416, period: 10101010, event: 'cpu-clock' },
      rest: '',
    });
  });

  it('reads a thread without a name', () => {
    expect(parseEventLine(`       ${TAIL}`)).toMatchObject({ head: { comm: '', pid: 101 } });
  });

  it.each([
    ['cycles:u: ', { event: 'cycles:u', period: undefined }],
    ['250 cycles:P: ', { event: 'cycles:P', period: 250 }],
    ['1 cpu-clock:pppH: ', { event: 'cpu-clock:pppH', period: 1 }],
    ['1 sched:sched_switch: prev_comm=a prev_pid=1', { event: 'sched:sched_switch', period: 1 }],
    ['cycles:  ffff f ([k])', { event: 'cycles', period: undefined }],
  ])('reads the event of %j', (text, want) => {
    const parsed = parseEventLine(`a 1/2 [000] 1.5: ${text}`);
    expect(parsed && 'head' in parsed && parsed.head).toMatchObject(want);
  });

  it('counts what perf lost', () => {
    expect(parseEventLine('a 1/2 [000] 1.5: PERF_RECORD_LOST lost 12')).toEqual({ lost: 12 });
    expect(parseEventLine('a 1/2 [000] 1.5: PERF_RECORD_LOST_SAMPLES lost 3')).toEqual({ lost: 3 });
  });

  it.each(['', 'nonsense', 'a 1/2 1.5: 1 cycles:', 'a [000] 1.5: 1 cycles:'])('%j is none', (line) => {
    expect(parseEventLine(line)).toBeUndefined();
  });
});

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
  `last${TAIL}`,
  '\t    55d0 aeMain+0x1e (/usr/bin/redis-server)',
].join('\n');

describe('PerfScriptReader', () => {
  it('reads samples, header, losses, one-line samples and a last sample without a blank line', () => {
    const { samples, reader } = read(TEXT);
    expect(samples.map((each) => [each.comm, each.frames.map((frame) => frame.name)])).toEqual([
      ['redis-server', ['aeMain', 'main']],
      ['日本 x', ['größe']],
      ['ab', ['f']],
      ['ab', ['f']],
      ['last', ['aeMain']],
    ]);
    expect(reader.lost).toBe(7);
    expect(reader.header.get('hostname')).toBe('node-a');
    expect(reader.oddities).toEqual([]);
  });

  it('gives the same for CRLF', () => {
    expect(read(TEXT.replaceAll('\n', '\r\n')).samples).toEqual(read(TEXT).samples);
  });

  it('gives the same however the bytes are cut', () => {
    const whole = read(TEXT);
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(TEXT)), { maxLength: 30 }), (cuts) => {
        const sorted = [...cuts].sort((a, b) => a - b);
        const { samples, reader } = read(TEXT, sorted);
        expect(samples).toEqual(whole.samples);
        expect(reader.lost).toBe(7);
      }),
    );
  });

  it('never throws, whatever it reads, and never takes a sample out of nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        read(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.nat(TEXT.length), (length) => {
        expect(read(TEXT.slice(0, length)).samples.length).toBeLessThanOrEqual(5);
      }),
    );
  });

  it('names what it does not understand, once a kind, with a count', () => {
    const { samples, reader } = read(`what is this\nand this\n${TEXT}\n\n\tzz no frame\n`);
    expect(samples).toHaveLength(5);
    expect(reader.oddities).toEqual([
      { kind: 'event line', line: 'what is this', count: 2 },
      { kind: 'frame line', line: '\tzz no frame', count: 1 },
    ]);
  });
});
