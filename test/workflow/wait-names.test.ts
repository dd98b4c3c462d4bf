import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { PodTarget } from '../../src/plan/target.ts';
import { keepNames, listClusterObjects, namesIn, namesKept } from '../../src/workflow/wait-names.ts';
import { fakeCluster } from '../fake-cluster.ts';

const ID = 'a'.repeat(64);
const pod = (namespace: string, name: string, ip: string, more: object = {}, phase = 'Running'): V1Pod =>
  ({
    metadata: { namespace, name },
    spec: { nodeName: 'node-a', containers: [], ...more },
    status: {
      phase,
      podIP: ip,
      podIPs: [{ ip }],
      hostIP: '192.168.0.1',
      containerStatuses: [{ name: 'app', containerID: `containerd://${ID}` }],
    },
  }) as never;

const target: PodTarget = {
  kind: 'pod',
  namespace: 'shop',
  name: 'web-0',
  uid: 'u',
  cgroupUids: ['u'],
  node: 'node-a',
  ips: ['10.0.0.1'],
  hostNetwork: false,
  containers: [{ name: 'web', id: 'b'.repeat(64), running: true }],
};

const objects = {
  pods: [
    pod('db', 'done-0', '10.0.0.3', {}, 'Succeeded'),
    pod('db', 'postgres-0', '10.0.0.3'),
    pod('shop', 'redis-0', '10.0.0.2'),
    pod('shop', 'agent', '192.168.0.1', { hostNetwork: true }),
  ],
  services: [
    { metadata: { namespace: 'shop', name: 'redis' }, spec: { clusterIPs: ['10.9.0.1', 'fd00::1'] } },
    { metadata: { namespace: 'shop', name: 'headless' }, spec: { clusterIPs: ['None'] } },
  ],
};

describe('names of addresses', () => {
  const names = namesIn(objects, target);
  it.each([
    ['10.0.0.2', 'pod/redis-0'],
    ['10.0.0.3', 'pod/db/postgres-0'],
    ['10.0.0.1', 'pod/web-0'],
    ['10.9.0.1', 'service/redis'],
    ['fd00::1', 'service/redis'],
    ['192.168.0.1', 'node/node-a'],
    ['127.0.0.1', 'localhost'],
    ['::1', 'localhost'],
    ['None', undefined],
    ['8.8.8.8', undefined],
  ])('%s is %s', (address, name) => expect(names.ofAddress(address)).toBe(name));

  it('are those of containers too, and the receipt keeps the ones that were used', () => {
    expect(names.ofContainer(ID)).toMatchObject({ pod: 'agent', container: 'app' });
    expect(names.ofContainer('b'.repeat(64))).toMatchObject({ pod: 'web-0', container: 'web' });
    const kept = keepNames(names, new Set(['10.0.0.2', '8.8.8.8']), new Set([ID]));
    expect(Object.keys(kept.addresses)).toEqual(['10.0.0.2']);
    const again = namesKept(kept, target);
    expect(again.ofAddress('10.0.0.2')).toBe('pod/redis-0');
    expect(again.ofAddress('10.0.0.3')).toBeUndefined();
    expect(again.ofContainer(ID)).toMatchObject({ pod: 'agent' });
    expect(namesKept(undefined, undefined).ofAddress('10.0.0.2')).toBeUndefined();
  });
});

describe('listClusterObjects', () => {
  it('lists what the user may, and says what is missing', async () => {
    const said: string[] = [];
    const log = { line: (text: string) => said.push(text) } as never;
    const refuse = async () => {
      throw new Error('forbidden');
    };
    const cluster = fakeCluster({
      listAllPods: refuse,
      listPods: async () => [pod('shop', 'redis-0', '10.0.0.2')],
      listPodOwners: refuse,
    });
    const found = await listClusterObjects('shop', cluster, log);
    expect([found.pods.length, found.services.length]).toEqual([1, 0]);
    expect(said).toEqual([
      'some addresses have no names, because these could not be listed: pods of other namespaces, services of other namespaces, services (forbidden)',
    ]);
  });
});
