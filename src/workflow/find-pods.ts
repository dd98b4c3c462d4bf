import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { nearestNames } from '../cli/suggest.ts';
import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { PodOwner, PodOwners } from '../cluster/resources.ts';
import { clusterError, GkeprofError, usageError } from '../errors.ts';
import {
  hasEnded,
  type PodsKind,
  resourceOf,
  resourceOfKind,
  type TargetRef,
  type TargetRefs,
  workloadsOf,
} from '../plan/target.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { printable } from '../text/printable.ts';

/** A pod that the user meant, with the container that `-c` or an id names. It may not be a possible target. */
export interface FoundPod {
  readonly pod: V1Pod;
  readonly container?: string;
  /** Whether the user named this very pod, and not a workload, a service or labels. */
  readonly isNamed: boolean;
}

/** Above so many pods by name, or services, one list of all pods costs the API server less than a call for each. */
const MOST_CALLS = 10;

/**
 * The pods that the user meant, each once for each container that an id names. Those that have ended are among them, but each
 * target that was named has, and all kinds together have, at least one pod that has not ended: else it throws, with similar
 * names as a hint if the target does not exist.
 */
export async function findPods(
  refs: TargetRefs,
  container: string | undefined,
  cluster: Cluster,
): Promise<FoundPod[]> {
  const groups = (await findGroups(refs, container, cluster)).map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
  const found = new Map<string, FoundPod>();
  for (const each of groups.flat()) {
    const key = `${keyOf(each.pod)} ${each.container ?? ''}`;
    const known = found.get(key);
    found.set(key, known && !each.isNamed ? known : each);
  }
  // A container that an id names needs no recording of its own beside one of the whole pod.
  return [...found.values()].filter(
    ({ pod, container }) => container === undefined || !found.has(`${keyOf(pod)} `),
  );
}

/** For each target that was named, or for all kinds together, the pods or why there are none. */
export function findGroups(
  refs: TargetRefs,
  container: string | undefined,
  cluster: Cluster,
): Promise<Array<PromiseSettledResult<FoundPod[]>>> {
  const lists = new PodLists(cluster);
  return Promise.allSettled(
    refs.kinds.length > 0
      ? [podsOfKinds(refs, container, lists, cluster)]
      : refs.refs.map((ref) => podsOfRef(ref, refs, container, lists, cluster)),
  );
}

const keyOf = ({ metadata }: Pick<V1Pod, 'metadata'> | PodOwner): string =>
  `${metadata?.namespace}/${metadata?.name}`;

/** Lists of pods and of what owns them. Each is asked for once. */
class PodLists {
  readonly #cluster: Cluster;
  readonly #pods = new Map<string, Promise<V1Pod[]>>();
  readonly #owners = new Map<string, Promise<PodOwner[]>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The pods of a namespace, or of all. */
  pods(namespace: string | undefined, selector?: string): Promise<V1Pod[]> {
    return once(this.#pods, [namespace, selector], () =>
      namespace === undefined
        ? this.#cluster.listAllPods(undefined, selector)
        : this.#cluster.listPods(namespace, selector),
    );
  }

  owners(resource: PodOwners, namespace: string | undefined, selector?: string): Promise<PodOwner[]> {
    return once(this.#owners, [resource, namespace, selector], () =>
      this.#cluster.listPodOwners(resource, namespace, selector),
    );
  }
}

function once<T>(known: Map<string, Promise<T>>, by: unknown[], ask: () => Promise<T>): Promise<T> {
  const key = JSON.stringify(by);
  const asked = known.get(key) ?? ask();
  known.set(key, asked);
  return asked;
}

async function podsOfRef(
  ref: TargetRef,
  { refs }: TargetRefs,
  container: string | undefined,
  lists: PodLists,
  cluster: Cluster,
): Promise<FoundPod[]> {
  const { kind, name } = ref;
  if (kind === 'node') throw new Error('a node is not a pod');
  if (kind === 'id') return [await byId(name, container, lists)];
  const as = { ...(container !== undefined && { container }), isNamed: kind === 'pod' };
  const isListed = refs.some((each) => isByOwner(each.kind)) || ofKind(refs, kind) > MOST_CALLS;
  const namespace = ref.namespace ?? cluster.namespace;
  if (kind === 'pod') {
    const listed = isListed ? await lists.pods(namespace) : [];
    const known = listed.find((pod) => pod.metadata?.name === name);
    return [{ pod: known ?? (await readPod(ref, namespace, cluster)), ...as }];
  }
  const pods =
    kind === 'Service'
      ? await podsOfServices([await readService(name, lists, cluster)], namespace, isListed, lists)
      : await podsOfOwners(kind, new Set([`${namespace}/${name}`]), namespace, lists);
  if (pods.every(hasEnded)) throw await withoutPods(ref, kind, lists, cluster);
  return pods.map((pod) => ({ pod, ...as }));
}

/** Whether the pods of this kind are found by their owners, in a list of all pods. */
const isByOwner = (kind: TargetRef['kind']): boolean => !['pod', 'node', 'id', 'Service'].includes(kind);

const ofKind = (refs: readonly TargetRef[], kind: string): number =>
  refs.filter((each) => each.kind === kind).length;

/** The pods of all objects of these kinds, or of those that the selector chooses. */
async function podsOfKinds(
  refs: TargetRefs,
  container: string | undefined,
  lists: PodLists,
  cluster: Cluster,
): Promise<FoundPod[]> {
  const { kinds, selector } = refs;
  const namespace = refs.allNamespaces ? undefined : cluster.namespace;
  const groups = await Promise.all(kinds.map((kind) => podsOfKind(kind, namespace, selector, lists)));
  const pods = groups.flat();
  if (pods.every(hasEnded)) throw noPodOf(refs, namespace);
  return pods.map((pod) => ({ pod, ...(container !== undefined && { container }), isNamed: false }));
}

async function podsOfKind(
  kind: PodsKind,
  namespace: string | undefined,
  selector: string | undefined,
  lists: PodLists,
): Promise<V1Pod[]> {
  if (kind === 'pod') return lists.pods(namespace, selector);
  if (kind === 'Service') {
    const services = (await lists.owners('services', namespace, selector)).filter(hasSelector);
    return podsOfServices(
      services,
      namespace,
      namespace === undefined || services.length > MOST_CALLS,
      lists,
    );
  }
  const chosen =
    selector === undefined ? undefined : await lists.owners(resourceOfKind(kind), namespace, selector);
  return podsOfOwners(kind, chosen && new Set(chosen.map(keyOf)), namespace, lists);
}

function noPodOf({ kinds, selector }: TargetRefs, namespace: string | undefined): GkeprofError {
  const where = namespace === undefined ? 'in any namespace' : `in namespace "${namespace}"`;
  const owners = kinds.includes('pod') ? undefined : kinds.map((kind) => kind.toLowerCase()).join(' or ');
  const flags = `${namespace === undefined ? '-A' : `-n ${namespace}`}${selector === undefined ? '' : ' --show-labels'}`;
  return clusterError(
    selector === undefined
      ? owners
        ? `no ${owners} ${where} has a running pod`
        : `there is no running pod ${where}`
      : `the selector "${printable(selector)}" matches no ${owners ? `${owners} with a running pod` : 'running pod'} ${where}`,
    `kubectl get ${kinds.map(resourceOfKind).join(',')} ${flags}`,
  );
}

/**
 * The pods that objects of a kind control, of those in `chosen` (`NAMESPACE/NAME`) or of all. A CronJob controls jobs, and
 * these control the pods.
 */
async function podsOfOwners(
  kind: Exclude<PodsKind, 'pod' | 'Service'>,
  chosen: ReadonlySet<string> | undefined,
  namespace: string | undefined,
  lists: PodLists,
): Promise<V1Pod[]> {
  if (kind === 'CronJob') {
    const jobs = (await lists.owners('jobs', namespace)).filter(({ metadata }) =>
      metadata?.ownerReferences?.some(
        (owner) =>
          owner.controller &&
          owner.kind === kind &&
          (chosen?.has(`${metadata.namespace}/${owner.name}`) ?? true),
      ),
    );
    return jobs.length > 0 ? podsOfOwners('Job', new Set(jobs.map(keyOf)), namespace, lists) : [];
  }
  return (await lists.pods(namespace)).filter((pod) =>
    workloadsOf(pod).some(
      (owner) => owner.kind === kind && (chosen?.has(`${pod.metadata?.namespace}/${owner.name}`) ?? true),
    ),
  );
}

/** The pods that services select. With `isListed` they are sought in the list of all pods, which is there anyway. */
async function podsOfServices(
  services: readonly PodOwner[],
  namespace: string | undefined,
  isListed: boolean,
  lists: PodLists,
): Promise<V1Pod[]> {
  const selectors = services.map(({ metadata, spec }) => ({
    within: metadata?.namespace,
    labels: Object.entries(spec?.selector ?? {}),
  }));
  if (isListed)
    return (await lists.pods(namespace)).filter(({ metadata }) =>
      selectors.some(
        ({ within, labels }) =>
          within === metadata?.namespace && labels.every(([key, value]) => metadata?.labels?.[key] === value),
      ),
    );
  const groups = await Promise.all(
    selectors.map(({ within, labels }) =>
      lists.pods(within ?? namespace, labels.map(([key, value]) => `${key}=${value}`).join(',')),
    ),
  );
  return groups.flat();
}

const hasSelector = ({ spec }: PodOwner): boolean => Object.keys(spec?.selector ?? {}).length > 0;

async function readService(name: string, lists: PodLists, cluster: Cluster): Promise<PodOwner> {
  const { namespace } = cluster;
  const service = await cluster.readService(namespace, name).catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    const others = await lists.owners('services', namespace).catch(() => []);
    throw notFound({ kind: 'Service', name }, namespace, others, error);
  });
  if (hasSelector(service)) return service;
  throw clusterError(
    `service "${name}" in namespace "${namespace}" has no selector, so it does not say which pods are behind it`,
    `kubectl get endpointslices -n ${namespace} -l kubernetes.io/service-name=${name}`,
  );
}

/** Why there is no pod of what the user named: it does not exist, or it has no running pod now. */
async function withoutPods(
  ref: TargetRef,
  kind: Exclude<PodsKind, 'pod'>,
  lists: PodLists,
  cluster: Cluster,
): Promise<GkeprofError> {
  const { namespace } = cluster;
  const resource = resourceOfKind(kind);
  if (kind !== 'Service') {
    const all = await lists.owners(resource, namespace).catch((error: unknown) => {
      // Whoever may not list them is told what is certain: that there are no pods.
      if (apiCode((error as Error).cause) === 403) return undefined;
      throw error;
    });
    if (all && !all.some(({ metadata }) => metadata?.name === ref.name)) return notFound(ref, namespace, all);
  }
  return clusterError(
    `${refText(ref)} has no running pod in namespace "${namespace}"`,
    `kubectl get ${resource},pods -n ${namespace}`,
  );
}

/** `deployment "web"`. */
export const refText = ({ kind, name }: TargetRef): string => `${kind.toLowerCase()} "${name}"`;

/** The pod and the container whose id begins with these digits, on any node. */
async function byId(id: string, container: string | undefined, lists: PodLists): Promise<FoundPod> {
  const found = (await lists.pods(undefined)).flatMap((pod) =>
    statusesOf(pod)
      .filter((status) => bareId(status.containerID ?? '').startsWith(id))
      .map((status) => ({ pod, name: status.name })),
  );
  const [only, ...others] = found;
  if (!only) {
    throw clusterError(
      `no container's id begins with "${id}"`,
      'the id of a sandbox is known only to its node: add --node NAME',
    );
  }
  if (others.length)
    throw clusterError(`${found.length} containers' ids begin with "${id}"`, 'type more digits of the id');
  if (container !== undefined && container !== only.name)
    throw usageError(`-c: the id ${id} belongs to container "${only.name}"`);
  return { pod: only.pod, container: only.name, isNamed: true };
}

/** The node that the user named, in whatever state it is. */
export async function findNode(ref: TargetRef, cluster: Cluster): Promise<V1Node> {
  return cluster.readNode(ref.name).catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    throw notFound(ref, undefined, await cluster.listNodes().catch(() => []), error);
  });
}

async function readPod(ref: TargetRef, namespace: string, cluster: Cluster): Promise<V1Pod> {
  return cluster.readPod(namespace, ref.name).catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    const say = (hint: string) =>
      clusterError(`pod "${ref.name}" not found in namespace "${namespace}"`, hint, error);
    if (resourceOf(ref.name) !== undefined)
      throw say(
        `"${ref.name}" was taken for the name of a pod: to name several kinds, write ${ref.name}/NAME`,
      );
    // A node's name without node/ is taken for a pod's.
    if (await isNode(ref.name, cluster)) throw say(`did you mean node/${ref.name}?`);
    throw notFound(ref, namespace, await cluster.listPods(namespace).catch(() => []), error);
  });
}

const isNode = (name: string, cluster: Cluster): Promise<boolean> =>
  cluster.readNode(name).then(
    () => true,
    () => false,
  );

const isNotFound = (error: unknown): boolean => error instanceof GkeprofError && apiCode(error.cause) === 404;

/** `others`: what there is of this kind, from which similar names are suggested. */
function notFound(
  ref: TargetRef,
  namespace: string | undefined,
  others: ReadonlyArray<Pick<V1Pod, 'metadata'> | PodOwner>,
  cause?: unknown,
): GkeprofError {
  const near = nearestNames(
    ref.name,
    others.map((each) => each.metadata?.name ?? ''),
  );
  const resource = `${ref.kind.toLowerCase()}s`;
  return clusterError(
    `${refText(ref)} not found${namespace === undefined ? '' : ` in namespace "${namespace}"`}`,
    near.length
      ? `did you mean ${near.join(' or ')}?`
      : namespace === undefined
        ? `kubectl get ${resource}`
        : `choose its namespace with -n; kubectl get ${resource} -A shows all ${resource}`,
    cause,
  );
}
