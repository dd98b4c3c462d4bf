import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT, GkeprofError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';

/**
 * The path of a file that the user named. `@last` and `@2` are the newest and the second newest file of the folder that has
 * one of the endings; any other name is a path itself. `what` says in an error what these files contain.
 */
export async function recentFile(
  name: string,
  folder: string,
  endings: readonly string[],
  what: string,
): Promise<string> {
  const asked = /^@(last|[1-9]\d*)$/.exec(name);
  if (!asked) return name;
  const place = asked[1] === 'last' ? 1 : Number(asked[1]);
  const names = (await readdir(folder)).filter((each) => endings.some((ending) => each.endsWith(ending)));
  const files = await Promise.all(
    names.map(async (each) => ({ path: join(folder, each), at: (await stat(join(folder, each))).mtimeMs })),
  );
  files.sort((a, b) => b.at - a.at || (a.path < b.path ? -1 : 1));
  const file = files[place - 1];
  if (!file)
    throw new GkeprofError(
      EXIT.failed,
      `${name}: the folder ${printable(folder)} has ${files.length === 0 ? 'no file' : `only ${counted(files.length, 'file')}`} with ${what}`,
      'write the path of a file instead',
    );
  return file.path;
}
