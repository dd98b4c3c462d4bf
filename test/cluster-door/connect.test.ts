import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { isObjectName } from '../../src/cluster/cluster.ts';
import { type Connection, kubectlFlags } from '../../src/cluster/connection.ts';
import { KUBECTL_PATH } from '../real-kubectl.ts';

it.each<[Connection, string[]]>([
  [{}, []],
  [{ namespace: 'given with each call' }, []],
  [{ context: 'a b', requestTimeout: '0' }, ['--context=a b', '--request-timeout=0']],
  [
    { kubeconfig: '/k', cluster: 'c', user: 'u', as: 'bob', asGroups: ['dev'] },
    ['--kubeconfig=/k', '--cluster=c', '--user=u', '--as=bob', '--as-group=dev'],
  ],
])('%j becomes the flags of kubectl', (connection, want) => expect(kubectlFlags(connection)).toEqual(want));

it.each([
  ['redis-0', true],
  ['a', true],
  ['gke-a.b-1', true],
  ['x'.repeat(253), true],
  ['x'.repeat(254), false],
  ['', false],
  ['-a', false],
  ['a-', false],
  ['.a', false],
  ['A', false],
  ['a/b', false],
  ['a b', false],
  ['a\n', false],
  ['ü', false],
])('the name %j: %s', (name, want) => expect(isObjectName(name)).toBe(want));

it('says so where there is no kubeconfig', async () => {
  const home = mkdtempSync(join(tmpdir(), 'gkeprof-no-kubeconfig-'));
  const plugin = fileURLToPath(new URL('../../plugin/kubectl-gkeprof', import.meta.url));
  const run = await execa(process.execPath, [plugin, 'flamegraph', 'pod/x'], {
    env: { HOME: home, PATH: KUBECTL_PATH },
    extendEnv: false,
    reject: false,
  });
  rmSync(home, { recursive: true });
  expect([run.exitCode, run.stderr]).toEqual([
    3,
    'error: no kubeconfig was found\nhint: set --kubeconfig or KUBECONFIG, or create ~/.kube/config',
  ]);
});
