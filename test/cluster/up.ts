import { mkdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { ensureBinaries, ensureCrictl } from './build.ts';
import { keyOf, sweepUnfinished } from './cache.ts';
import { ensureCgroups, killAllIn } from './cgroups.ts';
import { controlPlane, ensureApiServer, ensureControllers } from './control-plane.ts';
import { refuseForeignCluster, tearDown } from './down.ts';
import { BIN, DAEMONS, FINGERPRINT, LOGS } from './home.ts';
import { ensureImageArchives } from './images.ts';
import { writeKubeconfigs } from './kubeconfig.ts';
import { BUILD_CGROUP, NODES } from './layout.ts';
import { withLock } from './lock.ts';
import { ensureMountPoints } from './mount-points.ts';
import { ensureBridge, isNetworkUp } from './network.ts';
import { containerd, ensureImages, ensureKubelet, ensureNode, isFurnished, kubelet } from './node.ts';
import { ensurePackages } from './packages.ts';
import { ensurePins } from './pins.ts';
import { ensurePki } from './pki.ts';
import { findDaemon } from './processes.ts';
import type { Report } from './progress.ts';
import { changeSysctls } from './sysctls.ts';

/** Everything that a cluster is made of and that can be had before it runs. */
type Parts = {
  /** The folder of the programs built from source. */
  readonly binaries: string;
  /** The images' archives by reference. */
  readonly archives: ReadonlyMap<string, string>;
  readonly crictl: string;
  /** The folder of the CNI plugins. */
  readonly cniPlugins: string;
  readonly fingerprint: string;
};

/**
 * Brings the cluster up, or back up: whatever is missing or dead is made again, the rest is left alone. Says whether
 * there was none before.
 */
export async function up(report: Report): Promise<{ readonly started: boolean }> {
  return withLock(
    (pid) => report(`waiting for another up or down (pid ${pid}) to finish`),
    async () => {
      await refuseForeignCluster();
      const parts = await ensureParts(report);
      const previous = await readFile(FINGERPRINT, 'utf8').catch(() => undefined);
      if (previous === parts.fingerprint) {
        await repair(parts, report);
        return { started: false };
      }
      if (previous)
        report('the cluster that is here is of other sources, or of before a restart: taking it down');
      await tearDown();
      await bringUp(parts, report);
      report('the cluster is up');
      return { started: true };
    },
  );
}

async function ensureParts(report: Report): Promise<Parts> {
  const cniPlugins = await ensurePackages(report);
  await ensureCgroups();
  await ensureMountPoints();
  await sweepUnfinishedBuilds();
  try {
    const building = ensureBinaries(report);
    const [binaries, crictl, archives] = await Promise.all([
      building,
      building.then(() => ensureCrictl(report)),
      ensureImageArchives(building, report),
    ]);
    const fingerprint = await fingerprintOf([binaries, crictl, ...archives.values()]);
    return { binaries, crictl, archives, cniPlugins, fingerprint };
  } catch (error) {
    // One build has failed: what goes on beside it would keep people waiting for the message.
    await sweepUnfinishedBuilds();
    throw error;
  }
}

/** Makes a cluster whole that is here, or replaces it when that fails. */
async function repair(parts: Parts, report: Report): Promise<void> {
  const wasWhole = await isWhole();
  try {
    await bringUp(parts, wasWhole ? () => undefined : report);
  } catch (error) {
    report(`the cluster that is here can't be repaired, starting afresh: ${(error as Error).message}`);
    await tearDown();
    await bringUp(parts, report);
  }
  report(wasWhole ? 'the cluster is up already' : 'the cluster is up');
}

/** Ends whatever is still building, for an `up` that was killed perhaps, and removes what is unfinished. */
async function sweepUnfinishedBuilds(): Promise<void> {
  await killAllIn(BUILD_CGROUP);
  await sweepUnfinished();
}

/** A machine restart ends a cluster, so the boot is part of what it was made from. */
async function fingerprintOf(parts: readonly string[]): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
  return keyOf({ boot, parts: parts.map((path) => basename(path)).join(' ') });
}

/** Whether nothing seems to be missing: what is hung or broken shows when it is used. */
async function isWhole(): Promise<boolean> {
  const daemons = [...controlPlane(), ...NODES.flatMap((node) => [containerd(node), kubelet(node)])];
  const found = await Promise.all([isNetworkUp(), ...NODES.map(isFurnished), ...daemons.map(findDaemon)]);
  return found.every(Boolean);
}

async function bringUp(
  { binaries, crictl, archives, cniPlugins, fingerprint }: Parts,
  report: Report,
): Promise<void> {
  await mkdir(LOGS, { recursive: true });
  await writeFile(FINGERPRINT, fingerprint);
  await linkPrograms(binaries, crictl);
  await changeSysctls();
  await ensureCgroups();
  await ensureMountPoints();
  await ensurePins();
  await ensurePki();
  await writeKubeconfigs();
  await ensureBridge();
  report('control plane and nodes: starting');
  // A node can take its images while the API server starts.
  const apiServer = ensureApiServer().then(() => report('control plane: the API server is ready'));
  const nodes = NODES.map(async (node) => {
    await ensureNode(node, cniPlugins, crictl);
    await ensureImages(node, archives);
    report(`${node.name}: the container runtime has its images`);
    await apiServer;
    await ensureKubelet(node);
    report(`${node.name}: Ready`);
  });
  await Promise.all([apiServer.then(ensureControllers), ...nodes]);
}

/** Everything is called by a path in the cluster's own folder, which is how its processes are told from others. */
async function linkPrograms(binaries: string, crictl: string): Promise<void> {
  for (const folder of [BIN, DAEMONS]) await mkdir(folder, { recursive: true });
  const { stdout: containerdPath } = await execa('sh', ['-c', 'command -v containerd']);
  const servers = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'];
  await Promise.all([
    ...servers.map((name) => link(join(binaries, 'kubernetes'), join(DAEMONS, name))),
    link(join(binaries, 'kubectl'), join(BIN, 'kubectl')),
    link(crictl, join(BIN, 'crictl')),
    link(containerdPath, join(DAEMONS, 'containerd')),
  ]);
}

async function link(target: string, path: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await rm(path, { force: true });
  await symlink(target, path);
}
