import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REQUESTS } from '../../src/node/requests.ts';
import { debugPodKinds } from '../../src/policy/kinds.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { apiAs } from '../policy/submit.ts';
import {
  allowedImages,
  captures,
  debugPods,
  environment,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  start,
  world,
} from './world.ts';

/** A pod of one kind, as a user sends it, bent in ways that its type forbids. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
type Bent = any;

const ownPod = (kind: string, user: string): Bent => {
  const { plans, work } = debugPodKinds('gkeprof', world().images.tools, user).find(
    ({ name }) => name === kind,
  )!;
  const pod = JSON.parse(
    JSON.stringify(
      debugPod(
        plans.map((plan) => ({ ...plan, node: world().nodes[0]! })),
        work,
      ),
    ),
  );
  return pod;
};

/** Changes an argument of a recorder of a pod with several. */
function setArgument(pod: Bent, recorder: number, key: string, value: string): void {
  const { args } = pod.spec.containers[0];
  const begins = args.flatMap((word: string, at: number) => (word.startsWith('recorder=') ? [at] : []));
  const at = args.findIndex(
    (word: string, each: number) => each > begins[recorder - 1] && word.startsWith(`${key}=`),
  );
  args[at] = `${key}=${value}`;
}

/** Lets a pod with one recorder have two that do the same. */
function twice(pod: Bent): void {
  const { args } = pod.spec.containers[0];
  const list = [`recorder=${args.length}`, ...args];
  args.splice(0, args.length, 'recorders=2', ...list, ...list);
}

/** Sends a pod that is not kept, though admission sees it as any other. The message of its refusal; empty where it would be taken. */
async function create(pod: Bent, kubeconfig = world().sre): Promise<string> {
  const path = '/api/v1/namespaces/gkeprof/pods?dryRun=All';
  const { status, body } = await apiAs(kubeconfig)('POST', path, pod);
  return status === 201 ? '' : (body.message ?? String(status));
}

/** Lets a debug pod be of a pod by its namespace and UID. */
function aimAt(pod: Bent, namespace: string, uid: string): void {
  const { args } = pod.spec.containers[0];
  const set = (key: string, value: string) => {
    args[args.findIndex((word: string) => word.startsWith(`${key}=`))] = `${key}=${value}`;
  };
  set('pod_uid', uid);
  set('pod_namespace', namespace);
  pod.metadata.annotations['gkeprof.dev/target-namespace'] = namespace;
}

/** The policy as an administrator applies it, with these words besides; resolves when it is in force. */
async function apply(...words: string[]): Promise<void> {
  const { images, sre, sreShell } = world();
  const line = ['manifests', '--admission-policy', '--image', images.tools, ...allowedImages(images.tools)];
  await kubectl(['apply', '-f', '-'], (await gkeprof([...line, ...words])).stdout);
  // The API server hears of it a second later, on a busy machine more. Nobody here has rights on the target of the first pod.
  const wanted = [!words.includes('--target-rights'), words.includes('--allow-shell')];
  const taken = async () =>
    (
      await Promise.all([
        create(ownPod('tcpdump netns', 'sre'), sre),
        create(ownPod('shell', 'sre-shell'), sreShell),
      ])
    ).map((message) => message === '');
  expect(await eventually(taken, (found) => String(found) === String(wanted))).toEqual(wanted);
}

const OF_REDIS = ['-n', NAMESPACE, '--duration', '1s'];
const pcap = (words: readonly string[], folder: string, kubeconfig = world().sre) =>
  gkeprof(['pcap', ...words, '--output-dir', folder], { kubeconfig });

afterAll(() => apply('--allow-shell'));

describe('the admission policy: ways to run something else as root, each of which once worked', () => {
  leavesNothing();
  it.each<[string, string, (pod: Bent) => void]>([
    ['another image', 'crictl', (pod) => Object.assign(pod.spec.containers[0], { image: 'evil:1' })],
    [
      'a hook',
      'perf node',
      (pod) => {
        pod.spec.containers[0].lifecycle = {
          postStart: { exec: { command: ['touch', '/proc/1/root/tmp/x'] } },
        };
      },
    ],
    [
      'a probe',
      'perf node',
      (pod) => {
        pod.spec.containers[0].livenessProbe = { exec: { command: ['id'] } };
      },
    ],
    [
      'a variable that bash runs',
      'perf node',
      (pod) => {
        pod.spec.containers[0].env = [{ name: 'BASH_ENV', value: '/proc/1/root/tmp/x' }];
      },
    ],
    [
      'a variable in the arguments',
      'perf node',
      (pod) => {
        pod.spec.containers[0].env = [{ name: 'C', value: 'shell' }];
        const { args } = pod.spec.containers[0];
        args[args.indexOf('collector=perf')] = 'collector=$(C)';
      },
    ],
    [
      'a path as the collector',
      'perf node',
      ({ spec: { containers } }) => {
        containers[0].args[containers[0].args.indexOf('collector=perf')] = 'collector=/proc/1/root/tmp/x';
      },
    ],
    [
      'crictl exec behind a flag that takes the subcommand for its value',
      'crictl',
      (pod) => pod.spec.containers[0].args.splice(-1, 1, '--image-endpoint', 'ps', 'exec', 'abc', 'id'),
    ],
    [
      'bash that reads another script',
      'perf node',
      (pod) => void pod.spec.containers[0].command.splice(1, 1, '-lc'),
    ],
    [
      'scratch over the programs',
      'perf node',
      (pod) =>
        pod.spec.containers[0].volumeMounts.push({ name: 'scratch', mountPath: '/usr/bin', subPath: 'ctl' }),
    ],
    [
      'cgroups that can be written',
      'perf node',
      (pod) => {
        pod.spec.volumes.push({ name: 'more', hostPath: { path: '/sys/fs/cgroup' } });
        pod.spec.containers[0].volumeMounts.push({ name: 'more', mountPath: '/mnt' });
      },
    ],
    [
      'volumes in a pod for short work, which has none',
      'perf node, short',
      (pod) => Object.assign(pod.spec, { volumes: [{ name: 'scratch', emptyDir: {} }] }),
    ],
    ...['tcpdump netns', 'perf node, with least privilege', 'perf pod, several'].map(
      (kind): [string, string, (pod: Bent) => void] => [
        `no volumes, as for short work: ${kind}`,
        kind,
        (pod) => {
          delete pod.spec.volumes;
          for (const container of pod.spec.containers) delete container.volumeMounts;
        },
      ],
    ),
    [
      'a container that has its volumes no longer',
      'perf node',
      (pod) => void delete pod.spec.containers[1].volumeMounts,
    ],
    [
      'files as root’s group',
      'perf node',
      (pod) => Object.assign(pod.spec.containers[1].securityContext, { runAsGroup: 0 }),
    ],
    [
      'the user of other pods',
      'perf node',
      (pod) => {
        pod.spec.securityContext.fsGroup = 65532;
        Object.assign(pod.spec.containers[1].securityContext, { runAsUser: 65532, runAsGroup: 65532 });
      },
    ],
    [
      'a secret in files',
      'perf node',
      (pod) => {
        pod.spec.containers[1].env = [{ name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }];
      },
    ],
    [
      'a debug pod of somebody else',
      'perf node',
      (pod) => {
        pod.metadata.name = pod.metadata.name.replace(/^(gkeprof-perf-[0-9a-f]+)-.*/, '$1-somebody');
      },
    ],
    ['no end', 'perf node', (pod) => void delete pod.spec.activeDeadlineSeconds],
    [
      'a second recorder that fills the disk',
      'perf pod, several',
      (pod) => setArgument(pod, 2, 'min_free_percent', '1'),
    ],
    [
      'a second recorder of another kind',
      'perf pod, several',
      (pod) => setArgument(pod, 2, 'collector', 'shell'),
    ],
    [
      'a second recorder that looks like words of the filter of the first',
      'tcpdump netns, several',
      (pod) => {
        setArgument(pod, 2, 'min_free_percent', '1');
        const { args } = pod.spec.containers[0];
        const at = args.findLastIndex((word: string) => word.startsWith('recorder='));
        args.splice(at, 0, 'recorder=3');
      },
    ],
    [
      'another number of recorders',
      'tcpdump netns, several',
      (pod) => pod.spec.containers[0].args.splice(0, 1, 'recorders=3'),
    ],
    [
      'one recorder, and the other in the words of its filter',
      'tcpdump netns, several',
      (pod) => pod.spec.containers[0].args.splice(0, 1, 'recorders=1'),
    ],
    ['several snapshots', 'inspect', (pod) => twice(pod)],
    ['several commands of crictl', 'crictl', (pod) => twice(pod)],
  ])('%s', async (_, kind, bend) => {
    expect(await create(ownPod(kind, 'sre'))).toBe('');
    const pod = ownPod(kind, 'sre');
    bend(pod);
    expect(await create(pod)).toContain("ValidatingAdmissionPolicy 'gkeprof-debug-pods'");
    // Nor for the administrator, who has to change the policy first.
    const own = ownPod(kind, 'gkeprof-admin');
    bend(own);
    expect(await create(own, world().admin)).toContain("ValidatingAdmissionPolicy 'gkeprof-debug-pods'");
  });
});

describe('the admission policy: a debug pod that runs', () => {
  leavesNothing();
  const output = outputFolder();
  const tries = (words: readonly string[], kubeconfig: string) =>
    execa(world().kubectl, words, {
      env: environment(kubeconfig),
      reject: false,
      stdin: 'ignore',
      timeout: 60_000,
    });

  it('is its creator’s: nobody else asks anything of it, and nothing is asked that the client does not ask', async () => {
    const run = start([
      'pcap',
      'redis-0',
      '-n',
      NAMESPACE,
      '--duration',
      '200s',
      '--output-dir',
      output.path(),
    ]);
    await captures(run);
    const [name] = await eventually(debugPods, (pods) => pods.length === 1);
    const pod = name!.replace('pod/', '');
    const exec = (kubeconfig: string, container: string, ...words: string[]) =>
      tries(['exec', '-n', 'gkeprof', pod, '-c', container, '--', ...words], kubeconfig);
    const { sre, sreShell, admin } = world();
    expect((await exec(sre, 'files', 'cat', '/gkeprof/out/events.jsonl')).stdout).toContain(
      '"event":"capturing"',
    );
    for (const other of [sreShell, admin]) {
      for (const words of [
        ['cat', '/gkeprof/out/events.jsonl'],
        ['touch', '/gkeprof/ctl/stop'],
        ['tar', 'cf', '-', '/gkeprof/out/capture.pcap'],
      ])
        expect((await exec(other, 'files', ...words)).stderr).toContain(
          'the debug pod belongs to another user',
        );
    }
    for (const words of [
      ['true'],
      ['sh', '-c', 'id'],
      ['cat', '/proc/1/environ'],
      ['tail', '-c', '4000', '/etc/passwd'],
      [...REQUESTS.take.slice(0, -1).map(String), '/etc/passwd'],
    ])
      expect((await exec(sre, 'files', ...words)).stderr).toContain('only the requests of this tool');
    expect((await exec(sre, 'capture', 'cat', '/gkeprof/out/events.jsonl')).stderr).toContain(
      'exec into the privileged',
    );
    const deleted = await tries(['delete', 'pod', '-n', 'gkeprof', pod], sreShell);
    expect(deleted.stderr).toContain('the debug pod belongs to another user');
    const image = `{"spec":{"containers":[{"name":"files","image":"${world().images.debian}"}]}}`;
    const patched = await tries(['patch', 'pod', '-n', 'gkeprof', pod, '-p', image], admin);
    expect(patched.stderr).toContain('debug pods must not be changed');
    const labelled = await tries(['label', 'pod', '-n', 'gkeprof', pod, 'app=x'], admin);
    expect(labelled.stderr).toContain('debug pods must not be changed');
    const debug = [
      'debug',
      '-n',
      'gkeprof',
      pod,
      '--image',
      world().images.debian,
      '--target',
      'capture',
      '--',
      'id',
    ];
    expect((await tries(debug, admin)).stderr).toContain('debug pods must not be changed');
    const forward = await tries(['port-forward', '-n', 'gkeprof', `pod/${pod}`, ':10250'], admin);
    expect(forward.stderr).toMatch(/only the requests of this tool|another user/);
    expect((await tries(['attach', '-n', 'gkeprof', pod, '-c', 'files'], sre)).exitCode).not.toBe(0);
    run.kill('SIGINT');
    const { exitCode, stderr } = await run;
    expect([exitCode, String(stderr)]).toEqual([0, expect.stringContaining('Results:')]);
  });

  it('may be deleted by an administrator, and by anybody when it is over', async () => {
    const pod = ownPod('perf node', 'sre');
    const sre = apiAs(world().sre);
    const path = '/api/v1/namespaces/gkeprof/pods';
    expect((await sre('POST', path, pod)).status).toBe(201);
    await kubectl(['delete', 'pod', '-n', 'gkeprof', pod.metadata.name, '--grace-period=1']);
    const short = { ...pod, spec: { ...pod.spec, activeDeadlineSeconds: 1 } };
    expect((await sre('POST', path, short)).status).toBe(201);
    const phase = () =>
      kubectl(['get', 'pod', '-n', 'gkeprof', pod.metadata.name, '-o', 'jsonpath={.status.phase}']);
    expect(await eventually(phase, (text) => text === 'Failed')).toBe('Failed');
    const other = await apiAs(world().sreShell)('DELETE', `${path}/${pod.metadata.name}`);
    expect([other.status, other.body.message]).toEqual([200, undefined]);
  });
});

describe('the admission policy without --allow-shell', () => {
  leavesNothing();
  beforeAll(() => apply());
  afterAll(() => apply('--allow-shell'));

  it('refuses shells and what changes a node, and lets what only reads through', async () => {
    const target = `node/${world().nodes[0]}`;
    const refusal = expect.stringContaining('shells on nodes, and crictl commands that change something');
    const refused = await eventually(
      () => gkeprof(['shell', target, '--', 'true']),
      ({ code }) => code === 125,
    );
    expect([refused.code, refused.stderr]).toEqual([125, refusal]);
    const change = await gkeprof(['crictl', target, '--dangerous', '--', 'rmi', 'no-such-image']);
    expect([change.code, change.stderr]).toEqual([125, refusal]);
    expect((await gkeprof(['crictl', target, '--', 'ps', '-q'])).code).toBe(0);
    expect((await gkeprof(['ps', 'redis-0', '-n', NAMESPACE])).code).toBe(0);
  });
});

describe('the admission policy with --target-rights', () => {
  leavesNothing();
  const output = outputFolder();
  beforeAll(() => apply('--target-rights'));
  afterAll(async () => {
    await kubectl(['delete', 'clusterrolebinding', 'gkeprof-e2e-nodes', '--ignore-not-found']);
    await apply('--allow-shell');
  });

  it('takes a capture of a pod from who may exec into pods of its namespace, and from nobody else', async () => {
    const refused = await eventually(
      () => pcap(['redis-0', ...OF_REDIS], output.path()),
      ({ code }) => code === 3,
    );
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringContaining('you may not capture this target'),
    ]);
    const allowed = await pcap(['redis-0', ...OF_REDIS], output.path(), world().sreShell);
    expect([allowed.code, allowed.stderr]).toEqual([0, expect.stringContaining('Results:')]);
    const profile = ['flamegraph', 'redis-0', ...OF_REDIS, '--output-dir', output.path()];
    expect((await gkeprof(profile, { kubeconfig: world().sreShell })).code).toBe(0);
  });

  it('takes a capture of a node from who holds the role for nodes', async () => {
    const node = () =>
      pcap(
        [`node/${world().nodes[0]}`, '--port', '6379', '--duration', '1s'],
        output.path(),
        world().sreShell,
      );
    const refused = await node();
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringContaining('you may not capture this target'),
    ]);
    const ps = await gkeprof(['ps', 'redis-0', '-n', NAMESPACE], { kubeconfig: world().sreShell });
    expect([ps.code, ps.stderr]).toEqual([3, expect.stringContaining('you may not capture this target')]);
    const binding = ['create', 'clusterrolebinding', 'gkeprof-e2e-nodes', '--clusterrole=gkeprof-nodes'];
    await kubectl([...binding, '--user=sre-shell']);
    const allowed = await eventually(node, ({ code }) => code === 0);
    expect([allowed.code, allowed.stderr]).toEqual([0, expect.stringContaining('Results:')]);
    await kubectl(['delete', 'clusterrolebinding', 'gkeprof-e2e-nodes']);
  });

  it('takes packets of what is on the node’s network from nobody with a right on a pod alone', async () => {
    const uid = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.metadata.uid}']);
    const submit = async (change: (pod: Bent) => void) => {
      const pod = ownPod('tcpdump netns', 'sre-shell');
      aimAt(pod, NAMESPACE, uid);
      change(pod);
      return create(pod, world().sreShell);
    };
    expect(await submit(() => {})).toBe('');
    const onTheNode = (pod: Bent) => {
      const { args } = pod.spec.containers[0];
      args[args.indexOf('host_network=0')] = 'host_network=1';
    };
    expect(await submit(onTheNode)).toContain('you may not capture this target');
    // Everybody who holds the role may exec into debug pods, which are on the node's network.
    expect(await submit((pod) => aimAt(pod, 'gkeprof', uid))).toContain('you may not capture this target');
    expect(
      await submit((pod) => Object.assign(pod.metadata.annotations, { 'gkeprof.dev/target-namespace': 'x' })),
    ).toContain('labels, annotations or other metadata');
  });

  it('takes a capture of several pods from who may exec into pods of all their namespaces', async () => {
    const submit = async (namespaces: readonly [string, string], change: (pod: Bent) => void = () => {}) => {
      const pod = ownPod('tcpdump netns, several', 'sre-shell');
      namespaces.forEach((each, at) => void setArgument(pod, at + 1, 'pod_namespace', each));
      pod.metadata.annotations['gkeprof.dev/target-namespace'] = [...new Set(namespaces)].join(' ');
      change(pod);
      return create(pod, world().sreShell);
    };
    const refused = 'you may not capture this target';
    expect(await submit([NAMESPACE, NAMESPACE])).toBe('');
    expect(await submit([NAMESPACE, 'kube-system'])).toContain(refused);
    expect(await submit(['kube-system', NAMESPACE])).toContain(refused);
    expect(await submit([NAMESPACE, 'gkeprof'])).toContain(refused);
    expect(await submit([NAMESPACE, NAMESPACE], (pod) => setArgument(pod, 2, 'scope', 'node'))).toContain(
      refused,
    );
    expect(await submit([NAMESPACE, NAMESPACE], (pod) => setArgument(pod, 2, 'host_network', '1'))).toContain(
      refused,
    );
    const says = (text: string) => (pod: Bent) =>
      Object.assign(pod.metadata.annotations, { 'gkeprof.dev/target-namespace': text });
    const untrue = 'labels, annotations or other metadata';
    expect(await submit([NAMESPACE, 'kube-system'], says(NAMESPACE))).toContain(untrue);
    // A word of a filter makes more rights necessary, never fewer.
    const word = (namespace: string) => (pod: Bent) =>
      void pod.spec.containers[0].args.push(`pod_namespace=${namespace}`);
    expect(await submit(['kube-system', 'kube-system'], word(NAMESPACE))).toContain(untrue);
    expect(
      await submit([NAMESPACE, NAMESPACE], (pod) => {
        word('kube-system')(pod);
        says(`${NAMESPACE} kube-system`)(pod);
      }),
    ).toContain(refused);
  });

  it('is not deceived by a namespace that the pod is not of: the node knows better', async () => {
    const uid = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.metadata.uid}']);
    const pod = ownPod('perf pod', 'sre-shell');
    aimAt(pod, 'gkeprof-e2e-other', uid);
    const rights = ['--role=exec', '--user=sre-shell', '-n', 'gkeprof-e2e-other'];
    try {
      await kubectl(['create', 'namespace', 'gkeprof-e2e-other']);
      await kubectl([
        'create',
        'role',
        'exec',
        '--verb=create',
        '--resource=pods/exec',
        '-n',
        'gkeprof-e2e-other',
      ]);
      await kubectl(['create', 'rolebinding', 'exec', ...rights]);
      const call = apiAs(world().sreShell);
      const path = '/api/v1/namespaces/gkeprof/pods';
      const made = await eventually(
        () => call('POST', path, pod),
        ({ status }) => status === 201,
      );
      expect([made.status, made.body.message]).toEqual([201, undefined]);
      const log = () =>
        kubectl(['logs', '-n', 'gkeprof', pod.metadata.name, '-c', 'capture']).catch(() => '');
      expect(await eventually(log, (text) => /refused/.test(text))).toContain('"code":"wrong-namespace"');
      await call('DELETE', `${path}/${pod.metadata.name}?gracePeriodSeconds=1`);
    } finally {
      await kubectl(['delete', 'namespace', 'gkeprof-e2e-other', '--wait=false']);
    }
  });
});
