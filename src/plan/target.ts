import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { isObjectName } from '../cluster/cluster.ts';
import { clusterError, type GkeprofError, usageError } from '../errors.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { printable } from '../text/printable.ts';
import { isVirtual, refusingPressures } from './node-traits.ts';

/** A target as the user named it, parsed but not looked up yet. */
export interface TargetRef {
  readonly kind: 'pod' | 'node' | 'id' | WorkloadKind;
  /** For the kind `id`: the first digits of the id of a container, or with `node` of a sandbox. */
  readonly name: string;
  /** For the kind `id`: the node that the user saw it on. */
  readonly node?: string;
  /** For the kind `pod`: its namespace, if a node told it; else the namespace of the command applies. */
  readonly namespace?: string;
}

/** The kinds of objects that control pods, as owner references name them. */
export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet' | 'Job';

/** A container of the target pod, as the API knows it right before the capture. */
export interface TargetContainer {
  readonly name: string;
  /** The runtime's id without its scheme, 64 hex digits. */
  readonly id: string;
  readonly running: boolean;
}

/** A pod with its identities: the pod that the script finds on the node must have all of them. */
export interface PodTarget {
  readonly kind: 'pod';
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The UIDs by which its cgroup may be named: that of the API, and for a static pod the hash of its manifest. */
  readonly cgroupUids: readonly string[];
  readonly node: string;
  readonly ips: readonly string[];
  readonly hostNetwork: boolean;
  readonly containers: readonly TargetContainer[];
  /** The container that the user chose with `-c`. */
  readonly container?: TargetContainer;
}

export interface NodeTarget {
  readonly kind: 'node';
  readonly node: string;
}

export type Target = PodTarget | NodeTarget;

const KINDS: Readonly<Record<string, TargetRef['kind']>> = {
  ...of('pod', 'pod', 'pods', 'po'),
  ...of('node', 'node', 'nodes', 'no'),
  ...of('id', 'id'),
  ...of('Deployment', 'deployment', 'deployments', 'deploy'),
  ...of('StatefulSet', 'statefulset', 'statefulsets', 'sts'),
  ...of('DaemonSet', 'daemonset', 'daemonsets', 'ds'),
  ...of('ReplicaSet', 'replicaset', 'replicasets', 'rs'),
  ...of('Job', 'job', 'jobs'),
};

function of(kind: TargetRef['kind'], ...words: string[]): Record<string, TargetRef['kind']> {
  return Object.fromEntries(words.map((word) => [word, kind]));
}

/** kubectl's plural for the kind that a target begins with, in any spelling; undefined for `id` and for unknown kinds. */
export function resourceOf(word: string): string | undefined {
  const kind = KINDS[word.toLowerCase()];
  return kind === undefined || kind === 'id' ? undefined : `${kind.toLowerCase()}s`;
}

/**
 * Parses `pod/x`, `x`, `deploy/x`, `node/x`, or `id/HEX`, which may come with the node that the user saw it on. Throws a
 * usage error that lists these forms for anything else.
 */
export function parseTarget(text: string, node?: string): TargetRef {
  const slash = text.indexOf('/');
  const kind = slash < 0 ? 'pod' : KINDS[text.slice(0, slash).toLowerCase()];
  const name = text.slice(slash + 1);
  if (!kind) {
    throw usageError(
      `"${printable(text)}" is not a target: pod/NAME, deploy/NAME (sts, ds, rs, job), node/NAME or id/HEX`,
      'for example: kubectl gkeprof flamegraph pod/redis-0',
    );
  }
  if (node !== undefined && (kind !== 'id' || !isObjectName(node)))
    throw kind === 'id'
      ? usageError(`--node: "${printable(node)}" is not a valid name of a node`)
      : usageError('--node works only with id/HEX', 'for a whole node, type node/NAME');
  if (kind === 'id') {
    if (!/^[0-9a-f]{6,64}$/.test(name))
      throw usageError(
        `"${printable(name)}" is not the id of a container`,
        'type at least 6 hex digits of the id that crictl prints',
      );
    return { kind, name, ...(node !== undefined && { node }) };
  }
  if (!isObjectName(name)) throw badName(kind.toLowerCase(), name);
  return { kind, name };
}

/** What is wrong with the name of an object. */
function badName(kind: string, name: string): GkeprofError {
  if (name === '') return usageError(`missing the name of the ${kind}`, `${kind}/NAME`);
  if (/[*?[\]]/.test(name))
    return usageError(
      `"${printable(name)}": wildcards are not supported in the name of a ${kind}`,
      'name one pod; ps takes several by their labels: kubectl gkeprof ps -l app=NAME',
    );
  const lower = name.toLowerCase();
  return usageError(
    `"${printable(name)}" cannot be the name of a ${kind}: names consist of lower-case letters, digits, "-" and "." (RFC 1123)`,
    isObjectName(lower) ? `did you mean ${lower}?` : `kubectl get ${kind}s lists the names`,
  );
}

/**
 * Whether a workload controls the pod. A Deployment controls its pods by a ReplicaSet, whose name is that of the
 * Deployment and the hash in the label of the pod (kubernetes pkg/controller/deployment/sync.go).
 */
export function isOfWorkload(pod: V1Pod, kind: WorkloadKind, name: string): boolean {
  const controller = pod.metadata?.ownerReferences?.find((each) => each.controller);
  if (kind !== 'Deployment') return controller?.kind === kind && controller.name === name;
  const hash = pod.metadata?.labels?.['pod-template-hash'];
  return controller?.kind === 'ReplicaSet' && hash !== undefined && controller.name === `${name}-${hash}`;
}

/** The pod as a target. Throws what prevents it from being one. */
export function podTarget(pod: V1Pod, containerName?: string): PodTarget {
  const namespace = pod.metadata?.namespace ?? '';
  const name = pod.metadata?.name ?? '';
  const uid = pod.metadata?.uid ?? '';
  const phase = pod.status?.phase ?? 'Unknown';
  const node = pod.spec?.nodeName;
  const say = (text: string) => `pod "${name}" in namespace "${namespace}" ${text}`;
  if (pod.spec?.runtimeClassName === 'gvisor') {
    throw clusterError(
      say('runs in gVisor: the node sees only its sandbox, not its functions or sockets'),
      'profile it from inside the pod',
    );
  }
  if (phase === 'Succeeded' || phase === 'Failed') {
    throw clusterError(
      say(`has ended (${phase}): there is nothing left to observe`),
      `kubectl get pods -n ${namespace}`,
    );
  }
  if (!node) {
    throw clusterError(say('is not on a node yet (Pending)'), `kubectl describe pod -n ${namespace} ${name}`);
  }
  const containers = containersOf(pod);
  const container = containerName === undefined ? undefined : chooseContainer(containers, containerName, say);
  if (!containers.some((each) => each.running)) {
    throw clusterError(
      say(`has no running container (${phase})`),
      `kubectl describe pod -n ${namespace} ${name}`,
    );
  }
  const hash = pod.metadata?.annotations?.['kubernetes.io/config.hash'];
  const ips = (pod.status?.podIPs ?? []).map((each) => each.ip ?? '').filter(Boolean);
  return {
    kind: 'pod',
    namespace,
    name,
    uid,
    // The kubelet names a static pod's cgroup after the hash of its manifest (pkg/kubelet/config/common.go).
    cgroupUids: hash ? [hash, uid] : [uid],
    node,
    ips: ips.length ? ips : pod.status?.podIP ? [pod.status.podIP] : [],
    hostNetwork: pod.spec?.hostNetwork === true,
    containers,
    ...(container && { container }),
  };
}

function containersOf(pod: V1Pod): TargetContainer[] {
  return statusesOf(pod)
    .map((status) => ({
      name: status.name,
      id: bareId(status.containerID ?? ''),
      running: status.state?.running !== undefined,
    }))
    .filter((container) => container.name !== '');
}

function chooseContainer(
  containers: readonly TargetContainer[],
  name: string,
  say: (text: string) => string,
): TargetContainer {
  const found = containers.find((each) => each.name === name);
  const names = containers.map((each) => each.name).join(', ');
  if (!found) throw clusterError(say(`has no container "${printable(name)}"`), `its containers: ${names}`);
  if (!found.running)
    throw clusterError(say(`has a container "${name}", but it is not running`), `its containers: ${names}`);
  return found;
}

/** Says that a node is not ready, with the message of its condition; undefined if it is ready. */
export function notReady(node: V1Node, of = ''): string | undefined {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const why = ready?.message ? `: ${printable(ready.message)}` : '';
  return `node "${node.metadata?.name}"${of} is not ready${why}`;
}

/** Throws if no debug pod can run on the node. */
export function checkNode(node: V1Node, target: string): void {
  const name = node.metadata?.name ?? '';
  const problem = notReady(node, target === `node/${name}` ? '' : ` of ${target}`);
  const describe = `kubectl describe node ${name}`;
  if (problem) throw clusterError(problem, describe);
  const pressures = refusingPressures(node);
  if (pressures.length > 0)
    throw clusterError(
      `node "${name}" has ${pressures.join(' and ')}, so its kubelet takes no debug pod`,
      describe,
    );
  if (isVirtual(node))
    throw clusterError(
      `node "${name}" is a virtual node: no debug pod can run beside its pods`,
      'use a pod on a real node',
    );
  if (node.status?.nodeInfo?.operatingSystem === 'windows') {
    throw clusterError(`node "${name}" runs Windows, but perf and tcpdump need Linux`);
  }
}
