import { mkdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { PINS, RUN } from './home.ts';

/** Where something is mounted at or below a folder, the deepest and latest first. */
async function mountsBelow(folder: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n').map(mountPointOf);
  return mounts.filter((path) => path === folder || path.startsWith(`${folder}/`)).reverse();
}

/** The fifth field of a line of /proc/PID/mountinfo, where blanks and the like are written as \040. */
export function mountPointOf(line: string): string {
  const field = line.split(' ')[4] ?? '';
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/**
 * Mounts the folder in which namespaces are held open. A mount of its own, because the kernel refuses to pin a mount
 * namespace on a shared mount, which / is on most machines.
 */
export async function ensurePins(): Promise<void> {
  if ((await mountsBelow(PINS)).includes(PINS)) return;
  await mkdir(PINS, { recursive: true });
  await execa('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'gkeprof-namespaces', PINS]);
  await execa('mount', ['--make-private', PINS]);
}

/** Unmounts everything of the cluster's that this mount namespace knows: with its pins a namespace ends. */
export async function removePins(): Promise<void> {
  for (const path of await mountsBelow(RUN)) await execa('umount', ['--lazy', path]);
}
