import { describe, expect, it } from 'vitest';
import { StacksAgreement } from '../../src/session/stacks-agreement.ts';
import { fakeCluster, result } from '../fake-cluster.ts';
import { PERF, planOf } from '../plans.ts';
import { contextOf } from './scene.ts';

const planAt = (at: number) => {
  const plan = planOf(PERF);
  return { ...plan, session: { ...plan.session, id: `${at}`.repeat(10) } };
};
const NEEDS = {
  ebpf: { wants: 'ebpf', why: 'interpreter', can: 'fp,dwarf,ebpf' },
  fp: { wants: 'fp', why: 'frame-pointers', can: 'fp,dwarf,ebpf' },
  old: { wants: 'dwarf', why: 'no-bpf', can: 'fp,dwarf' },
  full: { wants: 'fp', why: 'too-large', can: 'fp' },
} as const;
type Need = keyof typeof NEEDS;

/** Debug pods that say what they need, and the answers to them in the same order; `together`: how many are waited for. */
async function answers(
  needs: readonly Need[],
  { together = needs.length, missing = 0, sleep = () => new Promise<void>(() => {}) } = {},
) {
  const told: string[] = [];
  const said: string[] = [];
  const cluster = fakeCluster({
    exec: async (_ref, argv) => {
      told.push(argv.at(-1)!.replace('/gkeprof/ctl/stacks-', ''));
      return result();
    },
  });
  const agreement = new StacksAgreement(together, { line: (text) => said.push(text) });
  for (let at = 0; at < missing; at += 1) agreement.without();
  const context = contextOf(cluster, { sleep });
  for (const [at, need] of needs.entries()) {
    const going = agreement.looked(planAt(at), NEEDS[need], context);
    // The other recorders of the same debug pod say the same.
    await agreement.looked(planAt(at), NEEDS[need], context);
    if (at === needs.length - 1) await going;
  }
  return { told, said, agreed: agreement.agreed };
}

describe('debug pods agree on one way to find stacks', () => {
  it.each<[readonly Need[], readonly string[], string | undefined, RegExp]>([
    [['fp', 'fp'], ['fp', 'fp'], 'fp', /^stacks of all targets: frame pointers, because the programs set/],
    [['fp', 'ebpf'], ['ebpf', 'ebpf'], 'ebpf', /^stacks of all targets: eBPF, because an interpreter runs/],
    [
      ['old', 'fp'],
      ['dwarf', 'dwarf'],
      'dwarf',
      /^stacks of all targets: DWARF, because some of the programs/,
    ],
    [
      ['ebpf', 'old'],
      ['own', 'own'],
      undefined,
      /^stacks: not found in the same way .* because eBPF is not possible/,
    ],
    [['full', 'fp', 'ebpf'], ['own', 'own', 'own'], undefined, /because eBPF is not possible/],
  ])('%o', async (needs, want, agreed, text) => {
    const got = await answers(needs);
    expect(got.told).toEqual(want);
    expect(got.agreed).toBe(agreed);
    expect(got.said).toEqual([expect.stringMatching(text)]);
  });

  it('without those that failed', async () => {
    expect((await answers(['ebpf', 'fp'], { together: 3, missing: 1 })).told).toEqual(['ebpf', 'ebpf']);
  });

  it('and do not wait for ever for one that says nothing', async () => {
    expect((await answers(['ebpf', 'fp'], { together: 3, sleep: async () => {} })).told).toContain('ebpf');
  });

  it('and one that begins later takes the same way if it can', async () => {
    expect((await answers(['ebpf', 'fp', 'full'], { together: 2 })).told).toEqual(['ebpf', 'ebpf', 'own']);
  });

  it('also if a node cannot be told, which then decides by itself', async () => {
    const cluster = fakeCluster({ exec: async () => result('', 1, 'container not found') });
    const agreement = new StacksAgreement(1, { line: () => {} });
    await agreement.looked(planAt(1), NEEDS.ebpf, contextOf(cluster));
    expect(agreement.agreed).toBe('ebpf');
  });
});
