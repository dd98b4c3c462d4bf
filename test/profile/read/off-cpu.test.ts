import { describe, expect, it } from 'vitest';
import { caption } from '../../../src/profile/caption.ts';
import { compare } from '../../../src/profile/compare/compare.ts';
import { toPprof } from '../../../src/profile/export/pprof.ts';
import { drawPicture } from '../../../src/profile/picture/svg.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import { parseSwitch } from '../../../src/profile/read/off-cpu.ts';
import { readPprof } from '../../../src/profile/read/pprof.ts';
import { summarize, summaryLines } from '../../../src/profile/summary.ts';
import { fc } from '../../properties.ts';
import { folded, read, textOf } from '../reading.ts';

const HEADER = [
  '# cmdline : /usr/bin/perf record -a -e sched:sched_switch -e {context-switches/call-graph=no,period=1/,cpu-clock}:S --cgroup x',
  '#',
  '',
].join('\n');

/** A thread leaves a CPU, as perf prints it: at this time in µs, after it ran for so many ns. */
interface Leaving {
  readonly comm?: string;
  readonly pid?: number;
  /** As the line has it: -1 for a thread that ends. */
  readonly tid: number;
  /** As the kernel has it. */
  readonly thread?: number;
  readonly cpu?: number;
  readonly at: number;
  readonly ran: number;
  readonly state?: string;
  readonly frames?: readonly string[];
}

const seconds = (microseconds: number) => `${(1000 + microseconds / 1e6).toFixed(6)}`;

const KERNEL = ['__traceiter_sched_switch', '__schedule', 'schedule', 'do_nanosleep'];

/** What the node's script leaves of the line, and what perf prints by itself. */
const SHORT = (tid: number, state: string) => `prev_pid=${tid} prev_state=${state}`;
const LONG = (tid: number, state: string) =>
  `prev_comm=app prev_pid=${tid} prev_prio=120 prev_state=${state} ==> next_comm=swapper/0 next_pid=0 next_prio=120`;

const switchText = (
  { comm = 'app', pid = 7, tid, thread = tid, cpu = 0, at, state = 'S', frames = KERNEL }: Leaving,
  trace = SHORT,
) =>
  [
    `${comm}   ${pid}/${tid}   [00${cpu}]  ${seconds(at)}:          1              sched:sched_switch: ${trace(thread, state)}`,
    ...frames.map((name) => `\tffffffff82202a7b ${name}+0x1 ([kernel.kallsyms])`),
    '\t           401913 main+0x1 (/app)',
    '',
    '',
  ].join('\n');

/** The clock, three microseconds after the switch. */
const clockText = ({ comm = 'app', pid = 7, tid, cpu = 0, at, ran }: Leaving, more = '') =>
  `            ${comm}   ${pid}/${tid}   [00${cpu}]  ${seconds(at + 3)}:    ${ran}                       cpu-clock: ${more}\n`;

const textOfLeavings = (leavings: readonly Leaving[], header = HEADER) =>
  header + leavings.map((each) => switchText(each) + clockText(each)).join('');

const stacks = async (text: string, options = {}) => {
  const { profile, warnings } = await read(text, options);
  expect(warnings).toEqual([]);
  const lines = folded(profile).split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Math.round(Number(line.slice(at + 1)) * 1000) / 1000];
    }),
  );
};

// It sleeps for 20 ms, runs for 1 ms, is preempted for 2 ms, runs for 3 ms, waits for a disk for 5 ms, and runs for 4 ms.
const PROGRAM: readonly Leaving[] = [
  { tid: 7, at: 0, ran: 500_000 },
  { tid: 7, at: 21_000, ran: 1_000_000, state: 'R+', frames: ['schedule', 'irqentry_exit'] },
  { tid: 7, at: 26_000, ran: 3_000_000, state: 'D', frames: ['schedule', 'io_schedule'] },
  { tid: 7, at: 35_000, ran: 4_000_000 },
];

const WAITS = {
  'app;[sleeping];main;do_nanosleep': 20_000,
  'app;[preempted];main;irqentry_exit': 2000,
  'app;[disk sleep];main;io_schedule': 5000,
};

describe('a recording of waits', () => {
  it('gives each wait its length, with the stack and the state in which it began', async () => {
    const { profile, events } = await read(textOfLeavings(PROGRAM));
    expect(await stacks(textOfLeavings(PROGRAM))).toEqual(WAITS);
    expect(profile).toMatchObject({ event: 'off-cpu', unit: 'microseconds', samples: 3 });
    expect([...events]).toEqual([['off-cpu', 3]]);
    expect(profile.frames.filter(({ kind }) => kind === 'state').map(({ name }) => name)).toEqual([
      '[sleeping]',
      '[preempted]',
      '[disk sleep]',
    ]);
    // The heat map shows when waits began.
    expect([...profile.timeline!.at]).toEqual([0, 2100, 2600]);
  });

  it('reads the same from what perf prints by itself, where the clock has the stack too', async () => {
    const long = PROGRAM.map(
      (each) =>
        switchText(each, LONG) +
        `            app 7/7 [000] ${seconds(each.at + 3)}:          1 context-switches/call-graph=no,period=1/: \n` +
        clockText(each) +
        '\tffffffff82202a7b x+0x1 ([kernel.kallsyms])\n\n',
    );
    expect(await stacks(HEADER + long.join(''))).toEqual(WAITS);
  });

  it('reads the fields that perf prints by default, where a frame stands beside the clock', async () => {
    const usual = PROGRAM.map(
      (each) =>
        `app     7 [000] ${seconds(each.at)}:                       sched:sched_switch: ${LONG(7, each.state ?? 'S')}\n` +
        `${(each.frames ?? KERNEL).map((name) => `\tffffffff82202a7b ${name}+0x1 ([kernel.kallsyms])\n`).join('')}\t           401913 main+0x1 (/app)\n\n` +
        `             app     7 [000] ${seconds(each.at + 3)}:     ${each.ran}                 cpu-clock:  ffffffff821fb643 schedule+0x23 ([kernel.kallsyms])\n`,
    );
    expect(await stacks(HEADER + usual.join(''))).toEqual(WAITS);
  });

  it('counts waits with --weight samples, and switches without the clock beside them', async () => {
    const waits = await read(textOfLeavings(PROGRAM), { weight: 'samples' });
    expect(waits.profile).toMatchObject({ event: 'off-cpu', unit: 'samples', samples: 3 });
    const other = await read(
      textOfLeavings(PROGRAM, '# cmdline : /usr/bin/perf record -e sched:sched_switch\n#\n'),
    );
    expect(other.profile).toMatchObject({ event: 'sched:sched_switch', samples: 4 });
  });

  it.each([
    ['a minimum', { minWait: 5000 }, ['[sleeping]', '[disk sleep]']],
    ['a maximum', { maxWait: 5000 }, ['[preempted]', '[disk sleep]']],
    ['both', { minWait: 3000, maxWait: 6000 }, ['[disk sleep]']],
  ])('leaves out waits by their length: %s', async (_what, limits, states) => {
    const kept = Object.keys(await stacks(textOfLeavings(PROGRAM), limits));
    expect(kept.map((stack) => stack.split(';')[1]).sort()).toEqual([...states].sort());
  });

  it('knows how long the waits were that the limits left out', async () => {
    const leftOut = async (limits: object) => (await read(textOfLeavings(PROGRAM), limits)).waitsLeftOut;
    expect(await leftOut({ minWait: 1e6 })).toEqual({ waits: 3, shortest: 2000, longest: 20_000 });
    expect(await leftOut({ minWait: 5000 })).toEqual({ waits: 1, shortest: 2000, longest: 2000 });
    expect(await leftOut({ maxWait: 1000 })).toEqual({ waits: 3, shortest: 2000, longest: 20_000 });
    expect(await leftOut({ maxWait: 1e6 })).toBeUndefined();
    // Also where no line is left that tells of which event they were.
    const { profile } = await read(HEADER, { minWait: 1 });
    expect(summaryLines(summarize(profile))[0]).toMatch(
      /^0 waits, event off-cpu \(waits of 0.001ms or longer, /,
    );
  });

  it('shows how long few waits took, and not how many there were', async () => {
    const { profile } = await read(textOfLeavings(PROGRAM));
    const lines = summaryLines(summarize(profile));
    expect(lines).toContain('time off the CPU: [sleeping] 20ms, [disk sleep] 5ms, [preempted] 2ms');
    expect(lines).toContain('        20ms  do_nanosleep');
    expect(lines).toContain('  app, main thread: 27ms');
    const counts = await read(textOfLeavings(PROGRAM), { weight: 'samples' });
    expect(summaryLines(summarize(counts.profile))).toContain('  app, main thread: 3 waits');
  });

  it('says which waits were left out, and refuses the limits for anything else', async () => {
    const { profile } = await read(textOfLeavings(PROGRAM), { minWait: 100, maxWait: 1e6 });
    expect(caption(profile, summarize(profile)).subtitle[0]).toContain(
      'off-cpu (waits of 0.1ms to 1s, weighed by their length)',
    );
    const other = 'a 1/1 [000] 1.5: 1 cpu-clock:\n\t1 main (/x)\n\n';
    await expect(read(other, { minWait: 1 })).rejects.toThrow('need the raw stacks of a recording of waits');
    await expect(read('a;b 5\n', { maxWait: 1 })).rejects.toThrow(
      'need the raw stacks of a recording of waits',
    );
  });

  it('counts no wait that began before the recording, or that lasts until its end', async () => {
    expect(await stacks(textOfLeavings(PROGRAM.slice(0, 1)))).toEqual({});
    const { profile } = await read(textOfLeavings(PROGRAM.slice(1)));
    expect(profile.samples).toBe(2);
  });

  it('counts the last wait of a thread that ends, and nothing after it for another with its number', async () => {
    const text = textOfLeavings([
      { tid: 8, at: 0, ran: 1000 },
      // perf has no number for a thread that is gone; the kernel's text has it.
      { comm: ':-1', tid: -1, thread: 8, at: 1000, ran: 100_000, state: 'X' },
      { comm: 'other', tid: 8, at: 90_000, ran: 1000 },
      { comm: 'other', tid: 8, at: 91_000, ran: 500_000 },
    ]);
    expect(await stacks(text)).toEqual({
      'app;[sleeping];main;do_nanosleep': 900,
      'other;[sleeping];main;do_nanosleep': 500,
    });
  });

  it('keeps threads apart that switch at the same time on several CPUs', async () => {
    const one: Leaving[] = [
      { tid: 1, cpu: 0, at: 0, ran: 1000, comm: 'a' },
      { tid: 1, cpu: 0, at: 5000, ran: 1_000_000, comm: 'a' },
    ];
    const two: Leaving[] = [
      { tid: 2, cpu: 1, at: 1, ran: 1000, comm: 'b', state: 'D' },
      { tid: 2, cpu: 1, at: 5001, ran: 2_000_000, comm: 'b' },
    ];
    // The switches of both come before the clocks of both.
    const text = [0, 1]
      .map((at) =>
        [switchText(one[at]!), switchText(two[at]!), clockText(one[at]!), clockText(two[at]!)].join(''),
      )
      .join('');
    expect(await stacks(HEADER + text)).toEqual({
      'a;[sleeping];main;do_nanosleep': 4000,
      'b;[disk sleep];main;do_nanosleep': 3000,
    });
  });

  it('counts no wait across a loss, nor with the first clock of a CPU behind it', async () => {
    const at = (leaving: Leaving) => switchText(leaving) + clockText(leaving);
    const text =
      at({ tid: 7, at: 0, ran: 1000 }) +
      'app 7/7 [000] 1000.5: PERF_RECORD_LOST lost 12\n' +
      at({ tid: 7, at: 1_000_000, ran: 500_000_000 }) + // The clock counted other threads as well.
      at({ tid: 7, at: 1_010_000, ran: 1_000_000 }) +
      // On another CPU, whose clock was not read since then.
      at({ tid: 7, cpu: 1, at: 1_020_000, ran: 9_000_000 }) +
      at({ tid: 7, cpu: 1, at: 1_030_000, ran: 2_000_000 });
    const { profile } = await read(HEADER + text);
    expect(profile.lost).toBe(12);
    expect(await stacks(HEADER + text)).toEqual({ 'app;[sleeping];main;do_nanosleep': 9000 + 8000 });
  });

  it('tells the containers of a pod by the cgroup of the clock', async () => {
    const cgroup = (id: string) => ` /kubepods/pod1/${id.repeat(64)}`;
    const text = PROGRAM.map((each) => switchText(each) + clockText(each, cgroup('a'))).join('');
    const { profile } = await read(HEADER + text);
    expect(profile.threads.map((thread) => thread.cgroup)).toEqual([cgroup('a').trim()]);
    expect(profile.samples).toBe(3);
  });

  it('is not misled by the names of threads', () => {
    const line = (comm: string, trace: string) =>
      `${comm}   7/7   [000]  1.5:   1   sched:sched_switch: ${trace}`;
    const hostile = 'x prev_state=D ';
    expect(parseSwitch(line(hostile, SHORT(7, 'S')))).toMatchObject({ tid: 7, state: 'S' });
    const trace = `prev_comm=${hostile} prev_pid=7 prev_prio=-2 prev_state=S ==> next_comm=${hostile} next_pid=9 next_prio=120`;
    expect(parseSwitch(line('prev_pid=9', trace))).toMatchObject({ tid: 7, cpu: 0, state: 'S' });
    expect(parseSwitch(line('x', 'prev_comm=x'))).toBeUndefined();
  });

  it('does not take a clock without its count for one that has counted nothing', async () => {
    const text = textOfLeavings(PROGRAM).replaceAll(/: +\d+( +cpu-clock:)/g, ':$1');
    const { profile, warnings } = await read(text);
    expect(profile.samples).toBe(0);
    expect(warnings).toMatchObject([{ kind: 'event line', count: 4 }]);
  });

  it('reports what is not as perf prints it, and does not stop there', async () => {
    const broken = 'app 7/7 [000] 1000.000001: 1 sched:sched_switch: something else\n';
    const { profile, warnings } = await read(HEADER + broken + textOfLeavings(PROGRAM, ''));
    expect(profile.samples).toBe(3);
    expect(warnings).toMatchObject([{ kind: 'event line', count: 1 }]);
  });
});

/** Threads that run and wait in turn, one on each CPU; and how long each of them waited in all, in µs. */
const SCHEDULE = fc
  .array(
    fc.record({
      thread: fc.integer({ min: 0, max: 3 }),
      ran: fc.integer({ min: 1, max: 5000 }),
      waited: fc.integer({ min: 0, max: 30_000 }),
      state: fc.constantFrom('S', 'D', 'R', 'R+', 'T', 'I', 'D|K'),
    }),
    { maxLength: 40 },
  )
  .map((steps) => {
    const now = [0, 0, 0, 0];
    const counted = [0, 0, 0, 0];
    const waits = [0, 0, 0, 0];
    const pending: Array<number | undefined> = [undefined, undefined, undefined, undefined];
    const leavings = steps.map(({ thread, ran, waited, state }): Leaving => {
      if (pending[thread] !== undefined) {
        waits[thread]! += pending[thread]!;
        counted[thread]! += 1;
      }
      now[thread]! += (pending[thread] ?? 0) + ran;
      pending[thread] = waited;
      return { comm: `t${thread}`, tid: 10 + thread, cpu: thread, at: now[thread]!, ran: ran * 1000, state };
    });
    return { leavings: leavings.sort((a, b) => a.at - b.at), waits, counted };
  });

describe('waits of any schedule', () => {
  it('add up for each thread, wherever the text is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(SCHEDULE, fc.array(fc.nat(20_000)), async ({ leavings, waits, counted }, cuts) => {
        const { profile } = await read(textOfLeavings(leavings), {}, cuts);
        for (const [thread, total] of waits.entries()) {
          const found = profile.threads.find(({ tid }) => tid === 10 + thread);
          expect(found?.samples ?? 0).toBe(counted[thread]);
          // Each time is off by half a microsecond at most.
          expect(Math.abs((found?.weight ?? 0) - total)).toBeLessThanOrEqual(1e-3 * (1 + counted[thread]!));
        }
      }),
    );
  });

  it('are never negative or endless, whatever is missing from the text', async () => {
    await fc.assert(
      fc.asyncProperty(SCHEDULE, fc.func(fc.boolean()), fc.nat(20_000), async ({ leavings }, isKept, end) => {
        const lines = textOfLeavings(leavings, '').split('\n');
        const text = HEADER + lines.filter((line, at) => isKept(at, line)).join('\n');
        const { profile } = await read(text.slice(0, HEADER.length + end)).catch(() => ({
          profile: undefined,
        }));
        for (const weight of profile?.stacks.weight ?? []) {
          expect(weight).toBeGreaterThanOrEqual(0);
          expect(weight).toBeLessThanOrEqual(2e6);
        }
      }),
    );
  });
});

describe('a profile of waits', () => {
  const profileOf = async (times = 1, header = HEADER): Promise<Profile> => {
    const leavings = Array.from({ length: times }, (_, at) =>
      PROGRAM.map((each) => ({ ...each, at: each.at + at * 36_000 })),
    ).flat();
    return (await read(textOfLeavings(leavings, header))).profile;
  };

  it('has its figures as waits, with the shares of the states', async () => {
    const about = { target: 'default/app', node: 'node-a', seconds: 2 };
    const profile = { ...(await profileOf(40)), about, lost: 0 };
    const summary = summarize(profile);
    expect(summaryLines(summary)).toEqual([
      '159 waits, 0 lost, event off-cpu (weighed by their length)',
      'the innermost function is unknown in 0.0 % of the waits',
      '100.0 % of the stacks reach the start of their thread',
      'time off the CPU: [sleeping] 74.5 %, [disk sleep] 18.2 %, [preempted] 7.3 %',
      'functions that waited longest:',
      '   74.5 %  do_nanosleep',
      '   18.2 %  io_schedule',
      '    7.3 %  irqentry_exit',
      'threads that waited longest:',
      '  app, main thread: 100.0 %',
    ]);
    expect(caption(profile, summary).subtitle).toEqual([
      '2s · off-cpu (weighed by their length) · 159 waits, none lost',
      'width: time off the CPU, idle waits included',
    ]);
    const svg = textOf(drawPicture(profile, { ...caption(profile, summary), script: '', style: '' }));
    expect(svg).toContain('[disk sleep] (200.0 ms, 18.');
  });

  it('says when there were so many that recording them slowed the target down', async () => {
    const profile = await profileOf(40);
    const limitsIn = (seconds: number) =>
      summarize({ ...profile, about: { target: 'x', seconds } }).quality.limits.map(({ kind }) => kind);
    expect(limitsIn(0.02)).toEqual(['many-waits']);
    expect(limitsIn(1)).toEqual([]);
  });

  it('is not compared with time on the CPU', async () => {
    const other = await read('a 1/1 [000] 1.5: 1 cpu-clock:\n\t1 main (/x)\n\n');
    const waits = await profileOf();
    expect(() => compare(other.profile, waits)).toThrow('cannot be compared');
    expect(() => compare(waits, other.profile)).toThrow('cannot be compared');
    expect(compare(waits, waits)).toMatchObject({ event: 'off-cpu', unit: 'microseconds' });
  });

  it('comes back from pprof with its unit', async () => {
    const profile = await profileOf();
    const { profile: again } = readPprof(Buffer.from(toPprof(profile, 'test')), {}, { target: 'x' });
    expect(again).toMatchObject({ event: 'off-cpu', unit: 'microseconds', samples: 3 });
    expect(folded(again)).toContain('[disk sleep];main;io_schedule 5000\n');
    expect(again.tree.total[0]).toBe(27_000);
  });
});
