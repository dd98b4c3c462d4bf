/** The image of test/cluster/images/programs, which few tests need: it is no part of the cluster until one asks for it. */
import { ensureCgroups } from './cgroups.ts';
import { ensureProgramsArchive } from './images.ts';
import { NODES } from './layout.ts';
import { withLock } from './lock.ts';
import { ensureImages } from './node.ts';
import { createReport } from './progress.ts';

/**
 * Builds the image unless it is in the cache, and gives it to both nodes of the cluster that is up; returns its reference.
 * The first build takes some four minutes. A cluster of somebody else's has to have an image, named by
 * GKEPROF_TEST_PROGRAMS_IMAGE.
 */
export async function ensureProgramsImage(): Promise<string> {
  if (process.env.GKEPROF_TEST_KUBECONFIG) {
    const named = process.env.GKEPROF_TEST_PROGRAMS_IMAGE;
    if (named) return named;
    throw new Error(
      'GKEPROF_TEST_PROGRAMS_IMAGE is not set: it names the image built from test/cluster/images/programs, where your cluster can pull it',
    );
  }
  const report = createReport();
  // An `up` ends the builds that it finds, so it has to wait for this one.
  return withLock(
    (pid) => report(`waiting for an up or down (pid ${pid}) to finish`),
    async () => {
      await ensureCgroups();
      const archives = await ensureProgramsArchive(report);
      await Promise.all(NODES.map((node) => ensureImages(node, archives)));
      return [...archives.keys()][0]!;
    },
  );
}
