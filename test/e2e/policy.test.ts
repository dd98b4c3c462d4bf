import { execa } from 'execa';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
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

/** Sends a pod as somebody who may do everything, without keeping it: only admission can refuse. */
const admit = async (pod: object): Promise<string> => {
  const result = await execa(world().kubectl, ['create', '--dry-run=server', '-f', '-'], {
    env: { KUBECONFIG: world().admin },
    input: JSON.stringify(pod),
    reject: false,
  });
  return result.exitCode === 0 ? '' : result.stderr;
};

describe('the admission policy', () => {
  leavesNothing();
  const output = outputFolder();
  let policy: string;

  beforeAll(async () => {
    policy = (await gkeprof(['manifests', '--admission-policy'])).stdout;
    await kubectl(['apply', '-f', '-'], policy);
    // A policy is in force a moment after it was applied.
    const bare = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'x', namespace: 'gkeprof' },
      spec: { containers: [{ name: 'x', image: 'x' }] },
    };
    expect(
      await eventually(
        () => admit(bare),
        (text) => text !== '',
      ),
    ).toContain('two containers, capture and files');
  });
  afterAll(async () => {
    for (const name of ['gkeprof-debug-pods', 'gkeprof-exec']) {
      await kubectl(['delete', 'validatingadmissionpolicybinding,validatingadmissionpolicy', name]);
    }
  });

  it('lets the debug pod through, with everything that a session does', async () => {
    const run = await gkeprof([
      'pcap',
      'redis-0',
      '-n',
      NAMESPACE,
      '--port',
      '6379',
      '--duration',
      '1s',
      '--output-dir',
      output.path(),
    ]);
    expect(run.stderr).toContain('Results:');
    expect(run.code).toBe(0);
  });

  it('refuses a pod that differs where it matters', async () => {
    const text = (await gkeprof(['flamegraph', 'redis-0', '-n', NAMESPACE, '--dry-run', 'client'])).stdout;
    // biome-ignore lint/suspicious/noExplicitAny: the pod is bent in ways that its type forbids.
    const bent = (change: (pod: any) => void) => {
      const pod = load(text);
      change(pod);
      return admit(pod as object);
    };
    expect(await bent(() => {})).toBe('');
    expect(
      await bent((pod) => {
        pod.spec.containers[0].command[2] += '\nsleep 1';
      }),
    ).toContain('not those of the release');
    expect(
      await bent((pod) => {
        pod.spec.containers[1].securityContext.privileged = true;
        pod.spec.containers[1].securityContext.allowPrivilegeEscalation = true;
      }),
    ).toContain('files runs without rights');
    expect(
      await bent((pod) => {
        pod.spec.volumes.push({ name: 'root', hostPath: { path: '/' } });
      }),
    ).toContain('only /sys/fs/cgroup');
    expect(
      await bent((pod) => {
        pod.spec.initContainers = [{ name: 'x', image: 'x' }];
      }),
    ).toContain('two containers');
    expect(
      await bent((pod) => {
        pod.spec.activeDeadlineSeconds = undefined;
      }),
    ).toContain('ends by itself');
    expect(
      await bent((pod) => {
        pod.spec.automountServiceAccountToken = true;
      }),
    ).toContain("ValidatingAdmissionPolicy 'gkeprof-debug-pods'");
  });

  it('refuses exec into the privileged container, of the administrator too', async () => {
    const run = start([
      'pcap',
      'redis-0',
      '-n',
      NAMESPACE,
      '--duration',
      '120s',
      '--output-dir',
      output.path(),
    ]);
    const [pod] = await eventually(debugPods, (pods) => pods.length === 1);
    await kubectl(['wait', '-n', 'gkeprof', '--for=condition=Ready', pod!, '--timeout=120s']);
    const exec = (container: string) =>
      execa(world().kubectl, ['exec', '-n', 'gkeprof', pod!, '-c', container, '--', 'true'], {
        env: environment(world().admin),
        reject: false,
      });
    expect((await exec('capture')).stderr).toContain('nothing execs into the privileged container');
    expect((await exec('files')).exitCode).toBe(0);
    run.kill('SIGINT');
    await run;
  });

  it('refuses shells unless they are allowed, and lets what only reads through', async () => {
    const target = `node/${world().nodes[0]}`;
    expect((await gkeprof(['crictl', target, '--', 'ps', '-q'])).code).toBe(0);
    expect((await gkeprof(['ps', 'redis-0', '-n', NAMESPACE])).code).toBe(0);
    const command = ['shell', target, '--', 'true'];
    const refused = await gkeprof(command);
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining('shells on nodes, and crictl where it changes something, are refused here'),
    ]);
    const change = await gkeprof(['crictl', target, '--dangerous', '--', 'rmi', 'no-such-image']);
    expect([change.code, change.stderr]).toEqual([125, expect.stringContaining('are refused here')]);
    const allowing = await gkeprof(['manifests', '--admission-policy', '--allow-shell']);
    await kubectl(['apply', '-f', '-'], allowing.stdout);
    const allowed = await eventually(
      () => gkeprof(command),
      ({ code }) => code === 0,
    );
    expect([allowed.code, allowed.stderr]).toEqual([0, expect.anything()]);
    await kubectl(['apply', '-f', '-'], policy);
  });
});
