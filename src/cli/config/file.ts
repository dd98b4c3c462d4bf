import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { getuid } from 'node:process';
import { GkeprofError, reasonOf, usageError } from '../../errors.ts';
import { printable } from '../../text/printable.ts';
import type { FlagOwner } from '../option-spec.ts';
import type { Config } from './parse.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the file is looked for: named by `GKEPROF_CONFIG`, else the folder for such files. A relative XDG_CONFIG_HOME counts
 * as not set (XDG Base Directory Specification): what lies in the working folder is no configuration.
 */
export function configPath(env: Environment, windows: boolean): string | undefined {
  if (env.GKEPROF_CONFIG) return env.GKEPROF_CONFIG;
  const { XDG_CONFIG_HOME, HOME, APPDATA } = env;
  const own = XDG_CONFIG_HOME && isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : undefined;
  const folder = windows ? APPDATA : own || (HOME && join(HOME, '.config'));
  return folder ? join(folder, 'gkeprof', 'config.yaml') : undefined;
}

/**
 * Reads the file; undefined if it does not exist. YAML is loaded only if it exists, because most users have none. Uses
 * node:fs, because loading node:fs/promises takes 2 ms more.
 */
export async function readConfig(
  env: Environment,
  windows: boolean,
  table: readonly FlagOwner[],
): Promise<Config | undefined> {
  const path = configPath(env, windows);
  if (path === undefined) return undefined;
  let text: string;
  try {
    // Reading a pipe such as <(…) may take long, and signals must still be handled.
    text = statSync(path).isFile() ? readTrusted(path, !env.GKEPROF_CONFIG) : await readPipe(path);
  } catch (error) {
    if (error instanceof GkeprofError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOENT' || code === 'ENOTDIR') && !env.GKEPROF_CONFIG) return undefined;
    const hint = env.GKEPROF_CONFIG ? 'GKEPROF_CONFIG names it' : undefined;
    throw usageError(`the configuration cannot be read: ${printable(reasonOf(error))}`, hint);
  }
  const { parseConfig } = await import('./parse.ts');
  return parseConfig(text, printable(path), table);
}

const readPipe = async (path: string): Promise<string> => {
  const { readFile } = await import('node:fs/promises');
  return readFile(path, 'utf8');
};

/**
 * The file names the image that runs with all rights on a node. If it was found and not named with
 * GKEPROF_CONFIG, only this user and root may be able to write it. Windows has no such modes.
 */
function readTrusted(path: string, isFound: boolean): string {
  const file = openSync(path, 'r');
  try {
    const { uid, mode } = fstatSync(file);
    const isForeign = getuid !== undefined && ![0, getuid()].includes(uid);
    if (isFound && (isForeign || (getuid !== undefined && mode & 0o002)))
      throw usageError(
        `the configuration ${printable(path)} ${isForeign ? 'belongs to another user' : 'can be written by every user'}, and it chooses the image that runs with all rights on nodes`,
        isForeign ? 'if you trust it, name it with GKEPROF_CONFIG' : `chmod o-w ${printable(path)}`,
      );
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
