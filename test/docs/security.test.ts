import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The cells of each row of the tables, without their headings. */
const rows = readFileSync(here('../../docs/security.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|(claim|threat|mistake|role)\b)/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

it('names a test that there is for each claim of docs/security.md', () => {
  const claims = rows.filter((cells) => !/^(cluster )?role `/.test(cells[0]!));
  expect(claims.length).toBeGreaterThan(20);
  for (const cells of claims) {
    const named = cells.at(-1)!;
    // What is not prevented has none, and the whole suite is none in particular.
    if (named === '–' || named.startsWith('the whole end-to-end suite')) continue;
    const paths = named.split(', ');
    for (const path of paths) {
      expect(path).toMatch(/\.test\.ts$/);
      expect(existsSync(here(`../${path}`)), path).toBe(true);
    }
  }
});
