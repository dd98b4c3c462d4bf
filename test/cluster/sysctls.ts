import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RUN } from './home.ts';

/** What the kubelet sets for the whole kernel when it starts, and what has to be set to route packets. */
const CHANGED = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/ipv4/ip_forward',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

const BEFORE = join(RUN, 'sysctls.json');

function procPath(name: string): string {
  return join('/proc/sys', name);
}

/** Notes the machine's values, once, and then turns packet forwarding on. */
export async function changeSysctls(): Promise<void> {
  if ((await readBefore()) === undefined) {
    const values = await Promise.all(CHANGED.map((name) => readFile(procPath(name), 'utf8')));
    await mkdir(dirname(BEFORE), { recursive: true });
    await writeFile(
      `${BEFORE}.unfinished`,
      JSON.stringify(Object.fromEntries(CHANGED.map((name, i) => [name, values[i]]))),
    );
    await rename(`${BEFORE}.unfinished`, BEFORE);
  }
  await writeFile(procPath('net/ipv4/ip_forward'), '1');
}

/** Puts back the values that the machine had before. */
export async function restoreSysctls(): Promise<void> {
  for (const [name, value] of Object.entries((await readBefore()) ?? {})) {
    await writeFile(procPath(name), value);
  }
  await rm(BEFORE, { force: true });
}

async function readBefore(): Promise<Record<string, string> | undefined> {
  const text = await readFile(BEFORE, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, string>);
}
