import { describe, expect, it } from 'vitest';
import { wantedFor } from '../../../src/cli/completion/request.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import { fc } from '../../properties.ts';

const wanted = (line: string) => wantedFor(line.split(' '), COMMANDS);
/** What is offered for a line whose last word is unfinished; nothing behind the last space is an empty word. */
const offered = (line: string): string[] => {
  const found = wanted(line);
  if (found.kind !== 'choices') throw new Error(`names of a ${found.of} are wanted`);
  return found.choices.map(({ text }) => text);
};

describe('what is offered without asking anyone', () => {
  it.each<[string, string[]]>([
    ['fl', ['flamegraph']],
    ['p', ['pcap', 'ps']],
    ['__', []],
    ['--v', ['--version']],
    ['-n shop --context c fl', ['flamegraph']],
    ['-n shop pcap x --sco', ['--scope']],
    ['--as-g', ['--as-group']],
    ['-n shop --as-g', ['--as-group']],
    ['o', ['options']],
    ['options ', []],
    ['help o', ['options']],
    ['pcap x --dry-run ', ['none', 'client', 'server']],
    ['render f -o y', ['yaml']],
    ['render --debuginfod https:', []],
    ['render --debuginfod=', []],
    ['help an', ['analyze']],
    ['help pcap ', []],
    ['nonsense ', []],
    ['config ', ['view']],
    ['config view ', []],
    ['completion z', ['zsh']],
    ['pcap x --sco', ['--scope']],
    ['pcap x --scope ', ['netns', 'iface', 'node']],
    ['pcap x --scope i', ['iface']],
    ['pcap x --scope=i', ['iface']],
    ['pcap x --scope=netns --scop', []],
    ['pcap x --image-pull-secret a --image-pull-se', ['--image-pull-secret']],
    ['pcap x --analyze=', ['true', 'false']],
    ['pcap x --verbose=', []],
    ['ps x -o w', ['wide']],
    ['ps x -vo n', ['name']],
    ['ps x -o=n', ['name']],
    ['render f --format ', ['svg', 'folded', 'speedscope', 'pprof', 'json', 'top']],
    ['render f --format svg,f', ['svg,folded']],
    ['render f --format=svg,top,s', ['svg,top,speedscope']],
    ['pcap x --filter ', []],
    ['pcap x --port 63', []],
    ['pcap x --nonsense=', []],
    ['pcap x -- ', []],
    ['pcap x -- --sco', []],
    ['crictl x -- insp', ['inspect', 'inspectp', 'inspecti']],
    ['crictl x -- ps ', []],
    ['shell x ', []],
    ['whois node/a ', []],
  ])('%s', (line, want) => expect(offered(line)).toEqual(want));

  it('all verbs and help at first, with what they do; all flags with theirs, each in both forms', () => {
    const verbs = wanted('');
    expect(verbs).toMatchObject({
      choices: [
        { text: 'flamegraph', about: expect.stringMatching(/perf/) },
        ...Array(COMMANDS.length).fill({}),
      ],
    });
    expect(offered('')).not.toContain('__complete');
    expect(offered('pcap x -')).toEqual(
      expect.arrayContaining(['--namespace', '-n', '--verbose', '-v', '--help']),
    );
    expect(offered('pcap x --')).not.toContain('-n');
  });
});

it('offers the ways of --call-graph, and no size of a copy', () => {
  expect(offered('flamegraph x --call-graph ')).toEqual(['auto', 'fp', 'dwarf', 'ebpf']);
  expect(offered('flamegraph x --call-graph d')).toEqual(['dwarf']);
  expect(offered('flamegraph x --call-graph dwarf,')).toEqual([]);
});

describe('whose names are wanted', () => {
  it.each<[string, string, string, string[], Record<string, string>]>([
    ['flamegraph ', 'target', '', [], {}],
    ['pcap pod/re', 'target', 'pod/re', [], {}],
    ['pcap -n redis ', 'target', '', [], { namespace: 'redis' }],
    ['pcap -nredis ', 'target', '', [], { namespace: 'redis' }],
    ['pcap -vn redis --context=a=b ', 'target', '', [], { verbose: '', namespace: 'redis', context: 'a=b' }],
    ['pcap -v 2 ', 'target', '', [], { verbose: '' }],
    ['analyze --quiet 2 ', 'capture', '', ['2'], { quiet: '' }],
    ['-n ', 'namespace', '', [], {}],
    ['-n shop pcap ', 'target', '', [], { namespace: 'shop' }],
    ['pcap --dry-run x -n ', 'namespace', '', ['x'], { 'dry-run': '' }],
    ['render --debuginfod ', 'profile', '', [], {}],
    ['render --debuginfod raw', 'profile', 'raw', [], {}],
    ['render --debuginfod https://a raw', 'profile', 'raw', [], { debuginfod: 'https://a' }],
    ['render --debuginfod a raw', 'profile', 'raw', ['a'], { debuginfod: '' }],
    ['pcap --as bob x -n ', 'namespace', '', ['x'], { as: 'bob' }],
    ['pcap x --namespace=re', 'namespace', 're', ['x'], {}],
    ['pcap x --debug-namespace ', 'namespace', '', ['x'], {}],
    ['flamegraph redis-0 -c ', 'container', '', ['redis-0'], {}],
    ['flamegraph -c ', 'container', '', [], {}],
    ['flamegraph x --vs pod/', 'target', 'pod/', ['x'], {}],
    ['flamegraph x --context p', 'context', 'p', ['x'], {}],
    ['flamegraph x --cluster ', 'cluster', '', ['x'], {}],
    ['flamegraph x --user ', 'user', '', ['x'], {}],
    ['flamegraph x --kubeconfig ~/.k', 'file', '~/.k', ['x'], {}],
    ['flamegraph x --output-dir ', 'folder', '', ['x'], {}],
    ['whois no', 'node-target', 'no', [], {}],
    ['nodes a b', 'node', 'b', ['a'], {}],
    ['analyze a.pcap b', 'capture', 'b', ['a.pcap'], {}],
    ['diff a.svg ', 'profile', '', ['a.svg'], {}],
    ['render a --output ', 'file', '', ['a'], {}],
  ])('%s', (line, of, begun, positionals, flags) => {
    expect(wanted(line)).toEqual({
      kind: 'names',
      of,
      begun,
      line: { positionals, flags: new Map(Object.entries(flags)) },
    });
  });

  it('never throws, and offers only what begins as was typed', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'flamegraph',
        'pcap',
        'render',
        'crictl',
        '--',
        '-',
        '-n',
        '-vn',
        '--format=svg,',
        '-c',
        '--=',
        '',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const found = wantedFor(words, COMMANDS);
        const last = words.at(-1) ?? '';
        if (found.kind === 'choices')
          for (const { text } of found.choices)
            expect(text.startsWith(last) || text.startsWith(last.slice(last.indexOf('=') + 1))).toBe(true);
      }),
    );
  });
});
