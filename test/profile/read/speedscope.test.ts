import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { speedscopePieces } from '../../../src/profile/export/speedscope.ts';
import { folded, read, textOf } from '../reading.ts';

const SCHEMA = JSON.parse(
  readFileSync(
    new URL('../../../node_modules/speedscope/dist/release/file-format-schema.json', import.meta.url),
    'utf8',
  ),
);
const isValid = new Ajv({ strict: false }).compile(SCHEMA);

const FRAMES = [{ name: 'main' }, { name: 'f', file: '/srv/app' }, { name: '[unknown]' }];

/** A file that speedscope's own schema allows. */
const file = (profiles: readonly object[], more: object = {}): string => {
  const data = {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    shared: { frames: FRAMES },
    profiles,
    ...more,
  };
  expect(isValid(data), JSON.stringify(isValid.errors)).toBe(true);
  return JSON.stringify(data);
};

const sampled = (unit: string, name = 'cpu') => ({
  ...{ type: 'sampled', name, unit, startValue: 0, endValue: 9 },
  samples: [[0, 1], [0], [0, 1, 2], [0, 1]],
  weights: [1, 2, 3, 3],
});

const evented = (unit: string) => ({
  ...{ type: 'evented', name: 'main thread', unit, startValue: 10, endValue: 30 },
  events: [
    { type: 'O', frame: 0, at: 11 },
    { type: 'O', frame: 1, at: 13 },
    { type: 'O', frame: 1, at: 13 },
    { type: 'C', frame: 1, at: 14 },
    { type: 'C', frame: 1, at: 18 },
    { type: 'C', frame: 0, at: 20 },
    { type: 'O', frame: 0, at: 25 },
    { type: 'C', frame: 0, at: 30 },
  ],
});

describe('a file of speedscope', () => {
  it.each([
    ['samples', undefined, 'samples'],
    ['CPU time', 'period' as const, 'nanoseconds'],
  ])('comes back as it was exported, with its threads: %s', async (_, weight, unit) => {
    const text = ['redis-server 7/7', 'redis-server 7/8', 'bio 9']
      .map((who, at) =>
        `${who} [000] ${at}.5: 10 cpu-clock:\n\t1 f${at} (/x)\n\t2 main (/x)\n\n`.repeat(at + 2),
      )
      .join('');
    const { profile } = await read(text, weight ? { weight } : {});
    const exported = textOf(speedscopePieces(profile, 'kubectl-gkeprof 1'));
    expect(isValid(JSON.parse(exported))).toBe(true);
    const back = await read(exported);
    expect(back.from).toBe('speedscope');
    expect(back.profile).toMatchObject({ unit, samples: 9, about: { target: 'test' } });
    expect(folded(back.profile)).toBe(folded(profile));
    const threads = ({ threads: all }: typeof profile) =>
      all.map(({ comm, pid, tid, samples, weight: own }) => [comm, pid, tid, samples, own]).sort();
    expect(threads(back.profile)).toEqual(threads(profile));
    expect((await read(exported, { tid: 8 })).profile.samples).toBe(3);
  });

  it.each([
    ['none', 'samples', 'samples', 1, 9],
    ['microseconds', 'nanoseconds', 'time', 1000, 4],
    ['seconds', 'nanoseconds', 'time', 1e9, 4],
    ['bytes', 'events', 'bytes', 1, 4],
  ])('of another tool, in samples weighed by %s', async (given, unit, event, factor, samples) => {
    const { profile } = await read(file([sampled(given)]));
    expect(profile).toMatchObject({ unit, event, samples });
    expect(folded(profile)).toBe(
      [2, 4, 3].map((weight, at) => `main${[' ', ';f ', ';f;[unknown] '][at]}${weight * factor}\n`).join(''),
    );
  });

  it('of another tool, in events: what is open weighs the time until the next', async () => {
    const { profile } = await read(file([evented('milliseconds')]));
    expect(folded(profile)).toBe('main 9000000\nmain;f 4000000\nmain;f;f 1000000\n');
    expect(profile.threads).toMatchObject([{ comm: 'main thread', weight: 14e6 }]);
  });

  it('takes the profiles of one unit, that of the active one or --event, and says what there is', async () => {
    const text = file([sampled('bytes'), sampled('none', 'a'), sampled('none', 'b')], {
      activeProfileIndex: 2,
    });
    const { profile, events } = await read(text);
    expect(profile).toMatchObject({ event: 'samples', samples: 18 });
    expect(profile.threads.map(({ comm }) => comm)).toEqual(['a', 'b']);
    expect([...events]).toEqual([
      ['bytes', 4],
      ['samples', 8],
    ]);
    expect((await read(text, { event: 'bytes' })).profile).toMatchObject({ event: 'bytes', unit: 'events' });
    await expect(read(text, { event: 'x' })).rejects.toThrow('--event: no sample of x');
  });

  it.each([
    ['cut short', file([sampled('none')]).slice(0, -5)],
    ['a frame that is not there', file([{ ...sampled('none'), samples: [[7], [0], [0], [0]] }])],
    ['a sample without a weight', file([{ ...sampled('none'), weights: [1] }])],
    [
      'a frame that is closed in the wrong order',
      file([{ ...evented('none'), events: [{ type: 'C', frame: 0, at: 11 }] }]),
    ],
  ])('is refused with %s', async (_, text) => {
    await expect(read(text)).rejects.toThrow('the file of speedscope cannot be read: ');
  });
});
