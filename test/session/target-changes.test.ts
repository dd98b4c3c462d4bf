import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { lookAtTarget } from '../../src/session/target-changes.ts';
import { apiAnswer, fakeCluster } from '../fake-cluster.ts';
import { PERF, planOf, podOf } from '../plans.ts';
import { contextOf } from './scene.ts';

const target = podOf();
const now = (overrides: { metadata?: object; redis?: object; phase?: string } = {}): V1Pod =>
  ({
    metadata: { name: target.name, namespace: target.namespace, uid: target.uid, ...overrides.metadata },
    spec: { nodeName: target.node },
    status: {
      phase: overrides.phase ?? 'Running',
      containerStatuses: target.containers.map((each) => ({
        name: each.name,
        containerID: `containerd://${each.id}`,
        state: { running: {} },
        ...(each.name === 'redis' && overrides.redis),
      })),
    },
  }) as unknown as V1Pod;

const look = (
  overrides: Partial<Cluster>,
  plan = planOf(PERF),
  until: AbortSignal = new AbortController().signal,
) => lookAtTarget(plan, contextOf(fakeCluster(overrides)), until);

describe('a second look at the target', () => {
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
    // What has ended is no target any more, so it is not read as one.
    ...['Succeeded', 'Failed'].map((phase): [string, () => Promise<V1Pod>, string[]] => [
      `the end of the pod: ${phase}`,
      async () => now({ phase }),
      ['pod redis-0 ended during the capture'],
    ]),
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
  ])('says %s', async (_what, readPod, want) => {
    expect(await look({ readPod })).toEqual({ changes: want });
  });

  it('has nothing to say of a node', async () => {
    expect(await look({}, planOf(PERF, { kind: 'node', node: 'node-a' }))).toEqual({ changes: [] });
  });

  it('is taken again while the API server is away', async () => {
    let asked = 0;
    const readPod = async () => {
      asked += 1;
      if (asked < 4) throw apiAnswer(503, 'etcd is away');
      return now();
    };
    expect(await look({ readPod })).toEqual({ changes: [] });
  });

  it.each([
    [500, 'etcd is away'],
    [403, 'pods "redis-0" is forbidden'],
  ])('says why it shows nothing, and does not take that for a change (%i)', async (code, words) => {
    const readPod = async () => {
      throw apiAnswer(code, words);
    };
    expect(await look({ readPod })).toEqual({
      changes: [],
      unknown: `Error from server (${code}): ${words}`,
    });
  });

  it('ends with the last answer as soon as nobody waits for it any more', async () => {
    const until = new AbortController();
    const readPod = async () => {
      until.abort();
      throw apiAnswer(500, 'etcd is away');
    };
    expect((await look({ readPod }, planOf(PERF), until.signal)).unknown).toMatch(/did not answer|etcd/);
  });
});
