import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUILD_CGROUP, CGROUP, CONTROL_PLANE_CGROUP, NODES, systemCgroup } from './layout.ts';
import { until } from './waiting.ts';

const MOUNT = '/sys/fs/cgroup';

/** The cgroup v2 controllers that the kubelet wants to hand on to pods. */
const V2_CONTROLLERS = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

/** The roots of the mounted hierarchies: one on a v2 machine, one per controller (and perhaps an empty v2 tree) on v1. */
async function hierarchies(): Promise<string[]> {
  if (await canRead(join(MOUNT, 'cgroup.controllers'))) return [MOUNT];
  const entries = await readdir(MOUNT, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(MOUNT, entry.name));
}

async function canRead(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Makes the cluster's cgroups in every hierarchy. */
export async function ensureCgroups(): Promise<void> {
  const groups = [CONTROL_PLANE_CGROUP, BUILD_CGROUP, ...NODES.map(systemCgroup)];
  for (const root of await hierarchies()) {
    await mkdir(join(root, CGROUP), { recursive: true });
    await inheritCpus(root);
    await delegateControllers(root, [CGROUP, ...NODES.map((node) => node.cgroup)]);
    for (const group of groups) await mkdir(join(root, group), { recursive: true });
  }
}

/** In v1 a new cpuset is empty and takes no process until it has processors and memory nodes. */
async function inheritCpus(root: string): Promise<void> {
  if (!(await canRead(join(root, 'cpuset.cpus')))) return;
  const parent = join(root, CGROUP);
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    await writeFile(join(parent, file), await readFile(join(root, file)));
  }
  await writeFile(join(parent, 'cgroup.clone_children'), '1');
}

/** In v2 a cgroup has only the controllers that its parent passes on. */
async function delegateControllers(root: string, groups: readonly string[]): Promise<void> {
  if (root !== MOUNT) return;
  const available = (await readFile(join(root, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const wanted = V2_CONTROLLERS.filter((name) => available.includes(name)).map((name) => `+${name}`);
  for (const group of ['', ...groups]) {
    await mkdir(join(root, group), { recursive: true });
    await writeFile(join(root, group, 'cgroup.subtree_control'), wanted.join(' '));
  }
}

/** The processes in a cgroup (not below it), in whichever hierarchy. */
export async function pidsIn(group: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const root of await hierarchies()) {
    for (const pid of await readPids(join(root, group))) pids.add(pid);
  }
  return [...pids];
}

async function readPids(path: string): Promise<number[]> {
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '');
  // A process of another pid namespace reads as 0, which to kill(2) would be ourselves.
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** All cgroups at and below a path, the deepest first. */
async function tree(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => tree(join(path, entry.name))),
  );
  return entries.length === 0 ? [] : [...below.flat(), path];
}

/** Kills whatever runs at or below a cgroup: nothing can be there that the cluster did not start. */
export async function killAllIn(group: string): Promise<void> {
  const roots = await hierarchies();
  await until(`the end of all processes in cgroup ${group}`, 60, async () => {
    let alive = 0;
    for (const root of roots) {
      for (const path of await tree(join(root, group))) {
        for (const pid of await readPids(path)) alive += kill(pid);
      }
    }
    return alive === 0 ? true : undefined;
  });
}

function kill(pid: number): number {
  try {
    process.kill(pid, 'SIGKILL');
    return 1;
  } catch {
    return 0;
  }
}

/** Removes the cluster's cgroups, which are empty by now; the kernel may need a moment to notice. */
export async function removeCgroups(): Promise<void> {
  for (const root of await hierarchies()) {
    await until(`the removal of ${join(root, CGROUP)}`, 60, async () => {
      const groups = await tree(join(root, CGROUP));
      for (const path of groups) await rmdir(path).catch(() => undefined);
      return (await tree(join(root, CGROUP))).length === 0 ? true : undefined;
    });
  }
}
