import { describe, expect, it } from 'vitest';
import { type StatedWeights, weighed } from '../../../src/profile/compare/folded-weights.ts';
import { parseFolded } from '../../../src/profile/read/folded-reader.ts';
import { read } from '../reading.ts';

const folded = (text: string) => parseFolded(text, { target: 'x' });
const told = (before: string, after: string, stated: StatedWeights = {}) =>
  weighed([folded(before), folded(after)], [stated, stated]);

describe('what the numbers of folded stacks are', () => {
  it('takes multiples of one large number for so many samples, and says so once', () => {
    const [before, after] = told('m;a 61224489\nm;b 40816326\n', 'm;a 20408163\n');
    expect(before).toMatchObject({ samplesKnown: true, profile: { samples: 5, unit: 'samples' } });
    expect(after).toMatchObject({ samplesKnown: true, profile: { samples: 1 } });
    expect(before.assumption).toBe(
      'The folded stacks hold multiples of 20408163, which is assumed to be one sample: they are sums of periods (--unit 1 if they are samples)',
    );
    expect(after.assumption).toBe(before.assumption);
  });

  it('finds the period by both files: a stack of three samples alone does not tell it', () => {
    const [before] = told('m;a 3000000\n', 'm;a 5000000\n');
    expect(before.profile.samples).toBe(3);
  });

  it('takes two periods where both files have their own', () => {
    const [before, after] = told('a 20202020\nb 10101010\n', 'a 20408163\nb 61224489\n');
    expect([before.profile.samples, after.profile.samples]).toEqual([3, 4]);
    expect(before.assumption).toContain('folded stacks before hold multiples of 10101010');
    expect(after.assumption).toContain('folded stacks after hold multiples of 20408163');
  });

  it.each([
    ['cycles', 'a 31234567\nb 1823\nc 90210377\n'],
    ['a clock that jitters', 'a 10101010\nb 20202031\nc 30303017\n'],
    ['more than any recording holds', 'a 90000001\nb 40000007\n'],
    ['cycles of a short run', 'a 3123457\nb 1\nc 902103\nd 12007\ne 55023\n'],
    ['large ones alone', 'a 70001\nb 40007\nc 33333\n'],
  ])('does not know how many samples varying weights are: %s', (_, text) => {
    const [before, after] = told(text, text);
    expect(before).toMatchObject({ samplesKnown: false, profile: { unit: 'events' } });
    expect(before.assumption).toContain('nothing can be tested');
    expect(after.assumption).toBe(before.assumption);
  });

  it.each([
    ['as few as they are', 'a 100\nb 40\n'],
    ['many', 'a 23456\nb 9\nc 120001\n'],
    ['very many', 'a 2345601\nb 9\nc 120001\nd 3\ne 27\n'],
    ['round ones', 'a 1000\nb 3000\n'],
    ['as fractions', 'a 1.5\nb 2\n'],
  ])('leaves samples alone: %s', (_, text) => {
    const profile = folded(text);
    const [before] = weighed([profile, folded('a 7\n')], [{}, {}]);
    expect(before).toEqual({ profile, samplesKnown: true });
  });

  it('does as it is told', () => {
    const text = 'a 30000000\nb 10000000\n';
    expect(told(text, text, { unit: 1 })[0]).toMatchObject({ profile: { samples: 40_000_000 } });
    const [before] = told(text, text, { unit: 5_000_000 });
    expect(before).toMatchObject({ profile: { samples: 8 }, samplesKnown: true });
    expect(before.assumption).toBe('The folded stacks: 5000000 is one sample (--unit)');
    expect(told('a 30\nb 7\n', 'a 1\n', { periods: true })[0].samplesKnown).toBe(false);
  });

  it('has nothing to tell of what says itself what it counts', async () => {
    const { profile } = await read('a 1/1 [000] 1.0: 10000000 cpu-clock:\n\t1 f (/x)\n\n', {
      weight: 'period',
    });
    expect(weighed([profile, profile], [{ periods: true }, {}])[0]).toEqual({ profile, samplesKnown: true });
  });
});
