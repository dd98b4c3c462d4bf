import { describe, expect, it } from 'vitest';
import { placeOf } from '../../src/snapshot/cgroup.ts';

const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
const UNDER = UID.replaceAll('-', '_');
const HASH = '0123456789abcdef0123456789abcdef';
const ID = 'c0ffee'.padEnd(64, '1');
const EVIL = 'e'.repeat(64);

/** Trees of nodes that this machine cannot boot, and of the one that it does. */
const PLACES: ReadonlyArray<readonly [what: string, lines: readonly string[], place: object]> = [
  [
    'v1, cgroupfs, burstable (GKE before 1.26)',
    [`9:cpu,cpuacct:/kubepods/burstable/pod${UID}/${ID}`, '1:name=systemd:/'],
    { kind: 'pod', podUid: UID, qos: 'Burstable', containerId: ID },
  ],
  [
    'v2, systemd, burstable (GKE)',
    [
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDER}.slice/cri-containerd-${ID}.scope`,
    ],
    { kind: 'pod', podUid: UID, qos: 'Burstable', containerId: ID },
  ],
  [
    'v2, systemd, guaranteed',
    [`0::/kubepods.slice/kubepods-pod${UNDER}.slice/cri-containerd-${ID}.scope`],
    { kind: 'pod', podUid: UID, qos: 'Guaranteed', containerId: ID },
  ],
  [
    'CRI-O, which makes a cgroup of its own in the container',
    [
      `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDER}.slice/crio-${ID}.scope/container`,
    ],
    { kind: 'pod', podUid: UID, qos: 'BestEffort', containerId: ID },
  ],
  [
    "CRI-O's monitor of a container: in the pod, not in the container",
    [
      `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDER}.slice/crio-conmon-${ID}.scope`,
    ],
    { kind: 'pod', podUid: UID, qos: 'BestEffort' },
  ],
  [
    'cri-dockerd',
    [`0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDER}.slice/docker-${ID}.scope`],
    { kind: 'pod', podUid: UID, containerId: ID },
  ],
  [
    'a static pod, by the hash of its manifest',
    [
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${HASH}.slice/cri-containerd-${ID}.scope`,
    ],
    { kind: 'pod', podUid: HASH, containerId: ID },
  ],
  [
    'kind: below a slice of the kubelet',
    [
      `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod${UNDER}.slice/cri-containerd-${ID}.scope`,
    ],
    { kind: 'pod', podUid: UID, containerId: ID },
  ],
  [
    'a node of the test cluster, hybrid',
    [
      `12:name=systemd:/gkeprof/node-a/kubepods/besteffort/pod${UID}/${ID}`,
      `4:perf_event:/gkeprof/node-a/kubepods/besteffort/pod${UID}/${ID}`,
      '0::/',
    ],
    { kind: 'pod', podUid: UID, qos: 'BestEffort', containerId: ID },
  ],
  [
    'seen from inside another cgroup namespace',
    [`0::/../../kubepods/burstable/pod${UID}/${ID}`],
    { kind: 'pod', podUid: UID, containerId: ID },
  ],
  [
    'a cgroup that a container made below itself to imitate another',
    [`0::/kubepods/burstable/pod${UID}/${ID}/kubepods/pod11111111-2222-3333-4444-555555555555/${EVIL}`],
    { kind: 'pod', podUid: UID, containerId: ID },
  ],
  [
    'one that was made below the pod with a name like an id and more',
    [`0::/kubepods/burstable/pod${UID}/${EVIL}x/${ID}`],
    { kind: 'pod', podUid: UID },
  ],
  ['a pod-like name in no place of the kubelet', [`0::/evil-kubepods/pod${UID}/${ID}`], { kind: 'node' }],
  [
    'a systemd slice that only looks like the kubelet’s',
    [`0::/kubepods.slice/xkubepods-pod${UNDER}.slice/cri-containerd-${ID}.scope`],
    { kind: 'node' },
  ],
  ['the kubelet', ['0::/system.slice/kubelet.service'], { kind: 'node', unit: 'kubelet.service' }],
  [
    'a user session on a hybrid node',
    ['4:perf_event:/', '1:name=systemd:/user.slice/user-1000.slice/session-3.scope', '0::/'],
    { kind: 'node', unit: 'session-3.scope' },
  ],
  ['a kernel thread', ['0::/'], { kind: 'node', path: '/' }],
  ['a path with a colon', ['0::/system.slice/a:b.service'], { kind: 'node', unit: 'a:b.service' }],
];

describe('placeOf', () => {
  it.each(PLACES)('%s', (_what, lines, place) => {
    const found = placeOf(lines);
    expect(found).toMatchObject(place);
    if (!('containerId' in place)) expect(found).not.toHaveProperty('containerId');
  });
});
