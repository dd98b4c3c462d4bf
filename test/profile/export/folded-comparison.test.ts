import { expect, it } from 'vitest';
import { compare } from '../../../src/profile/compare/compare.ts';
import { foldedComparison } from '../../../src/profile/export/folded-comparison.ts';
import { parseFolded } from '../../../src/profile/read/folded-reader.ts';
import { fc } from '../../properties.ts';
import { stacksOf } from '../reading.ts';

const lines = (before: Parameters<typeof compare>[0], after: Parameters<typeof compare>[0]) =>
  [...foldedComparison(compare(before, after))].join('');

it('writes both counts behind each stack, what vanished and what is new too', () => {
  const before = parseFolded('main;a 30\nmain;gone_[k];x 10\nmain 1\n', { target: 'x' });
  const after = parseFolded('main;a 20\nmain;new 20\n', { target: 'x' });
  expect(lines(before, after)).toBe('main 1 0\nmain;a 30 20\nmain;gone;x 10 0\nmain;new 0 20\n');
});

it('keeps the sums and one line a stack, whatever the names are', () => {
  const name = fc.constantFrom('a', 'a;b', 'a:b', 'a\nb', 'a 12', 'a\r', '\ud83d', '日本', 'sys_x', ' ');
  const stacks = fc.array(
    fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 1000 })),
    {
      minLength: 1,
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(stacks, stacks, (before, after) => {
      const text = lines(stacksOf(before), stacksOf(after));
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => /^(.+) (\d+) (\d+)$/.exec(line)!);
      const sum = (column: number) => rows.reduce((total, row) => total + Number(row[column]), 0);
      expect(sum(2)).toBe(before.reduce((total, [, times]) => total + times, 0));
      expect(sum(3)).toBe(after.reduce((total, [, times]) => total + times, 0));
      expect(new Set(rows.map((row) => row[1])).size).toBe(rows.length);
    }),
  );
});
