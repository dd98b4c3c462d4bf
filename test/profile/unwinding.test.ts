import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aboutFromHeader } from '../../src/profile/read/about.ts';
import { chosenText, stacksText, WHYS } from '../../src/profile/unwinding.ts';

it.each(['diff', 'flamegraph', 'receipt', 'render', 'sessions'])(
  '%s.json has the reasons that there are',
  (name) => {
    const text = readFileSync(new URL(`../../docs/schemas/${name}.json`, import.meta.url), 'utf8');
    const lists = [...text.matchAll(/"enum": (\[[^\]]*\])/g)].map(
      ([, list]) => JSON.parse(list!) as string[],
    );
    const ofWhy = lists.filter((list) => list.includes('no-frame-pointers'));
    expect(ofWhy.length).toBeGreaterThan(0);
    for (const list of ofWhy) expect(list.sort()).toEqual([...WHYS].sort());
  },
);

describe('how stacks were found, in words', () => {
  it.each([
    [{ way: 'fp' }, 'frame pointers'],
    [{ way: 'dwarf', bytes: 16_384 }, 'DWARF, 16 KiB'],
    [{ way: 'dwarf', bytes: 65_528 }, 'DWARF, 65528 bytes'],
    [{ way: 'ebpf' }, 'eBPF'],
  ] as const)('%j: %s', (by, text) => {
    expect(stacksText(by)).toBe(text);
    expect(chosenText(by)).toBe(text);
  });

  it('has the reason if the node chose it', () =>
    expect(chosenText({ way: 'fp', why: 'frame-pointers' })).toBe(
      'frame pointers, because the programs set up frame pointers',
    ));

  it('says that the libraries are the reason, not the programs', () =>
    expect(chosenText({ way: 'ebpf', why: 'libraries' })).toBe(
      'eBPF, because some of the libraries that the programs use do not set up frame pointers',
    ));
});

describe("perf's command line tells how stacks were found", () => {
  const of = (cmdline: string) => aboutFromHeader(new Map([['cmdline', cmdline]]), 'x').stacks;

  it.each([
    ['/usr/bin/perf record -F 99 -g -a', { way: 'fp' }],
    ['perf record --call-graph fp -a -- sleep 5', { way: 'fp' }],
    ['perf record -F 497 --call-graph dwarf -p 7', { way: 'dwarf', bytes: 8192 }],
    ['perf record --call-graph=dwarf,16384 -a', { way: 'dwarf', bytes: 16_384 }],
    ['perf record -g --call-graph dwarf,65528', { way: 'dwarf', bytes: 65_528 }],
    ['perf record --call-graph lbr -a', undefined],
    ['perf record -a', undefined],
    ['', undefined],
  ])('%s', (cmdline, want) => expect(of(cmdline)).toEqual(want));
});
