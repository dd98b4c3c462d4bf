import { describe, expect, it } from 'vitest';
import type { Frame } from '../../src/profile/frame.ts';
import { readProfile } from '../../src/profile/read.ts';
import { Stacks } from '../../src/profile/stacks.ts';
import { summarize, summaryLines } from '../../src/profile/summary.ts';

const frame = (name: string, kind: Frame['kind'] = 'user'): Frame => ({
  name,
  kind,
  dso: '/x',
  unknown: name === '[unknown]',
});

/** `a;b` from the root to the leaf, so many times, by one thread. */
function add(
  stacks: Stacks,
  path: string,
  times: number,
  thread = { comm: 'redis-server', pid: 7, tid: 7 },
): void {
  const frames = path
    .split(';')
    .reverse()
    .map((name) => frame(name.replace(/^k:/, ''), name.startsWith('k:') ? 'kernel' : 'user'));
  for (let i = 0; i < times; i += 1) {
    stacks.add({ ...thread, cpu: 0, time: i, period: 1, event: 'cycles', frames });
  }
}

describe('Stacks', () => {
  it('keeps one box a function, though a sibling is named alike: sorting folded text draws two', () => {
    const stacks = new Stacks('cycles');
    add(stacks, 'foo', 100);
    add(stacks, 'foo.part.0;x', 50);
    add(stacks, 'foo;y', 70);
    const thread = [...stacks.root.calls.values()][0]!;
    const calls = [...thread.calls.values()].map((call) => [call.frame.name, call.total, call.self]);
    expect(calls).toEqual([
      ['foo', 170, 100],
      ['foo.part.0', 50, 0],
    ]);
  });

  it('never mixes events: the one with the most samples is taken, the others are counted', async () => {
    const text = [
      'a 1/1 [000] 1.0: 1 cycles:\n\t1 f (/x)\n\n',
      'a 1/1 [000] 1.0: 1 faults:\n\t1 g (/x)\n\n',
      'a 1/1 [000] 1.0: 1 cycles:\n\t1 f (/x)\n\n',
    ];
    const profile = await readProfile(
      (async function* () {
        for (const each of text) yield Buffer.from(each);
      })(),
    );
    expect(profile.stacks.event).toBe('cycles');
    expect(profile.stacks.samples).toBe(2);
    expect(Object.fromEntries(profile.events)).toEqual({ cycles: 2, faults: 1 });
  });
});

describe('summarize', () => {
  const recording = { frequencyHz: 99, seconds: 10, lost: 3 };

  it('counts cores, threads, functions and unknown frames', () => {
    const stacks = new Stacks('cpu-clock');
    add(stacks, 'main;aeMain;call', 970);
    add(stacks, 'main;[unknown];k:read', 20, { comm: 'bio_close', pid: 7, tid: 9 });
    const summary = summarize(stacks, recording);
    expect(summary).toMatchObject({ samples: 990, lost: 3, event: 'cpu-clock', brokenUnwinding: false });
    expect(summary.cores).toBeCloseTo(1, 6);
    expect(summary.unknownFrames).toBeCloseTo(20 / 2970, 6);
    const lines = summaryLines(summary);
    expect(lines).toContain('  redis-server, main thread: 0.98 of one core');
    expect(lines).toContain('  bio_close, thread 9: 0.02 of one core');
    expect(lines).toContain('   98.0 %  call');
    expect(lines).toContain('    2.0 %  read');
  });

  it('says when most stacks end after one or two user frames, and not before', () => {
    const broken = new Stacks('cpu-clock');
    add(broken, 'zmalloc', 60);
    add(broken, 'main;aeMain;call;get', 40);
    expect(summarize(broken, recording).brokenUnwinding).toBe(true);
    const whole = new Stacks('cpu-clock');
    add(whole, 'zmalloc', 40);
    add(whole, 'main;aeMain;call;get', 60);
    expect(summarize(whole, recording).brokenUnwinding).toBe(false);
    const kernel = new Stacks('cpu-clock');
    add(kernel, 'k:a', 100);
    expect(summarize(kernel, recording).brokenUnwinding).toBe(false);
  });

  it('does not count idle processors as busy', () => {
    const stacks = new Stacks('cpu-clock');
    add(stacks, 'k:idle', 495, { comm: 'swapper', pid: 0, tid: 0 });
    add(stacks, 'main', 495);
    expect(summarize(stacks, recording)).toMatchObject({ cores: 0.5, idle: 495 });
  });

  it('has no figures to divide by in an empty profile', () => {
    const summary = summarize(new Stacks('none'), { frequencyHz: 99, seconds: 0, lost: 0 });
    expect(summary).toMatchObject({ samples: 0, cores: 0, unknownFrames: 0, hottest: [], busiest: [] });
  });
});
