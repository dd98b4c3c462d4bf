import { expect, it } from 'vitest';
import { blocksOf } from '../../../src/profile/compare/blocks.ts';
import { compare } from '../../../src/profile/compare/compare.ts';
import { functionWeights } from '../../../src/profile/functions.ts';
import { closed } from '../../../src/profile/tree.ts';
import { recordingOf } from '../pods.ts';
import { read } from '../reading.ts';

it('have the weights of functions that the whole tree has, a recursive function once', async () => {
  const recursive = 'a 1/1 [0] 1.0: 1 cpu-clock:ppp:\n\t1 f+0x1 (/x)\n\t1 g+0x1 (/x)\n\t1 f+0x1 (/x)\n\n';
  const { profile } = await read(
    Array.from({ length: 90 }, (_, at) => recursive.replace('1.0:', `${(1 + at / 10).toFixed(6)}:`)).join(''),
  );
  for (const one of [await recordingOf(1, { samples: 500 }), profile]) {
    const { tree, frames, evidence } = compare(await recordingOf(2), one);
    const blocks = blocksOf(evidence![1], tree, frames.length)!;
    expect(blocks.length).toBeGreaterThan(6);
    const whole = functionWeights(tree, frames.length, {
      self: tree.self,
      total: closed(tree.parent, tree.self).total,
    });
    for (const by of ['self', 'total'] as const)
      expect(
        frames.map((_, at) => blocks.reduce((sum, { functions }) => sum + functions[by][at]!, 0)),
      ).toEqual([...whole[by]]);
    expect(blocks.reduce((sum, { all }) => sum + all, 0)).toBe(one.samples);
  }
});
