import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const rows = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.split(' | '));

// The quick reference of the runbook, and `crictl ps --id` of its demo.
it.each([
  'crictl ps',
  'crictl ps --pod $POD_ID',
  'crictl ps --id',
  'crictl pods',
  'crictl pods --namespace redis',
  'crictl pods --label',
  'POD_ID=$( crictl pods --latest --quiet --namespace redis )',
  'CONTAINER_ID=$( crictl ps --latest --quiet --name sentinel )',
  'crictl inspectp $POD_ID',
  'crictl inspect $CONTAINER_ID',
  'crictl inspecti $IMAGE_ID',
  'crictl exec -it $CONTAINER_ID ps -ef',
  'crictl exec -it $CONTAINER_ID which redis-cli',
  'crictl --help',
  'crictl ps --help',
])('has %s side by side with ours', (line) => {
  const row = rows.find(([runbook]) => runbook!.includes(`\`${line}`));
  expect(row?.[1]).toContain('kubectl gkeprof ');
});
