import { describe, expect, it } from 'vitest';
import { makePlan, makePlans, type PerfTask, type PlansInput } from '../../src/plan/plan.ts';
import { PERF, planOf, podOf, TCPDUMP } from '../plans.ts';

const { limits, debugPod } = planOf(PERF);
const input = (works: PlansInput['works']): PlansInput => ({
  works,
  limits,
  debugPod,
  user: 'jane',
  reason: 'x',
});
const work = (name: string) => ({ target: podOf({ name }), capture: PERF });

describe('makePlans', () => {
  it('makes of one work what makePlan makes of it', () => {
    const random = new Uint8Array(16).map((_, at) => at);
    const [plan, ...more] = makePlans({ ...input([work('a')]), random });
    expect(more).toEqual([]);
    expect(plan).toEqual(makePlan({ ...input([]), ...work('a'), random }));
    expect(plan).not.toHaveProperty('recorder');
    expect(plan).not.toHaveProperty('recorders');
  });

  it('makes plans of one session, each with its own nonce and recorder', () => {
    const plans = makePlans(input([work('a'), work('b'), work('c')]));
    expect(plans.map(({ recorder, recorders }) => [recorder, recorders])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(plans.map(({ target }) => target)).toEqual(['a', 'b', 'c'].map((name) => podOf({ name })));
    expect(new Set(plans.map(({ session }) => session.nonce)).size).toBe(3);
    for (const plan of plans) {
      expect(plan.session.nonce).toMatch(/^[0-9a-f]{22}$/);
      expect(plan.session.id).toBe(plans[0]!.session.id);
      expect(plan.debugPod).toEqual(plans[0]!.debugPod);
    }
    expect(plans[0]!.debugPod.name).toBe(`gkeprof-perf-${plans[0]!.session.id}-jane`);
  });

  it('refuses what one debug pod cannot do', () => {
    const many = Array.from({ length: 101 }, () => work('a'));
    expect(() => makePlans(input(many))).toThrow(
      '101 of the targets are on the node node-a, and a debug pod records at most 100',
    );
    expect(() => makePlans(input([]))).toThrow(/at least one/);
    expect(() => makePlans(input([work('a'), { target: podOf({ node: 'b' }), capture: PERF }]))).toThrow(
      /one node/,
    );
    expect(() => makePlans(input([work('a'), { ...work('b'), capture: TCPDUMP }]))).toThrow(/one collector/);
    expect(() => makePlans({ ...input([work('a'), work('b')]), random: new Uint8Array(16) })).toThrow(
      /random/,
    );
  });

  const SHORT = { durationSeconds: 10 };
  const INSPECT = { collector: 'inspect', scope: 'node', parts: ['processes'], lingerSeconds: 60 } as const;
  it.each<[string, PlansInput['works'][0]['capture'], object, object, string]>([
    ['a short profile', PERF, SHORT, {}, 'memory'],
    ['a longer one', PERF, { durationSeconds: 10.5 }, {}, 'disk'],
    ['one with many samples', { ...PERF, frequencyHz: 199 } as PerfTask, SHORT, {}, 'disk'],
    ['one that is kept for long', PERF, { ...SHORT, keepSeconds: 601 }, {}, 'disk'],
    ['one with copies of stacks', { ...PERF, stacks: 'dwarf' } as PerfTask, SHORT, {}, 'disk'],
    ['one of waits', { ...PERF, offCpu: true } as PerfTask, SHORT, {}, 'disk'],
    ['one without privileges', PERF, SHORT, { leastPrivilege: true }, 'disk'],
    ['one whose tools are installed', PERF, SHORT, { install: true }, 'disk'],
    ['packets', TCPDUMP, SHORT, {}, 'disk'],
    ['a snapshot', INSPECT, {}, {}, 'memory'],
    ['one without privileges', INSPECT, {}, { leastPrivilege: true }, 'disk'],
  ])('keeps the files of %s in %5$s', (_what, capture, ofLimits, ofPod, scratch) => {
    const plan = makePlan({
      ...{ target: podOf(), capture },
      ...{ limits: { ...limits, ...ofLimits }, debugPod: { ...debugPod, ...ofPod } },
    });
    expect(plan.debugPod.scratch).toBe(scratch);
  });

  it('keeps the files of several recorders on the disk', () => {
    const plans = makePlans({ ...input([work('a'), work('b')]), limits: { ...limits, ...SHORT } });
    expect(plans.map((plan) => plan.debugPod.scratch)).toEqual(['disk', 'disk']);
  });
});
