import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { isObjectName } from '../cluster/cluster.ts';
import { API_GROUPS } from '../cluster/resources.ts';
import { clusterError, type GkeprofError, usageError } from '../errors.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { printable } from '../text/printable.ts';
import { isVirtual, refusingPressures } from './node-traits.ts';

/** A target as the user named it, parsed but not looked up yet. */
export interface TargetRef {
  readonly kind: TargetKind;
  /** For the kind `id`: the first digits of the id of a container, or with `node` of a sandbox. */
  readonly name: string;
  /** For the kind `id`: the node that the user saw it on. */
  readonly node?: string;
  /** For the kind `pod`: its namespace, if a node told it; else the namespace of the command applies. */
  readonly namespace?: string;
}

/** The kinds of objects that control pods, as owner references name them. */
export type WorkloadKind =
  | 'Deployment'
  | 'StatefulSet'
  | 'DaemonSet'
  | 'ReplicaSet'
  | 'ReplicationController'
  | 'Job';

/** The kinds of objects that stand for pods. */
export type PodsKind = 'pod' | WorkloadKind | 'CronJob' | 'Service';
export type TargetKind = PodsKind | 'node' | 'id';

/** What a command line names, parsed but not looked up yet: targets, or kinds whose objects are all meant. */
export interface TargetRefs {
  /** In the order of the command line; empty if kinds choose. If one is a node, all are. */
  readonly refs: readonly TargetRef[];
  /** The kinds whose objects are meant, all of them or those with the labels of the selector; empty if targets are named. */
  readonly kinds: readonly PodsKind[];
  /** The word that was taken for the kinds. */
  readonly kindWord?: string;
  readonly selector?: string;
  /** Only with `kinds`. */
  readonly allNamespaces: boolean;
}

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

const KINDS: Readonly<Record<string, TargetKind>> = {
  ...of('pod', 'pod', 'pods', 'po'),
  ...of('node', 'node', 'nodes', 'no'),
  ...of('id', 'id'),
  ...of('Deployment', 'deployment', 'deployments', 'deploy'),
  ...of('StatefulSet', 'statefulset', 'statefulsets', 'sts'),
  ...of('DaemonSet', 'daemonset', 'daemonsets', 'ds'),
  ...of('ReplicaSet', 'replicaset', 'replicasets', 'rs'),
  ...of('ReplicationController', 'replicationcontroller', 'replicationcontrollers', 'rc'),
  ...of('Job', 'job', 'jobs'),
  ...of('CronJob', 'cronjob', 'cronjobs', 'cj'),
  ...of('Service', 'service', 'services', 'svc'),
};

function of(kind: TargetKind, ...words: string[]): Record<string, TargetKind> {
  return Object.fromEntries(words.map((word) => [word, kind]));
}

/** kubectl's plural of a kind. */
export const resourceOfKind = <Kind extends Exclude<TargetKind, 'id'>>(kind: Kind) =>
  `${kind.toLowerCase() as Lowercase<Kind>}s` as const;

/**
 * The kind that a word names, in any of kubectl's spellings: `deploy`, `Deployments`, `deployment.apps`,
 * `deployments.v1.apps`. Undefined if it names none. Throws a usage error for a kind of another API group or version.
 */
function kindOf(word: string): TargetKind | undefined {
  const dot = word.indexOf('.');
  const bare = dot < 0 ? word : word.slice(0, dot);
  const kind = Object.hasOwn(KINDS, bare.toLowerCase()) ? KINDS[bare.toLowerCase()]! : undefined;
  if (kind === undefined || dot < 0) return kind;
  if (kind === 'id') return undefined;
  const resource = resourceOfKind(kind);
  const group = API_GROUPS[resource];
  if ([group, `v1.${group}`].includes(word.slice(dot + 1).toLowerCase())) return kind;
  throw usageError(
    `"${printable(word)}" is not a kind of target: ${resource} are in the API group ${group ? `"${group}", version v1` : '"" (core), version v1'}`,
    `for example ${resource.slice(0, -1)}${group && `.${group}`}/NAME`,
  );
}

/** kubectl's plural for the kind that a target begins with, in any spelling; undefined for `id` and for unknown kinds. */
export function resourceOf(word: string): string | undefined {
  const bare = word.split('.')[0]!.toLowerCase();
  const kind = Object.hasOwn(KINDS, bare) ? KINDS[bare]! : 'id';
  return kind === 'id' ? undefined : resourceOfKind(kind);
}

/** One target that was named. */
export const onlyRef = (ref: TargetRef): TargetRefs => ({ refs: [ref], kinds: [], allNamespaces: false });

/** What is given beside the words that name targets. */
export interface TargetFlags {
  /** The node of `id/HEX`. */
  readonly node?: string;
  readonly selector?: string;
  readonly allNamespaces?: boolean;
}

/**
 * Parses the words that name targets, as `kubectl get` does: `pod/x deploy/y`, `pods x y`, `deploy,sts x`, or a kind alone,
 * which means all objects of this kind, or those that the selector chooses. In addition, as for `kubectl logs`, words
 * without a kind name pods. Throws usage errors.
 */
export function parseTargets(
  words: readonly string[],
  { node, selector: labels, allNamespaces = false }: TargetFlags = {},
): TargetRefs {
  const selector = labels?.trim() || undefined;
  const [first] = words;
  if (first === undefined && selector === undefined)
    throw usageError(
      allNamespaces ? 'missing target: -A needs a kind or -l' : 'missing target',
      allNamespaces
        ? 'for example pods -A, or -A -l app=NAME'
        : 'name one, such as pod/NAME, or use -l LABELS',
    );
  const kinds = first === undefined ? ['pod' as const] : kindsOf(words);
  if (kinds !== undefined && words.length <= 1) {
    if (node !== undefined) throw nodeWithoutId();
    return {
      refs: [],
      kinds: kinds.map(podsKind),
      ...(first !== undefined && { kindWord: first }),
      ...(selector !== undefined && { selector }),
      allNamespaces,
    };
  }
  // The next two are kubectl's own words (cli-runtime pkg/resource/builder.go).
  if (selector !== undefined)
    throw usageError(
      'name cannot be provided when a selector is specified',
      `leave out either the names or -l ${printable(selector)}`,
    );
  if (allNamespaces)
    throw usageError(
      'a resource cannot be retrieved by name across all namespaces',
      'choose its namespace with -n, or use a kind alone or -l with -A',
    );
  const refs = kinds
    ? kinds.flatMap((kind) => words.slice(1).map((name) => refOf(kind, name, node)))
    : words.map((word) => parseTarget(word, node));
  if (node !== undefined && refs.length > 1)
    throw usageError('--node works only with a single id/HEX', 'name one target');
  const nodes = refs.filter(({ kind }) => kind === 'node');
  if (nodes.length > 0 && nodes.length < refs.length)
    throw usageError(
      'a node cannot be a target beside pods, because it is already everything that runs on it',
      'name only nodes, or only pods and what stands for pods',
    );
  return { refs, kinds: [], allNamespaces };
}

/** The kinds that the first word names, if the words are kinds followed by names. */
function kindsOf(words: readonly string[]): TargetKind[] | undefined {
  if (words.some((word) => word.includes('/'))) {
    if (words.some((word) => !word.includes('/') && kindOf(word) !== undefined))
      // kubectl's own words.
      throw usageError(
        'there is no need to specify a resource type as a separate argument when passing arguments in resource/name form',
        'write pod/NAME deploy/NAME, or pod NAME NAME',
      );
    return undefined;
  }
  const kinds = words[0]!.split(',').map(kindOf);
  return kinds.every((kind) => kind !== undefined) ? kinds : undefined;
}

function podsKind(kind: TargetKind): PodsKind {
  if (kind === 'id') throw usageError('missing the id of a container', 'id/HEX');
  if (kind === 'node') throw usageError('all nodes at once are not supported', 'name them: nodes NAME NAME');
  return kind;
}

const nodeWithoutId = (): GkeprofError =>
  usageError('--node works only with id/HEX', 'for a whole node, type node/NAME');

/**
 * Parses `pod/x`, `x`, `deploy/x`, `deployment.apps/x`, `node/x`, or `id/HEX`, which may come with the node that the user
 * saw it on. Throws a usage error that lists these forms for anything else.
 */
export function parseTarget(text: string, node?: string): TargetRef {
  const slash = text.indexOf('/');
  const kind = slash < 0 ? 'pod' : kindOf(text.slice(0, slash));
  if (!kind) {
    throw usageError(
      `"${printable(text)}" is not a target: pod/NAME, deploy/NAME (sts, ds, rs, rc, job, cronjob, svc), node/NAME or id/HEX`,
      'for example: kubectl gkeprof flamegraph pod/redis-0',
    );
  }
  return refOf(kind, text.slice(slash + 1), node);
}

function refOf(kind: TargetKind, name: string, node: string | undefined): TargetRef {
  if (node !== undefined && (kind !== 'id' || !isObjectName(node)))
    throw kind === 'id'
      ? usageError(`--node: "${printable(node)}" is not a valid name of a node`)
      : nodeWithoutId();
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
 * The workloads that control the pod. A Deployment controls its pods by a ReplicaSet, whose name is that of the Deployment
 * and the hash in the label of the pod (kubernetes pkg/controller/deployment/sync.go).
 */
export function workloadsOf(pod: V1Pod): ReadonlyArray<{ readonly kind: string; readonly name: string }> {
  const controller = pod.metadata?.ownerReferences?.find((each) => each.controller);
  if (!controller) return [];
  const hash = pod.metadata?.labels?.['pod-template-hash'];
  const ofDeployment =
    controller.kind === 'ReplicaSet' && hash !== undefined && controller.name.endsWith(`-${hash}`);
  return [
    { kind: controller.kind, name: controller.name },
    ...(ofDeployment ? [{ kind: 'Deployment', name: controller.name.slice(0, -hash.length - 1) }] : []),
  ];
}

/** Whether the pod has ended for good. */
export const hasEnded = ({ status }: V1Pod): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Why something is not a possible target, as the rest of a sentence whose subject it is, and what to do about it. */
export interface TargetProblem {
  readonly text: string;
  readonly hint: string;
}

/** What prevents the pod, or this container of it, from being a target; undefined if nothing does. */
export function podProblem(pod: V1Pod, containerName?: string): TargetProblem | undefined {
  const { namespace = '', name = '' } = pod.metadata ?? {};
  const phase = pod.status?.phase ?? 'Unknown';
  const describe = `kubectl describe pod -n ${namespace} ${name}`;
  if (pod.spec?.runtimeClassName === 'gvisor')
    return {
      text: 'runs in gVisor: the node sees only its sandbox, not its functions or sockets',
      hint: 'profile it from inside the pod',
    };
  if (hasEnded(pod))
    return {
      text: `has ended (${phase}): there is nothing left to observe`,
      hint: `kubectl get pods -n ${namespace}`,
    };
  if (!pod.spec?.nodeName) return { text: 'is not on a node yet (Pending)', hint: describe };
  const containers = containersOf(pod);
  if (containerName !== undefined) {
    const found = containers.find((each) => each.name === containerName);
    const hint = `its containers: ${containers.map((each) => each.name).join(', ')}`;
    if (!found) return { text: `has no container "${printable(containerName)}"`, hint };
    if (!found.running) return { text: `has a container "${found.name}", but it is not running`, hint };
  }
  return containers.some((each) => each.running)
    ? undefined
    : { text: `has no running container (${phase})`, hint: describe };
}

/** The pod as a target. Throws what prevents it from being one. */
export function podTarget(pod: V1Pod, containerName?: string): PodTarget {
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  const problem = podProblem(pod, containerName);
  if (problem) throw clusterError(`pod "${name}" in namespace "${namespace}" ${problem.text}`, problem.hint);
  const containers = containersOf(pod);
  const container = containers.find((each) => each.name === containerName);
  const hash = pod.metadata?.annotations?.['kubernetes.io/config.hash'];
  const ips = (pod.status?.podIPs ?? []).map((each) => each.ip ?? '').filter(Boolean);
  return {
    kind: 'pod',
    namespace,
    name,
    uid,
    // The kubelet names a static pod's cgroup after the hash of its manifest (pkg/kubelet/config/common.go).
    cgroupUids: hash ? [hash, uid] : [uid],
    node: pod.spec!.nodeName!,
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

/** Says that a node is not ready, with the message of its condition; undefined if it is ready. */
export function notReady(node: V1Node, of = ''): string | undefined {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const why = ready?.message ? `: ${printable(ready.message)}` : '';
  return `node "${node.metadata?.name}"${of} is not ready${why}`;
}

/**
 * Why no debug pod can run on the node, as a whole sentence; undefined if one can. `of` follows the name of a node that the
 * user did not name: ` of pod/x`.
 */
export function nodeProblem(node: V1Node, of = ''): { text: string; hint?: string } | undefined {
  const name = node.metadata?.name ?? '';
  const problem = notReady(node, of);
  const describe = `kubectl describe node ${name}`;
  if (problem) return { text: problem, hint: describe };
  const pressures = refusingPressures(node);
  if (pressures.length > 0)
    return {
      text: `node "${name}" has ${pressures.join(' and ')}, so its kubelet takes no debug pod`,
      hint: describe,
    };
  if (isVirtual(node))
    return {
      text: `node "${name}" is a virtual node: no debug pod can run beside its pods`,
      hint: 'use a pod on a real node',
    };
  return node.status?.nodeInfo?.operatingSystem === 'windows'
    ? { text: `node "${name}" runs Windows, but perf and tcpdump need Linux` }
    : undefined;
}

/** Throws if no debug pod can run on the node. */
export function checkNode(node: V1Node, target: string): void {
  const problem = nodeProblem(node, target === `node/${node.metadata?.name}` ? '' : ` of ${target}`);
  if (problem) throw clusterError(problem.text, problem.hint);
}
