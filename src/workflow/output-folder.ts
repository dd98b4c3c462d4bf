import { mkdir } from 'node:fs/promises';
import type { Context } from '../cli/command.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { sweepFolders } from '../files/temporary-folder.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';

/** Creates the folder for the files of a command if it is missing, and removes what killed commands left in it. */
export async function prepareFolder(
  folder: string,
  { log, now }: Pick<Context, 'log' | 'now'>,
): Promise<void> {
  await makeFolder(folder);
  const names = await sweepFolders(folder, now());
  if (names.length)
    log.line(
      `removed ${counted(names.length, 'folder')} that killed commands left in ${folder}: ${names.join(', ')}`,
    );
}

/** Creates the folder if its parent exists; a mistyped path creates nothing. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new GkeprofError(
      EXIT.failed,
      `cannot make the folder ${printable(folder)}: ${printable(reasonOf(error))}`,
    );
  }
}
