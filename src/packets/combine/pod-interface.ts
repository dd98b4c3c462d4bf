/** What was captured in one file: the interface that its packets get in the combined file. */
export interface PodInterface {
  readonly node: string;
  /** Absent if all of a node was captured. */
  readonly namespace?: string;
  readonly pod?: string;
  /** The addresses of the pod itself; none if it uses the network of its node. */
  readonly ips: readonly string[];
  /** What tcpdump captured on: `any`, or the name of an interface. */
  readonly interface: string;
  readonly scope: string;
  /** The capture filter; empty: every packet. */
  readonly filter: string;
  /** Packets of one direction only, by tcpdump's -Q; absent: of both. */
  readonly direction?: 'in' | 'out';
  /** What tcpdump said at its end; absent if it is not known. */
  readonly counts?: { readonly received: number; readonly dropped: number };
}

/** Its name in the file, as Wireshark shows it: `namespace/pod`, or the name of the node. */
export const interfaceName = ({
  node,
  namespace,
  pod,
}: Pick<PodInterface, 'node' | 'namespace' | 'pod'>): string =>
  pod === undefined ? node : `${namespace}/${pod}`;

/** `pod redis/redis-0 on node-a, interface any, scope netns`. */
export const interfaceDescription = (of: PodInterface): string =>
  [
    `${of.pod === undefined ? `node ${of.node}` : `pod ${interfaceName(of)} on ${of.node}`}, interface ${of.interface}, scope ${of.scope}`,
    ...(of.direction ? [`only packets that go ${of.direction}`] : []),
  ].join(', ');

/** What these two say of an interface; undefined if they were not made here. */
export function describedPod(
  name: string,
  description: string,
): { namespace: string; pod: string; node: string; isOneWay: boolean } | undefined {
  const [, namespace, pod] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(name) ?? [];
  const head = `pod ${name} on `;
  if (namespace === undefined || pod === undefined || !description.startsWith(head)) return undefined;
  const [, node, direction] =
    /^([A-Za-z0-9.-]{1,253}), interface .*?(, only packets that go (?:in|out))?$/.exec(
      description.slice(head.length),
    ) ?? [];
  return node === undefined ? undefined : { namespace, pod, node, isOneWay: direction !== undefined };
}
