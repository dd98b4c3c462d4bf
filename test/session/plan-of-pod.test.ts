import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { collectorOf } from '../../src/collectors/index.ts';
import {
  debugPodName,
  makePlans,
  type NodeTask,
  type PerfTask,
  type Plan,
  type RecorderWork,
  type TcpdumpTask,
} from '../../src/plan/plan.ts';
import type { Target } from '../../src/plan/target.ts';
import { planOfPod } from '../../src/session/plan-of-pod.ts';
import { debugPod, PLAN_ANNOTATION } from '../../src/session/pod-manifest.ts';
import { PERF, planOf, podOf, TCPDUMP } from '../plans.ts';

const USER = 'jane@example.com';
/** A plan as a command makes it, whose debug pod has the name of its user. */
function planned(capture: NodeTask = PERF, target: Target = podOf(), more: Partial<Plan> = {}): Plan {
  const plan = planOf(capture, target, { user: USER, ...more });
  const name = debugPodName(capture.collector, plan.session.id, plan.user);
  return { ...plan, debugPod: { ...plan.debugPod, imagePullPolicy: 'IfNotPresent', name } };
}

/** The pod as the API server gives it back: with what it fills in. */
function created(plan: Plan | readonly Plan[], change: (pod: V1Pod) => void = () => {}): V1Pod {
  const plans = 'version' in plan ? [plan] : plan;
  const pod = structuredClone(debugPod(plans, collectorOf(plans[0]!.capture.collector)));
  pod.spec!.schedulerName = 'default-scheduler';
  for (const each of pod.spec!.containers) each.terminationMessagePolicy = 'File';
  change(pod);
  return pod;
}

const annotation = (
  pod: V1Pod,
  change: (said: { target: Record<string, unknown>; capture: object }) => void,
) => {
  const said = JSON.parse(pod.metadata!.annotations![PLAN_ANNOTATION]!);
  change(said);
  pod.metadata!.annotations![PLAN_ANNOTATION] = JSON.stringify(said);
};

describe('planOfPod', () => {
  it.each<[string, Plan]>([
    ['a profile of a pod', planned()],
    [
      'a profile of a container',
      planned({ ...(PERF as PerfTask), scope: 'container' }, podOf({ container: podOf().containers[0]! })),
    ],
    [
      'a profile of a node',
      planned({ ...(PERF as PerfTask), scope: 'node' }, { kind: 'node', node: 'node-a' }),
    ],
    [
      'packets, whose filter has words of all kinds',
      planned({ ...(TCPDUMP as TcpdumpTask), filter: ['(', "it's", 'a\nb', '$$', '$(HOME)'] }),
    ],
    ['a recording with a reason', planned(PERF, podOf(), { reason: 'INC-7: "slow"' })],
    [
      'what runs unprivileged, with a secret for its image',
      (() => {
        const plan = planned();
        return {
          ...plan,
          debugPod: { ...plan.debugPod, leastPrivilege: true, imagePullSecrets: ['registry'] },
        };
      })(),
    ],
    [
      'other limits, and tools that are installed',
      (() => {
        const plan = planned(PERF, podOf(), {
          limits: { durationSeconds: 1.5, maxBytes: 5000, minFreePercent: 12, keepSeconds: 7200 },
        });
        return { ...plan, debugPod: { ...plan.debugPod, install: true } };
      })(),
    ],
  ])('is the plan that made it: %s', (_, plan) => {
    const found = planOfPod(created(plan));
    expect(found.plan).toEqual(plan);
    expect(found.collector.name).toBe(plan.capture.collector);
  });

  it('takes a pod of another release, whose scripts differ', () => {
    const pod = created(planned(), ({ spec }) => {
      spec!.containers[0]!.command = ['bash', '-c', 'another script'];
    });
    expect(planOfPod(pod).plan).toEqual(planned());
  });

  it('takes a pod whose user is not in its name', () => {
    const plan = planOf(PERF);
    const pod = created({ ...plan, debugPod: { ...plan.debugPod, imagePullPolicy: 'IfNotPresent' } });
    expect(planOfPod(pod).plan.user).toBeUndefined();
  });

  it.each<[string, (pod: V1Pod) => void]>([
    ['has no plan', ({ metadata }) => delete metadata!.annotations![PLAN_ANNOTATION]],
    [
      'has a plan that is no JSON',
      ({ metadata }) => {
        metadata!.annotations![PLAN_ANNOTATION] = '{';
      },
    ],
    [
      'has a plan that is null',
      ({ metadata }) => {
        metadata!.annotations![PLAN_ANNOTATION] = 'null';
      },
    ],
    [
      'has the plan of another target',
      (pod) => annotation(pod, ({ target }) => Object.assign(target, { uid: 'x', cgroupUids: ['x'] })),
    ],
    [
      'has a target whose name leads elsewhere',
      (pod) => annotation(pod, ({ target }) => Object.assign(target, { name: '../../x' })),
    ],
    [
      'has a target whose name is no text',
      (pod) => annotation(pod, ({ target }) => Object.assign(target, { name: ['redis-0'] })),
    ],
    [
      'has containers that are none',
      (pod) => annotation(pod, ({ target }) => Object.assign(target, { containers: [null] })),
    ],
    ['has another task', (pod) => annotation(pod, (said) => Object.assign(said, { capture: TCPDUMP }))],
    ['has no task', (pod) => annotation(pod, (said) => Object.assign(said, { capture: {} }))],
    [
      'was given another node',
      ({ spec }) => {
        spec!.nodeName = 'node-b';
      },
    ],
    ['was given one more container', ({ spec }) => spec!.containers.push({ name: 'more' })],
    [
      'has arguments of its own',
      ({ spec }) => {
        spec!.containers[0]!.args!.push('more');
      },
    ],
  ])('refuses a pod that %s', (_, change) => {
    expect(() => planOfPod(created(planned(), change))).toThrow(
      /is not one that this version of gkeprof makes$/,
    );
  });

  /** Plans of one debug pod, as a command makes them. */
  const several = (works: readonly RecorderWork[]): Plan[] => {
    const { limits, debugPod: where } = planned();
    return makePlans({ works, limits, debugPod: where, user: USER, reason: 'INC-7' });
  };
  const pods = (count: number, capture: NodeTask = PERF): RecorderWork[] =>
    [...Array(count).keys()].map((at) => ({ target: podOf({ name: `redis-${at}` }), capture }));

  it.each<[string, readonly RecorderWork[]]>([
    ['profiles', pods(12)],
    [
      'packets, whose filter looks like arguments',
      pods(2, { ...(TCPDUMP as TcpdumpTask), filter: ['--', 'nonce=x', 'collector=perf', '$(HOME)'] }),
    ],
    [
      'pods and a container',
      [
        ...pods(2),
        {
          target: podOf({ container: podOf().containers[0]! }),
          capture: { ...(PERF as PerfTask), scope: 'container' },
        },
      ],
    ],
  ])('are the plans that made it, if it has several recorders: %s', (_, works) => {
    const plans = several(works);
    const found = planOfPod(created(plans));
    expect(found.plans).toEqual(plans);
    expect(found.plan).toEqual(plans[0]);
  });

  it.each<[string, (pod: V1Pod) => void]>([
    ['lacks a recorder', ({ spec }) => void spec!.containers[0]!.args!.splice(1, 2)],
    [
      'has another number of words',
      ({ spec }) => {
        spec!.containers[0]!.args![1] = 'recorder=1';
      },
    ],
    [
      'names one target more than it has recorders',
      ({ metadata }) => {
        const said = JSON.parse(metadata!.annotations![PLAN_ANNOTATION]!);
        metadata!.annotations![PLAN_ANNOTATION] = JSON.stringify({ works: [...said.works, said.works[0]] });
      },
    ],
    [
      'names its targets in another order',
      ({ metadata }) => {
        const { works } = JSON.parse(metadata!.annotations![PLAN_ANNOTATION]!);
        const [first, second] = works;
        Object.assign(works, [
          { ...first, target: second.target },
          { ...second, target: first.target },
        ]);
        metadata!.annotations![PLAN_ANNOTATION] = JSON.stringify({ works });
      },
    ],
    [
      'has no works',
      ({ metadata }) => {
        metadata!.annotations![PLAN_ANNOTATION] = '{"works":[]}';
      },
    ],
    [
      'has works that are none',
      ({ metadata }) => {
        metadata!.annotations![PLAN_ANNOTATION] = '{"works":[null,3]}';
      },
    ],
  ])('refuses a pod with several recorders that %s', (_, change) => {
    const works = pods(2).map(({ target, capture }, at) => ({
      target: { ...target, uid: `u${at}`, cgroupUids: [`${at}`.repeat(32)] } as Target,
      capture,
    }));
    const plans = several(works);
    expect(planOfPod(created(plans)).plans).toEqual(plans);
    expect(() => planOfPod(created(plans, change))).toThrow(/is not one that this version of gkeprof makes$/);
  });

  it('refuses a pod that records nothing', () => {
    const inspect: NodeTask = { collector: 'inspect', scope: 'node', parts: ['probe'], lingerSeconds: 60 };
    expect(() => planOfPod(created(planned(inspect, { kind: 'node', node: 'node-a' })))).toThrow(
      /records nothing/,
    );
    expect(() => planOfPod({ metadata: { name: 'x' }, spec: { containers: [] } })).toThrow(/is not one/);
    expect(() => planOfPod({})).toThrow(/is not one/);
  });
});
