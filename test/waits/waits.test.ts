import { describe, expect, it } from 'vitest';
import { CATEGORIES } from '../../src/waits/categories.ts';
import { readWaits } from '../../src/waits/read-waits.ts';
import { shareOf, type Waits } from '../../src/waits/waits.ts';
import { randomFrom } from '../random.ts';
import { cycle, type Part, pieces, synthetic } from './synthetic.ts';

const read = (text: string, size = () => 65_536) => readWaits(pieces(text, size), 'a.waits.txt.gz');

const run = (ms: number): Part => ({ does: 'run', us: ms * 1000 });
const wait = (object: string, ms: number, state?: string): Part => ({
  does: 'wait',
  us: ms * 1000,
  object,
  ...(state && { state }),
});

/** A group's shares in percent, those above 0. */
const shares = (waits: Waits, name: string) => {
  const group = waits.groups.find(({ key }) => key.pattern === name)!;
  return Object.fromEntries(
    CATEGORIES.map((each) => [each, 100 * shareOf(group, each)] as const).filter(([, share]) => share > 0),
  );
};

const HEADER = [
  'cgroup 1 scope 20000 100000 /kubepods/pod1',
  'sock 0 1 tcp out 10.0.0.5:40000 10.0.0.9:5432',
  'sock 0 2 tcp out 10.0.0.5:40001 10.0.0.8:6379',
  'file 0 1 /data/file',
];

describe('shares of known schedules', () => {
  it('has those of a program that does everything, within a point', async () => {
    const waits = [wait('timer', 20), wait('s:1', 30), wait('futex:7f00:lock', 10), wait('f:1', 5, 'D')];
    const parts = [...waits.flatMap((each) => [each, run(0.05)]), run(10)];
    const { text } = synthetic({
      durationUs: 60e6,
      rateHz: 50,
      random: randomFrom(1),
      header: HEADER,
      threads: [{ tid: 100, comm: 'program', next: cycle(parts) }],
    });
    const found = shares(await read(text), 'program');
    const all = parts.reduce((sum, { us }) => sum + us, 0) / 1000;
    for (const [name, ms] of Object.entries({ sleep: 20, network: 30, lock: 10, disk: 5, running: 10.2 }))
      expect(Math.abs(found[name]! - (100 * ms) / all), `${name} ${found[name]}`).toBeLessThan(1.5);
  });

  it('puts the time that the kernel counts late to where it was spent: throttled, and in a queue', async () => {
    const throttled: Part = { does: 'throttled', us: 80_000 };
    const queue: Part = { does: 'queue', us: 80_000 };
    for (const [part, category] of [
      [throttled, 'throttled'],
      [queue, 'queued'],
    ] as const) {
      const { text } = synthetic({
        durationUs: 30e6,
        rateHz: 50,
        random: randomFrom(2),
        header: HEADER,
        threads: [{ tid: 100, comm: 'busy', next: cycle([run(20), part]) }],
      });
      const found = shares(await read(text), 'busy');
      expect(Math.abs(found[category]! - 80), JSON.stringify(found)).toBeLessThan(1);
      expect(Math.abs(found.running! - 20)).toBeLessThan(1);
    }
  });

  it('knows sleeps that are far longer than the time between two looks exactly', async () => {
    const { text } = synthetic({
      durationUs: 160e6,
      rateHz: 50,
      random: randomFrom(3),
      header: HEADER,
      threads: [
        { tid: 100, comm: 'server', next: cycle([wait('idle', 5000), run(1), wait('s:2', 3000), run(1)]) },
      ],
    });
    const found = shares(await read(text), 'server');
    expect(Math.abs(found.idle! - 62.5)).toBeLessThan(0.3);
    expect(Math.abs(found.network! - 37.5)).toBeLessThan(0.3);
  });

  it('has the right share of short waits of threads that are mostly idle, which are looked at less often', async () => {
    const random = randomFrom(4);
    const next = () => {
      let at = 0;
      // As long as or shorter than the time between two looks, and as rare as seconds.
      return (): Part =>
        [wait('idle', 500 + 3000 * random()), run(0.1), wait('s:1', 10 + 80 * random()), run(0.1)][at++ % 4]!;
    };
    const { text, truth } = synthetic({
      durationUs: 120e6,
      rateHz: 50,
      random,
      header: HEADER,
      threads: Array.from({ length: 50 }, (_, each) => ({ tid: 100 + each, comm: 'pool', next: next() })),
    });
    const real = [...truth.values()].reduce((sum, each) => sum + each.get('s:1')!, 0) / (50 * 120e6);
    const found = shares(await read(text), 'pool').network!;
    expect(Math.abs(found / (100 * real) - 1), `${found} of ${100 * real} %`).toBeLessThan(0.05);
  });

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'schedule %i: sums to a whole and comes close',
    async (seed) => {
      const random = randomFrom(seed + 1000);
      const objects = [
        'timer',
        's:1',
        's:2',
        's:1,s:2',
        'futex:aa:lock',
        'futex:-:cond',
        'f:1',
        'idle',
        'child',
        '-',
      ];
      const parts = Array.from({ length: 2 + Math.floor(random() * 6) }, (): Part => {
        const us = Math.round(100 + random() ** 3 * 200_000);
        const kind = random();
        if (kind < 0.35) return { does: 'run', us: Math.min(us, 30_000) };
        if (kind < 0.45) return { does: 'queue', us };
        return { does: 'wait', us, object: objects[Math.floor(random() * objects.length)]! };
      });
      // Between two waits a thread runs, or it would not know that the first one is over; and behind a queue it does as well.
      const whole = parts.flatMap((part) => (part.does === 'run' ? [part] : [part, run(0.1)]));
      const { text, truth } = synthetic({
        durationUs: 60e6,
        rateHz: 50,
        random,
        header: HEADER,
        threads: [{ tid: 100, comm: 'thread', next: cycle(whole) }],
      });
      const waits = await read(text);
      const group = waits.groups[0]!;
      const sum = CATEGORIES.reduce((all, each) => all + shareOf(group, each), 0);
      expect(sum).toBeCloseTo(1, 9);
      expect(Math.abs(group.wallUs - 60e6)).toBeLessThan(100);
      const stepSum = group.steps().reduce((all, step) => all + step.reduce((one, other) => one + other), 0);
      expect(stepSum).toBeCloseTo(group.wallUs, 0);
      const real = truth.get(100)!;
      const share = (name: string) => (100 * (real.get(name) ?? 0)) / 60e6;
      expect(Math.abs(100 * shareOf(group, 'running') - share('run'))).toBeLessThan(0.2);
      expect(Math.abs(100 * shareOf(group, 'queued') - share('queue'))).toBeLessThan(1);
      expect(Math.abs(100 * shareOf(group, 'sleep') - share('timer'))).toBeLessThan(6);
      expect(
        Math.abs(100 * shareOf(group, 'network') - share('s:1') - share('s:2') - share('s:1,s:2')),
      ).toBeLessThan(6);
    },
  );

  it('does not say that a thread waited for itself', async () => {
    const lines = (tids: readonly number[]) => [
      ...['waits 1 x86_64', 'start 0 50 2 100', 'proc 0 7 - victim'],
      ...tids.flatMap((tid) => [`thread 0 ${tid} 7 victim`, `look 0 ${tid} 0 0 1 R 0 - -1 - -`]),
      'look 20000 7 9000000 11000000 2 R 0 - -1 - 0',
      'ran 20000 0 7 - victim 11000000',
      'look 40000 7 18000000 22000000 3 R 0 - -1 - 20000',
      'ran 40000 0 99 - greedy 11000000',
      'end 40000 time',
    ];
    const ran = async (...tids: number[]) =>
      (await read(`${lines(tids).join('\n')}\n`)).neighbours.map(({ comm }) => comm);
    expect(await ran(7)).toEqual(['greedy']);
    // It may have waited for another thread of the same process.
    expect(await ran(7, 8)).toEqual(['victim', 'greedy']);
  });
});
