import type { V1Node, V1Pod } from '@kubernetes/client-node';
import type { Facts } from '../../src/doctor/facts.ts';
import { RIGHTS } from '../../src/doctor/rights.ts';

const NAMESPACE = { name: 'gkeprof', labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } };

/** What is different about a node. Conditions are types that are true. */
export interface NodeTraits {
  readonly name?: string;
  readonly labels?: Record<string, string>;
  readonly taints?: ReadonlyArray<{ key: string; effect: string }>;
  readonly conditions?: readonly string[];
  readonly cordoned?: boolean;
  readonly status?: object;
}

/** A node that is ready for a debug pod, but for these traits. */
export const nodeWith = ({
  name = 'node-a',
  labels,
  taints,
  conditions = ['Ready'],
  cordoned = false,
  status,
}: NodeTraits = {}): V1Node =>
  ({
    metadata: { name, ...(labels && { labels }) },
    spec: { ...(taints && { taints }), ...(cordoned && { unschedulable: true }) },
    status: {
      conditions: conditions.map((type) => ({ type, status: 'True' })),
      allocatable: { 'ephemeral-storage': '94Gi' },
      nodeInfo: {
        architecture: 'amd64',
        operatingSystem: 'linux',
        containerRuntimeVersion: 'containerd://2.1.1',
      },
      images: [{ names: ['registry.example/tools:1'] }],
      ...status,
    },
  }) as unknown as V1Node;

export const POD = {
  metadata: { name: 'redis-0', namespace: 'redis' },
  spec: { nodeName: 'node-a', containers: [] },
} as unknown as V1Pod;

/** Facts of a cluster in which nothing is wrong. */
export const HEALTHY: Facts = {
  debugPod: {
    namespace: 'gkeprof',
    image: 'registry.example/tools:1',
    install: false,
    imagePullSecrets: [],
    leastPrivilege: false,
  },
  kubectl: { value: 'v1.34.1' },
  door: { value: { context: 'prod', server: 'https://api.example', isCurrent: true, namespace: 'redis' } },
  user: { value: 'jane' },
  rights: RIGHTS.map((right) => ({ right, isAllowed: { value: true } })),
  namespace: { value: { metadata: NAMESPACE } },
  admission: { flamegraph: { value: [] }, pcap: { value: [] } },
  target: { value: { text: 'pod/redis-0', pod: POD } },
  nodes: { value: [nodeWith()] },
  kernel: { value: { cgroup: 'v2', pmu: true, btf: true, kptrRestrict: 1, perfEventParanoid: 2 } },
};

/** An answer of the API server that says no. */
export const refusal = (code: number, reason: string, hint?: string) => ({
  failure: { reason, code, ...(hint !== undefined && { hint }) },
});

/** No answer. */
export const silence = (reason = 'the cluster was not reached') => ({
  failure: { reason, isSilent: true as const },
});
