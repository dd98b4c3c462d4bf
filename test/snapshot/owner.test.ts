import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { Roster } from '../../src/snapshot/owner.ts';
import { parseRuntime, type Runtime } from '../../src/snapshot/runtime.ts';
import { parseSnapshot } from '../../src/snapshot/snapshot.ts';
import { type Given, snapshotText } from './scene.ts';

const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
const OTHER = '11111111-2222-3333-4444-555555555555';
const ID = 'a'.repeat(64);
const OLD = 'b'.repeat(64);
const SANDBOX = 'c'.repeat(64);
const in_ = (id: string, uid = UID) => `0::/kubepods/burstable/pod${uid}/${id}`;

const pod = (over: object = {}): V1Pod =>
  ({
    metadata: { name: 'redis-0', namespace: 'redis', uid: UID, ...over },
    status: {
      podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
      containerStatuses: [
        {
          name: 'redis',
          containerID: `containerd://${ID}`,
          lastState: { terminated: { containerID: `containerd://${OLD}` } },
        },
      ],
    },
  }) as V1Pod;

const ownerOf = (given: Partial<Given>, pods: V1Pod[] = [pod()], runtime?: Runtime) => {
  const { processes } = parseSnapshot(snapshotText({ pid: 7, ...given }));
  return new Roster(pods, runtime, processes).ownerOf(processes[0]!);
};

describe('Roster', () => {
  it('knows a container by its pod’s cgroup and its own id', () => {
    expect(ownerOf({ cgroup: in_(ID) })).toMatchObject({
      namespace: 'redis',
      pod: 'redis-0',
      container: 'redis',
      containerId: ID,
      ips: ['10.0.0.1', 'fd00::1'],
      qos: 'Burstable',
      what: 'container',
    });
  });

  it('knows the container that was there before a restart by its name, under its own id', () => {
    expect(ownerOf({ cgroup: in_(OLD) })).toMatchObject({ container: 'redis', containerId: OLD });
  });

  it('does not take a container id below another pod’s cgroup for the first pod’s', () => {
    const owner = ownerOf({ cgroup: in_(ID, OTHER) });
    expect(owner).toMatchObject({ what: 'pod', podUid: OTHER, containerId: ID });
    expect(owner).not.toHaveProperty('pod');
    expect(owner).not.toHaveProperty('container');
  });

  it('says of a container that nobody knows yet only that it is the pod’s', () => {
    const owner = ownerOf({ cgroup: in_('d'.repeat(64)) });
    expect(owner).toMatchObject({ what: 'pod', pod: 'redis-0', containerId: 'd'.repeat(64) });
    expect(owner).not.toHaveProperty('container');
  });

  it('finds the sandbox by its pause process where the runtime was not asked, and only so', () => {
    expect(ownerOf({ cgroup: in_(SANDBOX), comm: 'pause' })).toMatchObject({
      what: 'sandbox',
      sandboxId: SANDBOX,
    });
    expect(ownerOf({ cgroup: in_(SANDBOX), comm: 'sh' })).toMatchObject({ what: 'pod' });
    // A container that calls its process so is still the container.
    expect(ownerOf({ cgroup: in_(ID), comm: 'pause' })).toMatchObject({ what: 'container' });
  });

  it('asks the runtime first: the sandbox that is ready, not the dead one; names that the API has not yet', () => {
    const dead = 'e'.repeat(64);
    const fresh = 'f'.repeat(64);
    const runtime = parseRuntime(
      JSON.stringify({
        containers: [
          {
            id: fresh,
            podSandboxId: SANDBOX,
            metadata: { name: 'new', attempt: 3 },
            image: { image: 'sha256:1' },
            state: 'CONTAINER_RUNNING',
            createdAt: '1700000000000000000',
            labels: { 'io.kubernetes.pod.uid': UID },
          },
        ],
      }),
      JSON.stringify({
        items: [
          { id: dead, state: 'SANDBOX_NOTREADY', metadata: { uid: UID } },
          { id: SANDBOX, state: 'SANDBOX_READY', metadata: { uid: UID } },
        ],
      }),
    );
    expect(runtime.containers[0]).toMatchObject({
      attempt: 3,
      state: 'RUNNING',
      createdMs: 1_700_000_000_000,
    });
    expect(ownerOf({ cgroup: in_(fresh) }, [pod()], runtime)).toMatchObject({
      what: 'container',
      container: 'new',
      sandboxId: SANDBOX,
    });
    expect(ownerOf({ cgroup: in_(dead), comm: 'sh' }, [pod()], runtime)).toMatchObject({ what: 'sandbox' });
  });

  it('knows a static pod, whose cgroup is named after the hash of its manifest', () => {
    const hash = '0123456789abcdef0123456789abcdef';
    const mirror = pod({ annotations: { 'kubernetes.io/config.hash': hash } });
    expect(ownerOf({ cgroup: in_(ID, hash) }, [mirror])).toMatchObject({
      pod: 'redis-0',
      podUid: UID,
      container: 'redis',
    });
  });

  it('answers what is in no pod as what it is', () => {
    expect(ownerOf({ cgroup: '0::/system.slice/kubelet.service' }).what).toBe('kubelet.service');
    expect(ownerOf({ cgroup: '0::/', flags: 0x0020_0040 }).what).toBe('kernel thread');
    expect(ownerOf({ cgroup: '0::/' }).what).toBe('node');
  });
});
