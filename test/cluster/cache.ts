import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { UNFINISHED } from './home.ts';

/** A short hash over named parts: the same for the same parts in any order, another when any name or content differs. */
export function keyOf(parts: Readonly<Record<string, string | Uint8Array>>): string {
  const hash = createHash('sha256');
  for (const [name, content] of Object.entries(parts).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    for (const bytes of [Buffer.from(name), Buffer.from(content)])
      hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Every file below a folder, by its path relative to it. */
export async function filesBelow(folder: string): Promise<Record<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [relative(folder, path), await readFile(path)] as const)),
  );
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Makes `path` unless it is there: built aside and renamed, so that what is in the cache is whole. */
export async function cached(path: string, make: (unfinished: string) => Promise<void>): Promise<string> {
  if (await exists(path)) return path;
  await mkdir(UNFINISHED, { recursive: true });
  const folder = await mkdtemp(join(UNFINISHED, `${process.pid}-${basename(path)}-`));
  try {
    const unfinished = join(folder, basename(path));
    await make(unfinished);
    await mkdir(dirname(path), { recursive: true });
    await rename(unfinished, path);
    return path;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what is unfinished and will stay so: what this process began, or one that is no more; not another's that lives. */
export async function sweepUnfinished(): Promise<void> {
  const folders = await readdir(UNFINISHED).catch(() => []);
  const dead = folders.filter((name) => {
    const maker = Number.parseInt(name, 10);
    return maker === process.pid || !isAlive(maker);
  });
  await Promise.all(dead.map((name) => rm(join(UNFINISHED, name), { recursive: true, force: true })));
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
