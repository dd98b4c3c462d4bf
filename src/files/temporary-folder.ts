import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readlinkSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { getuid, kill, pid as ownPid } from 'node:process';

/** `.gkeprof-HOST-PID-START-RANDOM`: a later command can tell whether the process that made the folder still runs. */
const NAME = /^\.gkeprof-([0-9a-f]{12})-(\d+)-(\d+)-\w{6}$/;
/** Names of earlier releases, which do not say which process made them. */
const NAME_BEFORE = /^\.gkeprof-\w{6}$/;

/** A folder of another computer or an earlier release is abandoned if nothing was written to it for this long. */
const ABANDONED_MS = 24 * 3600_000;

/** Makes a folder for a file that is not whole yet, inside its final folder, so that it can get its name by a link. Mode 0700. */
export const temporaryFolder = (directory: string): string =>
  mkdtempSync(join(directory, `.gkeprof-${place()}-${ownPid}-${startOf(ownPid) ?? 0}-`));

/**
 * Removes what killed commands left in a folder, and returns the names. It removes only what is certainly abandoned: a real
 * folder (not a link) that only this user may read, that holds nothing but the one file of a copy, and whose process has
 * ended. A process on another computer or in another container counts as ended if nothing was written for a day.
 */
export async function sweepFolders(directory: string, nowMs: number): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  const removed: string[] = [];
  for (const name of names) {
    if (!NAME.test(name) && !NAME_BEFORE.test(name)) continue;
    const path = join(directory, name);
    if (!(await isLeftover(path, name, nowMs).catch(() => false))) continue;
    await rm(path, { recursive: true, force: true }).then(
      () => removed.push(name),
      () => {}, // Another command was faster, or a program has it open.
    );
  }
  return removed;
}

async function isLeftover(path: string, name: string, nowMs: number): Promise<boolean> {
  const folder = await lstat(path);
  if (!folder.isDirectory()) return false;
  if (getuid && (folder.uid !== getuid() || folder.mode & 0o077)) return false;
  const inside = await readdir(path);
  if (inside.some((each) => each !== 'part')) return false;
  const [, host, pid, start] = NAME.exec(name) ?? [];
  if (host === place()) return !isRunning(Number(pid), Number(start));
  const written = await Promise.all(inside.map((each) => lstat(join(path, each))));
  return nowMs - Math.max(folder.mtimeMs, ...written.map((each) => each.mtimeMs)) > ABANDONED_MS;
}

/** Whether the process runs: one with the same id that began at another time is a different process. */
function isRunning(pid: number, start: number): boolean {
  try {
    kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
  const began = startOf(pid);
  return began === undefined || start === 0 || began === start;
}

/** When a process began, in clock ticks since boot (proc(5), the 22nd field); known on Linux only. */
function startOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

let known: string | undefined;

/** Names the place in which process ids mean the same: this computer since its boot, and this container on it. */
function place(): string {
  const read = (get: () => string): string => {
    try {
      return get();
    } catch {
      return '';
    }
  };
  known ??= createHash('sha256')
    .update(hostname())
    .update(read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')))
    .update(read(() => readlinkSync('/proc/self/ns/pid')))
    .digest('hex')
    .slice(0, 12);
  return known;
}
