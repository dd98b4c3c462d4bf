import { posix } from 'node:path';

/** A file of src by its path there. */
export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

/** An import: the first file imports the second. */
export type Edge = readonly [from: string, to: string];

/**
 * The folders of src, from the top to the ground: a file imports from its own folder and from those that come after it.
 * `edge` is entry.ts and main.ts, `ground` all other loose files.
 */
export const ORDER: readonly string[] = [
  'edge',
  'commands',
  'mcp',
  'workflow',
  'doctor',
  'report',
  'cli',
  'policy',
  'session',
  'collectors',
  'node',
  'plan',
  'cluster',
  'debuginfod',
  'files',
  'profile',
  'waits',
  'packets',
  'snapshot',
  'output',
  'text',
  'ground',
];

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(?:[^;'"`]*?\sfrom\s)?\s*['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]/g;

/** All imports among the files, of types and of values, static and dynamic. */
export function edgesOf(files: readonly SourceFile[]): Edge[] {
  const names = new Set(files.map(({ name }) => name));
  return files.flatMap(({ name, text }) =>
    [...text.matchAll(IMPORT)]
      .map((each) => posix.join(posix.dirname(name), each[1] ?? each[2]!))
      .filter((to) => names.has(to))
      .map((to): Edge => [name, to]),
  );
}

export function placeOf(name: string): number {
  const folder = name.includes('/')
    ? name.slice(0, name.indexOf('/'))
    : name === 'entry.ts' || name === 'main.ts'
      ? 'edge'
      : 'ground';
  const place = ORDER.indexOf(folder);
  if (place < 0) throw new Error(`${name}: the folder has no place in the order`);
  return place;
}

export const againstTheOrder = (edges: readonly Edge[]): string[] =>
  edges.filter(([from, to]) => placeOf(to) < placeOf(from)).map(([from, to]) => `${from} imports ${to}`);

/** The groups of files that import each other, sorted (Tarjan's strongly connected components). */
export function ringsOf(edges: readonly Edge[]): string[][] {
  const after = Map.groupBy(edges, ([from]) => from);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const rings: string[][] = [];
  const visit = (name: string): void => {
    index.set(name, index.size);
    low.set(name, index.get(name)!);
    stack.push(name);
    for (const [, to] of after.get(name) ?? []) {
      if (!index.has(to)) visit(to);
      if (stack.includes(to)) low.set(name, Math.min(low.get(name)!, low.get(to)!));
    }
    if (low.get(name) !== index.get(name)) return;
    const ring = stack.splice(stack.indexOf(name));
    if (ring.length > 1) rings.push(ring.sort());
  };
  for (const name of after.keys()) if (!index.has(name)) visit(name);
  return rings;
}
