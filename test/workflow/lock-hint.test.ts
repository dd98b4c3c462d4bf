import { expect, it } from 'vitest';
import { CATEGORIES } from '../../src/waits/categories.ts';
import type { GroupFacts } from '../../src/waits/facts.ts';
import { lockHint } from '../../src/workflow/lock-hint.ts';
import { planOf, podOf, WAITS } from '../plans.ts';

const group = (name: string, lock: number, seconds = 10): GroupFacts => ({
  ...{ name, process: 'app', threads: 1, seconds, waits: [] },
  shares: { ...(Object.fromEntries(CATEGORIES.map((each) => [each, 0])) as GroupFacts['shares']), lock },
});
const { containers } = podOf();
const plan = planOf(WAITS, podOf({ namespace: 'shop', name: 'web-0' }));

it('names the command for exactly what was recorded, and the threads that waited longest', () => {
  const groups = [group('one', 0.5, 2), group('other', 0.2), group('third', 0.04, 1000)];
  expect(lockHint({ groups }, plan, false)).toBe(
    'where in the program the thread other waited for locks: kubectl gkeprof flamegraph pod/web-0 -n shop --off-cpu; then only these waits: kubectl gkeprof render @last --include futex',
  );
  const target = podOf({ namespace: 'shop', name: 'web-0', container: containers[0]! });
  expect(lockHint({ groups }, { target }, false)).toContain(` pod/web-0 -c ${containers[0]!.name} -n shop `);
});

it('is printable whatever the name of a thread is', () => {
  expect(lockHint({ groups: [group('\x1b[31m\n', 1)] }, plan, false)).toMatch(/^[ -~]+$/);
});

it('says nothing where no lock stands out', () => {
  expect(lockHint({ groups: [group('one', 0.04)] }, plan, false)).toBeUndefined();
  expect(lockHint({ groups: [] }, plan, false)).toBeUndefined();
});
