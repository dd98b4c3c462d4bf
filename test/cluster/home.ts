import { homedir } from 'node:os';
import { join } from 'node:path';

/** The one folder that the cluster writes to: builds in `cache/`, the state of the running cluster in `run/`. */
export const HOME =
  process.env.GKEPROF_TEST_HOME ||
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kubectl-gkeprof-test');

export const CACHE = join(HOME, 'cache');
/** Unfinished builds: a finished build is renamed into the cache, and the next `up` removes those that were interrupted. */
export const UNFINISHED = join(CACHE, 'unfinished');

export const RUN = join(HOME, 'run');
/** Programs for people and tests: kubectl. */
export const BIN = join(RUN, 'bin');
/** Programs that only the cluster runs; the folder is on nobody's PATH. */
export const DAEMONS = join(RUN, 'sbin');
export const LOGS = join(RUN, 'logs');
export const PKI = join(RUN, 'pki');
export const KUBECONFIG = join(RUN, 'kubeconfig');
/** A hash of the sources of the running cluster. `up` writes it first, and `down` removes it first. */
export const FINGERPRINT = join(RUN, 'made-from');
/** Bind mounts in this folder keep the namespaces of the nodes alive. */
export const PINS = join(RUN, 'namespaces');

/** The folder of one node's own files, mounted over the standard paths inside the node. */
export function nodeFolder(name: string): string {
  return join(RUN, 'nodes', name);
}
