import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { comparable, haveOneEvent, mergeByPod, type PodPart } from '../../src/profile/merge-by-pod.ts';
import { mergeProfiles } from '../../src/profile/merge-profiles.ts';
import { ownerRows } from '../../src/profile/owner-rows.ts';
import { drawPicture } from '../../src/profile/picture/svg.ts';
import type { About, Profile } from '../../src/profile/profile.ts';
import { qualityOf } from '../../src/profile/quality.ts';
import { summarize } from '../../src/profile/summary.ts';
import { randomFrom } from '../random.ts';
import { type Recording, recordingOf } from './pods.ts';
import { folded, read, stacksOf, textOf } from './reading.ts';

/** The parts of these recordings: of the pods shop/pod-0, shop/pod-1 … */
const partsOf = (...profiles: readonly Profile[]): PodPart[] =>
  profiles.map((profile, at) => ({
    pod: { namespace: 'shop', name: `pod-${at}`, container: 'app' },
    profile,
  }));
const recordings = (...all: readonly Recording[]) =>
  Promise.all(all.map((recording, at) => recordingOf(at + 1, { samples: 200, ...recording })));
const withAbout = (profile: Profile, about: Partial<About>): Profile => ({
  ...profile,
  about: { ...profile.about, startedAt: '2026-11-30T02:00:00.000Z', ...about },
});

/** Three small profiles by hand. */
const SMALL = [
  stacksOf([
    [['main', 'get'], 3],
    [['main', 'sys_read'], 1],
  ]),
  stacksOf([[['main', 'get'], 2]]),
  stacksOf([[['main', 'sort'], 5]], 'io_thd_1'),
];

describe('profiles of several pods as one', () => {
  it('have pod and container outside of the stacks of each', () => {
    const parts = partsOf(...SMALL);
    const { container: _, ...unknown } = parts[1]!.pod;
    const merged = mergeByPod([parts[0]!, { ...parts[1]!, pod: unknown }, parts[2]!]);
    expect(folded(merged)).toBe(
      [
        'shop/pod-0;app;redis-server;main;get 3',
        'shop/pod-0;app;redis-server;main;sys_read 1',
        'shop/pod-1;redis-server;main;get 2',
        'shop/pod-2;app;io_thd_1;main;sort 5',
        '',
      ].join('\n'),
    );
    expect(
      ownerRows(merged)!.map(({ kind, name, samples, containers }) => [
        kind,
        name,
        samples,
        containers.length,
      ]),
    ).toEqual([
      ['pod', 'shop/pod-2', 5, 1],
      ['pod', 'shop/pod-0', 4, 1],
      ['pod', 'shop/pod-1', 2, 0],
    ]);
    expect(textOf(drawPicture(merged, { title: 'x', subtitle: [], script: '', style: '' }))).toContain(
      'shop/pod-1',
    );
  });

  it('have the sum of the weights, samples, losses and threads of all', async () => {
    const profiles = (await recordings({}, { samples: 77 }, {})).map((each, at) => ({ ...each, lost: at }));
    const merged = mergeByPod(partsOf(...profiles));
    expect(merged.samples).toBe(477);
    expect(merged.tree.total[0]).toBe(477);
    expect(merged.lost).toBe(3);
    expect(mergeByPod(partsOf({ ...profiles[0]!, lost: undefined }, profiles[1]!)).lost).toBeUndefined();
    // A pid of one node is another process on another one.
    expect(profiles.every(({ threads }) => threads[0]!.pid === 7)).toBe(true);
    expect(merged.threads.map(({ samples, owner }) => [samples, owner?.name])).toEqual([
      [200, 'shop/pod-0'],
      [77, 'shop/pod-1'],
      [200, 'shop/pod-2'],
    ]);
  });

  it('are the same whatever the order of the pods is, and without their frames the plain sum', () => {
    const next = randomFrom(5);
    for (let round = 0; round < 30; round += 1) {
      const profiles = Array.from({ length: 1 + Math.floor(next() * 5) }, () =>
        stacksOf(
          Array.from({ length: 1 + Math.floor(next() * 6) }, () => [
            Array.from({ length: 1 + Math.floor(next() * 4) }, () => 'abc'[Math.floor(next() * 3)]!),
            1 + Math.floor(next() * 9),
          ]),
          `thread-${Math.floor(next() * 2)}`,
        ),
      );
      const parts = partsOf(...profiles);
      const merged = mergeByPod(parts);
      expect(folded(mergeByPod([...parts].reverse()))).toBe(folded(merged));
      const lines = folded(merged).replaceAll(/^[^;]*;app;/gm, '');
      const sums = new Map<string, number>();
      for (const line of lines.trim().split('\n')) {
        const [, stack, count] = /^(.*) (\d+)$/.exec(line)!;
        sums.set(stack!, (sums.get(stack!) ?? 0) + Number(count));
      }
      expect([...sums].map(([stack, count]) => `${stack} ${count}`).sort()).toEqual(
        folded(mergeProfiles(profiles)).trim().split('\n').sort(),
      );
    }
  });

  it('keep the times of a single pod', async () => {
    const [profile] = await recordings({});
    const merged = mergeByPod(partsOf(profile!));
    expect(merged.timeline).toEqual(profile!.timeline);
    expect(merged.about).toMatchObject({ target: 'shop/pod-0', seconds: 60, frequencyHz: 99 });
    expect(summarize(merged).cores).toBe(summarize(profile!).cores);
  });

  it('keep the containers that a recording tells apart, and take its other cgroups for those of the pod', async () => {
    const text = readFileSync(new URL('./node.perf-script.txt', import.meta.url), 'utf8');
    const uid = '34f6bf06-5aee-4a36-85e0-d373248802be';
    const one = 'eca0a6dcc24f7cbd738ad7e1fbba3083870b526480903946597b8e154806aedf';
    const two = 'a0ad6df8d097a6f435cec5572341a0180be9624f8100a52f6286461fedaf1427';
    const own = text.split('\n\n').filter((sample) => sample.includes('pod34f6bf06'));
    const lost = own[0]!.replace(/ \/gkeprof\S+$/m, ' unknown');
    const containers = [one, two].map((id, at) => ({ id, name: ['one', 'two'][at]! }));
    const pods = [{ namespace: 'shop', name: 'fifth', uids: [uid], containers }];
    const { profile } = await read(`${[...own, lost].join('\n\n')}\n\n`, { pods });
    const [other] = SMALL;
    const part = { pod: { namespace: 'shop', name: 'fifth', uid }, profile };
    const rows = ownerRows(mergeByPod([part, ...partsOf({ ...other!, event: profile.event })]))!;
    const fifth = rows.find(({ name }) => name === 'shop/fifth')!;
    expect(fifth.samples).toBe(own.length + 1);
    const of = (id: string) => own.filter((sample) => sample.includes(id)).length;
    expect(Object.fromEntries(fifth.containers.map(({ name, samples }) => [name, samples]))).toEqual({
      one: of(one),
      two: of(two),
      'unknown cgroup': 1,
    });
    expect(rows).toHaveLength(2);
  });

  it('do not get the frame of a pod twice', () => {
    const below = mergeByPod(partsOf(SMALL[0]!));
    const { threads, ...rest } = below;
    // A picture does not tell whose a thread is.
    const drawn = { ...rest, threads: threads.map(({ owner: _, ...thread }) => thread) };
    expect(folded(mergeByPod(partsOf(drawn, SMALL[1]!)))).toBe(
      folded(mergeByPod(partsOf(SMALL[0]!, SMALL[1]!))),
    );
  });
});

describe('weights that are not alike', () => {
  it('of a clock become CPU time if the frequencies differ', async () => {
    const profiles = await recordings({ frequencyHz: 100 }, { frequencyHz: 1000 });
    const merged = mergeByPod(partsOf(...profiles));
    expect(merged.unit).toBe('nanoseconds');
    expect(merged.tree.total[0]).toBeCloseTo(200 * 1e7 + 200 * 1e6, 0);
    expect(merged.samples).toBe(400);
    const rows = ownerRows(merged)!;
    expect(rows.map(({ share }) => share.toFixed(3))).toEqual(['0.909', '0.091']);
    expect(merged.threads.map(({ weight }) => Math.round(weight))).toEqual([2e9, 2e8]);
  });

  it('of a clock become CPU time if only some count their periods', async () => {
    const byPeriod = await recordingOf(1, { samples: 10 }, { weight: 'period' });
    expect(byPeriod.unit).toBe('nanoseconds');
    const [bySamples] = await recordings({ samples: 10, frequencyHz: 100 });
    const merged = mergeByPod(partsOf(byPeriod, bySamples!));
    expect(merged.unit).toBe('nanoseconds');
    expect(merged.tree.total[0]).toBeCloseTo(10 * 10_101_010 + 10 * 1e7, 0);
  });

  it('of another event become samples if the periods of one are not known', async () => {
    const cycles = await recordingOf(1, { samples: 10, event: 'cycles' }, { weight: 'period' });
    expect(cycles.unit).toBe('events');
    const [bySamples] = await recordings({ samples: 10, event: 'cycles' });
    const merged = mergeByPod(partsOf(cycles, bySamples!));
    expect([merged.unit, merged.tree.total[0]]).toEqual(['samples', 20]);
    expect(merged.eventNote).toContain('periods of one recording are not known');
    // A pod without samples has no weights, whatever its unit is.
    const none = { ...bySamples!, samples: 0, tree: stacksOf([]).tree };
    expect(comparable([none, cycles]).map(({ unit }) => unit)).toEqual(['events', 'events']);
  });

  it('stay apart if the events differ in more than modifiers', async () => {
    const [clock, precise, cycles] = await recordings({ event: 'cycles:P' }, { event: 'cycles:ppp' }, {});
    expect(haveOneEvent([clock!, precise!])).toBe(true);
    expect(mergeByPod(partsOf(clock!, precise!)).event).toBe('cycles:P');
    expect(haveOneEvent([clock!, cycles!])).toBe(false);
    expect(() => mergeByPod(partsOf(clock!, cycles!))).toThrow('different events');
  });
});

describe('what is known about all of them', () => {
  it('adds the cores busy of recordings that ran at the same time', async () => {
    const profiles = await recordings({ seconds: 60 }, { seconds: 57, samples: 100 });
    const merged = mergeByPod(partsOf(...profiles));
    const cores = profiles.map((profile) => summarize(profile).cores!);
    expect(summarize(merged).cores).toBeCloseTo(cores[0]! + cores[1]!, 10);
    expect(merged.about).toMatchObject({
      target: 'shop/pod-0 + shop/pod-1',
      startedAt: '2026-11-30T02:00:00.000Z',
    });
    expect(merged.about.node).toBeUndefined();
  });

  it('states no frequency where the cores cannot be added', async () => {
    const unequal = mergeByPod(partsOf(...(await recordings({ seconds: 60 }, { seconds: 20 }))));
    expect(unequal.about.seconds).toBe(60);
    expect(summarize(unequal).cores).toBeUndefined();
    const [first, second] = await recordings({}, {});
    const later = mergeByPod(partsOf(first!, withAbout(second!, { startedAt: '2026-11-30T02:05:00.000Z' })));
    expect(summarize(later).cores).toBeUndefined();
    expect(later.about.startedAt).toBeUndefined();
  });

  it('adds the counters that can be added', async () => {
    const [first, second] = await recordings({}, {});
    const counters = { throttledSeconds: 1, runQueueSeconds: 2, waitedSeconds: 3, limitCores: 1 };
    const { cpu } = mergeByPod(
      partsOf(
        withAbout(first!, { cpu: { ...counters, seconds: 60, usedSeconds: 30 } }),
        withAbout(second!, { cpu: { ...counters, seconds: 59, usedSeconds: 59, runQueueCoverage: 0.5 } }),
      ),
    ).about;
    expect(cpu).toEqual({
      seconds: expect.closeTo(89 / 1.5, 10),
      usedSeconds: 89,
      throttledSeconds: 2,
      runQueueSeconds: 4,
      runQueueCoverage: expect.closeTo((30 + 59 / 2) / 89, 10),
    });
    expect(mergeByPod(partsOf(first!, withAbout(second!, { cpu: counters }))).about.cpu).toBeUndefined();
  });

  it('has the way of the stacks if it is the same', async () => {
    const [first, second] = await recordings({}, {});
    const by = (way: 'fp' | 'dwarf') => ({ stacks: { way } });
    const waysOf = (...ways: ReadonlyArray<'fp' | 'dwarf'>) =>
      mergeByPod(partsOf(withAbout(first!, by(ways[0]!)), withAbout(second!, by(ways[1]!)))).about.stacks;
    expect(waysOf('fp', 'fp')).toEqual({ way: 'fp' });
    expect(waysOf('fp', 'dwarf')).toBeUndefined();
  });

  it('measures the quality of all stacks together', async () => {
    const unnamed = await read(
      'a 1/1 [0] 1.0: 1 cpu-clock:ppp:\n\t1 [unknown] (/x)\n\t2 main+0x1 (/x)\n\n'.repeat(200),
    );
    const [named] = await recordings({});
    const merged = mergeByPod(partsOf(withAbout(unnamed.profile, {}), named!));
    expect(qualityOf(merged).unnamedInnermost).toBe(0.5);
    expect(qualityOf(merged).wholeStacks).toBe(1);
  });
});
