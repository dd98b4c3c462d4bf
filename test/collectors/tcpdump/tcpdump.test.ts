import { expect, it } from 'vitest';
import { tcpdump } from '../../../src/collectors/tcpdump/tcpdump.ts';
import type { TcpdumpTask } from '../../../src/plan/plan.ts';
import { planOf, TCPDUMP } from '../../plans.ts';

it('says in a phrase what is captured, with and without a filter', () => {
  const said = (filter: readonly string[]) =>
    tcpdump.describe(planOf({ ...(TCPDUMP as TcpdumpTask), filter }));
  expect(said(['port', '6379'])).toBe('packets of pod/redis-0, scope netns, filter: port 6379');
  expect(said([])).toBe('packets of pod/redis-0, scope netns, no filter: every packet');
});
