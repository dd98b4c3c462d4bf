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

  it('lets lines of one look be others', () => {
    const page = ['  3 %  a', '  2 %  b', 'end'];
    expect(disagreement(page, ['  9 %  c', '  1 %  d', 'end'], /^ +\d+ %/)).toBeUndefined();
    expect(disagreement(page, ['  9 %  c', 'end'], /^ +\d+ %/)).toBe('(of this look)');
    expect(blocksOf('```console vary=^\\s+\\d\n$ a\n```')[0]!.vary).toEqual(/^\s+\d/);
  });
});
