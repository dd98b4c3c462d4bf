import { describe, expect, it } from 'vitest';
import { summarize, summaryLines } from '../../src/profile/summary.ts';
import { read, stacksOf } from './reading.ts';

const sample = (comm: string, ids: string, frames: readonly string[]) =>
  `${comm} ${ids} [000] 1.500000: 1 cpu-clock:\n${frames.map((frame) => `\t1 ${frame}\n`).join('')}\n`;

describe('summarize', () => {
  it('counts cores, threads, functions and unknown frames', async () => {
    const text =
      sample('redis-server', '7/7', ['call (/x)', 'aeMain (/x)', 'main (/x)']).repeat(970) +
      sample('bio_close', '7/9', ['read ([kernel.kallsyms])', '[unknown] (/x)', 'main (/x)']).repeat(20);
    const { profile } = await read(text);
    const about = { target: 'x', seconds: 10, frequencyHz: 99 };
    const summary = summarize({ ...profile, about, lost: 3 });
    expect(summary).toMatchObject({ samples: 990, lost: 3, event: 'cpu-clock', brokenUnwinding: false });
    expect(summary.cores).toBeCloseTo(1, 6);
    expect(summary.unknownFrames).toBeCloseTo(20 / 2970, 6);
    const lines = summaryLines(summary);
    expect(lines).toContain('  redis-server, main thread: 0.98 of one core');
    expect(lines).toContain('  bio_close, thread 9: 0.02 of one core');
    expect(lines).toContain('   98.0 %  call');
    expect(lines).toContain('    2.0 %  read');
  });

  it('says nothing of cores where frequency or time are not known', async () => {
    const { profile } = await read('a;b 5\n');
    expect(summaryLines(summarize(profile)).join('\n')).not.toContain('core');
  });

  it('says when most stacks end after one or two user frames, and not before', () => {
    const broken = (shallow: number, deep: number) =>
      summarize(
        stacksOf([
          [['zmalloc'], shallow],
          [['main', 'aeMain', 'call', 'get'], deep],
        ]),
      ).brokenUnwinding;
    expect(broken(60, 40)).toBe(true);
    expect(broken(40, 60)).toBe(false);
    expect(summarize(stacksOf([[['sys_a'], 100]])).brokenUnwinding).toBe(false);
  });
});
