import { describe, expect, it } from 'vitest';
import { summarize, summaryLines } from '../../src/profile/summary.ts';
import { read, stacksOf } from './reading.ts';

const sample = (comm: string, ids: string, frames: readonly string[], event = 'cpu-clock') =>
  `${comm} ${ids} [000] 1.500000: 1 ${event}:\n${frames.map((frame) => `\t1 ${frame}\n`).join('')}\n`;

describe('summarize', () => {
  it('counts cores, threads, functions and losses', async () => {
    const text =
      sample('redis-server', '7/7', ['call (/x)', 'aeMain (/x)', 'main (/x)']).repeat(970) +
      sample('bio_close', '7/9', ['read ([kernel.kallsyms])', '[unknown] (/x)', 'main (/x)']).repeat(20);
    const { profile } = await read(text);
    const about = { target: 'x', seconds: 10, frequencyHz: 99 };
    const summary = summarize({ ...profile, about, lost: 3 });
    expect(summary).toMatchObject({ samples: 990, lost: 3, event: 'cpu-clock' });
    expect(summary.cores).toBeCloseTo(1, 6);
    const lines = summaryLines(summary);
    expect(lines.slice(0, 2)).toEqual([
      '990 samples, 3 lost, event cpu-clock (weighed by samples)',
      '1.00 cores busy on average',
    ]);
    expect(lines).toContain('  redis-server, main thread: 0.98 of one core');
    expect(lines).toContain('  bio_close, thread 9: 0.02 of one core');
    expect(lines).toContain('   98.0 %  call');
    expect(lines).toContain('    2.0 %  read');
  });

  it('says nothing of cores and losses where the input does not tell', async () => {
    const { profile } = await read('a;b 5\n');
    expect(profile.lost).toBeUndefined();
    const text = summaryLines(summarize(profile)).join('\n');
    expect(text).not.toContain('core');
    expect(text).not.toContain('lost');
  });

  it('says no word on losses of perf script text that was not asked to show them, and the number where it was', async () => {
    const plain = await read(sample('a', '1/1', ['main (/x)']));
    expect(summaryLines(summarize(plain.profile))[0]).toBe('1 sample, event cpu-clock (weighed by samples)');
    const lost = `${sample('a', '1/1', ['main (/x)'])}a 1/1 [000] 1.6: PERF_RECORD_LOST lost 12\n`;
    expect(summaryLines(summarize((await read(lost)).profile))[0]).toBe(
      '1 sample, 12 lost, event cpu-clock (weighed by samples)',
    );
  });

  it.each([
    // The first and the last sample of a busy thread are one period less apart than it was busy.
    ['one busy thread', 'cpu-clock', 136, { seconds: 135 / 999, frequencyHz: 999 }, 1],
    ['a clock with a modifier', 'task-clock:u', 495, { seconds: 10, frequencyHz: 99 }, 0.5],
    [
      'a counter, whose frequency is only approached',
      'cycles',
      1060,
      { seconds: 10, frequencyHz: 99 },
      undefined,
    ],
    ['no frequency', 'cpu-clock', 100, { seconds: 10 }, undefined],
  ])('cores of a thread: %s', async (_what, event, count, about, cores) => {
    const { profile } = await read(sample('dot', '7/7', ['main (/x)'], event).repeat(count));
    const summary = summarize({ ...profile, about: { target: 'x', ...about } });
    expect(summary.busiest[0]!.cores).toBe(cores);
    if (cores === undefined) expect(summaryLines(summary).join('\n')).not.toMatch(/of one core|cores busy/);
  });

  it('gives cores as many digits as their samples bear', () => {
    const line = (samples: number, seconds: number) =>
      summaryLines(
        summarize({ ...stacksOf([[['main'], samples]]), about: { target: 'x', seconds, frequencyHz: 99 } }),
      )[1];
    expect(line(9900, 50)).toContain('2.00 cores');
    expect(line(60, 0.303)).toContain('2.0 cores');
  });

  it('prints counts where there are too few samples for shares', () => {
    const lines = summaryLines(
      summarize(
        stacksOf([
          [['main', 'get'], 20],
          [['main', 'set'], 9],
        ]),
      ),
    );
    expect(lines).toContain('  20 samples  get');
    expect(lines.join('\n')).not.toContain('%');
    expect(lines.join('\n')).toMatch(/\nnote: there are only 29 samples/);
    expect(summaryLines(summarize(stacksOf([[['main'], 1]]))).join('\n')).toMatch(
      /\nnote: there is only 1 sample,/,
    );
    expect(summaryLines(summarize(stacksOf([[['main', 'get'], 30]]))).join('\n')).toContain('100.0 %  get');
  });

  it('fits into 80 columns, whatever the functions and threads are called', () => {
    const name = `std::map<${'std::string, '.repeat(20)}int>::operator[](std::string const&)`;
    const about = {
      ...{ target: 'x', seconds: 10, frequencyHz: 99 },
      cpu: { usedSeconds: 4.953, throttledSeconds: 3.2, waitedSeconds: 0.012 },
    };
    for (const samples of [20, 990]) {
      const lines = summaryLines(
        summarize({
          ...stacksOf([
            [['main', name, 'x'.repeat(200)], samples],
            [['main', name], samples],
          ]),
          about,
        }),
      );
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
      expect(lines.join('\n')).toMatch(/ std::map<.*….*::operator\[\]\(std::string const&\)\n/);
    }
  });

  it('puts the threads of one name together where there are many', async () => {
    const text = Array.from({ length: 8 }, (_, at) =>
      sample('worker', `${at < 6 ? 7 : 8}/${10 + at}`, ['main (/x)']).repeat(10),
    ).join('');
    const { profile } = await read(text + sample('main', '7/7', ['main (/x)']).repeat(50));
    const summary = summarize({ ...profile, about: { target: 'x', seconds: 1, frequencyHz: 100 } });
    expect(summary.groups).toEqual([
      { comm: 'worker', threads: 8, processes: 2, samples: 80, share: 80 / 130, cores: 0.8 },
    ]);
    expect(summaryLines(summary)).toContain('  all 8 threads worker of 2 processes: 0.8 cores');
  });

  it('says what the kernel counted, and what held the target back', () => {
    const about = {
      ...{ target: 'x', seconds: 10, frequencyHz: 99 },
      cpu: { usedSeconds: 4.953, throttledSeconds: 3.2, waitedSeconds: 0.012 },
    };
    const lines = summaryLines(summarize({ ...stacksOf([[['main'], 490]]), about }));
    expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain(
      "by the kernel's counters, 0.50 cores: throttled for 3.20 s; PSI some 0.1 %",
    );
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});
