import { describe, expect, it } from 'vitest';
import { buildProfile } from '../../../src/profile/read/build-profile.ts';
import { chooseEvent } from '../../../src/profile/read/event-choice.ts';
import { mergePart, partOf } from '../../../src/profile/read/merge-part.ts';
import { PerfScriptReader } from '../../../src/profile/read/perf-script.ts';
import { fc } from '../../properties.ts';

const readText = (text: string): PerfScriptReader => {
  const reader = new PerfScriptReader({ timeline: true });
  reader.push(Buffer.from(text));
  reader.end();
  return reader;
};

describe('mergePart', () => {
  it('goes on as if it had read the part’s text itself', () => {
    const sample = fc
      .record({
        comm: fc.constantFrom('redis-server', 'bio', 'a b'),
        tid: fc.integer({ min: 1, max: 3 }),
        cgroup: fc.constantFrom('', '  /a', '  /b c: 1 x:  /d'),
        event: fc.constantFrom('5 cycles', '6 cycles', '7 faults', 'faults', '3 cpu_core/cycles/P'),
        frames: fc.array(
          fc.constantFrom('f (/x)', 'g ([kernel.kallsyms])', 'LA;->LB; (/tmp/perf-1.map)', '(x) (/y)'),
          { maxLength: 5 },
        ),
      })
      .map(({ comm, tid, event, cgroup, frames }) => ({ comm, tid, event, cgroup, frames }));
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 30 }), fc.nat(30), (samples, cut) => {
        const texts = samples.map(
          ({ comm, tid, event, cgroup, frames }, at) =>
            `${comm} 1/${tid} [000] ${(10 + ((at * 7) % 11) / 10 + at * 0.000007).toFixed(6)}: ${event}:${cgroup}\n${frames.map((frame) => `\t1 ${frame}\n`).join('')}\n${at % 9 === 8 ? 'odd\n' : ''}`,
        );
        const whole = readText(texts.join(''));
        const first = readText(texts.slice(0, cut).join(''));
        mergePart(first, structuredClone(partOf(readText(texts.slice(cut).join('')))));
        const about = { target: 'x' };
        expect(buildProfile(first, chooseEvent(first.origins, undefined), undefined, about)).toEqual(
          buildProfile(whole, chooseEvent(whole.origins, undefined), undefined, about),
        );
        const counted = ({ origins }: PerfScriptReader) => origins.map(({ frame: _, ...origin }) => origin);
        expect(counted(first)).toEqual(counted(whole));
        expect(first.warnings).toEqual(whole.warnings);
        expect([first.lost, first.firstTime, first.lastTime]).toEqual([
          whole.lost,
          whole.firstTime,
          whole.lastTime,
        ]);
      }),
    );
  });
});
