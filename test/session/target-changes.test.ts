import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { targetChanges } from '../../src/session/target-changes.ts';
import { apiAnswer, fakeCluster } from '../fake-cluster.ts';
import { PERF, planOf, podOf } from '../plans.ts';

const target = podOf();
const now = (overrides: { metadata?: object; redis?: object } = {}): V1Pod =>
  ({
    metadata: { name: target.name, namespace: target.namespace, uid: target.uid, ...overrides.metadata },
    spec: { nodeName: target.node },
    status: {
      phase: 'Running',
      containerStatuses: target.containers.map((each) => ({
        name: each.name,
        containerID: `containerd://${each.id}`,
        state: { running: {} },
        ...(each.name === 'redis' && overrides.redis),
      })),
    },
  }) as unknown as V1Pod;

describe('targetChanges', () => {
  it.each<[string, () => Promise<V1Pod>, string[]]>([
    ['nothing', async () => now(), []],
    [
      'a restart',
      async () => now({ redis: { containerID: `containerd://${'f'.repeat(64)}` } }),
      ['container redis of pod redis-0 was restarted or ended during the capture'],
    ],
    [
      'an end',
      async () => now({ redis: { state: { terminated: {} } } }),
      ['container redis of pod redis-0 was restarted or ended during the capture'],
    ],
    [
      'another pod of the name',
      async () => now({ metadata: { uid: 'other' } }),
      ['pod redis-0 was replaced by another of the same name during the capture'],
    ],
    [
      'a deletion under way',
      async () => now({ metadata: { deletionTimestamp: new Date() } }),
      ['pod redis-0 was being deleted during the capture'],
    ],
    [
      'a deletion',
      async () => {
        throw apiAnswer(404, 'pods "redis-0" not found', 'NotFound');
      },
      ['pod redis-0 was deleted during the capture'],
    ],
    [
      'no answer',
      async () => {
        throw apiAnswer(500, 'etcd is away');
      },
      ['pod redis-0 could not be read again after the capture: Error from server (500): etcd is away'],
    ],
  ])('says %s', async (_what, readPod, want) => {
    expect(await targetChanges(planOf(PERF), fakeCluster({ readPod }))).toEqual(want);
  });

  it('has nothing to say of a node', async () => {
    expect(await targetChanges(planOf(PERF, { kind: 'node', node: 'node-a' }), fakeCluster())).toEqual([]);
  });
});
