import type { V1Pod } from '@kubernetes/client-node';
import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import type { Collector } from '../../src/collectors/collector.ts';
import { perf } from '../../src/collectors/perf/perf.ts';
import { captureCommand, captureScript } from '../../src/collectors/script.ts';
import { inspect } from '../../src/collectors/snapshot/snapshot.ts';
import { tcpdump } from '../../src/collectors/tcpdump/tcpdump.ts';
import {
  boundSeconds,
  captureSeconds,
  deadlineSeconds,
  MOST_RECORDERS,
  makePlan,
  makePlans,
  type NodeTask,
  type PerfTask,
  type Plan,
  type PlansInput,
  type TcpdumpTask,
} from '../../src/plan/plan.ts';
import type { Target } from '../../src/plan/target.ts';
import {
  admissionChanges,
  captureArguments,
  debugPod,
  isSameBySession,
} from '../../src/session/pod-manifest.ts';
import { golden } from '../golden.ts';
import { PERF, planOf, podOf, TCPDUMP } from '../plans.ts';
import { fc } from '../properties.ts';

const HOSTILE = [
  '$(touch /tmp/x)',
  '; rm -rf /',
  "it's",
  'a\nb',
  '"',
  '$$',
  '$(KUBERNETES_SERVICE_HOST)',
  '\u001b[31m',
];

/** What the kubelet makes of `command` and `args`: Expand of k8s.io/kubernetes third_party/forked/golang/expansion. */
function kubeletExpand(text: string): string {
  let expanded = '';
  for (let at = 0; at < text.length; at += 1) {
    const next = text[at + 1];
    if (text[at] !== '$' || next === undefined) {
      expanded += text[at];
    } else if (next === '(' && text.includes(')', at)) {
      const end = text.indexOf(')', at);
      expanded += `<value of ${text.slice(at + 2, end)}>`;
      at = end;
    } else {
      expanded += next === '$' ? '$' : `$${next}`;
      at += 1;
    }
  }
  return expanded;
}

it.each([
  ['$(A)', '<value of A>'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$<value of A>'],
  ['$(A', '$(A'],
  ['a$b$', 'a$b$'],
  ['$$', '$'],
  ['$($$)', '<value of $$>'],
])('the oracle expands %s as the kubelet does', (text, want) => expect(kubeletExpand(text)).toBe(want));

/** Words of what shells, YAML and Kubernetes take for their own. */
const hostileWord = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'$$$(){}AB=\'"`\\;&|<>*? \t\n\r-#~!%:,'),
    fc.constantFrom('$(', '$$', '${', '\u001b', '\u2028', 'ü'),
  ),
  maxLength: 20,
});

const limitedPlan = (capture: NodeTask): Plan => {
  const { debugPod: where } = planOf(capture);
  return planOf(capture, undefined, { debugPod: { ...where, leastPrivilege: true, scratch: 'disk' } });
};

/** Puts placeholders in the place of the scripts and of the programs behind them, which are tested as files. */
function withoutTexts(pod: V1Pod): void {
  for (const { command } of pod.spec!.containers) {
    command![2] = '<the script>';
    if (command![4] !== undefined) command![4] = '<a program>';
  }
}

describe('debugPod', () => {
  it.each([
    ['perf-pod', planOf(PERF), perf],
    [
      'perf-container',
      planOf({ ...PERF, scope: 'container' } as never, podOf({ container: podOf().containers[0]! })),
      perf,
    ],
    ['perf-node', planOf({ ...PERF, scope: 'node' } as never, { kind: 'node', node: 'node-a' }), perf],
    [
      'tcpdump',
      planOf({ ...TCPDUMP, filter: HOSTILE } as TcpdumpTask, podOf(), { reason: HOSTILE.join(' ') }),
      tcpdump,
    ],
    ['least-perf', limitedPlan({ ...PERF, scope: 'node' } as never), perf],
    ['least-tcpdump-node', limitedPlan({ ...TCPDUMP, scope: 'node' } as never), tcpdump],
    ['least-tcpdump-netns', limitedPlan(TCPDUMP), tcpdump],
    [
      'least-inspect',
      limitedPlan({
        collector: 'inspect',
        scope: 'node',
        parts: ['processes', 'runtime'],
        lingerSeconds: 0,
      }),
      inspect,
    ],
  ])('is what it always was: %s', (name, plan, collector) => {
    const pod = debugPod([plan], collector);
    withoutTexts(pod);
    golden(`pods/${name}.yaml`, dump(pod, { lineWidth: 100 }));
  });

  it('has the same commands, byte for byte, whatever the plan says', () => {
    const sent = (plan: Plan, collector: Collector) =>
      debugPod([plan], collector).spec!.containers.map((each) => each.command);
    const constant = sent(planOf(TCPDUMP), tcpdump);
    expect(constant[0]).toEqual(captureCommand(tcpdump));
    fc.assert(
      fc.property(hostileWord, fc.nat(), (word, number) => {
        const target = podOf({ name: word, ips: [word], hostNetwork: number % 2 === 0 });
        const more = { reason: word, limits: { ...planOf(PERF).limits, durationSeconds: number } };
        const capture = { ...TCPDUMP, count: number, filter: [word], options: [word] } as TcpdumpTask;
        expect(sent(planOf(capture, target, more), tcpdump)).toEqual(constant);
      }),
      { numRuns: 30 },
    );
  });

  // kubectl reads the pod before each exec and each copy: with 186 KB that alone took over a minute on a line of 1 kB/s.
  it('is small: it has nothing of the other collectors, and no comments', () => {
    expect(JSON.stringify(debugPod([planOf(TCPDUMP)], tcpdump)).length).toBeLessThan(40_000);
    expect(JSON.stringify(debugPod([planOf(PERF)], perf)).length).toBeLessThan(82_000);
  });

  it('expands nothing of its own scripts', () => {
    for (const { command } of debugPod([planOf(PERF)], perf).spec!.containers) {
      expect(kubeletExpand(command![2]!)).toBe(command![2]!.replaceAll('$$', '$'));
    }
    expect(kubeletExpand(captureCommand(perf)[2]!)).toBe(captureScript([perf]));
  });

  it('gives away no right that it does not need', () => {
    const pod = debugPod([planOf(TCPDUMP)], tcpdump);
    const [capture, files] = pod.spec!.containers;
    expect(pod.spec!.containers.map((each) => each.name)).toEqual(['capture', 'files']);
    expect(pod.spec!.initContainers).toBeUndefined();
    expect(pod.spec!.ephemeralContainers).toBeUndefined();
    expect(capture!.securityContext!.privileged).toBe(true);
    expect(capture).not.toHaveProperty('env');
    expect(files).not.toHaveProperty('env');
    expect(files!.securityContext).toMatchObject({
      privileged: false,
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const hostPaths = pod.spec!.volumes!.filter((volume) => volume.hostPath);
    expect(hostPaths.map((volume) => volume.hostPath!.path)).toEqual(['/sys/fs/cgroup']);
    const readOnly = (mounts: typeof capture) =>
      mounts!.volumeMounts!.filter((each) => each.readOnly).map((each) => each.mountPath);
    expect(readOnly(capture)).toEqual(['/sys/fs/cgroup']);
    expect(readOnly(files)).toEqual(['/gkeprof']);
    // Root never writes where `files` can: a link laid there would be followed with the rights of the node.
    expect(captureScript()).not.toMatch(/>\s*"?\$CTL|mkdir[^\n]*\$CTL|touch[^\n]*\$CTL/);
    expect(pod.spec).toMatchObject({
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      enableServiceLinks: false,
      shareProcessNamespace: false,
      nodeName: 'node-a',
      tolerations: [{ operator: 'Exists' }],
    });
    expect(capture!.resources!.limits).toBeUndefined();
    expect(pod.spec!.priorityClassName).toBeUndefined();
  });

  it('has no volume at all if its files are in memory', () => {
    const plan = planOf(PERF);
    const pod = debugPod([{ ...plan, debugPod: { ...plan.debugPod, scratch: 'memory' } }], perf);
    expect(pod.spec).not.toHaveProperty('volumes');
    for (const container of pod.spec!.containers) expect(container).not.toHaveProperty('volumeMounts');
    // Whatever admission adds is a change then too.
    const got: V1Pod = { ...pod, spec: { ...pod.spec!, volumes: [{ name: 'scratch', emptyDir: {} }] } };
    expect(admissionChanges(pod, got)).toEqual(['volume "scratch" was added']);
    expect(admissionChanges(pod, { ...pod, spec: { ...pod.spec!, volumes: [] } })).toEqual([]);
    // Its script and its arguments are those of every other pod of the collector.
    const onDisk = debugPod([plan], perf).spec!.containers;
    expect(pod.spec!.containers.map(({ command, args }) => [command, args])).toEqual(
      onDisk.map(({ command, args }) => [command, args]),
    );
  });

  it('ends behind every timer of the scripts', () => {
    for (const durationSeconds of [0.5, 60, 86_400]) {
      const plan = planOf(PERF, podOf(), {
        limits: { durationSeconds, maxBytes: 1, minFreePercent: 12, keepSeconds: 600 },
      });
      expect(captureSeconds(plan)).toBeGreaterThan(durationSeconds);
      expect(boundSeconds(plan)).toBeGreaterThan(captureSeconds(plan));
      expect(deadlineSeconds(plan)).toBeGreaterThan(boundSeconds(plan) + 300);
    }
  });

  it('brings any word to the node as it was given', () => {
    fc.assert(
      fc.property(fc.array(hostileWord, { maxLength: 6 }), (filter) => {
        const plan = planOf({ ...TCPDUMP, filter } as TcpdumpTask);
        const sent = debugPod([plan], tcpdump).spec!.containers[0]!.args!;
        expect(sent.map(kubeletExpand)).toEqual(captureArguments(plan, tcpdump));
        // A line feed is a blank in a filter, and two words in a list of arguments.
        const words = filter.map((word) => word.replaceAll('\n', ' '));
        expect(sent.slice(sent.length - filter.length).map(kubeletExpand)).toEqual(words);
      }),
    );
  });

  it('uses the image, its policy and its secrets as the plan says', () => {
    const { debugPod: image } = planOf(PERF);
    const pod = debugPod(
      [
        planOf(PERF, podOf(), {
          debugPod: {
            ...image,
            image: 'a:1',
            install: true,
            imagePullPolicy: 'Never',
            imagePullSecrets: ['s'],
          },
        }),
      ],
      perf,
    );
    expect(pod.spec!.containers.map((each) => [each.image, each.imagePullPolicy])).toEqual([
      ['a:1', 'Never'],
      ['a:1', 'Never'],
    ]);
    expect(pod.spec!.imagePullSecrets).toEqual([{ name: 's' }]);
    expect(pod.spec!.containers[0]!.args).toContain('install=1');
  });
});

/** The pods `redis-0`, `redis-1` and so on, as one debug pod records them. */
const plansOf = (count: number, capture: NodeTask = PERF, more: Partial<PlansInput> = {}): Plan[] => {
  const { limits, debugPod: where } = planOf(capture);
  return makePlans({
    works: [...Array(count).keys()].map((at) => ({ target: podOf({ name: `redis-${at}` }), capture })),
    limits,
    debugPod: where,
    random: new Uint8Array(5 + 11 * count).map((_, at) => at),
    ...more,
  });
};

describe('a debug pod for several targets', () => {
  it('is what it always was', () => {
    const { debugPod: where, limits } = planOf(PERF);
    const plans = makePlans({
      works: [
        { target: podOf(), capture: PERF },
        {
          target: podOf({ namespace: 'shop', name: 'cart' }),
          capture: { ...PERF, byContainer: true } as PerfTask,
        },
      ],
      limits,
      debugPod: where,
      random: new Uint8Array(27).map((_, at) => at),
    });
    const pod = debugPod(plans, perf);
    withoutTexts(pod);
    golden('pods/several-perf.yaml', dump(pod, { lineWidth: 100 }));
  });

  it('has one list of arguments for each recorder, with the number of its words before it', () => {
    const plans = plansOf(3, TCPDUMP);
    const [recorders, ...left] = debugPod(plans, tcpdump).spec!.containers[0]!.args!;
    expect(recorders).toBe('recorders=3');
    for (const plan of plans) {
      const words = captureArguments(plan, tcpdump);
      expect(left.splice(0, 1 + words.length)).toEqual([`recorder=${words.length}`, ...words]);
    }
    expect(left).toEqual([]);
  });

  it('says how many targets it has and in which namespaces, and of what kind they are', () => {
    const said = (works: PlansInput['works']) => {
      const plans = plansOf(works.length, PERF, { works });
      const { annotations } = debugPod(plans, perf).metadata!;
      return ['target', 'target-namespace', 'what'].map((key) => annotations![`gkeprof.dev/${key}`]);
    };
    const of = (target: Target, capture: NodeTask = PERF) => ({ target, capture });
    const [container] = podOf().containers;
    expect(said([of(podOf()), of(podOf({ namespace: 'a' })), of(podOf())])).toEqual([
      '3 pods',
      'a redis',
      'CPU samples of pod/redis-0, 99 Hz; the same of 2 more targets',
    ]);
    const one = of(podOf({ container: container! }), { ...PERF, scope: 'container' } as PerfTask);
    expect(said([one, one])[0]).toBe('2 containers');
    expect(said([one, of(podOf())])[0]).toBe('2 pods');
    expect(said([of(podOf()), of({ kind: 'node', node: 'node-a' })])[0]).toBe('2 targets');
  });

  it('lives longer than all recorders need when they finish one after the other', () => {
    const [one] = plansOf(1);
    const [first, second, ...more] = plansOf(10);
    expect(captureSeconds(first!) - captureSeconds(one!)).toBe(270);
    expect(more.every((plan) => deadlineSeconds(plan) === deadlineSeconds(second!))).toBe(true);
    const { spec } = debugPod([first!, second!, ...more], perf);
    expect(spec!.activeDeadlineSeconds).toBe(deadlineSeconds(first!));
    expect(spec!.containers[1]!.args).toEqual([String(captureSeconds(first!)), '600']);
    const day = { ...planOf(PERF).limits, durationSeconds: 86_400 };
    // What an admission policy allows (policy/pod-rules.ts).
    expect(deadlineSeconds(plansOf(MOST_RECORDERS, PERF, { limits: day })[0]!)).toBeLessThan(200_000);
  });

  it('fits into what the API server takes, also for the most targets', () => {
    const containers = [...Array(10).keys()].map((at) => ({
      name: `container-${at}`.padEnd(63, 'x'),
      id: 'a'.repeat(64),
      running: true,
    }));
    const capture = { ...TCPDUMP, filter: ['x'.repeat(1000)] } as TcpdumpTask;
    const target = podOf({ name: 'x'.repeat(253), namespace: 'y'.repeat(63), containers });
    const works = Array.from({ length: MOST_RECORDERS }, () => ({ target, capture }));
    const pod = debugPod(plansOf(MOST_RECORDERS, capture, { works }), tcpdump);
    const annotations = Object.entries(pod.metadata!.annotations!).flat().join('');
    expect(Buffer.byteLength(annotations)).toBeLessThan(262_144);
    expect(Buffer.byteLength(JSON.stringify(pod))).toBeLessThan(1_400_000);
    for (const word of pod.spec!.containers[0]!.args!) expect(Buffer.byteLength(word)).toBeLessThan(131_072);
  });

  it('is refused with what to do if it does not fit', () => {
    const long = { ...TCPDUMP, filter: ['x'.repeat(15_000)] } as TcpdumpTask;
    expect(() => debugPod(plansOf(MOST_RECORDERS, long), tcpdump)).toThrow(
      'the debug pod for 100 targets on the node node-a is larger than the API server allows',
    );
  });

  it('gets the privileges that all of its recorders need together', () => {
    const { debugPod: where } = planOf(TCPDUMP);
    const of = (scope: 'netns' | 'iface') => ({
      target: podOf(),
      capture: { ...TCPDUMP, scope } as TcpdumpTask,
    });
    const { spec } = debugPod(
      plansOf(2, TCPDUMP, {
        works: [of('netns'), of('iface')],
        debugPod: { ...where, leastPrivilege: true },
      }),
      tcpdump,
    );
    expect([spec!.hostPID, spec!.hostNetwork]).toEqual([true, true]);
  });
});

it('runs `files` as a user of its own for each session, and whom nobody else is', () => {
  const users = [PERF, PERF].map(
    (capture, at) =>
      debugPod([planOf(capture, podOf(), { session: { id: `abcdef012${at}`, nonce: 'x' } })], perf).spec!,
  );
  const of = ({ securityContext, containers }: (typeof users)[number]) => [
    securityContext!.fsGroup,
    containers[1]!.securityContext!.runAsUser,
    containers[1]!.securityContext!.runAsGroup,
  ];
  for (const spec of users) {
    expect(new Set(of(spec)).size).toBe(1);
    expect(of(spec)[0]).toBeGreaterThanOrEqual(2_000_000_000);
    expect(of(spec)[0]).toBeLessThan(2_147_352_576);
    expect(spec.securityContext!.supplementalGroups).toBeUndefined();
  }
  expect(of(users[0]!)).not.toEqual(of(users[1]!));
});

describe('isSameBySession', () => {
  const INSPECT = { collector: 'inspect', scope: 'node', parts: ['processes'], lingerSeconds: 60 } as const;
  const plan = planOf(INSPECT, { kind: 'node', node: 'node-a' }, { user: 'jane@example.com' });
  const other = makePlan({
    target: { kind: 'node', node: 'node-a' },
    capture: { ...INSPECT, parts: ['processes', 'runtime'], lingerSeconds: 600 },
    limits: plan.limits,
    debugPod: plan.debugPod,
    user: 'jane@example.com',
  });
  const found = () => debugPod([other], inspect);
  it('takes a pod of another session that was asked other things', () =>
    expect(isSameBySession(plan, inspect, found())).toBe(true));
  it.each<[string, (pod: ReturnType<typeof found>) => void]>([
    ['of another user', (pod) => Object.assign(pod.metadata!, { name: 'gkeprof-inspect-0123456789-joe' })],
    [
      'with a name that is no session',
      (pod) => Object.assign(pod.metadata!.labels!, { 'gkeprof.dev/session': 'x' }),
    ],
    ['with another image in files', (pod) => Object.assign(pod.spec!.containers[1]!, { image: 'evil' })],
    ['with another command in files', (pod) => Object.assign(pod.spec!.containers[1]!, { command: ['sh'] })],
    [
      'with a variable',
      (pod) => Object.assign(pod.spec!.containers[0]!, { env: [{ name: 'BASH_ENV', value: 'x' }] }),
    ],
    ['on another node', (pod) => Object.assign(pod.spec!, { nodeName: 'node-b' })],
    ['with a third container', (pod) => void pod.spec!.containers.push({ name: 'x' })],
    [
      'with a volume',
      (pod) => Object.assign(pod.spec!, { volumes: [{ name: 'scratch', hostPath: { path: '/' } }] }),
    ],
  ])('leaves alone one %s', (_, change) => {
    const pod = found();
    change(pod);
    expect(isSameBySession(plan, inspect, pod)).toBe(false);
  });
});

describe('admissionChanges', () => {
  const sent = () => debugPod([planOf(PERF)], perf);
  it.each<[string, (pod: ReturnType<typeof sent>) => void, string[]]>([
    ['nothing', () => {}, []],
    [
      'a sidecar',
      (pod) => pod.spec!.containers.push({ name: 'istio-proxy' }),
      ['container "istio-proxy" was added'],
    ],
    [
      'an init container',
      (pod) => {
        pod.spec!.initContainers = [{ name: 'init' }];
      },
      ['container "init" was added'],
    ],
    [
      'a limit',
      (pod) => {
        pod.spec!.containers[0]!.resources!.limits = { cpu: '100m' };
      },
      ['resources of container "capture" changed'],
    ],
    ['a volume', (pod) => pod.spec!.volumes!.push({ name: 'token' }), ['volume "token" was added']],
    [
      'an image',
      (pod) => {
        pod.spec!.containers[1]!.image = 'evil';
      },
      ['image of container "files" changed'],
    ],
    [
      'the node',
      (pod) => {
        pod.spec!.nodeName = 'node-b';
      },
      ['nodeName changed'],
    ],
    [
      'a command',
      (pod) => {
        pod.spec!.containers[0]!.command![2] += ' ';
      },
      ['command of container "capture" changed'],
    ],
    [
      'an argument',
      (pod) => pod.spec!.containers[0]!.args!.push('x'),
      ['args of container "capture" changed'],
    ],
    [
      'a privilege taken and one given',
      (pod) => {
        pod.spec!.containers[0]!.securityContext!.privileged = false;
        pod.spec!.containers[1]!.securityContext!.privileged = true;
      },
      ['securityContext of container "capture" changed', 'securityContext of container "files" changed'],
    ],
    [
      'a capability given',
      (pod) => {
        pod.spec!.containers[1]!.securityContext!.capabilities = { add: ['SYS_PTRACE'], drop: ['ALL'] };
      },
      ['securityContext of container "files" changed'],
    ],
    [
      'a mount',
      (pod) => pod.spec!.containers[1]!.volumeMounts!.push({ name: 'scratch', mountPath: '/x' }),
      ['volumeMounts of container "files" changed'],
    ],
    [
      'a token, a deadline and namespaces',
      (pod) => {
        pod.spec!.automountServiceAccountToken = true;
        pod.spec!.activeDeadlineSeconds = 60;
        pod.spec!.hostPID = false;
        delete pod.spec!.hostNetwork;
      },
      [
        'activeDeadlineSeconds changed',
        'automountServiceAccountToken changed',
        'hostNetwork changed',
        'hostPID changed',
      ],
    ],
    [
      'a variable, a hook and a probe',
      (pod) => {
        pod.spec!.containers[0]!.env = [{ name: 'BASH_ENV', value: '/x' }];
        pod.spec!.containers[0]!.lifecycle = { postStart: { exec: { command: ['id'] } } };
        pod.spec!.containers[1]!.livenessProbe = { exec: { command: ['id'] } };
      },
      [
        'env of container "capture" changed',
        'lifecycle of container "capture" changed',
        'livenessProbe of container "files" changed',
      ],
    ],
    [
      'another source of a volume, and a runtime class',
      (pod) => {
        pod.spec!.volumes![0] = { name: 'scratch', hostPath: { path: '/' } };
        pod.spec!.runtimeClassName = 'gvisor';
      },
      ['runtimeClassName changed', 'volumes changed'],
    ],
    ['a missing container', (pod) => pod.spec!.containers.pop(), ['container "files" was removed']],
    [
      'defaults that change nothing',
      (pod) => {
        pod.spec!.schedulerName = 'default-scheduler';
        pod.spec!.serviceAccountName = 'default';
        pod.spec!.priority = 0;
        pod.spec!.tolerations!.push({ key: 'node.kubernetes.io/not-ready', operator: 'Exists' });
        pod.spec!.containers[0]!.terminationMessagePath = '/dev/termination-log';
        pod.spec!.containers[0]!.terminationMessagePolicy = 'File';
        pod.metadata!.annotations!.more = 'x';
      },
      [],
    ],
  ])('says %s', (_what, change, want) => {
    const got = sent();
    change(got);
    expect(admissionChanges(sent(), got)).toEqual(want);
  });
});
