import { describe, expect, it } from 'vitest';
import { parseCallGraph } from '../../src/cli/call-graph.ts';

describe('--call-graph', () => {
  it.each([
    ['auto', { stacks: 'auto', stackBytes: 16_384 }],
    ['fp', { stacks: 'fp', stackBytes: 16_384 }],
    ['ebpf', { stacks: 'ebpf', stackBytes: 16_384 }],
    ['dwarf', { stacks: 'dwarf', stackBytes: 16_384 }],
    ['dwarf,65528', { stacks: 'dwarf', stackBytes: 65_528 }],
    ['dwarf,8', { stacks: 'dwarf', stackBytes: 8 }],
  ])('%s', (text, want) => expect(parseCallGraph(text)).toEqual(want));

  it.each(['', 'lbr', 'DWARF', 'fp,16384', 'auto,8192', 'dwarf,8192,1', ',8192'])('refuses %j', (text) =>
    expect(() => parseCallGraph(text)).toThrow(/^--call-graph: ".*" is not a way to find callers$/),
  );

  it.each(['dwarf,', 'dwarf,0', 'dwarf,100', 'dwarf,65536', 'dwarf,16k', 'dwarf,-8', 'dwarf, 8'])(
    'refuses a size that perf would not take: %s',
    (text) =>
      expect(() => parseCallGraph(text)).toThrow(/^--call-graph: perf copies a multiple of 8 bytes .* 65528/),
  );
});
