import { expect, it } from 'vitest';
import type { Frame } from '../../../src/profile/frame.ts';
import { pathOf } from '../../../src/profile/paths.ts';
import type { CallTree } from '../../../src/profile/profile.ts';
import { StackTree } from '../../../src/profile/read/stack-tree.ts';
import { fc } from '../../properties.ts';

const frameOf = (name: string): Frame => ({ name, kind: 'user', dso: '', unknown: false });
// Names that go on as others do, with what comes before `;` in a line, and behind it.
const NAMES = ['a', 'a.part', 'ab', 'b', 'b:', 'é'];
const FRAMES = NAMES.map(frameOf);

/** Feeds stacks as a reader of folded lines does. */
function grown(stacks: ReadonlyArray<readonly number[]>): CallTree {
  const tree = new StackTree(FRAMES);
  const line = (stack: readonly number[]) => Buffer.from(`${stack.map((frame) => NAMES[frame]).join(';')} 1`);
  let before: readonly number[] = [];
  for (const stack of stacks) {
    let shared = 0;
    while (shared < stack.length && shared < before.length && stack[shared] === before[shared]) shared += 1;
    const sorted = Buffer.compare(line(before), line(stack)) <= 0 || before.length === 0;
    tree.add(Int32Array.from(stack), shared, stack.length, 1, sorted);
    before = stack;
  }
  return tree.tree();
}

const byLine = (a: readonly number[], b: readonly number[]) =>
  Buffer.compare(
    Buffer.from(a.map((frame) => NAMES[frame]).join(';')),
    Buffer.from(b.map((frame) => NAMES[frame]).join(';')),
  );

it('is the same tree in whatever order the stacks come, children by name, no two alike', () => {
  const stack = fc.array(fc.nat(NAMES.length - 1), { minLength: 1, maxLength: 7 });
  fc.assert(
    fc.property(fc.array(stack, { minLength: 1, maxLength: 60 }), (stacks) => {
      const sorted = grown([...stacks].sort(byLine));
      expect(grown(stacks)).toEqual(sorted);
      const counts = new Map<string, number>();
      for (const each of stacks) counts.set(each.join(), (counts.get(each.join()) ?? 0) + 1);
      const found = new Map<string, number>();
      sorted.frame.forEach((_, node) => {
        const path = pathOf(sorted, node).join();
        expect(found.has(path)).toBe(false);
        found.set(path, sorted.self[node]!);
        let last = '';
        for (let child = node + 1; child < sorted.next[node]!; child = sorted.next[child]!) {
          const name = NAMES[sorted.frame[child]!]!;
          expect(Buffer.compare(Buffer.from(last), Buffer.from(name))).toBe(-1);
          last = name;
        }
      });
      expect(new Map([...found].filter(([, count]) => count))).toEqual(counts);
      expect(sorted.total[0]).toBe(stacks.length);
    }),
  );
});

it('grows with what it is given', () => {
  const tree = new StackTree(FRAMES);
  const deep = new Int32Array(5_000_000);
  tree.add(deep, 0, deep.length, 3, true);
  tree.add(deep, deep.length, deep.length, 4, true);
  const { frame, self, total } = tree.tree();
  expect([frame.length, self[deep.length], total[1]]).toEqual([deep.length + 1, 7, 7]);
});
