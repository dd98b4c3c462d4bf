import fc from 'fast-check';
import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { perf } from '../src/collectors/perf.ts';
import { tcpdump } from '../src/collectors/tcpdump.ts';
import { captureCommand, captureScript } from '../src/node/script.ts';
import { boundSeconds, captureSeconds, deadlineSeconds, type TcpdumpPlan } from '../src/plan.ts';
import { admissionChanges, captureArguments, debugPod } from '../src/pod.ts';
import { golden } from './golden.ts';
import { PERF, planOf, podOf, TCPDUMP } from './plans.ts';

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

/** What the kubelet makes of an argument: `$$` → `$`, `$(NAME)` → the variable (third_party/forked/golang/expansion). */
const kubeletExpand = (text: string): string =>
  text.replace(/\$(\$|\(([^)]*)\))/g, (all, what: string, name: string | undefined) =>
    what === '$' ? '$' : name === undefined ? all : `<value of ${name}>`,
  );

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
      planOf({ ...TCPDUMP, filter: HOSTILE } as TcpdumpPlan, podOf(), { reason: HOSTILE.join(' ') }),
      tcpdump,
    ],
  ])('is what it always was: %s', (name, plan, collector) => {
    const pod = debugPod(plan, collector);
    // The scripts are tested as files; here their place is enough.
    for (const container of pod.spec!.containers) container.command![2] = '<the script>';
    golden(`pods/${name}.yaml`, dump(pod, { lineWidth: 100 }));
  });

  it('has the same command for every plan', () => {
    for (const [plan, collector] of [
      [planOf(PERF), perf],
      [planOf(TCPDUMP), tcpdump],
    ] as const) {
      expect(debugPod(plan, collector).spec!.containers[0]!.command).toEqual(captureCommand());
    }
  });

  it('gives away no right that it does not need', () => {
    const pod = debugPod(planOf(TCPDUMP), tcpdump);
    const [capture, files] = pod.spec!.containers;
    expect(pod.spec!.containers.map((each) => each.name)).toEqual(['capture', 'files']);
    expect(pod.spec!.initContainers).toBeUndefined();
    expect(capture!.securityContext!.privileged).toBe(true);
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
    const words = fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 6 });
    fc.assert(
      fc.property(words, (filter) => {
        const plan = planOf({ ...TCPDUMP, filter } as TcpdumpPlan);
        const sent = debugPod(plan, tcpdump).spec!.containers[0]!.args!;
        expect(sent.map(kubeletExpand)).toEqual(captureArguments(plan, tcpdump));
        expect(sent.slice(sent.length - filter.length).map(kubeletExpand)).toEqual(filter);
      }),
    );
  });
});

describe('admissionChanges', () => {
  const sent = () => debugPod(planOf(PERF), perf);
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
      ['the limits of container "capture" changed'],
    ],
    ['a volume', (pod) => pod.spec!.volumes!.push({ name: 'token' }), ['volume "token" was added']],
    [
      'an image',
      (pod) => {
        pod.spec!.containers[1]!.image = 'evil';
      },
      ['the image of container "files" changed'],
    ],
    [
      'the node',
      (pod) => {
        pod.spec!.nodeName = 'node-b';
      },
      ['nodeName changed'],
    ],
    ['a missing container', (pod) => pod.spec!.containers.pop(), ['container "files" was removed']],
    [
      'defaults that change nothing',
      (pod) => {
        pod.spec!.schedulerName = 'default-scheduler';
        pod.spec!.serviceAccountName = 'default';
      },
      [],
    ],
  ])('says %s', (_what, change, want) => {
    const got = sent();
    change(got);
    expect(admissionChanges(sent(), got)).toEqual(want);
  });
});
