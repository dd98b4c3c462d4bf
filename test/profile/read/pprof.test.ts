import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  Label,
  Line,
  Location,
  Mapping,
  Profile as Pprof,
  Function as PprofFunction,
  Sample,
  StringTable,
  ValueType,
} from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { changesOf, printChanges } from '../../../src/profile/compare/changes.ts';
import { weighed } from '../../../src/profile/compare/folded-weights.ts';
import { toPprof } from '../../../src/profile/export/pprof.ts';
import { mergeProfiles } from '../../../src/profile/merge-profiles.ts';
import { profileData, profileOf } from '../../../src/profile/picture/data.ts';
import type { Comparison } from '../../../src/profile/profile.ts';
import { topOf } from '../../../src/profile/top.ts';
import { compareStated } from '../../../src/workflow/compare-profiles.ts';
import { pprof, pprofIsBuilt } from '../export/go-pprof.ts';
import { folded, read } from '../reading.ts';

pprofIsBuilt();

const printed = (comparison: Comparison): string => printChanges(comparison, changesOf(comparison));

const PERF = [
  ['redis-server 7/7', 'aeMain', 700],
  ['redis-server 7/7', 'call', 200],
  ['bio 7/9', 'sleep', 100],
]
  .map(([who, name, times]) =>
    `${who} [000] 1.5: 10101010 cpu-clock:\n\t1 ${name}+0x1 (/usr/bin/redis-server)\n\t2 main+0x1 (/usr/bin/redis-server)\n\n`.repeat(
      times as number,
    ),
  )
  .join('');

/** A heap profile as Go writes it: two kinds of values of each of two moments, and calls that were inlined. */
function heap(defaultType = 0): Uint8Array {
  const strings = new StringTable();
  const text = (value: string) => strings.dedup(value);
  const type = (name: string, unit: string) => new ValueType({ type: text(name), unit: text(unit) });
  const names = ['main', 'outer', 'inner', 'leaf'];
  return new Pprof({
    sampleType: [
      type('alloc_objects', 'count'),
      type('alloc_space', 'bytes'),
      type('inuse_objects', 'count'),
      type('inuse_space', 'bytes'),
    ],
    ...(defaultType && { defaultSampleType: text(['', 'alloc_objects', 'alloc_space'][defaultType]!) }),
    mapping: [new Mapping({ id: 1, filename: text('/srv/app'), hasFunctions: true })],
    function: names.map((name, at) => new PprofFunction({ id: at + 1, name: text(name) })),
    location: [
      new Location({ id: 1, mappingId: 1, line: [new Line({ functionId: 1 })] }),
      // What was inlined stands before what it was inlined into.
      new Location({ id: 2, mappingId: 1, line: [new Line({ functionId: 3 }), new Line({ functionId: 2 })] }),
      new Location({ id: 3, mappingId: 1, line: [new Line({ functionId: 4 })] }),
      new Location({ id: 4, mappingId: 1, address: 0x1234 }),
    ],
    sample: [
      new Sample({ locationId: [2, 1], value: [10, 1000, 5, 500] }),
      new Sample({ locationId: [3, 2, 1], value: [1, 64, 0, 0] }),
      new Sample({
        locationId: [4, 1],
        value: [2, 32, 1, 16],
        label: [new Label({ key: text('x'), num: 1 })],
      }),
    ],
    period: 524_288,
    periodType: type('space', 'bytes'),
    stringTable: strings,
  }).encode();
}

/** Functions and their self of `pprof -top`. */
const topOfGo = (bytes: Uint8Array, ...words: string[]): Record<string, number> =>
  Object.fromEntries(
    [
      ...pprof(bytes, '-top', '-nodefraction=0', ...words).matchAll(
        /^\s*(\d+)B?(?:\s+[\d.]+B?%?){4}\s+(.+)$/gm,
      ),
    ]
      .map(([, self, name]) => [name!.replace(' (inline)', ''), Number(self)] as const)
      .filter(([, self]) => self > 0),
  );

/** What Go's own tool writes of a profile that it has read. */
function again(bytes: Uint8Array): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-again-'));
  try {
    pprof(bytes, '-proto', `-output=${join(folder, 'again.pb.gz')}`);
    return gunzipSync(readFileSync(join(folder, 'again.pb.gz')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a profile of pprof', () => {
  it('comes back as it was exported, with its threads, when and how often, through Go’s own tool as well', async () => {
    const { profile } = await read(PERF);
    const about = {
      ...profile.about,
      namespace: 'default',
      pod: 'redis-0',
      node: 'node-a',
      seconds: 10,
      frequencyHz: 99,
      startedAt: '2026-11-29T10:00:00.000Z',
    };
    const exported = toPprof({ ...profile, about }, 'kubectl-gkeprof 1');
    const back = await read(again(exported));
    expect(back.from).toBe('pprof');
    expect(folded(back.profile)).toBe(folded(profile));
    expect(back.profile.about).toEqual(about);
    expect(back.profile.threads.map(({ comm, pid, tid, samples }) => [comm, pid, tid, samples])).toEqual([
      ['redis-server', 7, 7, 900],
      ['bio', 7, 9, 100],
    ]);
    expect((await read(exported, { comm: 'bio' })).profile.samples).toBe(100);
  });

  it('counts samples, or with --weight period what they weigh', async () => {
    const weighed = (await read(PERF, { weight: 'period' })).profile;
    const exported = toPprof(weighed, 'test');
    expect((await read(exported)).profile).toMatchObject({ unit: 'samples', samples: 1000 });
    const back = await read(exported, { weight: 'period' });
    expect(back.profile).toMatchObject({ unit: 'nanoseconds', event: 'cpu', samples: 1000 });
    expect(folded(back.profile)).toBe(folded(weighed));
    expect([...back.events]).toEqual([['cpu', 1000]]);
  });

  it.each([
    ['the last kind of values', 0, undefined, 'inuse_space'],
    ['the kind that it names', 2, undefined, 'alloc_space'],
    ['the kind that is asked for', 2, 'alloc_objects', 'alloc_objects'],
  ])('shows %s, as pprof does', async (_, defaultType, wanted, event) => {
    const bytes = heap(defaultType);
    const { profile, events } = await read(bytes, wanted === undefined ? {} : { event: wanted });
    expect(profile).toMatchObject({ event, unit: 'events' });
    expect([...events.keys()]).toEqual(['alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space']);
    const own = Object.fromEntries(topOf(profile).bySelf.map(({ name, self }) => [name, self]));
    const { '[app]': unnamed, ...named } = own;
    const theirs = topOfGo(bytes, ...(wanted === undefined ? [] : [`-sample_index=${wanted}`]));
    expect(unnamed).toBeGreaterThan(0);
    expect(theirs).toMatchObject(named);
  });

  it('weighs by what is counted where that varies, as perf script is, and then has no figures to test', async () => {
    const sample = (name: string, period: number) =>
      `app 7/7 [000] 1.5: ${period} cycles:\n\t1 ${name}+0x1 (/app)\n\n`;
    const raw = await read(sample('rare', 1).repeat(30) + sample('work', 30_000_000).repeat(3));
    const { profile } = await read(toPprof(raw.profile, 'x'));
    expect(profile).toMatchObject({ event: 'cycles', unit: 'events', samples: 33, weightsVary: true });
    expect(folded(profile)).toBe(folded(raw.profile));
    const [side] = weighed([profile, raw.profile], [{}, {}]);
    expect(side.samplesKnown).toBe(false);
    expect(side.assumption).toContain('before weigh differently');
    const same = printed(compareStated([profile, raw.profile], { by: 'time', weights: [{}, {}] }));
    expect(same).toContain('Nothing changed: every function has the same share');
    expect(same).not.toContain('By self');
    const equal = await read(sample('a', 1000).repeat(3) + sample('b', 1000));
    const again = (await read(toPprof(equal.profile, 'x'), { weight: 'period' })).profile;
    expect(again.weightsVary).toBeUndefined();
    // What is made of it knows no more.
    expect(mergeProfiles([profile, profile]).weightsVary).toBe(true);
    expect(profileOf(profileData(profile)).weightsVary).toBe(true);
  });

  it('has inlined functions in the right order', async () => {
    const { profile } = await read(heap(2));
    expect(folded(profile, true)).toBe(
      'main;[app] 32\nmain;outer;inner_[i] 1000\nmain;outer;inner_[i];leaf 64\n',
    );
  });

  it('says what is not there, and what cannot be read', async () => {
    await expect(read(heap(), { event: 'cpu' })).rejects.toThrow('--event: no sample of cpu');
    await expect(read(heap(), { from: 1 })).rejects.toThrow('--from cannot be used with a profile of pprof');
    await expect(read(heap().subarray(0, 100))).rejects.toThrow('the profile of pprof is cut short');
  });
});
