import type { V1Pod } from '@kubernetes/client-node';
import { type Given, snapshotText } from './scene.ts';

/** A node that this machine cannot boot: what its processes, its runtime and the API say. */
export interface NodeScene {
  readonly pods: readonly V1Pod[];
  /** As collectors/snapshot/snapshot.sh writes it. */
  readonly snapshot: string;
}

export const id = (digit: string): string => digit.repeat(64);

const uids = {
  redis: '430eb98a-8da4-4a68-8aa1-9376d13fd3f0',
  web: '7a1b5c3e-0f2d-4e6a-9b8c-1d2e3f405162',
  mirror: 'c0c0c0c0-1111-4222-8333-444444444444',
  hash: '5f2a8c0d9e1b4a7c8d6e3f2a1b0c9d8e',
};
const under = (uid: string) => uid.replaceAll('-', '_');

const pod = (
  name: string,
  namespace: string,
  uid: string,
  ips: readonly string[],
  containers: ReadonlyArray<readonly [name: string, id: string]>,
  scheme: string,
  annotations = {},
): V1Pod =>
  ({
    metadata: { name, namespace, uid, annotations, labels: { app: name } },
    spec: { nodeName: 'node-a', containers: containers.map(([each]) => ({ name: each })) },
    status: {
      phase: 'Running',
      podIPs: ips.map((ip) => ({ ip })),
      containerStatuses: containers.map(([each, hex]) => ({
        name: each,
        containerID: `${scheme}://${hex}`,
        imageID: `sha256:${'4'.repeat(64)}`,
        restartCount: 0,
        state: { running: { startedAt: '2026-11-23T10:00:00Z' } },
      })),
    },
  }) as unknown as V1Pod;

interface RuntimeGiven {
  readonly uid: string;
  readonly pod: string;
  readonly namespace: string;
  readonly sandbox: string;
  readonly containers: ReadonlyArray<readonly [name: string, id: string, attempt?: number]>;
}

/** What `crictl ps -a -o json` and `crictl pods -o json` print (messages of the CRI, k8s.io/cri-api runtime/v1). */
function runtimeLines(given: readonly RuntimeGiven[], image: string): string[] {
  const labels = (each: RuntimeGiven) => ({
    'io.kubernetes.pod.name': each.pod,
    'io.kubernetes.pod.namespace': each.namespace,
    'io.kubernetes.pod.uid': each.uid,
  });
  const containers = given.flatMap((each) =>
    each.containers.map(([name, hex, attempt = 0]) => ({
      id: hex,
      podSandboxId: each.sandbox,
      metadata: { name, attempt },
      image: { image, annotations: {} },
      state: 'CONTAINER_RUNNING',
      createdAt: '990000000000',
      labels: { 'io.kubernetes.container.name': name, ...labels(each) },
    })),
  );
  const items = given.map((each) => ({
    id: each.sandbox,
    metadata: { name: each.pod, uid: each.uid, namespace: each.namespace, attempt: 0 },
    state: 'SANDBOX_READY',
    labels: labels(each),
  }));
  return [
    ...JSON.stringify({ containers }, null, 2)
      .split('\n')
      .map((line) => `crictl-ps:${line}`),
    ...JSON.stringify({ items }, null, 2)
      .split('\n')
      .map((line) => `crictl-pods:${line}`),
  ];
}

const burstable = (uid: string, scope: string) =>
  `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${under(uid)}.slice/${scope}`;

/** systemd, a kernel thread, the kubelet, the runtime with a shim: what every node has besides its pods. */
const NODE: readonly Given[] = [
  { pid: 1, ppid: 0, comm: 'systemd', argv: ['/sbin/init'], cgroup: '0::/init.scope', session: 1 },
  { pid: 2, ppid: 0, comm: 'kthreadd', argv: [], cgroup: '0::/', flags: 0x0020_8040 },
  { pid: 3, ppid: 2, comm: 'kworker/0:0', argv: [], cgroup: '0::/', flags: 0x0420_8060 },
  {
    pid: 900,
    comm: 'kubelet',
    argv: ['/home/kubernetes/bin/kubelet', '--config=/home/kubernetes/kubelet-config.yaml'],
    cgroup: '0::/system.slice/kubelet.service',
  },
];

/**
 * A node of GKE since 1.26: cgroup v2, the kubelet's systemd driver, containerd. kube-proxy is a static pod: its cgroup
 * has the hash of the manifest, its mirror in the API another UID. `web` runs a systemd of its own, in cgroups that it
 * made below itself and called after the redis pod's.
 */
export const GKE_V2: NodeScene = {
  pods: [
    pod(
      'redis-0',
      'redis',
      uids.redis,
      ['10.0.0.1', 'fd00::1'],
      [
        ['redis', id('a')],
        ['metrics', id('b')],
      ],
      'containerd',
    ),
    pod('web', 'default', uids.web, ['10.0.0.2'], [['app', id('d')]], 'containerd'),
    pod(
      'kube-proxy-node-a',
      'kube-system',
      uids.mirror,
      ['10.128.0.9'],
      [['kube-proxy', id('e')]],
      'containerd',
      {
        'kubernetes.io/config.hash': uids.hash,
        'kubernetes.io/config.mirror': uids.hash,
        'kubernetes.io/config.source': 'file',
      },
    ),
  ],
  snapshot: [
    snapshotText(
      ...NODE,
      {
        pid: 901,
        comm: 'containerd',
        argv: ['/usr/bin/containerd'],
        cgroup: '0::/system.slice/containerd.service',
      },
      {
        pid: 1000,
        comm: 'containerd-shim',
        argv: ['/usr/bin/containerd-shim-runc-v2'],
        cgroup: '0::/system.slice/containerd.service',
      },
      {
        pid: 1001,
        ppid: 1000,
        comm: 'pause',
        argv: ['/pause'],
        nsPids: [1001, 1],
        uid: 65535,
        cgroup: burstable(uids.redis, `cri-containerd-${id('c')}.scope`),
      },
      {
        pid: 1002,
        ppid: 1000,
        comm: 'redis-server',
        argv: ['redis-server', '*:6379'],
        nsPids: [1002, 1],
        uid: 999,
        threads: 5,
        rss: 10_000,
        vsize: 143_163_392,
        cgroup: burstable(uids.redis, `cri-containerd-${id('a')}.scope`),
      },
      {
        pid: 1003,
        ppid: 1000,
        comm: 'redis_exporter',
        argv: ['redis_exporter'],
        nsPids: [1003, 1],
        cgroup: burstable(uids.redis, `cri-containerd-${id('b')}.scope`),
      },
      {
        pid: 1010,
        ppid: 1000,
        comm: 'systemd',
        argv: ['/sbin/init'],
        nsPids: [1010, 1],
        cgroup: `0::/kubepods.slice/kubepods-pod${under(uids.web)}.slice/cri-containerd-${id('d')}.scope/init.scope`,
      },
      {
        pid: 1011,
        ppid: 1010,
        comm: 'evil',
        argv: ['evil'],
        nsPids: [1011, 7],
        cgroup: `0::/kubepods.slice/kubepods-pod${under(uids.web)}.slice/cri-containerd-${id('d')}.scope${burstable(uids.redis, `cri-containerd-${id('a')}.scope`).slice(3)}`,
      },
      {
        pid: 1020,
        ppid: 1000,
        comm: 'kube-proxy',
        argv: ['kube-proxy'],
        nsPids: [1020, 1],
        cgroup: burstable(uids.hash, `cri-containerd-${id('e')}.scope`),
      },
    ),
    'mnt:/proc/1002/ns/mnt mnt:[5]',
    '/proc/1002/root/etc/passwd:redis:x:999:999::/data:/bin/sh',
    ...runtimeLines(
      [
        {
          uid: uids.redis,
          pod: 'redis-0',
          namespace: 'redis',
          sandbox: id('c'),
          containers: [
            ['redis', id('a'), 2],
            ['metrics', id('b')],
          ],
        },
        { uid: uids.web, pod: 'web', namespace: 'default', sandbox: id('9'), containers: [['app', id('d')]] },
        {
          uid: uids.hash,
          pod: 'kube-proxy-node-a',
          namespace: 'kube-system',
          sandbox: id('8'),
          containers: [['kube-proxy', id('e')]],
        },
      ],
      `sha256:be0431d8c1328${'0'.repeat(51)}`,
    ),
  ].join('\n'),
};

/**
 * A node of OpenShift: CRI-O on cgroup v2 with systemd. It has no pause process where it can do without; a conmon in
 * the pod's cgroup watches each container; the container's own cgroup lies below its scope.
 */
export const CRIO: NodeScene = {
  pods: [pod('redis-0', 'redis', uids.redis, ['10.128.2.7'], [['redis', id('a')]], 'cri-o')],
  snapshot: [
    snapshotText(
      ...NODE,
      { pid: 950, comm: 'crio', argv: ['/usr/bin/crio'], cgroup: '0::/system.slice/crio.service' },
      {
        pid: 2000,
        comm: 'conmon',
        argv: ['/usr/bin/conmon', '-c', id('a')],
        cgroup: burstable(uids.redis, `crio-conmon-${id('a')}.scope`),
      },
      {
        pid: 2001,
        ppid: 2000,
        comm: 'redis-server',
        argv: ['redis-server', '*:6379'],
        nsPids: [2001, 1],
        cgroup: burstable(uids.redis, `crio-${id('a')}.scope/container`),
      },
    ),
    ...runtimeLines(
      [
        {
          uid: uids.redis,
          pod: 'redis-0',
          namespace: 'redis',
          sandbox: id('c'),
          containers: [['redis', id('a')]],
        },
      ],
      'quay.io/example/redis@sha256:0123',
    ),
  ].join('\n'),
};
