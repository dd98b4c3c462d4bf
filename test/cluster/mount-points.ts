import { appendFile, mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './cache.ts';
import { RUN } from './home.ts';

/** The standard paths at which a node finds its own folders, and sees nothing of the machine's. */
export const MOUNT_POINTS = [
  '/var/lib/kubelet',
  '/var/lib/containerd',
  '/var/lib/cni',
  '/var/log/pods',
  '/var/log/containers',
  '/etc/cni/net.d',
  '/etc/containerd',
  '/home/kubernetes/bin',
];

/** Where buildah would leave something behind: builds see folders of their own there. */
const BUILD_MOUNT_POINTS = ['/etc/cni/net.d', '/var/lib/containers'];

const MADE = join(RUN, 'made-mount-points');

/** Makes the missing ones, and notes them first, so that they can be removed again. */
export async function ensureMountPoints(): Promise<void> {
  await mkdir(RUN, { recursive: true });
  for (const path of [...MOUNT_POINTS, ...BUILD_MOUNT_POINTS]) {
    for (const missing of await missingFolders(path)) {
      await appendFile(MADE, `${missing}\n`);
      await mkdir(missing);
    }
  }
}

/** The folders that have to be made for a path, the outermost first. */
async function missingFolders(path: string): Promise<string[]> {
  return (await exists(path)) ? [] : [...(await missingFolders(dirname(path))), path];
}

export async function removeMountPoints(): Promise<void> {
  const made = (await readFile(MADE, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  // Somebody may have put something there since, or removed it: then it is theirs.
  for (const path of made.reverse()) await rmdir(path).catch(() => undefined);
  await rm(MADE, { force: true });
}
