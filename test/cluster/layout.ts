/** What the cluster looks like: its version, nodes, addresses and names. Every name on the machine starts with `gkeprof`. */

export const KUBERNETES_VERSION = '1.34.4';

/** The parent of all cgroups of the cluster, in every hierarchy. Whatever runs below it was started by the cluster. */
export const CGROUP = 'gkeprof';
export const CONTROL_PLANE_CGROUP = `${CGROUP}/control-plane`;
export const BUILD_CGROUP = `${CGROUP}/build`;

export const BRIDGE = 'gkeprof0';
export const NFT_TABLE = 'gkeprof';

/** Nodes, pods and services all lie in this range; what leaves it is translated to the machine's own address. */
export const CLUSTER_RANGE = '10.240.0.0/16';
export const SERVICE_RANGE = '10.240.255.0/24';
export const SERVICE_ADDRESS = '10.240.255.1';

/** The machine's address on the bridge: the control plane listens there and nowhere else, so no port can clash. */
export const HOST_ADDRESS = '10.240.0.1';
export const API_SERVER = `https://${HOST_ADDRESS}:6443`;

export type ClusterNode = {
  readonly name: string;
  readonly address: string;
  readonly podRange: string;
  /** The machine's end of the node's cable, a port of the bridge. */
  readonly link: string;
  /** Whether it has a crictl of its own, where GKE's nodes have it; on the other one it is the image's that is used. */
  readonly crictl: boolean;
  /** The kubelet's cgroupRoot: pods lie in `<cgroup>/kubepods`. */
  readonly cgroup: string;
};

export const NODES: readonly ClusterNode[] = ['a', 'b'].map((letter, index) => ({
  name: `node-${letter}`,
  address: `10.240.0.${index + 11}`,
  podRange: `10.240.${index + 1}.0/24`,
  link: `gkeprof-${letter}`,
  crictl: letter === 'a',
  cgroup: `${CGROUP}/node-${letter}`,
}));

/** The cgroup of a node's own daemons: containerd, its shims and the kubelet. */
export function systemCgroup(node: ClusterNode): string {
  return `${node.cgroup}/system`;
}
