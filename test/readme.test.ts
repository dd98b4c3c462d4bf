import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXIT_MEANING } from '../src/errors.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
/** Tables without the formatter's padding. */
const plain = readme
  .replaceAll(/ +\|/g, ' |')
  .replaceAll(/\|[ -]+(?=\|)/g, (cell) => (cell.includes('-') ? '|---' : cell));

describe('the README', () => {
  it('has the exit codes of the code', () => {
    const table = EXIT_MEANING.map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n');
    expect(plain).toContain(`| code | meaning |\n|---|---|\n${table}\n`);
  });

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
    const row = plain
      .split('\n')
      .find((each) => each.startsWith('| ') && each.split(' | ')[0]!.includes(`\`${line}`));
    expect(row?.split(' | ')[1]).toContain('kubectl gkeprof ');
  });
});
