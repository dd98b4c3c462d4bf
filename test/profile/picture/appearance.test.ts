import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as appearance from '../../../src/profile/picture/browser/appearance.js';

const folder = fileURLToPath(new URL('../../../src/profile/picture', import.meta.url));
const others = (readdirSync(folder, { recursive: true }) as string[]).filter(
  (name) => /\.(?:ts|js)$/.test(name) && !/appearance\.(?:js|d\.ts)$/.test(name),
);

/** What a text has a copy of: names that it declares itself, colours, and numbers that can be nothing else. */
function copiesIn(text: string): string[] {
  const names = Object.keys(appearance).filter((name) =>
    new RegExp(`\\b(?:const|let|function) ${name}\\b`).test(text),
  );
  const numbers = Object.values(appearance)
    .filter((value) => typeof value === 'number')
    .filter((value) => value > 40 || !Number.isInteger(value))
    .filter((value) => new RegExp(`(?<![\\w.])${value}(?![\\w.])`).test(text));
  return [...names, ...numbers.map(String), ...(text.includes('hsl(') ? ['hsl('] : [])];
}

describe('the appearance of the picture', () => {
  it('is the same module for the SVG writer and for the browser half', () => {
    for (const name of ['svg.ts', 'data.ts', 'browser/main.js', 'browser/head.js', 'browser/model.js'])
      expect(readFileSync(join(folder, name), 'utf8')).toMatch(/from '\.\/(?:browser\/)?appearance\.js'/);
  });
  it.each(others)('has no copy in %s', (name) =>
    expect(copiesIn(readFileSync(join(folder, name), 'utf8'))).toEqual([]),
  );
  it('a copy would be seen', () => {
    expect(copiesIn("const ROW = 18;\nconst fill = 'hsl(0 0% 78%)';\nconst wide = letters * 7.2;")).toEqual([
      'ROW',
      '7.2',
      'hsl(',
    ]);
  });
});
