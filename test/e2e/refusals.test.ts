import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createNamespace,
  debugPods,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  type Run,
  world,
} from './world.ts';

/** One line with the reason, one with what to do, nothing else: no usage, no stack. */
function refused(run: Run, code: number, reason: RegExp, hint?: RegExp): void {
  const error = run.stderr.split('\n').filter((line) => line.startsWith('error: '));
  const hints = run.stderr.split('\n').filter((line) => line.startsWith('hint: '));
  expect(error).toHaveLength(1);
  expect(error[0]).toMatch(reason);
  expect(hints).toHaveLength(1);
  if (hint) expect(hints[0]).toMatch(hint);
  expect(run.stderr).not.toMatch(/\n {4}at /);
  expect(run.stdout).toBe('');
  expect(run.code).toBe(code);
}

describe('bad input creates nothing: exit 2', () => {
  leavesNothing();
  it.each([
    ['pcap', ['--port', '0'], /--port: "0" is not a whole number from 1 to 65535/],
    ['pcap', ['--port', '70000'], /--port/],
    ['pcap', ['--port', 'abc'], /--port/],
    ['pcap', ['--duration', '0'], /--duration: must be longer than 0/],
    ['pcap', ['--duration=-5s'], /--duration: "-5s" is not a duration/],
    ['flamegraph', ['--duration', '10 parsecs'], /--duration: "10 parsecs" is not a duration/],
    ['flamegraph', ['--frequency', '0'], /--frequency/],
    ['pcap', ['--', '-c', '10000'], /-c/],
    ['pcap', ['--', '-z', 'sh'], /-z is refused/],
    ['pcap', ['--', '-w', '/tmp/x'], /-w is refused/],
    ['pcap', ['--', '--count'], /not allowed/],
    ['flamegraph', ['--output-dir', '/proc/nowhere'], /--output-dir: cannot write/],
    ['flamegraph', ['--durations', '5s'], /unknown flag: --durations/],
  ])('%s %j', async (verb, words, reason) => {
    refused(await gkeprof([verb, 'redis-0', '-n', NAMESPACE, ...words]), 2, reason);
  });

  it('offers --count for -c, the nearest flag and the nearest verb', async () => {
    expect((await gkeprof(['pcap', 'x', '--', '-c', '10000'])).stderr).toContain(
      'hint: did you mean --count 10000?',
    );
    expect((await gkeprof(['pcap', 'x', '--durations', '5s'])).stderr).toContain(
      'hint: did you mean --duration?',
    );
    expect((await gkeprof(['flamgraph', 'x'])).stderr).toContain('hint: did you mean flamegraph?');
  });
});

describe('what the cluster lacks or refuses: exit 3', () => {
  leavesNothing();
  const output = outputFolder();
  const flame = (words: readonly string[], kubeconfig?: string) =>
    gkeprof(
      ['flamegraph', ...words, '--duration', '1s', '--output-dir', output.path()],
      kubeconfig ? { kubeconfig } : {},
    );

  it('no such pod: the nearest names', async () => {
    refused(await flame(['redis-O', '-n', NAMESPACE]), 2, /cannot be the name of a pod/);
    refused(
      await flame(['redis-1', '-n', NAMESPACE]),
      3,
      /pod "redis-1" not found in namespace/,
      /did you mean redis-0/,
    );
    refused(await flame(['node/node-z']), 3, /node "node-z" not found/, /did you mean node-a/);
  });

  it('a pod that cannot be looked at: Pending, Succeeded, no such container', async () => {
    refused(
      await flame(['pending', '-n', NAMESPACE]),
      3,
      /is not on a node yet \(Pending\)/,
      /kubectl describe pod/,
    );
    refused(await flame(['done', '-n', NAMESPACE]), 3, /has ended \(Succeeded\)/);
    refused(
      await flame(['redis-0', '-c', 'nope', '-n', NAMESPACE]),
      3,
      /has no container "nope"/,
      /its containers: load, redis/,
    );
  });

  it('a pod on a node that is not ready, in the words of the cluster', async () => {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'gkeprof-e2e-ghost' },
      spec: { taints: [{ key: 'gkeprof.dev/e2e', effect: 'NoSchedule' }] },
    };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'ghost', namespace: NAMESPACE },
      spec: {
        nodeName: 'gkeprof-e2e-ghost',
        tolerations: [{ operator: 'Exists' }],
        containers: [{ name: 'x', image: 'x' }],
      },
    };
    const state = {
      name: 'x',
      image: 'x',
      imageID: 'x',
      ready: true,
      restartCount: 0,
      containerID: `containerd://${'a'.repeat(64)}`,
      state: { running: {} },
    };
    // No kubelet is behind it: its status is what is written here.
    const patch = (kind: string, name: string, status: object) =>
      kubectl([
        ...['patch', kind, name, '-n', NAMESPACE, '--subresource=status', '--type=merge', '-p'],
        JSON.stringify({ status }),
      ]);
    await kubectl(['apply', '-f', '-'], JSON.stringify(node));
    try {
      const message = 'Kubelet stopped posting node status.';
      const ready = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message };
      await patch('node', 'gkeprof-e2e-ghost', { conditions: [ready] });
      await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
      await patch('pod', 'ghost', { phase: 'Running', podIP: '10.9.9.9', containerStatuses: [state] });
      refused(
        await flame(['ghost', '-n', NAMESPACE]),
        3,
        /node "gkeprof-e2e-ghost" of pod\/ghost is not ready: Kubelet stopped posting node status\./,
        /kubectl describe node gkeprof-e2e-ghost/,
      );
    } finally {
      await kubectl([
        'delete',
        'pod',
        '-n',
        NAMESPACE,
        'ghost',
        '--force',
        '--grace-period=0',
        '--ignore-not-found',
      ]);
      await kubectl(['delete', 'node', 'gkeprof-e2e-ghost']);
    }
  });

  it('a debug pod that admission changes: removed again, and said', async () => {
    // A namespace without the policy, which would refuse such a pod.
    const namespace = 'gkeprof-e2e-limits';
    const limits = {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'e2e', namespace },
      spec: { limits: [{ type: 'Container', default: { cpu: '100m' } }] },
    };
    await createNamespace(namespace);
    try {
      await kubectl(['apply', '-f', '-'], JSON.stringify(limits));
      refused(
        await flame(['redis-0', '-n', NAMESPACE, '--debug-namespace', namespace], world().admin),
        3,
        /admission changed the debug pod, so it was removed again: resources of container "capture" changed/,
        /exempt the namespace gkeprof-e2e-limits/,
      );
      expect(
        await eventually(
          () => debugPods(namespace),
          (pods) => pods.length === 0,
        ),
      ).toEqual([]);
    } finally {
      await kubectl(['delete', 'namespace', namespace, '--wait=false']);
    }
  });

  it('a namespace whose quota is used up, in the words of the cluster', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'e2e', namespace: 'gkeprof' },
      spec: { hard: { pods: '0' } },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(quota));
    try {
      // Before it is counted, pods are refused in other words.
      const path = '--for=jsonpath={.status.hard.pods}=0';
      await kubectl(['wait', '-n', 'gkeprof', 'resourcequota/e2e', path, '--timeout=240s']);
      refused(await flame(['redis-0', '-n', NAMESPACE]), 3, /exceeded quota/, /kubectl describe quota/);
    } finally {
      await kubectl(['delete', 'resourcequota', '-n', 'gkeprof', 'e2e']);
    }
    const again = () => flame(['redis-0', '-n', NAMESPACE, '--dry-run=server']);
    expect(await eventually(again, ({ code }) => code === 0)).toMatchObject({ code: 0 });
  });

  it('an image that does not exist, at once and in the words of the cluster', async () => {
    const run = await flame(['redis-0', '-n', NAMESPACE, '--image', 'localhost/no-such-image:1']);
    refused(
      run,
      3,
      /node .* cannot pull the image "localhost\/no-such-image:1": (ErrImagePull|ImagePullBackOff)/,
      /--image/,
    );
  });

  it('no namespace for debug pods', async () => {
    const run = await flame(['redis-0', '-n', NAMESPACE, '--debug-namespace', 'not-there'], world().admin);
    refused(
      run,
      3,
      /namespace "not-there" for debug pods does not exist/,
      /kubectl create namespace not-there/,
    );
  });

  it('a namespace that enforces the baseline of Pod Security', async () => {
    const run = await flame(
      ['redis-0', '-n', NAMESPACE, '--debug-namespace', 'gkeprof-e2e-baseline'],
      world().admin,
    );
    refused(run, 3, /violates PodSecurity "baseline/, /privileged/);
    expect(await debugPods('gkeprof-e2e-baseline')).toEqual([]);
  });

  it('a user without pods/exec', async () => {
    refused(
      await flame(['redis-0', '-n', NAMESPACE], world().noExec),
      3,
      /you may not create pods\/exec/,
      /manifests/,
    );
  });

  it('no cluster, no context, expired credentials', async () => {
    const config = (server: string, user: object) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      });
    const file = join(output.path(), 'kubeconfig');
    writeFileSync(file, config('https://127.0.0.1:1', { token: 't' }));
    refused(await flame(['redis-0'], file), 3, /unreachable: .*ECONNREFUSED/);
    refused(await flame(['redis-0', '--context', 'nope'], file), 3, /context "nope" does not exist/, /x/);
    const server = /server"?: *"?(https:[^"\s,]+)/.exec(readFileSync(world().admin, 'utf8'))![1]!;
    writeFileSync(file, config(server, { token: 'expired' }));
    refused(await flame(['redis-0'], file), 3, /You must be logged in to the server/);
  });
});
