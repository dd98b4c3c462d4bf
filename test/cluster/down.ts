import { rm } from 'node:fs/promises';
import { killAllIn, pidsIn, removeCgroups } from './cgroups.ts';
import { FINGERPRINT, HOME, RUN } from './home.ts';
import { CGROUP, CONTROL_PLANE_CGROUP, NODES, systemCgroup } from './layout.ts';
import { withLock } from './lock.ts';
import { removeMountPoints } from './mount-points.ts';
import { removeNetwork } from './network.ts';
import { removePins } from './pins.ts';
import { identify } from './processes.ts';
import type { Report } from './progress.ts';
import { restoreSysctls } from './sysctls.ts';

/** Ends the cluster and leaves the machine as it was; the cache stays. */
export async function down(report: Report): Promise<void> {
  await withLock(
    (pid) => report(`waiting for another up or down (pid ${pid}) to finish`),
    async () => {
      await refuseForeignCluster();
      await tearDown();
      report('the cluster is down');
    },
  );
}

/** Bridge and cgroups have the same names for every folder: another folder's cluster is not ours to end or to repair. */
export async function refuseForeignCluster(): Promise<void> {
  const groups = [CONTROL_PLANE_CGROUP, ...NODES.map(systemCgroup)];
  const pids = (await Promise.all(groups.map(pidsIn))).flat();
  for (const process of await Promise.all(pids.map(identify))) {
    const folder = process && homeOfDaemon(process.argv0);
    if (folder && folder !== HOME) {
      throw new Error(
        `The cluster of another folder is up. To end it: GKEPROF_TEST_HOME='${folder}' npm run cluster down`,
      );
    }
  }
}

/** The folder of the cluster that a daemon belongs to, by the path it was called by. */
export function homeOfDaemon(argv0: string): string | undefined {
  return /^(\/.+)\/run\/sbin\/[^/]+$/.exec(argv0)?.[1];
}

/** Undoes everything that `up` does to the machine, in reverse, however far that came. */
export async function tearDown(): Promise<void> {
  await rm(FINGERPRINT, { force: true });
  await killAllIn(CGROUP);
  await removePins();
  await removeNetwork();
  await removeCgroups();
  await restoreSysctls();
  await removeMountPoints();
  await rm(RUN, { recursive: true, force: true });
}
