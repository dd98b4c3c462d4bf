import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { edgesOf, ORDER, placeOf } from './layers.ts';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = (readdirSync(src, { recursive: true }) as string[])
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => statSync(join(src, name)).isFile());
const edges = edgesOf(
  files
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name, text: readFileSync(join(src, name), 'utf8') })),
);

const blocks = [...readFileSync(join(src, 'README.md'), 'utf8').matchAll(/```text\n(.*?)```/gs)].map(
  ([, text]) => text!.trimEnd().split('\n'),
);
const [picture = [], ...walks] = blocks;

/** A line of an outline: how far it is indented, its first word, and all of it. */
const outlined = (lines: readonly string[]) =>
  lines.map((line) => ({ depth: /^ */.exec(line)![0].length / 2, word: /\S+/.exec(line)![0], line }));

/** The lines of an outline with the words of the lines that each is indented under, from the top. */
function nested(lines: readonly string[]) {
  const above: string[] = [];
  return outlined(lines).map(({ depth, word, line }) => {
    above.length = depth;
    const path = [...above];
    above.push(word);
    return { word, line, path };
  });
}

const rows = nested(picture).map(({ word, line, path }) => {
  const [names] = line.trim().split(/ {2,}/);
  return word.endsWith('/')
    ? { folder: [...path, word].join('').slice(0, -1) }
    : { folder: '.', names: names!.split(' ') };
});

describe('the picture of src/README.md', () => {
  it('fits a screen', () => {
    expect(picture.length).toBeLessThanOrEqual(45);
    for (const line of blocks.flat()) expect(line.length, line).toBeLessThanOrEqual(80);
  });
  it('has one row for each file, and no row without files', () => {
    const belongs = (file: string) =>
      rows.filter(({ folder, names }) => folder === dirname(file) && (names?.includes(file) ?? true));
    for (const file of files) expect(belongs(file), file).toHaveLength(1);
    for (const row of rows) expect(files.map(dirname), row.folder).toContain(row.folder);
    for (const name of rows.flatMap(({ names }) => names ?? [])) expect(files).toContain(name);
  });
  it('stands in the order of dependence', () => {
    const top = rows.map(({ folder }) => folder).filter((folder) => folder !== '.' && !folder.includes('/'));
    expect(top).toEqual(ORDER.filter((each) => each !== 'edge' && each !== 'ground'));
  });
});

describe('the walks of src/README.md', () => {
  it.each(walks.map((lines) => [lines[0]!.trim(), lines] as const))('%s', (_name, lines) => {
    const steps = nested(lines);
    for (const { word, path } of steps) {
      const caller = path.at(-1);
      expect(files).toContain(word);
      if (caller === undefined) continue;
      expect(edges, `${caller} imports ${word}`).toContainEqual([caller, word]);
      expect(placeOf(word), `${word} is not above ${caller}`).toBeGreaterThanOrEqual(placeOf(caller));
    }
    expect(steps.filter(({ path }) => path.length === 0)).toHaveLength(1);
  });
  it('are three, and a capture passes through at most 14 files', () => {
    expect(walks).toHaveLength(3);
    expect(walks[0]!.length).toBeLessThanOrEqual(14);
  });
});
