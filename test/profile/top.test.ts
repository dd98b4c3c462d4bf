import { describe, expect, it } from 'vitest';
import { printTop, topOf } from '../../src/profile/top.ts';
import { read, stacksOf } from './reading.ts';

describe('topOf', () => {
  it('counts a function that calls itself once in its total', () => {
    const top = topOf(
      stacksOf([
        [['main', 'fib', 'fib', 'fib'], 10],
        [['main', 'fib', 'log', 'fib'], 5],
        [['main'], 5],
      ]),
    );
    const row = (name: string) => top.byTotal.find((each) => each.name === name);
    expect(row('fib')).toMatchObject({ self: 15, total: 15 });
    expect(row('log')).toMatchObject({ self: 0, total: 5 });
    expect(row('main')).toMatchObject({ self: 5, total: 20 });
    expect(top.bySelf[0]).toMatchObject({ name: 'fib' });
    expect(top.byTotal.map((each) => each.name)).not.toContain('redis-server');
  });

  it('says how many cores a thread was busy on, where that can be said', () => {
    expect(topOf(stacksOf([[['main'], 495]])).threads).toEqual([
      { comm: 'redis-server', pid: 1, tid: 1, weight: 495, samples: 495, cores: 0.5 },
    ]);
  });

  it.each([
    ['[unknown] (/usr/bin/app (deleted))', 'the file was deleted'],
    ['[unknown] (/tmp/perf-12.map)', 'without a map of its functions'],
    ['[unknown] (//anon)', 'code generated at run time'],
    ['[unknown] ([unknown])', 'in no file that perf knew:'],
    ['[unknown] (/usr/lib/libc.so.6)', 'it has no symbols'],
    ['[unknown] ([nf_tables])', 'no kernel symbols'],
  ])('%s: %s', async (frame, reason) => {
    const { profile } = await read(`a 1/1 [000] 1.0: 1 cycles:\n\t1 ${frame}\n\t2 main (/x)\n\n`);
    const { unknown } = topOf(profile);
    expect(unknown).toHaveLength(1);
    expect(unknown[0]!.reason).toContain(reason);
    expect(unknown[0]).toMatchObject({ unknown: 1, all: 1 });
  });

  it('prints tables of which no name can do anything to a terminal', async () => {
    const { profile } = await read('\x1b[31mred 1/1 [000] 1.0: 1 cycles:\n\t1 f\x07\u202e (/x)\n\n');
    const text = printTop(topOf(profile));
    expect(text).not.toMatch(/[\x1b\x07\u202e]/);
    expect(text).toContain('\\x1b[31mred');
  });

  it('lets no long name push the others off the screen', async () => {
    const name = `std::map<${'x'.repeat(3000)}>::find`;
    const { profile } = await read(
      `a 1/1 [000] 1.0: 1 cycles:\n\t1 ${name} (/${'d'.repeat(3000)}/lib.so)\n\t2 main (/x)\n\n`,
    );
    const [functions] = printTop(topOf(profile)).split('\n\n');
    for (const line of functions!.split('\n')) expect(line.length).toBeLessThan(260);
    expect(functions).toMatch(/std::map<x+…x+>::find +user +\/d+…d+\/lib\.so$/m);
    expect(topOf(profile).bySelf[0]!.name).toBe(name);
  });

  it('leaves the middle of a long stack out, and says how much', () => {
    const path = Array.from({ length: 60 }, (_, at) => `function_number_${at}`);
    const line = printTop(topOf(stacksOf([[path, 300]])))
      .split('\n')
      .find((each) => each.includes(' more) '))!;
    expect(line).toMatch(
      /^\s+300 {2}100\.0 % {2}redis-server → function_number_0 → \(\d+ more\) → .*function_number_59$/,
    );
  });
});
