import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { choose } from '../../src/cluster/choose.ts';
import { inCluster, isPlainDefault } from '../../src/cluster/in-cluster.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-in-cluster-'));
  for (const name of ['token', 'ca.crt']) writeFileSync(join(folder, name), name);
  writeFileSync(join(folder, 'namespace'), 'prod\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

const IN_POD = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
const NONE = choose({}, {}, {});

it("in a pod without a kubeconfig it is the pod's service account, in its namespace", () => {
  expect(isPlainDefault(NONE, {}, IN_POD)).toBe(true);
  expect(inCluster(NONE, {}, IN_POD, folder)).toMatchObject({
    server: 'https://[fd00::1]',
    namespace: 'prod',
    cluster: { 'certificate-authority': join(folder, 'ca.crt') },
    user: { tokenFile: join(folder, 'token') },
  });
  expect(inCluster(NONE, {}, { ...IN_POD, POD_NAMESPACE: 'other' }, folder).namespace).toBe('other');
});

it('the few flags that count there take the place of its parts', () => {
  const flags = { server: 'https://h:1', token: 't', certificateAuthority: '/ca', namespace: 'n' };
  const chosen = choose({}, { token: 't', namespace: 'n' }, {});
  expect(inCluster(chosen, flags, IN_POD, folder)).toMatchObject({
    server: 'https://h:1',
    namespace: 'n',
    cluster: { 'certificate-authority': '/ca' },
    user: { token: 't' },
  });
});

it('outside of a pod, and where the account has no token, it is none', () => {
  expect(inCluster(NONE, {}, {}, folder)).toBe(NONE);
  expect(inCluster(NONE, {}, IN_POD, join(folder, 'missing'))).toBe(NONE);
});

it.each<[string, Parameters<typeof choose>[1]]>([
  ['a server', { server: 'https://h' }],
  ['somebody to impersonate', { as: 'bob' }],
  ['a time-out', { requestTimeout: '5s' }],
])('not where a flag names %s: then kubectl asks where it was told to', (_, connection) =>
  expect(isPlainDefault(choose({}, connection, {}), connection, {})).toBe(false),
);
