import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { nodeWith } from '../doctor/scene.ts';
import { apiAnswer, fakeCluster } from '../fake-cluster.ts';
import { golden } from '../golden.ts';
import { faults } from '../schemas.ts';
import { runOn } from './on-cluster.ts';

const TOOLS = { images: [{ names: ['docker.io/library/tools:1'] }] };
const healthy = (more: Partial<Cluster> = {}) =>
  fakeCluster({
    namespace: 'redis',
    listNodes: async () => [
      nodeWith({ name: 'node-a', status: TOOLS }),
      nodeWith({ name: 'node-b', status: TOOLS }),
    ],
    readNode: async (name) => nodeWith({ name, status: TOOLS }),
    createPod: async (pod) => pod,
    ...more,
  });
/** A user without a right, a namespace with the wrong level and a node that is not ready. */
const troubled = () =>
  healthy({
    askAccess: async ({ verb, subresource }) => !(verb === 'create' && subresource === 'exec'),
    readNamespace: async (name) => ({
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } },
    }),
    createPod: () =>
      Promise.reject(
        apiAnswer(403, 'pods "x" is forbidden: violates PodSecurity "baseline:latest": host namespaces'),
      ),
    listNodes: async () => [
      nodeWith({ name: 'node-a', conditions: ['Ready', 'DiskPressure'] }),
      nodeWith({ name: 'node-b' }),
    ],
  });

describe('doctor', () => {
  it('prints a table, and nothing else, where all is well', async () => {
    const run = await runOn(healthy(), ['doctor', '--quiet']);
    golden('doctor/healthy.txt', run.stdout);
    expect([run.code, run.stderr]).toEqual([0, '']);
  });

  it('says what is wrong and what to do, with exit code 3', async () => {
    const run = await runOn(troubled(), ['doctor', '--quiet']);
    golden('doctor/troubled.txt', run.stdout);
    expect([run.code, run.stderr]).toEqual([
      3,
      'error: 4 of 19 checks found a problem\nhint: FIX says what to do about each\n',
    ]);
  });

  it('has the same for programs', async () => {
    const run = await runOn(troubled(), ['doctor', '-o', 'json']);
    const data = JSON.parse(run.stdout);
    expect(faults('doctor', data)).toEqual([]);
    expect(data.summary).toEqual({ ok: 14, warning: 1, problem: 4, unknown: 0 });
    expect(data.rights).toContainEqual({
      right: 'create pods/exec',
      in: 'debug',
      allowed: false,
      neededFor: 'every verb that creates a debug pod',
    });
    expect((await runOn(troubled(), ['doctor', '-o', 'name'])).stdout).toBe(
      'rights-debug-pods\npod-security\nadmission-flamegraph\nadmission-pcap\n',
    );
    const silent = healthy({ askAccess: () => Promise.reject(apiAnswer(500, 'no')) });
    const unknown = JSON.parse((await runOn(silent, ['doctor', '-o', 'json'])).stdout);
    expect(faults('doctor', unknown)).toEqual([]);
    expect(unknown.rights[0].allowed).toBe(null);
  });

  it('is a problem of the target if there is none of this name', async () => {
    const run = await runOn(healthy(), ['doctor', 'pod/nope', '-o', 'json']);
    expect(run.code).toBe(3);
    const data = JSON.parse(run.stdout);
    expect(faults('doctor', data)).toEqual([]);
    expect(data.target).toBe('pod/nope');
    expect(data.checks).toContainEqual({
      check: 'target',
      status: 'problem',
      found: 'pod "nope" not found in namespace "redis"',
      fix: expect.any(String),
    });
  });

  it.each([
    [['doctor', '--dry-run'], /without a target nothing is created anyway/],
    [['doctor', '-c', 'redis'], /-c needs a pod/],
    [['doctor', 'node/x', '-c', 'redis'], /-c needs a pod/],
    [['doctor', 'ing/x'], /is not a target/],
  ])('refuses %j', async (words, reason) => {
    await expect(runOn(healthy(), words)).rejects.toThrow(reason);
  });

  it('shows the commands by hand, for the client and for a node', async () => {
    const general = await runOn(healthy(), ['doctor', '--explain']);
    golden('explain/doctor.sh', general.stdout);
    const ofNode = await runOn(healthy(), ['doctor', 'node/node-a', '--explain']);
    golden('explain/doctor-node.sh', ofNode.stdout);
    expect([general.calls, ofNode.calls]).toEqual([[], []]);
  });
});
