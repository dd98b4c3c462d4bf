import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { isNodeReady, knowsItsPods } from './api.ts';
import { exists } from './cache.ts';
import { killAllIn } from './cgroups.ts';
import { DAEMONS, LOGS, nodeFolder, PINS, PKI } from './home.ts';
import { BRIDGE, type ClusterNode, systemCgroup } from './layout.ts';
import { MOUNT_POINTS } from './mount-points.ts';
import { ensureCable, writeResolvConf } from './network.ts';
import { cniConfig, containerdConfig, kubeletConfig } from './node-config.ts';
import { type Daemon, ensureDaemon, lastLines, launch, startedAt, whileRunning } from './processes.ts';

const NAMESPACES = ['net', 'mnt', 'uts'] as const;

function pin(node: ClusterNode, kind: (typeof NAMESPACES)[number]): string {
  return join(PINS, `${node.name}.${kind}`);
}

/** Marks a node whose namespaces are complete; it lies beside them and vanishes with them. */
function furnishedMark(node: ClusterNode): string {
  return join(PINS, `${node.name}.furnished`);
}

export async function isFurnished(node: ClusterNode): Promise<boolean> {
  return exists(furnishedMark(node));
}

/** Images come from this machine only: a pull is refused at once, instead of hanging or depending on the network. */
const REFUSE_PULLS = ['HTTP_PROXY=http://127.0.0.1:1', 'HTTPS_PROXY=http://127.0.0.1:1'];

/** Becomes its arguments inside a node. */
export function enterNode(node: ClusterNode): string[] {
  return ['nsenter', `--net=${pin(node, 'net')}`, `--uts=${pin(node, 'uts')}`, `--mount=${pin(node, 'mnt')}`];
}

export function containerd(node: ClusterNode): Daemon {
  return {
    name: `${node.name}.containerd`,
    cgroup: systemCgroup(node),
    enter: [...enterNode(node), 'env', ...REFUSE_PULLS],
    command: [join(DAEMONS, 'containerd'), '--config', '/etc/containerd/config.toml'],
  };
}

export function kubelet(node: ClusterNode): Daemon {
  const kubeconfig = join(PKI, `${node.name}.kubeconfig`);
  return {
    name: `${node.name}.kubelet`,
    cgroup: systemCgroup(node),
    enter: enterNode(node),
    command: [
      join(DAEMONS, 'kubelet'),
      `--config=${join(nodeFolder(node.name), 'kubelet.json')}`,
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${node.name}`,
      `--node-ip=${node.address}`,
    ],
  };
}

/** Makes a node's namespaces, plugs it into the network and starts its container runtime, as far as that is missing. */
export async function ensureNode(node: ClusterNode, cniPlugins: string, crictl: string): Promise<void> {
  if (!(await isFurnished(node))) {
    await resetNode(node);
    await writeFiles(node, cniPlugins);
    if (node.crictl) await copyFile(crictl, join(nodeFolder(node.name), 'home/kubernetes/bin/crictl'));
    await makeNamespaces(node);
  }
  await ensureCable(node);
  await ensureDaemon(containerd(node));
  await whileRunning(containerd(node), `${node.name}: a container runtime`, 300, async () => {
    const { exitCode } = await runCtr(node, ['version']);
    return exitCode === 0 ? true : undefined;
  });
}

/** Ends whatever is left of a node that lost its namespaces: its pods went with them. */
async function resetNode(node: ClusterNode): Promise<void> {
  await killAllIn(node.cgroup);
  for (const kind of NAMESPACES) {
    await execa('umount', ['--lazy', pin(node, kind)], { reject: false });
  }
  await execa('ip', ['link', 'delete', node.link], { reject: false });
  await rm(nodeFolder(node.name), { recursive: true, force: true });
}

async function writeFiles(node: ClusterNode, cniPlugins: string): Promise<void> {
  const folder = nodeFolder(node.name);
  for (const path of MOUNT_POINTS) await mkdir(join(folder, path), { recursive: true });
  const mtu = Number(await readFile(`/sys/class/net/${BRIDGE}/mtu`, 'utf8'));
  await writeFile(join(folder, 'etc/containerd/config.toml'), containerdConfig(cniPlugins));
  await writeFile(join(folder, 'etc/cni/net.d/10-gkeprof.conflist'), cniConfig(node, mtu));
  await writeFile(join(folder, 'kubelet.json'), kubeletConfig(node));
  await writeResolvConf(join(folder, 'resolv.conf'));
}

async function makeNamespaces(node: ClusterNode): Promise<void> {
  for (const kind of NAMESPACES) await writeFile(pin(node, kind), '');
  const folder = nodeFolder(node.name);
  const setup = [join(import.meta.dirname, 'node.sh'), node.name, folder, PINS, join(folder, 'resolv.conf')];
  const [net, mnt, uts] = NAMESPACES.map((kind) => pin(node, kind));
  const log = join(LOGS, `${node.name}.setup.log`);
  const unshare = ['unshare', `--net=${net}`, `--mount=${mnt}`, `--uts=${uts}`, 'sh', ...setup];
  const { exitCode } = await execa('sh', launch(systemCgroup(node), log, unshare), {
    stdio: 'ignore',
    reject: false,
  });
  if (exitCode !== 0)
    throw new Error(`${node.name}: its namespaces can't be set up:\n${await lastLines(log)}`);
  await writeFile(furnishedMark(node), '');
}

async function runCtr(node: ClusterNode, args: readonly string[]) {
  const [enter = '', ...namespaces] = enterNode(node);
  return execa(enter, [...namespaces, 'ctr', '--namespace', 'k8s.io', ...args], { reject: false });
}

/** Imports the images that a node's container runtime does not have yet. */
export async function ensureImages(node: ClusterNode, archives: ReadonlyMap<string, string>): Promise<void> {
  const present = (await runCtr(node, ['images', 'list', '--quiet'])).stdout.split('\n');
  for (const [image, archive] of archives) {
    // containerd spells short names out, with the default registry and folder before them.
    if (present.some((name) => name === image || name.endsWith(`/${image}`))) continue;
    const { exitCode, stderr } = await runCtr(node, ['images', 'import', archive]);
    if (exitCode !== 0) throw new Error(`${node.name} can't import ${image}:\n${stderr}`);
  }
}

/** Starts a node's kubelet unless it runs; the API server is ready by now. */
export async function ensureKubelet(node: ClusterNode): Promise<void> {
  const process = await ensureDaemon(kubelet(node));
  const start = await startedAt(process);
  await whileRunning(kubelet(node), `${node.name}: Ready`, 300, async () =>
    (await isNodeReady(node.name, start)) && (await knowsItsPods(node.name)) ? true : undefined,
  );
}
