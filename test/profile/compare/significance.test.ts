import { describe, expect, it } from 'vitest';
import { type Change, type Changes, changesOf, isChange } from '../../../src/profile/compare/changes.ts';
import { compare } from '../../../src/profile/compare/compare.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import type { ReadOptions } from '../../../src/profile/read/read-profile.ts';
import { randomFrom } from '../../random.ts';
import { read } from '../reading.ts';

interface Program {
  /** What each function has of the time. */
  readonly shares: readonly number[];
  readonly samples: number;
  /** How many samples a thread stays in a function, on average. */
  readonly stays: number;
  /** How much a sample weighs: from, to. */
  readonly periods?: readonly [number, number];
}

/** Forty functions: some have much, most a little. */
const SHARES = Array.from({ length: 40 }, (_, at) => 1 / (at + 2));

async function recording(
  seed: number,
  program: Program,
  options: Partial<ReadOptions> = {},
): Promise<Profile> {
  const next = randomFrom(seed);
  const all = program.shares.reduce((sum, share) => sum + share, 0);
  const pick = () => {
    let rest = next() * all;
    return Math.max(
      0,
      program.shares.findIndex((share) => {
        rest -= share;
        return rest < 0;
      }),
    );
  };
  let text = '';
  let at = pick();
  const [from, to] = program.periods ?? [1e7, 1e7];
  for (let sample = 0; sample < program.samples; sample += 1) {
    if (next() < 1 / program.stays) at = pick();
    // Of most samples little, of some much, as of cycles.
    const period = Math.round(from * (to / from) ** next());
    text += `app 7/7 [000] ${(100 + sample / 100).toFixed(6)}: ${period} cycles:\n\t1 f${at} (/x)\n\t2 g${at % 5} (/x)\n\t3 main (/x)\n\n`;
  }
  const { profile } = await read(text, options);
  return { ...profile, about: { target: 'x', seconds: program.samples / 100, frequencyHz: 100 } };
}

const flagged = ({ bySelf, byTotal }: Changes) => [...bySelf, ...byTotal].some(isChange);

/** Of all pairs of so many recordings of one program, how many are said to differ, in percent. */
async function percentFlagged(
  recordings: number,
  program: Program,
  change: (profile: Profile) => Profile = (profile) => profile,
  options: Partial<ReadOptions> = {},
): Promise<number> {
  const profiles = await Promise.all(
    Array.from({ length: recordings }, (_, seed) => recording(1000 + 77 * seed, program, options)),
  );
  const all = profiles.map(change);
  let found = 0;
  let pairs = 0;
  for (const [at, before] of all.entries())
    for (const after of all.slice(at + 1)) {
      pairs += 1;
      if (flagged(changesOf(compare(before, after)))) found += 1;
    }
  return (100 * found) / pairs;
}

const withoutTimes = (profile: Profile): Profile => ({ ...profile, timeline: undefined });
const withoutSquares = (profile: Profile): Profile => {
  const { squares, ...stacks } = profile.stacks;
  expect(squares).toBeDefined();
  return { ...profile, stacks };
};

describe('recordings of a program that did not change', () => {
  const bursts: Program = { shares: SHARES, samples: 1000, stays: 6 };

  it.each([
    ['samples that are independent', { ...bursts, stays: 1 }],
    ['samples that come in bursts', bursts],
    ['few samples', { ...bursts, samples: 150 }],
  ] as const)('are seldom said to differ: %s', async (_, program) => {
    expect(await percentFlagged(15, program)).toBeLessThanOrEqual(5);
  });

  it('would be where bursts were taken for independent samples', async () => {
    expect(await percentFlagged(15, bursts, withoutTimes)).toBeGreaterThan(30);
  });

  it('are seldom said to differ by periods that vary, and would be without the sum of their squares', async () => {
    const varying: Program = { shares: SHARES, samples: 1000, stays: 1, periods: [1e3, 3e7] };
    const by = { weight: 'period' } as const;
    expect(await percentFlagged(15, varying, (profile) => profile, by)).toBeLessThanOrEqual(5);
    expect(await percentFlagged(15, varying, withoutTimes, by)).toBeLessThanOrEqual(5);
    const unaware = (profile: Profile) => withoutTimes(withoutSquares(profile));
    expect(await percentFlagged(15, varying, unaware, by)).toBeGreaterThan(30);
  });

  it('are seldom said to differ by shares either', async () => {
    const unknown = ({ about, ...profile }: Profile): Profile => ({ ...profile, about: { target: 'x' } });
    expect(await percentFlagged(15, bursts, unknown)).toBeLessThanOrEqual(5);
  });
});

describe('a change that is real', () => {
  const named = (movers: readonly Change[]) => movers.filter(isChange).map(({ name }) => name);

  /** In how many of eight pairs of recordings a function is found. */
  async function timesFound(
    program: Program,
    shares: readonly number[],
    found: (movers: Changes) => boolean,
  ): Promise<number> {
    let times = 0;
    for (let seed = 0; seed < 8; seed += 1) {
      const before = await recording(300 + seed, program);
      const after = await recording(600 + seed, { ...program, shares });
      const movers = changesOf(compare(before, after));
      expect(movers.knowsTimes).toBe(true);
      if (found(movers)) times += 1;
    }
    return times;
  }

  it.each([
    ['independent samples, twice as much', 1, 1500, 2],
    ['samples in bursts, three times as much', 4, 3000, 3],
  ])('is found mostly: %s', async (_, stays, samples, factor) => {
    const more = SHARES.map((share, at) => (at === 3 ? share * factor : share));
    const times = await timesFound({ shares: SHARES, samples, stays }, more, ({ bySelf }) =>
      named(bySelf).includes('f3'),
    );
    expect(times).toBeGreaterThanOrEqual(6);
  });

  it.each([40, 48, 55, 64, 100])('is found in %i samples where it is large', async (samples) => {
    const before = await recording(71, { shares: [1, 0.2], samples, stays: 1 });
    const after = await recording(72, { shares: [0.2, 1], samples, stays: 1 });
    const movers = changesOf(compare(before, after));
    expect(named(movers.bySelf).sort()).toEqual(['f0', 'f1']);
    expect(movers.knowsTimes).toBe(samples >= 48);
  });

  it('is found in what calls many functions that have a little more each', async () => {
    const more = SHARES.map((share, at) => (at % 5 === 4 ? share * 2 : share));
    const times = await timesFound({ shares: SHARES, samples: 1500, stays: 1 }, more, ({ byTotal }) =>
      named(byTotal).includes('g4'),
    );
    expect(times).toBeGreaterThanOrEqual(6);
  });

  it('is not found in all that only has less of the whole because another has more', async () => {
    const shares = SHARES.map((share, at) => (at === 0 ? share * 12 : share));
    const whole = SHARES.reduce((sum, share) => sum + share, 0);
    const grown = shares.reduce((sum, share) => sum + share, 0);
    const before = await recording(41, { shares: SHARES, samples: 1500, stays: 1 });
    const longer = await recording(42, { shares, samples: Math.round((1500 * grown) / whole), stays: 1 });
    // The same time, on more processors.
    const after = { ...longer, about: before.about };
    expect(named(changesOf(compare(before, after)).bySelf)).toEqual(['f0']);
    expect(named(changesOf(compare(before, after, { by: 'share' })).bySelf).length).toBeGreaterThan(1);
  });

  it('is not found where everything has more: that is load', async () => {
    const before = await recording(51, { shares: SHARES, samples: 1000, stays: 1 });
    const longer = await recording(52, { shares: SHARES, samples: 2000, stays: 1 });
    const after = { ...longer, about: before.about };
    expect(named(changesOf(compare(before, after)).bySelf)).toEqual([]);
  });

  it('is not hidden by functions with too few samples to ever differ', async () => {
    const rare = (seed: number): Promise<Profile> =>
      recording(seed, {
        shares: [...Array.from({ length: 400 }, () => 0.001), ...(seed === 61 ? [0.02, 0.6] : [0.2, 0.6])],
        samples: 300,
        stays: 1,
      });
    const all = changesOf(compare(withoutTimes(await rare(61)), withoutTimes(await rare(62))));
    expect(all.bySelf.length).toBeGreaterThan(100);
    expect(named(all.bySelf)).toEqual(['f400']);
  });
});
