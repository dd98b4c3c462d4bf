import { describe, expect, it } from 'vitest';
import { blocksOf, disagreement, masked, rewritten } from './transcript.ts';

const page = [
  'Words.',
  '```console exit=3',
  '$ first \\',
  '    --flag',
  'one',
  'two',
  '$ second',
  '```',
  '```yaml',
  '$ not: typed',
  '```',
  '```sh',
  '# why',
  'third',
  'fourth \\',
  '  on',
  '```',
].join('\n');

describe('blocks of a page', () => {
  it('knows what is typed, what is printed and how it ends', () => {
    const [shown, quiet] = blocksOf(page);
    expect(shown).toMatchObject({
      kind: 'console',
      line: 2,
      commands: [
        { typed: 'first \\\n    --flag', printed: ['one', 'two'], exit: 0 },
        { typed: 'second', printed: [], exit: 3 },
      ],
    });
    expect(quiet!.commands.map(({ typed }) => typed)).toEqual(['third', 'fourth \\\n  on']);
  });

  it.each([
    ['```console\n$ a', 'not closed'],
    ['```console\noutput\n```', 'printed by nothing'],
    ['```sh\n# only a comment\n```', 'nothing is typed'],
  ])('refuses %j', (text, why) => expect(() => blocksOf(text)).toThrow(why));

  it('puts what was printed in its place', () => {
    const [shown] = blocksOf(page);
    const lines = rewritten(page, [
      [shown!.commands[1]!, ['new', '']],
      [shown!.commands[0]!, ['uno']],
    ]).split('\n');
    expect(lines.slice(0, 8)).toEqual([
      'Words.',
      '```console exit=3',
      '$ first \\',
      '    --flag',
      'uno',
      '$ second',
      'new',
      '```',
    ]);
  });
});

describe('what differs from run to run', () => {
  it.each([
    ['1277 samples, 0 lost, 26.9 % of frames unknown', '5 samples, 12 lost, 0.1 % of frames unknown'],
    ['node-b.20261123_133749_UTC.pod_x.svg', 'node-b.20270101_000000_UTC.pod_x.svg'],
    ['pod gkeprof-perf-954a5a6a1b', 'pod gkeprof-perf-f95cf69ab1'],
    ['within 11m20s', 'within 9m5s'],
    ['11 MiB, verified', '477 KiB, verified'],
    ['988 B   104 B', '1.1 KiB  116 B'],
    ['redis   Running   3m', 'redis Running 41s'],
    ['a ──── b', 'a ─────── b'],
    ['sl 23:58 0:02 4', 'sl Nov26 0:02 4'],
    [
      '  redis-server, main thread of pid 7: 0.37 of one core',
      '  redis-server, main thread: 0.1 of one core',
    ],
    ['web-64bdc9d9cd-4pxk8 on node-a', 'web-5d7759f898-l66ll on node-b'],
  ])('is the same: %j and %j', (a, b) => expect(masked(a)).toBe(masked(b)));

  it.each([
    ['0 packets dropped by the kernel', '0 packets captured'],
    ['redis-server', 'redis-sentinel'],
    ['deadline', 'facade'],
  ])('is not: %j and %j', (a, b) => expect(masked(a)).not.toBe(masked(b)));
});

describe('agreement', () => {
  it.each([
    [['a 1', 'b 2'], ['a 9', 'b 7'], undefined],
    [['a', 'b'], ['a'], 'b'],
    [['a'], ['a', 'b'], 'end'],
    [['a', '…'], ['a', 'x', 'y'], undefined],
    [['a', '…', 'z'], ['a', 'z'], undefined],
    [['a', '…', 'z'], ['a', 'x'], 'z'],
    [['  3 %  … of redis'], ['  41 %  keysCommand of redis'], undefined],
    [['a'], ['a', ''], undefined],
    [['f(x)*'], ['f(x)*'], undefined],
    [['f(x)*'], ['fxx'], 'f(x)*'],
  ])('%j and %j: %j', (expected, printed, miss) => expect(disagreement(expected, printed)).toBe(miss));

  it('lets lines of one look be others, and more or fewer', () => {
    const page = ['  3 %  a', '  2 %  b', 'end'];
    const look = /^ +\d+ %/;
    expect(disagreement(page, ['  9 %  c', '  1 %  d', 'end'], look)).toBeUndefined();
    expect(disagreement(page, ['  9 %  c', 'end'], look)).toBeUndefined();
    expect(disagreement(page, ['end'], look)).toBe('(of this look)');
    expect(disagreement(['end'], ['  9 %  c', 'end'], look)).toBe('end');
    expect(blocksOf('```console vary=^\\s+\\d\n$ a\n```')[0]!.vary).toEqual(/^\s+\d/);
  });

  it('knows the looks of a profile and of waits by name', () => {
    const look = (name: string) => blocksOf(`\`\`\`console vary=${name}\n$ a\n\`\`\``)[0]!.vary;
    for (const line of [
      '   61.5 %  dictNext',
      '  3 samples  call',
      'the innermost function is unknown in 1.0 % of the samples',
    ])
      expect(line).toMatch(look('profile')!);
    expect('   39.2 %  schedule_hrtimeout_range_clock').toMatch(look('waits')!);
    expect('time off the CPU: [sleeping] 39.2 %').not.toMatch(look('profile')!);
    expect('  redis-server, main thread: 0.39 of one core').not.toMatch(look('profile')!);
  });

  it('takes a wrapped line as one, wherever it is broken', () => {
    const page = [
      "by the kernel's counters, 0.38 cores: waited 1.53 s for a CPU; PSI",
      '  some 8.3 %',
      'end',
    ];
    const printed = [
      "by the kernel's counters, 0.38 cores: waited 12 ms for a CPU; PSI some",
      '  7 %',
      'end',
    ];
    expect(disagreement(page, printed)).toBeUndefined();
    expect(disagreement(page, [printed[0]!, 'end'])).toBe(`${page[0]} some 8.3 %`);
  });

  it.each([
    ['waiting for the debug pod on node-a: Pulled: Container image "x" already present on machine'],
    ['note: there are only 12 samples, too few for shares: record longer, or at a', '  higher frequency'],
    ['97 samples are of idle processors and left out'],
    ['1 sample is of idle processors and left out'],
    ['   0.01    1.0 %  kernel'],
    ['  jemalloc_bg_thd, thread 4711: 0.01 of one core'],
  ])('leaves out what is printed by chance: %s', (...chance) => {
    expect(disagreement(['a', 'b'], ['a', ...chance, 'b'])).toBeUndefined();
    expect(disagreement(['a', ...chance, 'b'], ['a', 'b'])).toBeUndefined();
    expect(disagreement(['a', 'b'], ['a', ...chance.map((line) => `other ${line}`), 'b'])).toBe('b');
  });
});
