import type { Cluster } from '../cluster/cluster.ts';
import { clusterError } from '../errors.ts';
import { onlyRef, type Target, type TargetRef } from '../plan/target.ts';
import { refText } from './find-pods.ts';
import { findTargetSet } from './find-targets.ts';

/**
 * Looks up the one target that the user named: the pod with its identities and its node, or the node. Throws if it does not
 * exist (with similar names as a hint), if no debug pod can observe it, or if it is several pods.
 */
export async function findTarget(
  ref: TargetRef,
  container: string | undefined,
  cluster: Cluster,
): Promise<Target> {
  const { targets } = await findTargetSet(onlyRef(ref), container, cluster);
  return onlyOne(ref, targets, (target) => (target.kind === 'pod' ? target.name : ''));
}

/** The only one of the pods that were found. Throws if there are several. */
export function onlyOne<Each>(ref: TargetRef, found: readonly Each[], nameOf: (each: Each) => string): Each {
  const [only, ...more] = found;
  if (more.length === 0) return only!;
  const names = found.map((each) => `pod/${nameOf(each)}`);
  throw clusterError(
    `${refText(ref)} has ${names.length} pods, but this command takes one`,
    `name one of them: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
  );
}
