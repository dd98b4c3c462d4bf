import type { NodeWork } from '../collectors/collector.ts';
import { runner } from '../collectors/command/command.ts';
import { perf } from '../collectors/perf/perf.ts';
import { LIMITED_WORK } from '../collectors/privileges.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { tcpdump } from '../collectors/tcpdump/tcpdump.ts';
import type { CollectorName } from '../node/arguments.ts';
import { makePlan, type NodeCommand, type NodeTask, type Plan, type SnapshotPart } from '../plan/plan.ts';
import type { PodTarget, Target } from '../plan/target.ts';

/**
 * One kind of debug pod that the tool creates, with a plan that represents all pods of this kind. The admission policy is
 * generated from the pods of all kinds, and the tests submit them.
 */
export interface DebugPodKind {
  readonly name: string;
  readonly plan: Plan;
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

const WORK: Readonly<Record<CollectorName, NodeWork>> = {
  perf,
  tcpdump,
  inspect,
  crictl: runner,
  shell: runner,
};

const attached = (more: Partial<NodeCommand> & Pick<NodeCommand, 'collector'>): NodeCommand => ({
  scope: 'node',
  about: '',
  keys: [],
  words: [],
  stdin: false,
  tty: false,
  ...more,
});

const packets = (scope: 'node' | 'netns' | 'iface'): NodeTask => ({
  collector: 'tcpdump',
  scope,
  count: 0,
  options: [],
  filter: ['port', '6379'],
});

interface Sample {
  readonly name: string;
  readonly capture: NodeTask;
  readonly on: Target;
  readonly target?: DebugPodKind['target'];
  readonly isShell?: true;
  readonly isLimited?: true;
}

const CHANGING = { collector: 'crictl', about: 'exec', keys: ['rights=any'], words: ['exec', 'x'] } as const;
const SAMPLES: readonly Sample[] = [
  { name: 'perf node', capture: { collector: 'perf', scope: 'node', frequencyHz: 99 }, on: NODE },
  { name: 'perf pod', capture: { collector: 'perf', scope: 'pod', frequencyHz: 99 }, on: POD },
  {
    name: 'perf container',
    capture: { collector: 'perf', scope: 'container', frequencyHz: 99 },
    on: { ...POD, container: POD.containers[0]! },
  },
  { name: 'tcpdump node', capture: packets('node'), on: NODE, target: 'either' },
  { name: 'tcpdump netns', capture: packets('netns'), on: POD },
  { name: 'tcpdump iface', capture: packets('iface'), on: POD },
  {
    name: 'inspect',
    capture: { collector: 'inspect', scope: 'node', parts: ['processes', 'runtime'], lingerSeconds: 0 },
    on: NODE,
  },
  {
    name: 'crictl',
    capture: attached({ collector: 'crictl', about: 'ps', keys: ['rights=read'], words: ['ps'] }),
    on: NODE,
    target: 'either',
  },
  { name: 'crictl changing', capture: attached(CHANGING), on: NODE, target: 'either', isShell: true },
  {
    name: 'crictl changing, with a terminal',
    capture: attached({ ...CHANGING, stdin: true, tty: true }),
    on: NODE,
    target: 'either',
    isShell: true,
  },
  {
    name: 'shell',
    capture: attached({ collector: 'shell', keys: ['label=node-a'], words: ['true'] }),
    on: NODE,
    target: 'either',
    isShell: true,
  },
  {
    name: 'shell with a terminal',
    capture: attached({ collector: 'shell', keys: ['label=pod', 'enter=net'], stdin: true, tty: true }),
    on: POD,
    target: 'either',
    isShell: true,
  },
];

/** The kinds with --least-privilege: one for each set of privileges that a sample can have. */
function limited(sample: Sample): Sample[] {
  const { capture } = sample;
  const works = LIMITED_WORK.filter(
    ({ collector, scope }) => collector === capture.collector && scope === capture.scope,
  );
  return works.map(({ parts = [] }) => ({
    ...sample,
    name: [sample.name, ...parts, 'with least privilege'].join(', '),
    isLimited: true,
    capture:
      capture.collector === 'inspect'
        ? { ...capture, parts: parts as readonly SnapshotPart[] }
        : capture.collector === 'crictl' && parts.length
          ? { ...capture, about: parts.join() }
          : capture,
  }));
}

/** All kinds of debug pods, with plans for a namespace. */
export const debugPodKinds = (namespace: string, image = 'image', user = 'user'): readonly DebugPodKind[] =>
  [...SAMPLES, ...SAMPLES.flatMap(limited)].map(
    ({ name, capture, on, target = on.kind, isShell = false, isLimited = false }) => ({
      name,
      target,
      isShell,
      work: WORK[capture.collector],
      plan: makePlan({
        target: on,
        capture,
        limits: {
          durationSeconds: 60,
          maxBytes: 2 ** 30,
          // As in the commands: only captures watch the free space of the node's disk.
          minFreePercent: capture.collector === 'perf' || capture.collector === 'tcpdump' ? 12 : 0,
          keepSeconds: 600,
        },
        debugPod: { namespace, image, install: false, imagePullSecrets: [], leastPrivilege: isLimited },
        user,
        reason: 'any text',
      }),
    }),
  );
