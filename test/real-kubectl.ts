import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { BIN } from './cluster/home.ts';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The kubectl that tests compare with: the one that was built for the test cluster, otherwise the one on PATH. On PATH may be
 * the dispatcher of Google Cloud, which first asks the server for its version; tests that count requests fail with it.
 */
export const KUBECTL = ((): string => {
  const folders = [BIN, ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.map((folder) => join(folder, 'kubectl')).find(isProgram);
  if (!found) throw new Error('kubectl was not found: `npm run cluster up` builds one, or put one on PATH');
  return found;
})();

/** A PATH on which that kubectl comes first. */
export const KUBECTL_PATH = [dirname(KUBECTL), process.env.PATH].join(delimiter);
