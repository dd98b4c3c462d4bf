import { expect, it } from 'vitest';
import { parseTarget } from '../../src/plan/target.ts';
import { findTarget } from '../../src/workflow/find-target.ts';
import { apiAnswer, fakeCluster } from '../fake-cluster.ts';

it('recognizes the name of a node where a pod is expected', async () => {
  const cluster = fakeCluster({
    readNode: async (name) => {
      if (name !== 'node-a') throw apiAnswer(404, `nodes "${name}" not found`, 'NotFound');
      return { metadata: { name } };
    },
  });
  await expect(findTarget(parseTarget('node-a'), undefined, cluster)).rejects.toMatchObject({
    code: 3,
    message: 'pod "node-a" not found in namespace "default"',
    hint: 'did you mean node/node-a?',
  });
  await expect(findTarget(parseTarget('node-b'), undefined, cluster)).rejects.toMatchObject({
    hint: expect.stringContaining('choose its namespace with -n'),
  });
});
