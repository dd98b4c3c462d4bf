import type { V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster/cluster.ts';
import type { PodOwner } from '../cluster/resources.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../output/log.ts';
import { hasEnded, type Target } from '../plan/target.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import type { WaitNames } from '../waits/facts.ts';

/** A container of a pod. */
interface NamedContainer {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** What addresses and containers of a recording are called, as the receipt keeps it. */
export interface FoundNames {
  readonly addresses: Readonly<Record<string, string>>;
  readonly containers: Readonly<Record<string, NamedContainer>>;
}

/** All pods and services of a cluster, as far as the user may list them. */
export interface ClusterObjects {
  readonly pods: readonly V1Pod[];
  readonly services: readonly PodOwner[];
}

/**
 * Lists the pods and services, from which addresses get their names: those of all namespaces, or only of the target's where the
 * user may not list all. Never rejects: what is not known stays an address, and a line says why.
 */
export async function listClusterObjects(
  namespace: string,
  cluster: Cluster,
  log: Log,
): Promise<ClusterObjects> {
  const problems: string[] = [];
  const list = async <T>(what: string, all: () => Promise<T[]>, own: () => Promise<T[]>): Promise<T[]> => {
    try {
      return await all();
    } catch {
      problems.push(`${what} of other namespaces`);
    }
    return own().catch((error: unknown) => {
      problems.push(`${what} (${reasonOf(error)})`);
      return [];
    });
  };
  const [pods, services] = await Promise.all([
    list(
      'pods',
      () => cluster.listAllPods(),
      () => cluster.listPods(namespace),
    ),
    list(
      'services',
      () => cluster.listPodOwners('services', undefined),
      () => cluster.listPodOwners('services', namespace),
    ),
  ]);
  if (problems.length > 0)
    log.line(`some addresses have no names, because these could not be listed: ${problems.join(', ')}`);
  return { pods, services };
}

/** The names of addresses and containers. `target` is the pod whose threads were recorded: names of its namespace are short. */
export function namesIn({ pods, services }: ClusterObjects, target: Target): WaitNames {
  const own = target.kind === 'pod' ? target.namespace : undefined;
  const named = (kind: string, namespace: string, name: string) =>
    namespace === own ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
  const addresses = new Map<string, string>();
  const containers = new Map<string, NamedContainer>();
  for (const { metadata, spec } of services)
    for (const ip of [...(spec?.clusterIPs ?? []), ...(spec?.externalIPs ?? [])])
      if (ip !== 'None') addresses.set(ip, named('service', metadata?.namespace ?? '', metadata?.name ?? ''));
  for (const pod of pods) {
    const { name = '', namespace = '' } = pod.metadata ?? {};
    for (const { containerID, name: container } of statusesOf(pod))
      if (containerID) containers.set(bareId(containerID), { namespace, pod: name, container });
    // Another pod may have got the addresses of one that has ended.
    if (hasEnded(pod)) continue;
    const node = pod.spec?.nodeName;
    const { hostIP, hostIPs, podIP, podIPs } = pod.status ?? {};
    if (node !== undefined)
      for (const ip of [hostIP, ...(hostIPs ?? []).map((each) => each.ip)])
        if (ip !== undefined && !addresses.has(ip)) addresses.set(ip, `node/${node}`);
    if (pod.spec?.hostNetwork) continue;
    for (const ip of [podIP, ...(podIPs ?? []).map((each) => each.ip)])
      if (ip !== undefined) addresses.set(ip, named('pod', namespace, name));
  }
  return withTarget({ addresses, containers }, target);
}

/** The names that a receipt has kept. */
export const namesKept = (found: Partial<FoundNames> | undefined, target: Target | undefined): WaitNames =>
  withTarget(
    {
      addresses: new Map(Object.entries(found?.addresses ?? {})),
      containers: new Map(Object.entries(found?.containers ?? {})),
    },
    target,
  );

function withTarget(
  {
    addresses,
    containers,
  }: {
    readonly addresses: ReadonlyMap<string, string>;
    readonly containers: ReadonlyMap<string, NamedContainer>;
  },
  target: Target | undefined,
): WaitNames {
  const pod = target?.kind === 'pod' ? target : undefined;
  const own = new Map(
    (pod?.containers ?? []).map(({ id, name }) => [
      id,
      { namespace: pod!.namespace, pod: pod!.name, container: name },
    ]),
  );
  return {
    ofAddress: (address) =>
      LOOPBACK.test(address)
        ? 'localhost'
        : (addresses.get(address) ?? (pod?.ips.includes(address) ? `pod/${pod.name}` : undefined)),
    ofContainer: (id) => own.get(id) ?? containers.get(id),
  };
}

const LOOPBACK = /^(?:127\.|::1$)/;

/** The names that were used in a recording, for its receipt. */
export function keepNames(
  names: WaitNames,
  addresses: ReadonlySet<string>,
  containers: ReadonlySet<string>,
): FoundNames {
  const found = <T>(keys: ReadonlySet<string>, of: (key: string) => T | undefined) =>
    Object.fromEntries(
      [...keys].flatMap((key) => {
        const value = of(key);
        return value === undefined ? [] : [[key, value] as const];
      }),
    );
  return { addresses: found(addresses, names.ofAddress), containers: found(containers, names.ofContainer) };
}
