import { describe, expect, it } from 'vitest';
import type { StacksBy } from '../../src/profile/unwinding.ts';
import { compareStated } from '../../src/workflow/compare-profiles.ts';
import { recordingOf } from '../profile/pods.ts';

const RULE = { by: 'time', weights: [{}, {}] } as never;
const recording = (seed: number, stacks?: StacksBy) =>
  recordingOf(seed, { samples: 100, about: { ...(stacks && { stacks }) } });

describe('two profiles whose callers were found', () => {
  it.each<[string, StacksBy | undefined, StacksBy | undefined, RegExp | undefined]>([
    ['in the same way', { way: 'fp' }, { way: 'fp', why: 'frame-pointers' }, undefined],
    ['in ways that are not known', undefined, { way: 'ebpf' }, undefined],
    [
      'in different ways',
      { way: 'fp' },
      { way: 'dwarf', bytes: 8192 },
      /^Callers were found by frame pointers before and by DWARF, 8 KiB after: /,
    ],
  ])('%s', async (_, before, after, expected) => {
    const { assumptions } = compareStated([await recording(1, before), await recording(2, after)], RULE);
    if (expected) expect(assumptions).toEqual([expect.stringMatching(expected)]);
    else expect(assumptions).toEqual([]);
  });
});
