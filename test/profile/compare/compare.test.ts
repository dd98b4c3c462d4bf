import { describe, expect, it } from 'vitest';
import { changesOf, printChanges } from '../../../src/profile/compare/changes.ts';
import { compare } from '../../../src/profile/compare/compare.ts';
import type { Comparison } from '../../../src/profile/profile.ts';
import { aboutFromHeader } from '../../../src/profile/read/about.ts';
import { parseFolded } from '../../../src/profile/read/folded-reader.ts';
import { fold, read } from '../reading.ts';

const folded = (text: string, seconds?: number) =>
  parseFolded(text, { target: 'x', ...(seconds && { seconds }) });

const rows = ({ frames, tree, beforeSelf, beforeTotal }: Comparison) =>
  Array.from(tree.frame.keys())
    .slice(1)
    .map((node) => [
      frames[tree.frame[node]!]!.name,
      beforeSelf[node],
      beforeTotal[node],
      tree.self[node],
      tree.total[node],
    ]);

describe('compare', () => {
  it('puts both into one tree, with what vanished and what is new', () => {
    const comparison = compare(folded('main;a 30\nmain;gone;x 10\n'), folded('main;a 20\nmain;new 20\n'));
    expect(rows(comparison)).toEqual([
      ['main', 0, 40, 0, 40],
      ['a', 30, 30, 20, 20],
      ['gone', 0, 10, 0, 0],
      ['x', 10, 10, 0, 0],
      ['new', 0, 0, 20, 20],
    ]);
  });

  it('is made comparable by duration where both are known, else by totals, and nothing is rounded', () => {
    const byTotal = compare(folded('a 1\nb 2\n'), folded('a 3\nb 3\n'));
    expect(byTotal).toMatchObject({ normalizedBy: 'total', beforeFactor: 2 });
    const byDuration = compare(folded('a 1\n', 30), folded('a 3\n', 10));
    expect(byDuration.normalizedBy).toBe('duration');
    expect(byDuration.beforeFactor).toBeCloseTo(1 / 3, 12);
    expect(compare(folded('a 1\n', 30), folded('a 3\n')).normalizedBy).toBe('total');
  });

  it.each([
    ['as often', 99, 99, 'duration', 2],
    ['more often after', 49, 98, 'duration', 4],
    ['nobody knows how often', undefined, undefined, 'duration', 2],
    ['how often is known of one alone', 99, undefined, 'total', 3],
  ] as const)(
    'takes into account how often samples were taken: %s',
    (_, before, after, normalizedBy, factor) => {
      const profile = (text: string, seconds: number, frequencyHz?: number) =>
        parseFolded(text, { target: 'x', seconds, ...(frequencyHz && { frequencyHz }) });
      const comparison = compare(profile('a 10\n', 5, before), profile('a 30\n', 10, after));
      expect(comparison).toMatchObject({ normalizedBy, beforeFactor: factor });
    },
  );

  it('does not ask how often samples were taken where each has its weight', async () => {
    const raw = (period: number, count: number) =>
      Array.from(
        { length: count },
        (_, at) => `x 1/1 [000] ${1 + at}.0: ${period} cpu-clock:\n\t1 f (/x)\n\n`,
      ).join('');
    const [before, after] = await Promise.all([
      read(raw(20_000_000, 11), { weight: 'period' }),
      read(raw(10_000_000, 21), { weight: 'period' }),
    ]);
    const lasting = ({ profile }: typeof before, seconds: number, frequencyHz?: number) => ({
      ...profile,
      about: { target: 'x', seconds, ...(frequencyHz && { frequencyHz }) },
    });
    expect(compare(lasting(before, 10, 50), lasting(after, 20))).toMatchObject({
      normalizedBy: 'duration',
      beforeFactor: 2,
    });
  });

  it.each([
    ['nothing before', '', 'a 3\n', undefined, undefined],
    ['nothing after', 'a 3\n', '', undefined, undefined],
    ['nothing at all', '', '', undefined, undefined],
    ['no time before', 'a 3\n', 'a 3\n', 0, 10],
    ['no time after', 'a 3\n', 'a 3\n', 10, 0],
  ])('stays with finite numbers: %s', (_, before, after, from, to) => {
    const about = (seconds: number | undefined) => ({
      target: 'x',
      ...(seconds !== undefined && { seconds }),
    });
    const comparison = compare(parseFolded(before, about(from)), parseFolded(after, about(to)));
    expect(comparison).toMatchObject({ normalizedBy: 'total', beforeFactor: 1 });
    const movers = changesOf(comparison);
    for (const mover of movers.bySelf) {
      expect(mover.delta).toBe(mover.after - mover.before);
      expect(mover.verdict).toBe('within chance');
    }
    expect(printChanges(comparison, movers)).not.toMatch(/NaN|Infinity/);
  });

  it('takes silence in a known time for a finding', () => {
    const movers = changesOf(compare(folded('', 10), folded('a 300\n', 10)));
    expect(movers.bySelf[0]).toMatchObject({ name: 'a', delta: 300, verdict: 'clear' });
  });

  it('refuses what does not count the same', async () => {
    const text = 'a 1/1 [000] 1.0: 5 cpu-clock:\n\t1 f (/x)\n\n';
    const clock = (await read(text, { weight: 'period' })).profile;
    const faults = (await read(text.replace('cpu-clock', 'faults'))).profile;
    expect(() => compare(clock, faults)).toThrow('cannot be compared');
    const modified = (await read(text.replace('cpu-clock', 'cpu-clock:pppH'), { weight: 'period' })).profile;
    expect(compare(clock, modified).unit).toBe('nanoseconds');
  });
});

describe('the same profile as raw and as folded stacks', () => {
  // A thread with a blank in its name, one whose function has its name, kernel functions, one without a name.
  const sample = (comm: string, time: string, frames: readonly string[]) =>
    `${comm} 7/7 [000] ${time}: 10101010 cpu-clock:\n${frames.map((frame) => `\t1 ${frame}\n`).join('')}\n`;
  const RAW = [
    sample('io worker', '1.00', [
      'copy+0x1 ([kernel.kallsyms])',
      'read+0x1 (/lib/libc.so.6)',
      'main+0x1 (/app)',
    ]),
    sample('io worker', '1.01', ['[unknown] (/lib/libc.so.6)', 'main+0x1 (/app)']),
    sample('main', '1.02', ['main+0x1 (/app)']),
    sample('main', '1.03', ['main+0x1 (/app)', 'start+0x1 (/app)']),
  ].join('');

  it.each([
    ['plain', false],
    ['with kinds', true],
  ])('is the same: %s', async (_, annotate) => {
    const { profile } = await read(RAW);
    const folded = parseFolded(await fold(RAW, {}, annotate), { target: 'x' });
    for (const comparison of [compare(folded, profile), compare(profile, folded)]) {
      expect([...comparison.beforeSelf]).toEqual([...comparison.tree.self]);
      const movers = changesOf(comparison);
      for (const { name, before, after } of [...movers.bySelf, ...movers.byTotal])
        expect(`${name} ${after}`).toBe(`${name} ${before}`);
      expect(movers.byTotal.map(({ name, kind, after }) => [name, kind, after])).toContainEqual([
        'copy',
        'kernel',
        1,
      ]);
      expect(movers.bySelf.find(({ name }) => name === 'main')?.after).toBe(2);
      expect(printChanges(comparison, movers)).toContain('none changed significantly');
    }
  });

  it('is the same as two folded texts of which one tells kinds', async () => {
    const [plain, annotated] = await Promise.all([fold(RAW), fold(RAW, {}, true)]);
    const comparison = compare(parseFolded(plain, { target: 'x' }), parseFolded(annotated, { target: 'x' }));
    expect([...comparison.beforeSelf]).toEqual([...comparison.tree.self]);
  });
});

describe('how long was recorded', () => {
  const burst = (samples: number, apart: number) =>
    Array.from(
      { length: samples },
      (_, at) => `app 7/7 [000] ${(5 + at * apart).toFixed(6)}: 10101010 cpu-clock:\n\t1 f${at % 3} (/x)\n\n`,
    ).join('');

  it('is not the time from the first sample to the last', async () => {
    const [before, after] = await Promise.all([read(burst(90, 0.01)), read(burst(90, 0.5))]);
    const comparison = compare(before.profile, after.profile);
    expect(comparison).toMatchObject({ normalizedBy: 'total', beforeFactor: 1 });
    expect(comparison.byTotalBecause).toMatch(/^it is not known how long either profile was recorded/);
    expect(changesOf(comparison).changed.includes(1)).toBe(false);
    const known = { ...after.profile, about: { target: 'x', seconds: 60 } };
    expect(compare(before.profile, known).byTotalBecause).toMatch(/how long the profile before was recorded/);
    expect(compare(known, before.profile).byTotalBecause).toMatch(/how long the profile after was recorded/);
  });

  it('is known of a part that samples come behind', async () => {
    const text = burst(90, 0.1);
    const about = async (options: { from?: number; to?: number }) =>
      (await read(text, options)).profile.about;
    expect(await about({ from: 2, to: 5 })).toEqual({ target: 'test', seconds: 3 });
    expect(await about({ from: 2 })).toMatchObject({ betweenSamples: true });
    expect(await about({ to: 20 })).toMatchObject({ betweenSamples: true });
  });

  it.each([
    ['perf record -F 99 -a -g -- sleep 10', { seconds: 10 }],
    ['/usr/bin/perf record -a sleep 2.5m', { seconds: 150 }],
    ['perf record -a -- sleep 1', { seconds: 3, betweenSamples: true }],
    ['perf record -g ./server --sleep 10', { seconds: 3, betweenSamples: true }],
    ['perf record -p 7', { seconds: 3, betweenSamples: true }],
  ])('is what the command line of the header says: %s', (commandLine, want) => {
    const header = new Map([
      ['cmdline', commandLine],
      ['sample duration', '3000.000 ms'],
    ]);
    const { stacks: _, ...about } = aboutFromHeader(header, 'x');
    expect(about).toEqual({ target: 'x', ...want });
  });
});

describe('movers', () => {
  it('tells a change from chance', () => {
    const comparison = compare(
      folded('main;hot 100\nmain;noise 12\nmain;rest 1000\n'),
      folded('main;hot 220\nmain;noise 19\nmain;rest 873\n'),
    );
    const movers = changesOf(comparison).bySelf;
    const verdict = (name: string) => movers.find((mover) => mover.name === name)?.verdict;
    expect(verdict('hot')).toBe('clear');
    expect(verdict('noise')).toBe('within chance');
    expect(movers[0]!.name).toBe('rest');
  });

  it('counts samples, whatever a sample weighs', async () => {
    const text = (hot: number, rest: number) =>
      'a 1/1 [000] 1.0: 10000000 cpu-clock:\n\t1 hot (/x)\n\n'.repeat(hot) +
      'a 1/1 [000] 1.0: 10000000 cpu-clock:\n\t1 rest (/x)\n\n'.repeat(rest);
    const by = async (weight: 'samples' | 'period') => {
      const [before, after] = [
        (await read(text(12, 88), { weight })).profile,
        (await read(text(19, 81), { weight })).profile,
      ];
      return changesOf(compare(before, after)).bySelf.map(({ name, chance }) => [name, chance!.toFixed(9)]);
    };
    expect(await by('period')).toEqual(await by('samples'));
  });

  it('counts samples also where one side has none', async () => {
    const text = 'a 1/1 [000] 1.0: 10000000 cpu-clock:\n\t1 f (/x)\n\n';
    const three = (await read(text.repeat(3), { weight: 'period' })).profile;
    const after = { ...three, about: { target: 'x', seconds: 10 } };
    const before = {
      ...parseFolded('', { target: 'x', seconds: 10 }),
      event: after.event,
      unit: after.unit,
    };
    for (const comparison of [compare(before, after), compare(after, before)])
      expect(changesOf(comparison).bySelf[0]).toMatchObject({
        verdict: 'within chance',
        chance: expect.closeTo(0.25, 9),
      });
  });

  it('prints both counts, shares, points and the verdict', () => {
    const comparison = compare(folded('main;a 30\nmain;gone 10\n'), folded('main;a 20\nmain;new 20\n'));
    const text = printChanges(comparison, changesOf(comparison), 20);
    expect(text).toContain('40 samples before, 40 after\nCompared by the share of the total (before × 1)');
    expect(text).toMatch(/30 {2}75\.0 % +20 {2}50\.0 % +−25\.0 +−10 {2}likely \(p = 0\.037\) +a\n/);
    expect(text).toMatch(/\bnew {2,}.*new\n/);
    expect(text).toMatch(/\bgone {2,}.*gone\n/);
  });

  it('lists nothing where nothing changed, unless it is asked to', () => {
    const comparison = compare(folded('main;a 30\nmain;b 10\n'), folded('main;a 28\nmain;b 12\n'));
    const movers = changesOf(comparison);
    expect(printChanges(comparison, movers)).toMatch(
      /Of 3 functions, none changed significantly \(--rows 20 lists.*\)\n$/,
    );
    const text = printChanges(comparison, movers, 1);
    expect(text).toContain('Of 3 functions, none changed significantly\n');
    expect(text).toMatch(/By self:\n.*\n +30 .* not significant \(p = 0\.\d+\) +a\n\nBy total/);
  });

  it('says how many more changed than there are rows', () => {
    const many = (count: number) => Array.from({ length: 5 }, (_, at) => `m;f${at} ${count}\n`).join('');
    const comparison = compare(folded(`${many(900)}m;rest 1000\n`), folded(`${many(100)}m;rest 5000\n`));
    const text = printChanges(comparison, changesOf(comparison), 2);
    expect(text).toContain('4 more functions changed: --rows 6 lists all');
  });

  it('tests nothing where it is not known how many samples there are', () => {
    const comparison = compare(folded('m;a 300\nm;b 10\n'), folded('m;a 10\nm;b 300\n'), {
      samplesKnown: false,
      assumptions: ['Nobody knows.'],
    });
    const movers = changesOf(comparison);
    expect(movers.bySelf[0]).toMatchObject({ verdict: 'not tested' });
    expect(movers.bySelf[0]).not.toHaveProperty('chance');
    const text = printChanges(comparison, movers);
    expect(text).toMatch(
      /^shares of weights\nCompared by the share of the total[\s\S]*\nNobody knows\.\nBy self:\n/,
    );
    expect(text).not.toMatch(/significant|likely/);
  });

  it('counts a function that calls itself once', () => {
    const movers = changesOf(compare(folded('m;f;f;f 9\n'), folded('m;f;g 4\nm;f;f 5\n')));
    expect(movers.byTotal.find(({ name }) => name === 'f')).toMatchObject({ before: 9, after: 9 });
  });
});
