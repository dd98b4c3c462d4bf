import { expect, it } from 'vitest';
import { Combinations } from '../../../src/packets/redis/combinations.ts';
import { fc } from '../../properties.ts';

it('counts each combination, in the order in which they came', () => {
  const one = fc.tuple(fc.nat(3000), fc.nat(500), fc.integer({ min: -1, max: 10_000 }));
  fc.assert(
    fc.property(fc.array(one, { maxLength: 300 }), fc.nat(300), (drawn, again) => {
      const counted = new Combinations();
      const expected = new Map<string, number>();
      for (const each of [...drawn, ...drawn.slice(0, again)]) {
        counted.add(...each);
        expected.set(each.join(), (expected.get(each.join()) ?? 0) + 1);
      }
      const found = [...counted].map(({ client, command, pattern, calls }) => [
        [client, command, pattern].join(),
        calls,
      ]);
      expect(found).toEqual([...expected]);
      expect([counted.size, counted.left]).toEqual([expected.size, 0]);
    }),
  );
});

it('has room for so many, and says how many calls were of others', () => {
  const counted = new Combinations();
  for (let round = 0; round < 2; round += 1)
    for (let client = 0; client < 50_010; client += 1) counted.add(client, 1, -1);
  expect([counted.size, counted.left]).toEqual([50_000, 20]);
  expect([...counted].every(({ calls }) => calls === 2)).toBe(true);
});
