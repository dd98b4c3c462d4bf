/** What was captured in one file: the interface that its packets get in the combined file. */
export interface PodInterface {
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  /** The addresses of the pod itself; none if it uses the network of its node. */
  readonly ips: readonly string[];
  /** What tcpdump captured on: `any`, or the name of an interface. */
  readonly interface: string;
  readonly scope: string;
  /** The capture filter; empty: every packet. */
  readonly filter: string;
  /** What tcpdump said at its end; absent if it is not known. */
  readonly counts?: { readonly received: number; readonly dropped: number };
}

/** Its name in the file, as Wireshark shows it: `namespace/pod`. */
export const interfaceName = ({ namespace, pod }: Pick<PodInterface, 'namespace' | 'pod'>): string =>
  `${namespace}/${pod}`;

/** `pod redis/redis-0 on node-a, interface any, scope netns`. */
export const interfaceDescription = (of: PodInterface): string =>
  `pod ${interfaceName(of)} on ${of.node}, interface ${of.interface}, scope ${of.scope}`;

/** The parts of a name that `interfaceName` made; undefined for any other name. */
export function podOfInterface(name: string): { namespace: string; pod: string } | undefined {
  const [, namespace, pod] =
    /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\/([a-z0-9][a-z0-9.-]{0,252})$/.exec(name) ?? [];
  return namespace === undefined || pod === undefined ? undefined : { namespace, pod };
}
