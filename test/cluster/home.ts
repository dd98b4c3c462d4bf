import { homedir } from 'node:os';
import { join } from 'node:path';

/** The one folder that the cluster writes to: builds in `cache/`, the state of the running cluster in `run/`. */
export const HOME =
  process.env.GKEPROF_TEST_HOME ||
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kubectl-gkeprof-test');

export const CACHE = join(HOME, 'cache');
/** Builds in progress: renamed into the cache when they are whole, swept away by the next `up` when they are not. */
export const UNFINISHED = join(CACHE, 'unfinished');

export const RUN = join(HOME, 'run');
/** What people and tests call: kubectl. */
export const BIN = join(RUN, 'bin');
/** What only the cluster calls, off anybody's PATH. */
export const DAEMONS = join(RUN, 'sbin');
export const LOGS = join(RUN, 'logs');
export const PKI = join(RUN, 'pki');
export const KUBECONFIG = join(RUN, 'kubeconfig');
/** A hash of what the running cluster was made from, or is being made from; the first to come and the first to go. */
export const FINGERPRINT = join(RUN, 'made-from');
/** Where the nodes' namespaces are held open by bind mounts. */
export const PINS = join(RUN, 'namespaces');

/** The folder of one node's own files, mounted over the standard paths inside the node. */
export function nodeFolder(name: string): string {
  return join(RUN, 'nodes', name);
}
