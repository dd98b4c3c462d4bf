import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { inspect } from '../../src/collectors/snapshot/snapshot.ts';
import type { Plan, SnapshotPart } from '../../src/plan/plan.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { openNode } from '../../src/session/snapshot-session.ts';
import { bytes, fakeCluster, status } from '../fake-cluster.ts';
import { planOf } from '../plans.ts';
import { contextOf, shortly } from './scene.ts';

const planFor = (parts: readonly SnapshotPart[], leastPrivilege: boolean): Plan => {
  const capture = { collector: 'inspect', scope: 'node', parts, lingerSeconds: 60 } as const;
  const { debugPod: where } = planOf(capture);
  const scratch = leastPrivilege ? 'disk' : 'memory';
  return planOf(
    capture,
    { kind: 'node', node: 'node-a' },
    { debugPod: { ...where, leastPrivilege, scratch } },
  );
};

/** Whether a plan's question goes to the pod that another plan left, and not to one of its own. */
async function isAsked(left: Plan, plan: Plan): Promise<boolean> {
  const zipped = gzipSync('taken:1\n');
  const header = `${zipped.length} ${createHash('sha256').update(zipped).digest('hex')}\n`;
  const cluster = fakeCluster({ execStream: () => bytes(Buffer.concat([Buffer.from(header), zipped])) });
  const pod = debugPod([left], inspect);
  cluster.pods.set(left.debugPod.name, {
    ...pod,
    status: { containerStatuses: [status('capture'), status('files')] },
  });
  const session = await openNode(plan, contextOf(cluster, { now: () => 0, sleep: shortly }));
  await session.close(true);
  return !cluster.calls.includes('create');
}

it.each<
  [string, readonly [readonly SnapshotPart[], boolean], readonly [readonly SnapshotPart[], boolean], boolean]
>([
  ['the same question', [['processes'], true], [['processes'], true], true],
  ['less than it was made for', [['processes', 'links'], true], [['processes'], true], true],
  // It would look whole and lack what this pod has no privileges to see.
  ['more than it was made for', [['processes'], true], [['processes', 'sockets'], true], false],
  ['more, of a privileged one', [['processes'], false], [['processes', 'sockets'], false], true],
  ['a privileged one, with --least-privilege', [['processes'], false], [['processes'], true], false],
  ['a limited one, without', [['processes'], true], [['processes'], false], false],
])('asks a pod that lingers only what it may see: %s', async (_what, left, question, asked) => {
  expect(await isAsked(planFor(...left), planFor(...question))).toBe(asked);
});
