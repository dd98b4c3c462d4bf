import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyCommand } from '../commands/command.ts';
import { reasonOf, usageError } from '../errors.ts';
import { printable } from '../printable.ts';
import type { Config } from './parse.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the file is looked for: named by `GKEPROF_CONFIG`, else the folder for such files. */
export function configPath(env: Environment, windows: boolean): string | undefined {
  if (env.GKEPROF_CONFIG) return env.GKEPROF_CONFIG;
  const { XDG_CONFIG_HOME, HOME, APPDATA } = env;
  const folder = windows ? APPDATA : XDG_CONFIG_HOME || (HOME && join(HOME, '.config'));
  return folder ? join(folder, 'gkeprof', 'config.yaml') : undefined;
}

/**
 * The file, or undefined where there is none. YAML is loaded when there is one: most people have none; and node:fs is there
 * when node:fs/promises takes 2 ms more.
 */
export async function readConfig(
  env: Environment,
  windows: boolean,
  table: readonly AnyCommand[],
): Promise<Config | undefined> {
  const path = configPath(env, windows);
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOENT' || code === 'ENOTDIR') && !env.GKEPROF_CONFIG) return undefined;
    const hint = env.GKEPROF_CONFIG ? 'GKEPROF_CONFIG names it' : undefined;
    throw usageError(`the configuration cannot be read: ${printable(reasonOf(error))}`, hint);
  }
  const { parseConfig } = await import('./parse.ts');
  return parseConfig(text, printable(path), table);
}
