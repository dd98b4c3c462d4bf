import { describe, expect, it } from 'vitest';
import { changesOf } from '../../../src/profile/compare/changes.ts';
import { compare } from '../../../src/profile/compare/compare.ts';
import { againstOthers, oneTree } from '../../../src/profile/compare/one-tree.ts';
import { findOutliers, type Outliers } from '../../../src/profile/compare/outliers.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import { COMMANDS, type Recording, recordingOf } from '../pods.ts';

const SORTS = { ...COMMANDS, getCommand: 15, sortCommand: 41 };

const all = (...recordings: readonly Recording[]): Promise<Profile[]> =>
  Promise.all(recordings.map((recording, at) => recordingOf(at + 1, recording)));
const named = ({ outliers }: Outliers) => outliers.map(({ of }) => of);

describe('a profile against the sum of others', () => {
  it('is what diff makes of the two if there is one other', async () => {
    const [one, other] = await all({ commands: SORTS }, {});
    const { sides, ...tree } = oneTree([one!, other!]);
    const mine = changesOf(againstOthers({ ...tree, sides }, sides[0]!, [sides[1]!]));
    const theirs = changesOf(compare(other!, one!));
    expect(mine.byTotal).toEqual(theirs.byTotal);
    expect(mine.bySelf).toEqual(theirs.bySelf);
    expect(mine.knowsTimes).toBe(true);
  });

  it('has the samples of all others, at the rate of one', async () => {
    const profiles = await all({}, { samples: 1000 }, { samples: 3000 });
    const tree = oneTree(profiles);
    const comparison = againstOthers(tree, tree.sides[0]!, tree.sides.slice(1));
    expect(comparison.beforeSamples).toBe(4000);
    expect(comparison.beforeTotal[0]).toBe(4000);
    expect(comparison.normalizedBy).toBe('duration');
    expect(comparison.beforeFactor).toBe(0.5);
    const [before] = comparison.evidence!;
    expect(before.about.seconds).toBe(120);
    expect(before.times!.at.length).toBe(4000);
    // One recording after another.
    expect([...before.times!.at].sort((a, b) => a - b)).toEqual([...before.times!.at]);
  });

  it('takes the shares if a duration is not known', async () => {
    const [one, other] = await all({}, { about: { betweenSamples: true } });
    const tree = oneTree([one!, other!]);
    expect(againstOthers(tree, tree.sides[0]!, [tree.sides[1]!]).normalizedBy).toBe('total');
  });
});

describe('outliers', () => {
  it('are named with the functions that differ most, and their shares', async () => {
    const found = findOutliers(await all({}, {}, { commands: SORTS }, {}, {}));
    expect(named(found)).toEqual([2]);
    const [{ others, functions }] = found.outliers as [Outliers['outliers'][number]];
    expect(others).toEqual([0, 1, 3, 4]);
    expect(functions[0]).toMatchObject({ name: 'sortCommand', kind: 'user', othersShare: 0 });
    expect(functions[0]!.share).toBeGreaterThan(0.3);
    expect(functions[0]!.chance).toBeLessThan(0.001);
    // What it calls, and what calls it, say the same once more.
    expect(functions.map(({ name }) => name)).toEqual(['sortCommand', 'getCommand', 'setCommand']);
  });

  it('are named with the function itself, where its caller differs by a little more', async () => {
    const quiet = { commands: { poll: 94, getCommand: 6 }, outside: ['poll'] };
    const busy = { commands: { poll: 12, sortCommand: 80, getCommand: 8 }, outside: ['poll'] };
    const [outlier] = findOutliers(await all(quiet, busy, quiet)).outliers;
    expect(outlier!.functions.map(({ name }) => name)).toEqual(['sortCommand', 'poll']);
  });

  it('do not make ordinary pods differ, of which there are only two', async () => {
    const found = findOutliers(await all({ commands: SORTS }, {}, {}));
    expect(named(found)).toEqual([0]);
  });

  it('can be several, the most different one first', async () => {
    const scans = { scanCommand: 90, getCommand: 10 };
    const found = findOutliers(await all({}, { commands: SORTS }, {}, {}, { commands: scans }, {}));
    expect(named(found)).toEqual([4, 1]);
    expect(found.outliers[1]!.others).toEqual([0, 2, 3, 5]);
  });

  it('are both of two that differ from each other', async () => {
    const found = findOutliers(await all({}, { commands: SORTS }));
    expect(named(found)).toEqual([1, 0]);
    const [first, second] = found.outliers;
    const sort = (at: number) => found.outliers[at]!.functions.find(({ name }) => name === 'sortCommand')!;
    expect([first!.others, second!.others]).toEqual([[0], [1]]);
    expect(sort(0).share).toBe(sort(1).othersShare);
    expect(sort(0).othersShare).toBe(sort(1).share);
  });

  it('are none for more of the same load, and none for one profile', async () => {
    expect(findOutliers(await all({}, { samples: 6000 }, {}, { samples: 500 })).outliers).toEqual([]);
    expect(findOutliers(await all({}))).toEqual({ outliers: [], tooFew: [], otherWay: [] });
  });

  it('are none for a difference of a few points, however certain it is', async () => {
    const more = { ...COMMANDS, setCommand: 34 };
    const profiles = await all({ samples: 40_000, commands: more, stays: 1 }, { samples: 40_000, stays: 1 });
    const changed = changesOf(compare(profiles[1]!, profiles[0]!));
    expect(changed.byTotal.find(({ name }) => name === 'setCommand')!.verdict).toBe('clear');
    expect(findOutliers(profiles).outliers).toEqual([]);
  });

  it('are not looked for among pods with too few samples', async () => {
    const found = findOutliers(await all({}, { commands: { spin: 1 }, samples: 29 }, {}));
    expect(found).toEqual({ outliers: [], tooFew: [1], otherWay: [] });
    expect(named(findOutliers(await all({}, { commands: { spin: 1 }, samples: 30 }, {})))).toEqual([1]);
  });

  it('are not looked for among pods whose callers were found in another way than those of most', async () => {
    const by = (way: 'fp' | 'ebpf') => ({ about: { stacks: { way } } });
    const found = findOutliers(
      await all(by('fp'), { ...by('ebpf'), commands: SORTS }, by('fp'), { ...by('fp'), commands: SORTS }),
    );
    expect(named(found)).toEqual([3]);
    expect(found.outliers[0]!.others).toEqual([0, 2]);
    expect(found.otherWay).toEqual([1]);
    const pair = findOutliers(await all({ ...by('ebpf'), commands: SORTS }, by('fp')));
    expect(pair).toEqual({ outliers: [], tooFew: [], otherWay: [1] });
  });

  it('do not depend on the order of the pods', async () => {
    const profiles = await all({}, { commands: SORTS }, {}, { commands: { scanCommand: 1 } }, {});
    const found = findOutliers(profiles);
    const turned = findOutliers([...profiles].reverse());
    expect(turned.outliers.map(({ of }) => 4 - of)).toEqual(named(found));
    found.outliers.forEach(({ functions }, at) => {
      expect(turned.outliers[at]!.functions.map(({ name }) => name)).toEqual(
        functions.map(({ name }) => name),
      );
    });
  });

  it('are hardly ever named among pods that run the same, also if they stay long in each command', async () => {
    const sets: number[] = [];
    for (let set = 0; set < 60; set += 1) {
      const profiles = await Promise.all(
        Array.from({ length: 5 }, (_, at) =>
          recordingOf(1000 * set + at, { samples: 400, stays: [1, 5, 20][set % 3]! }),
        ),
      );
      if (findOutliers(profiles).outliers.length > 0) sets.push(set);
    }
    // Of sets that stay for 20 of 400 samples in each command, 4 of 100 were named when this was measured; of others 1.
    expect(sets.length).toBeLessThanOrEqual(3);
  });
});
