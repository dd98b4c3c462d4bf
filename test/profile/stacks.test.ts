import { describe, expect, it } from 'vitest';
import { Stacks } from '../../src/profile/stacks.ts';
import { fc } from '../properties.ts';

describe('Stacks', () => {
  it('keeps each stack once, as it was given', () => {
    const stack = fc.array(fc.nat(2), { maxLength: 7 });
    fc.assert(
      fc.property(fc.array(stack, { maxLength: 3000, size: 'max' }), (list) => {
        const stacks = new Stacks('root first');
        const known = new Map<string, number>();
        for (const frames of list) {
          const number = stacks.number(Int32Array.of(9, ...frames, 9), 1, 1 + frames.length);
          expect(number).toBe(known.get(frames.join()) ?? known.size);
          known.set(frames.join(), number);
        }
        expect(stacks.size).toBe(known.size);
        for (const [frames, number] of known)
          expect(stacks.arena.subarray(stacks.start(number), stacks.ends[number]).join()).toBe(frames);
      }),
      { numRuns: 20 },
    );
  });
});
