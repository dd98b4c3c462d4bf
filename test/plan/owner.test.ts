import { describe, expect, it } from 'vitest';
import { isObjectName } from '../../src/cluster/cluster.ts';
import { ownerOfSuffix, ownerSuffix } from '../../src/plan/owner.ts';
import { debugPodName } from '../../src/plan/plan.ts';
import { fc } from '../properties.ts';

describe('ownerSuffix', () => {
  it.each([
    ['jane', 'jane'],
    ['jane@example.com', 'jane-40example-2ecom'],
    ['Jane', '-4aane'],
    ['system:serviceaccount:ci:bot', 'system-3aserviceaccount-3aci-3abot'],
    ['a-b', 'a-2db'],
    ['', undefined],
    ['jürgen', undefined],
    ['a\nb', undefined],
    ['x'.repeat(161), undefined],
  ])('writes %j as %j', (user, want) => expect(ownerSuffix(user)).toBe(want));

  it('writes no two users alike, and only what a pod may be called', () => {
    const user = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(user, user, (one, other) => {
        const written = ownerSuffix(one);
        if (written !== undefined) {
          expect(isObjectName(debugPodName('perf', '0123456789', one))).toBe(true);
          expect(written === ownerSuffix(other)).toBe(one === other);
        }
      }),
    );
  });
});

describe('ownerOfSuffix', () => {
  it('reads what ownerSuffix writes, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }), (user) => {
        const written = ownerSuffix(user);
        if (written !== undefined) expect(ownerOfSuffix(written)).toBe(user);
      }),
    );
    for (const other of ['', 'A', 'a-', 'a-2', 'a-zz', 'a-61', 'a_b'])
      expect(ownerOfSuffix(other)).toBeUndefined();
  });
});
