import { isRecording, type NodeWork, type SampleTask } from '../collectors/collector.ts';
import { COLLECTORS } from '../collectors/index.ts';
import { LIMITED_WORK } from '../collectors/privileges.ts';
import { makePlans, type Plan, type SnapshotPart } from '../plan/plan.ts';
import type { PodTarget, Target } from '../plan/target.ts';

/**
 * One kind of debug pod that the tool creates, with a plan that represents all pods of this kind. The admission policy is
 * generated from the pods of all kinds, and the tests submit them.
 */
export interface DebugPodKind {
  readonly name: string;
  readonly plan: Plan;
  /** The plans of all its recorders: of one, or of two, which represent any number of them. */
  readonly plans: readonly Plan[];
  readonly work: NodeWork;
  /** The targets that its arguments may name. */
  readonly target: 'pod' | 'node' | 'either';
  /** True for a pod that can do anything on the node; the policy accepts it only where shells are allowed. */
  readonly isShell: boolean;
}

const NODE: Target = { kind: 'node', node: 'node-a' };
const POD: PodTarget = {
  kind: 'pod',
  namespace: 'default',
  name: 'pod',
  uid: '00000000-0000-4000-8000-000000000000',
  cgroupUids: ['00000000-0000-4000-8000-000000000000'],
  node: 'node-a',
  ips: ['10.0.0.1'],
  hostNetwork: false,
  containers: [{ name: 'container', id: 'a'.repeat(64), running: true }],
};

const TARGETS: Readonly<Record<SampleTask['on'], Target>> = {
  node: NODE,
  pod: POD,
  container: { ...POD, container: POD.containers[0]! },
};

/** The second target of a pod with several recorders. */
const OTHER: PodTarget = { ...POD, namespace: 'kube-public', name: 'other', ips: ['10.0.0.2'] };
const OTHERS: Readonly<Record<SampleTask['on'], Target>> = {
  node: NODE,
  pod: OTHER,
  container: { ...OTHER, container: OTHER.containers[0]! },
};

/** A sample of a collector, with what makes it a debug pod. */
interface Sample extends SampleTask {
  readonly work: NodeWork;
  readonly isLimited?: true;
  /** It has several recorders. */
  readonly isSeveral?: true;
  /** It is so short that its files are in memory. */
  readonly isShort?: true;
}

const SAMPLES: readonly Sample[] = COLLECTORS.flatMap((work) =>
  work.samples.map((sample) => ({ ...sample, work })),
);

/** The kinds with --least-privilege: one for each set of privileges that a sample can have. */
function limited(sample: Sample): Sample[] {
  const { task } = sample;
  const works = LIMITED_WORK.filter(
    ({ collector, scope }) => collector === task.collector && scope === task.scope,
  );
  return works.map(({ parts = [] }) => ({
    ...sample,
    name: [sample.name, ...parts, 'with least privilege'].join(', '),
    isLimited: true,
    task:
      task.collector === 'inspect'
        ? { ...task, parts: parts as readonly SnapshotPart[] }
        : task.collector === 'crictl' && parts.length
          ? { ...task, about: parts.join() }
          : task,
  }));
}

/** The kinds with several recorders: those of everything that records pods. */
const several = (samples: readonly Sample[]): Sample[] =>
  samples
    .filter(({ work, on }) => isRecording(work) && on !== 'node')
    .map((sample) => ({ ...sample, name: `${sample.name}, several`, isSeveral: true }));

/** The kinds without volumes that are not snapshots: profiles that are short (plan/plan.ts, fitsInMemory). */
const short = (samples: readonly Sample[]): readonly Sample[] =>
  samples
    .filter(({ task }) => task.collector === 'perf')
    .map((sample) => ({ ...sample, name: `${sample.name}, short`, isShort: true }));

/** All kinds of debug pods, with plans for a namespace. */
export const debugPodKinds = (namespace: string, image = 'image', user = 'user'): readonly DebugPodKind[] =>
  [...SAMPLES, ...SAMPLES.flatMap(limited), ...several(SAMPLES), ...short(SAMPLES)].map(
    ({
      name,
      work,
      task,
      on,
      target = TARGETS[on].kind,
      isShell = false,
      isLimited = false,
      isSeveral,
      isShort,
    }) => {
      const one = { target: TARGETS[on], capture: task };
      const plans = makePlans({
        works: isSeveral ? [one, { ...one, target: OTHERS[on] }] : [one],
        limits: {
          durationSeconds: isShort ? 5 : 60,
          maxBytes: 2 ** 30,
          // As in the verbs: work that records watches the node's disk.
          minFreePercent: isRecording(work) ? 12 : 0,
          keepSeconds: 600,
        },
        debugPod: { namespace, image, install: false, imagePullSecrets: [], leastPrivilege: isLimited },
        user,
        reason: 'any text',
      });
      return { name, target, isShell, work, plans, plan: plans[0]! };
    },
  );
