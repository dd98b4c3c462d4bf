import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CACHE } from '../cluster/home.ts';
import { eventually, gkeprof, world } from './world.ts';

/** Where openshift/api has the definition that OpenShift installs. */
const DEFINITION =
  'security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml';
const NAME = 'securitycontextconstraints.security.openshift.io';

const kubectl = (words: readonly string[], input?: string) =>
  execa(world().kubectl, ['--kubeconfig', world().admin, ...words], {
    reject: false,
    ...(input !== undefined && { input }),
  });

beforeAll(async () => {
  const { stdout } = await execa('go', ['mod', 'download', '-json'], {
    cwd: join(import.meta.dirname, 'openshift'),
    env: { GOFLAGS: '', GOWORK: 'off', GOMODCACHE: join(CACHE, 'go', 'modules') },
  });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  const { exitCode, stderr } = await kubectl(['apply', '-f', join(Dir, DEFINITION)]);
  expect([exitCode, stderr]).toEqual([0, '']);
  await kubectl(['wait', '--for=condition=Established', `crd/${NAME}`, '--timeout=240s']);
  // It is established before it is served.
  const served = () => kubectl(['get', NAME]);
  expect(await eventually(served, ({ exitCode }) => exitCode === 0)).toMatchObject({ exitCode: 0 });
}, 600_000);

afterAll(async () => {
  await kubectl(['delete', 'crd', NAME]);
});

const apply = (manifests: string) =>
  kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], manifests);

it('prints for OpenShift what an API server with its SecurityContextConstraints accepts', async () => {
  const { stdout } = await gkeprof(['manifests', '--openshift']);
  const applied = await apply(stdout);
  expect([applied.exitCode, applied.stderr]).toEqual([0, '']);
  expect(applied.stdout).toContain(`${NAME}/gkeprof-debug-pods created (server dry run)`);
  expect(applied.stdout).toContain(
    'role.rbac.authorization.k8s.io/gkeprof-openshift created (server dry run)',
  );
});

it.each([
  ['a field that it does not have', 'allowHostIPC:', 'allowHostIpc:', /allowHostIpc|allowHostIPC/],
  ['a value of another type', 'allowHostPID: true', 'allowHostPID: yes please', /allowHostPID/],
  ['a list that is missing', 'volumes: [emptyDir, hostPath]', '', /volumes: Required value/],
])('would find %s', async (_what, from, to, found) => {
  const { stdout } = await gkeprof(['manifests', '--openshift']);
  expect(stdout).toContain(from);
  const applied = await apply(stdout.replace(from, to));
  expect(applied.exitCode).toBe(1);
  expect(applied.stderr).toMatch(found);
});

it.each([
  ['openshift.io/scc', 0, /^$/],
  ['security.openshift.io/validated-scc-subject-type', 0, /^$/],
  ['openshift.io/required-scc', 1, /the labels, annotations or other metadata differ/],
])(
  'has an admission policy that takes of the annotations of OpenShift only what its admission writes: %s',
  async (annotation, code, found) => {
    const { images, nodes, sre } = world();
    const line = [
      'flamegraph',
      `node/${nodes[0]}`,
      '--image',
      images.tools,
      '--dry-run=client',
      '-o',
      'json',
    ];
    const pod = JSON.parse((await gkeprof(line, { kubeconfig: sre })).stdout);
    pod.metadata.annotations[annotation] = 'gkeprof-debug-pods';
    const words = ['--kubeconfig', sre, 'create', '--dry-run=server', '-f', '-'];
    const created = await kubectl(words, JSON.stringify(pod));
    expect(created.stderr).toMatch(found);
    expect(created.exitCode).toBe(code);
  },
);
