import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/reference.ts';
import { CLASSES, cellName, cellsIn, FAULTS, STAGE_MEANING, STAGES } from '../faults/matrix.ts';

const page = readFileSync(join(ROOT, 'docs/faults.md'), 'utf8');

/** The cells of a class, as `BLESS=1 npm run test:faults` wrote them. */
const cellsOf = (group: string) =>
  cellsIn(page.split(`<!-- faults: ${group} -->`)[1]!.split('<!-- end -->')[0]!);

describe('docs/faults.md', () => {
  it.each(CLASSES)(
    'has every fault of the class %s in its stages, with an exit code that is allowed',
    (group) => {
      const cells = cellsOf(group);
      const names: string[] = [];
      for (const { name, stages } of FAULTS.filter((fault) => fault.group === group))
        for (const stage of STAGES.filter((each) => stages[each])) {
          const text = cells.get(cellName(name, stage))?.text;
          expect(stages[stage], `${name} at ${stage}: ${text}`).toContain(
            Number(/^\d+/.exec(text ?? '')?.[0]),
          );
          names.push(cellName(name, stage));
        }
      expect([...cells.keys()].sort()).toEqual(names.sort());
    },
  );

  it('explains the stages', () => {
    for (const stage of STAGES) expect(page).toContain(`| ${stage} | ${STAGE_MEANING[stage]} |`);
  });
});
