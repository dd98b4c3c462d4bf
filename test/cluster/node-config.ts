import { join } from 'node:path';
import { PKI } from './home.ts';
import type { ClusterNode } from './layout.ts';

/** A node's container runtime: Debian's own defaults and paths, but for what a machine without registry or rights needs. */
export function containerdConfig(cniPlugins: string): string {
  return `version = 2
# Nothing here uses them, and looking for them takes time.
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/gkeprof-test/pause:1"
  # The machine may lack CAP_SYS_RESOURCE, without which no score can be lowered.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${cniPlugins}"
  conf_dir = "/etc/cni/net.d"
`;
}

/** The pods' network: a bridge in the node, from where the node's routes lead on. */
export function cniConfig(node: ClusterNode, mtu: number): string {
  const bridge = {
    type: 'bridge',
    bridge: 'cni0',
    isGateway: true,
    hairpinMode: true,
    mtu,
    ipam: { type: 'host-local', ranges: [[{ subnet: node.podRange }]], routes: [{ dst: '0.0.0.0/0' }] },
  };
  return JSON.stringify({ cniVersion: '0.4.0', name: 'gkeprof', plugins: [bridge] }, undefined, 2);
}

/** The kubelet's configuration; JSON, which is YAML too. */
export function kubeletConfig(node: ClusterNode): string {
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(PKI, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(PKI, `${node.name}.crt`),
    tlsPrivateKeyFile: join(PKI, `${node.name}.key`),
    volumePluginDir: '/var/lib/kubelet/volumeplugins',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${node.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    // Lowering its own score takes CAP_SYS_RESOURCE.
    oomScoreAdj: 0,
    // Images that were imported can't be pulled again: a full disk must not make the kubelet delete them.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
  };
  return JSON.stringify(config, undefined, 2);
}
