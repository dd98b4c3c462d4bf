import { describe, expect, it } from 'vitest';
import { parseFolded } from '../../src/profile/read/folded-reader.ts';
import { compareText, textOrder } from '../../src/profile/tree.ts';
import { fc } from '../properties.ts';

describe('the tree', () => {
  it('keeps one box a function, though a sibling is named alike: sorting folded text draws two', () => {
    const { tree, frames } = parseFolded('all;foo 100\nall;foo.part.0;x 50\nall;foo;y 70\n', { target: 'x' });
    const rows = Array.from(tree.frame, (frame, node) => [
      frames[frame]?.name ?? '-',
      tree.parent[node],
      tree.next[node],
      tree.self[node],
      tree.total[node],
    ]);
    expect(rows).toEqual([
      ['-', -1, 6, 0, 220],
      ['all', 0, 6, 0, 220],
      ['foo', 1, 4, 100, 170],
      ['y', 2, 4, 70, 70],
      ['foo.part.0', 1, 6, 0, 50],
      ['x', 4, 6, 50, 50],
    ]);
  });

  it('holds for any stacks: a node’s total is its own and its children’s, and children are its own range', () => {
    const stack = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(stack, { maxLength: 60 }), (stacks) => {
        const { tree } = parseFolded(stacks.map((each) => `${each.join(';')} 1\n`).join(''), { target: 'x' });
        expect(tree.total[0]).toBe(stacks.length);
        tree.parent.forEach((parent, node) => {
          let total = tree.self[node]!;
          let child = node + 1;
          for (; child < tree.next[node]!; child = tree.next[child]!) {
            expect(tree.parent[child]).toBe(node);
            total += tree.total[child]!;
          }
          expect(child).toBe(tree.next[node]);
          expect(total).toBe(tree.total[node]);
          expect(parent).toBeLessThan(node);
        });
      }),
    );
  });

  it('orders text as its UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const want = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(Math.sign(compareText(a, b))).toBe(want);
        expect(Math.sign(textOrder([a, b])(a, b))).toBe(want);
      }),
    );
  });
});
