import { describe, expect, it } from 'vitest';
import { toPprof } from '../../../src/profile/export/pprof.ts';
import { readPprof } from '../../../src/profile/read/pprof.ts';
import { summarize, summaryLines } from '../../../src/profile/summary.ts';
import { fc } from '../../properties.ts';
import { folded, read } from '../reading.ts';

const HEADER = [
  '# recording began : 1000.000000',
  '# ========',
  '# cmdline : /usr/bin/perf record -a -e sched:sched_switch -e {context-switches/call-graph=no,period=1/,cpu-clock}:S --cgroup x',
  '#',
  '',
].join('\n');

const time = (seconds: number) => (1000 + seconds).toFixed(6);

/** A thread leaves a CPU at this time in seconds, after it ran for so many milliseconds. */
const leaving = (tid: number, at: number, ran: number, state = 'S', comm = 'app') =>
  [
    `${comm}   7/${tid}   [000]  ${time(at)}:          1              sched:sched_switch: prev_pid=${tid} prev_state=${state}`,
    '\tffffffff82202a7b schedule+0x1 ([kernel.kallsyms])',
    '\tffffffff82202a7b do_nanosleep+0x1 ([kernel.kallsyms])',
    '\t           401913 main+0x1 (/app)',
    '',
    `            ${comm}   7/${tid}   [000]  ${time(at)}:    ${ran * 1e6}                       cpu-clock: `,
    '',
  ].join('\n');

/** The looks at the start, and at the end after ten seconds: of each thread the state and how often it had come to a CPU. */
type Seen = Readonly<Record<number, readonly [state: string, slices: number, ran?: number, begun?: number]>>;

const looks = (start: Seen, end: Seen, functions = 'futex_do_wait,do_futex', comm = 'app') =>
  [
    `# look start ${time(0)}`,
    ...Object.entries(start).map(
      ([tid, [state, slices, ran = 5000, begun = 77]]) =>
        `# thread start ${time(0.001)} 7/${tid} ${state} ${begun} ${ran} ${slices} ${functions} - ${comm}`,
    ),
    `# looked start ${Object.keys(start).length} 0`,
    `# look end ${time(10)}`,
    ...Object.entries(end).map(
      ([tid, [state, slices, ran = 5000, begun = 77]]) =>
        `# thread end ${time(10.001)} 7/${tid} ${state} ${begun} ${ran} ${slices}`,
    ),
    `# looked end ${Object.keys(end).length} 0`,
    '',
  ].join('\n');

const waits = async (text: string, options = {}) => {
  const { profile, warnings } = await read(HEADER + text, options);
  expect(warnings).toEqual([]);
  return Object.fromEntries(
    folded(profile)
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Math.round(Number(line.slice(at + 1))) / 1e6];
      }),
  );
};

const BEFORE = '[began before the recording, user stack unknown]';
const LOCK = `${BEFORE};do_futex;futex_do_wait`;

describe('a wait that began before the recording', () => {
  it('counts for the whole recording if its thread never ran', async () => {
    const seen: Seen = { 7: ['S', 3], 8: ['S', 1], 9: ['D', 1] };
    expect(await waits(looks(seen, seen))).toEqual({
      [`app;[sleeping];${LOCK}`]: 20,
      [`app;[disk sleep];${LOCK}`]: 10,
    });
  });

  it('counts from the start until its thread came to a CPU', async () => {
    const text = leaving(8, 4, 500) + leaving(8, 6, 1000) + looks({ 8: ['T', 1] }, { 8: ['S', 3] });
    expect(await waits(text)).toEqual({
      [`app;[stopped];${LOCK}`]: 3.5,
      // The second lasts until the end.
      'app;[sleeping];main;do_nanosleep': 1 + 4,
    });
  });

  it('has the name that its thread has in the samples', async () => {
    const text = leaving(8, 4, 500, 'X', 'renamed') + looks({ 8: ['S', 1] }, {}, '-');
    expect(await waits(text)).toEqual({ [`renamed;[sleeping];${BEFORE}`]: 3.5 });
  });

  it('has the name of the look where its thread ended when it came', async () => {
    const text =
      leaving(8, 4, 500, 'X', ':-1').replaceAll('7/8 ', '-1/-1 ') + looks({ 8: ['S', 1] }, {}, '-');
    expect(await waits(text)).toEqual({ [`app;[sleeping];${BEFORE}`]: 3.5 });
  });

  it('is none where the thread ran at the start, or all the time', async () => {
    const text = leaving(8, 2, 2000) + looks({ 8: ['R', 1], 9: ['R', 1, 100] }, { 9: ['R', 1, 10e9] });
    expect(await waits(text)).toEqual({});
    // It was woken between the start and the look, so what the look saw is another wait.
    expect(await waits(leaving(8, 2, 1999.5) + looks({ 8: ['S', 1] }, {}))).toEqual({});
  });

  it('is one where the thread was ready to run, and no CPU was free', async () => {
    expect(await waits(leaving(8, 2, 500) + looks({ 8: ['R', 1] }, {}, '-'))).toEqual({
      [`app;[preempted];${BEFORE}`]: 1.5,
    });
    expect(await waits(looks({ 8: ['R', 1] }, { 8: ['R', 1] }, '-'))).toEqual({
      [`app;[preempted];${BEFORE}`]: 10,
    });
  });

  it.each<[string, Seen, Seen]>([
    ['its thread ran, and nobody saw when', { 8: ['S', 1] }, { 8: ['S', 2, 6000] }],
    ['another thread has its number', { 8: ['S', 1, 5000, 77] }, { 8: ['S', 1, 5000, 78] }],
    ['its thread ended without being seen', { 8: ['S', 1] }, {}],
    ['the kernel does not count', { 8: ['S', 0, 0] }, { 8: ['S', 0, 0] }],
    ['its process has ended', { 8: ['Z', 1] }, { 8: ['Z', 1] }],
  ])('is not counted if %s', async (_what, start, end) => {
    expect(await waits(looks(start, end))).toEqual({});
  });

  it('is not counted up to a switch behind a loss, but for the whole recording if its thread never ran', async () => {
    const lost = `app 7/7 [000] ${time(1)}: PERF_RECORD_LOST lost 12\n`;
    const seen: Seen = { 8: ['S', 1], 9: ['S', 1] };
    const text = lost + leaving(8, 4, 500) + looks(seen, { 8: ['R', 2], 9: ['S', 1] });
    expect(await waits(text)).toEqual({ [`app;[sleeping];${LOCK}`]: 10 });
  });

  it('is chosen by its length and by its state as others are', async () => {
    const seen: Seen = { 8: ['S', 1], 9: ['D', 1] };
    const text = leaving(8, 4, 500) + looks(seen, { ...seen, 8: ['R', 2] });
    expect(Object.values(await waits(text))).toEqual([10, 3.5]);
    expect(Object.values(await waits(text, { minWait: 5e6 }))).toEqual([10]);
    expect(Object.values(await waits(text, { maxWait: 5e6 }))).toEqual([3.5]);
    expect(Object.values(await waits(text, { include: /^\[disk sleep\]$/ }))).toEqual([10]);
    expect(Object.values(await waits(text, { exclude: /began before/ }))).toEqual([]);
  });

  it('stands in the tables apart, for people and for programs', async () => {
    const seen: Seen = Object.fromEntries([...Array(12).keys()].map((at) => [20 + at, ['S', 1]]));
    const { profile } = await read(HEADER + leaving(8, 4, 500) + looks(seen, { ...seen, 8: ['S', 4] }));
    const summary = summarize({ ...profile, about: { target: 'x', seconds: 10 } });
    expect(summary.fromBefore).toEqual({ threads: 12, seconds: 120, share: 120 / 126 });
    expect(summary.states).toEqual([{ name: '[sleeping]', samples: 13, share: 1 }]);
    const lines = summaryLines(summary);
    expect(lines.join('\n')).toContain(
      "waits that began before the recording: 12 threads, 2m, counted from the\n  recording's start; --max-wait leaves out long waits\n",
    );
    // No longer recording would have more of them.
    expect(lines.filter((line) => line.startsWith('note:'))).toEqual([]);
    const counted = await read(HEADER + looks(seen, seen), { weight: 'samples' });
    expect(summarize(counted.profile).fromBefore).toEqual({ threads: 12, share: 1 });
  });

  it('is no stack that ends early for want of frame pointers', async () => {
    const seen: Seen = Object.fromEntries([...Array(40).keys()].map((at) => [20 + at, ['S', 1]]));
    const { profile } = await read(HEADER + looks(seen, seen));
    expect(summarize(profile).quality.limits).toEqual([]);
  });

  it('goes through an export, and lasts as long there', async () => {
    const seen: Seen = { 8: ['S', 1] };
    const { profile } = await read(HEADER + looks(seen, seen));
    const { profile: again } = readPprof(Buffer.from(toPprof(profile, 'test')), {}, { target: 'x' });
    expect(folded(again)).toBe(folded(profile));
  });

  it('keeps the container of its thread, and a name that is made to mislead', async () => {
    const line = `# thread start ${time(0.001)} 7/8 S 77 5000 1 - /kubepods/a%20b/${'c'.repeat(64)} x)%20S%0A%5B%3B`;
    const text = `# look start ${time(0)}\n${line}\n# look end ${time(10)}\n# thread end ${time(10)} 7/8 S 77 5000 1\n`;
    const { profile } = await read(HEADER + text);
    expect(profile.threads).toMatchObject([
      { comm: 'x) S?[;', cgroup: `/kubepods/a b/${'c'.repeat(64)}`, weight: 10e6 },
    ]);
  });
});

describe('a wait that has not ended when the recording ends', () => {
  it.each([
    ['counts up to the end, with its stack', 'S', 8],
    ['is not counted if its thread may be on a CPU again', 'R', undefined],
    ['is not counted if its thread has ended', 'Z', undefined],
  ])('%s', async (_what, state, seconds) => {
    const found = await waits(leaving(8, 2, 2000, 'D') + looks({}, { 8: [state, 9] }));
    expect(found['app;[disk sleep];main;do_nanosleep']).toBe(seconds);
  });

  it('is not counted without a look at the end', async () => {
    expect(await waits(leaving(8, 2, 2000, 'D'))).toEqual({});
    expect(await waits(`${leaving(8, 2, 2000, 'D')}# look end ${time(10)}\n`)).toEqual({});
  });

  it('makes the recording as long as it was', async () => {
    const seen: Seen = { 8: ['S', 1] };
    const { profile } = await read(HEADER + looks(seen, seen));
    expect(profile.about.seconds).toBe(10);
    expect(profile.timeline).toMatchObject({ start: 1000 });
  });
});

/** What one thread does from one second before the recording to its end: it runs and waits in turn, in milliseconds. */
const LIFE = fc.array(
  fc.record({ waits: fc.integer({ min: 5, max: 4000 }), runs: fc.integer({ min: 5, max: 3000 }) }),
  { maxLength: 12 },
);

describe('the time of a thread', () => {
  it('is all accounted for, by what it ran and by its waits, wherever these begin and end', async () => {
    await fc.assert(
      fc.asyncProperty(LIFE, fc.array(fc.nat(5000), { maxLength: 3 }), async (life, cuts) => {
        let now = -1000;
        let isWaiting = true;
        let ran = 0;
        let text = '';
        const states: string[] = [];
        const began: number[] = [];
        const at = (until: number) => {
          // What it does at a moment: 1 and 9999 are those of the looks.
          for (const moment of [1, 9999])
            if (now < moment && moment <= until) states.push(isWaiting ? 'S' : 'R');
        };
        for (const { waits: away, runs } of [...life, { waits: 20_000, runs: 0 }]) {
          began.push(now);
          at(now + away);
          now += away;
          isWaiting = false;
          const came = Math.max(0, now);
          at(now + runs);
          now += runs;
          isWaiting = true;
          const left = Math.min(10_000, now);
          if (left > came) ran += left - came;
          if (now > 0 && now < 10_000 && runs > 0) text += leaving(8, now / 1000, now - came);
        }
        const [start, end] = states as [string, string];
        const slices: Seen = { 8: [end, 1 + life.length, 5000 + ran] };
        const { profile } = await read(
          HEADER + text + looks({ 8: [start, 1] }, ran > 0 ? slices : { 8: [start, 1] }),
          {},
          cuts,
        );
        // A wait around the look itself, and the one of a thread that was on a CPU at the end, are the only ones that may lack.
        if (end === 'R') return;
        const total = profile.tree.total[0]! / 1000;
        expect(Math.abs(total + ran - 10_000)).toBeLessThanOrEqual(1.5);
      }),
    );
  });
});
