import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/reference.ts';
import { CLASSES, FAULTS, STAGE_MEANING, STAGES } from '../faults/matrix.ts';

const page = readFileSync(join(ROOT, 'docs/faults.md'), 'utf8');

/** The cells of a class, as `BLESS=1 npm run test:faults` wrote them: fault → stage → text. */
function cellsOf(group: string): Map<string, Map<string, string>> {
  const table = page.split(`<!-- faults: ${group} -->`)[1]!.split('<!-- end -->')[0]!;
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| fault |'));
  return new Map(
    rows.map((row) => {
      const [name, ...cells] = row
        .slice(2, -1)
        .split(' |')
        .map((cell) => cell.trim());
      return [name!, new Map(STAGES.map((stage, at) => [stage, cells[at] ?? '']))];
    }),
  );
}

describe('docs/faults.md', () => {
  it.each(CLASSES)(
    'has every fault of the class %s in its stages, with an exit code that is allowed',
    (group) => {
      const cells = cellsOf(group);
      for (const { name, stages } of FAULTS.filter((fault) => fault.group === group))
        for (const stage of STAGES) {
          const text = cells.get(name)?.get(stage);
          const allowed = stages[stage];
          if (!allowed) expect(text, `${name} at ${stage}`).toBe('');
          else
            expect(allowed, `${name} at ${stage}: ${text}`).toContain(Number(/^\d+/.exec(text ?? '')?.[0]));
        }
      expect(cells.size).toBe(FAULTS.filter((fault) => fault.group === group).length);
    },
  );

  it('explains the stages', () => {
    for (const stage of STAGES) expect(page).toContain(`| ${stage} | ${STAGE_MEANING[stage]} |`);
  });
});
