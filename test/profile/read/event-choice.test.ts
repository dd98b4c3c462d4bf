import { describe, expect, it } from 'vitest';
import { summarize, summaryLines } from '../../../src/profile/summary.ts';
import { printTop, topOf } from '../../../src/profile/top.ts';
import { eventText } from '../../../src/profile/weighing.ts';
import { fold, read } from '../reading.ts';

let clock = 0;
const sample = (event: string, leaf: string, comm = 'srv 7/8'): string => {
  clock += 1;
  return `${comm} [00${clock % 4}] ${(100 + clock / 1000).toFixed(6)}: ${event}: \n\t55d0 ${leaf}+0x1 (/usr/bin/srv)\n\t55d1 main+0x9 (/usr/bin/srv)\n\n`;
};

describe('what a sample counts', () => {
  // perf's frequency begins anew with a period of 1 at each context switch: many samples, hardly any cycles.
  const cycles = [1, 1, 30, 900].map((period) => sample(`${period} cycles:P`, 'idle_poll')).join('');
  const varying = cycles + sample('20000000 cycles:P', 'work');

  it('is the period of an event whose periods vary', async () => {
    expect(await fold(varying)).toBe('srv;main;idle_poll 932\nsrv;main;work 20000000\n');
    expect(await fold(varying, { weight: 'samples' })).toBe('srv;main;idle_poll 4\nsrv;main;work 1\n');
    const { profile } = await read(varying);
    expect(profile.unit).toBe('events');
    expect(eventText(profile)).toBe('cycles:P (weighed by period)');
  });

  it.each([
    ['of an event of a fixed period', sample('5 cycles', 'f') + sample('5 cycles', 'g')],
    ['of a clock, whatever its periods are', sample('5 cpu-clock:ppp', 'f') + sample('9 cpu-clock:ppp', 'g')],
    ['of task-clock likewise', sample('5 task-clock:u', 'f') + sample('9 task-clock:u', 'g')],
    ['where some samples have no period', sample('5 cycles', 'f') + sample('cycles', 'g')],
    ['where none has one', sample('cycles', 'f') + sample('cycles', 'g')],
    [
      'of an event that has one period, beside one that has another',
      sample('5 cycles', 'f') + sample('5 cycles', 'g') + sample('6 faults', 'h'),
    ],
  ])('is one %s', async (_, text) => {
    expect(await fold(text)).toBe('srv;main;f 1\nsrv;main;g 1\n');
    expect(eventText((await read(text)).profile)).toContain('weighed by samples');
  });

  it('is told by the periods of all threads together', async () => {
    const text = sample('5 cycles', 'f', 'a 1/1') + sample('6 cycles', 'g', 'b 2/2');
    expect(await fold(text)).toBe('a;main;f 5\nb;main;g 6\n');
  });

  it('is what the figures below a picture and the tables are by', async () => {
    const { profile } = await read(varying);
    const lines = summaryLines(summarize(profile)).join('\n');
    expect(lines).toContain('event cycles:P (weighed by period)');
    expect(lines).toMatch(/ 1 sample {2}work\n *4 samples {2}idle_poll/);
    expect(printTop(topOf(profile))).toMatch(/^By self, cycles:P \(weighed by period\):/);
  });
});

describe('an event that two kinds of cores count', () => {
  const core = sample('300 cpu_core/cycles/P', 'f') + sample('200 cpu_core/cycles/P', 'g');
  const atom = sample('7 cpu_atom/cycles/P', 'f') + sample('8 cpu_atom/cycles/P', 'h', 'other 9/9');

  it('is one event, whichever came first', async () => {
    const whole = 'other;main;h 8\nsrv;main;f 307\nsrv;main;g 200\n';
    expect(await fold(core + atom)).toBe(whole);
    expect(await fold(atom + core)).toBe(whole);
    expect(await fold(atom + core, { event: 'cycles:P' })).toBe(whole);
    const { profile, events } = await read(atom + core);
    expect(eventText(profile)).toBe(
      'cycles:P (cpu_atom/cycles/P and cpu_core/cycles/P added together, weighed by period)',
    );
    expect([...events]).toEqual([['cycles:P', 4]]);
    expect(
      profile.threads.filter(({ samples }) => samples > 0).map(({ tid, samples }) => [tid, samples]),
    ).toEqual([
      [8, 3],
      [9, 1],
    ]);
    // Each sample keeps its stack in the order of time.
    const leaves = Array.from(
      profile.timeline!.stack,
      (row) => profile.frames[profile.tree.frame[profile.stacks.node[row]!]!]!.name,
    );
    expect(leaves).toEqual(['f', 'g', 'f', 'h']);
  });

  it('is one of them where that one is asked for', async () => {
    expect(await fold(core + atom, { event: 'cpu_atom/cycles/P' })).toBe('other;main;h 8\nsrv;main;f 7\n');
  });

  it.each([
    ['cpu_core/cycles/', 'cpu_atom/cycles/', 'cycles'],
    ['armv8_cortex_a53/cpu_cycles/u', 'armv8_cortex_a72/cpu_cycles/u', 'cpu_cycles:u'],
    ['apple_icestorm_pmu/cycles/', 'apple_firestorm_pmu/cycles/', 'cycles'],
  ])('%s and %s are %s', async (one, other, name) => {
    const { profile } = await read(sample(`5 ${one}`, 'f') + sample(`5 ${other}`, 'f'));
    expect(profile).toMatchObject({ event: name, samples: 2 });
  });

  it('keeps its name where one kind of core counted it, and stays apart from others', async () => {
    expect((await read(core)).profile).toMatchObject({ event: 'cpu_core/cycles/P', samples: 2 });
    const { profile, events } = await read(core + atom + sample('1 cpu_core/instructions/P', 'f'));
    expect(profile).toMatchObject({ event: 'cycles:P', samples: 4 });
    expect([...events]).toEqual([
      ['cycles:P', 4],
      ['cpu_core/instructions/P', 1],
    ]);
  });

  it('is the one with the most samples where they do not count the same, and that is said', async () => {
    const { profile } = await read(sample('7 cpu_atom/cycles/u', 'rare') + core);
    expect(profile).toMatchObject({ event: 'cpu_core/cycles/P', samples: 2 });
    expect(eventText(profile)).toContain(
      'the one with the most samples of 2 events of different kinds of cores',
    );
  });
});

it('passes over what a decoder of Intel PT puts between its samples', async () => {
  const text =
    sample('1 psb', 'f') +
    sample('0 cbr', 'g') +
    sample('1 instructions:u', 'h') +
    sample('1 instructions:u', 'h');
  expect(await fold(text)).toBe('srv;main;h 2\n');
  expect(await fold(text, { event: 'cbr', weight: 'samples' })).toBe('srv;main;g 1\n');
});
