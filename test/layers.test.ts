import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { againstTheOrder, edgesOf, ORDER, ringsOf, type SourceFile } from './layers.ts';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files: readonly SourceFile[] = (readdirSync(src, { recursive: true }) as string[])
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  .map((name) => ({ name, text: readFileSync(join(src, name), 'utf8') }));

/** Files with an import (not of types alone) of a module that matches. */
const importers = (pattern: RegExp) =>
  files
    .filter(({ text }) =>
      [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from '([^']+)'|import\('([^']+)'\)/gm)].some(
        (each) => pattern.test(each[1] ?? each[2]!),
      ),
    )
    .map(({ name }) => name);

describe('the order of the folders', () => {
  it('sees the files, and every folder has its place', () => {
    expect(files.length).toBeGreaterThan(250);
    const folders = new Set(files.flatMap(({ name }) => (name.includes('/') ? [name.split('/')[0]!] : [])));
    expect([...folders].sort()).toEqual(ORDER.filter((each) => each !== 'edge' && each !== 'ground').sort());
  });
  it('holds: no file imports one of a folder above its own', () =>
    expect(againstTheOrder(edgesOf(files))).toEqual([]));
  it('has no ring: no file imports itself through others', () => expect(ringsOf(edgesOf(files))).toEqual([]));
  it('no verb imports another verb', () => {
    const verbs = edgesOf(files).filter(
      ([from, to]) =>
        from.startsWith('commands/') && to.startsWith('commands/') && from !== 'commands/index.ts',
    );
    expect(verbs).toEqual([]);
  });
  it('leaves at most seven loose files in src', () =>
    expect(
      readdirSync(src, { withFileTypes: true }).filter((each) => each.isFile()).length,
    ).toBeLessThanOrEqual(7));

  it('sees an arrow against the order, whatever form the import has', () => {
    const below = { name: 'text/printable.ts', text: '' };
    const above = { name: 'commands/ps.ts', text: "import { printable } from '../text/printable.ts';" };
    expect(againstTheOrder(edgesOf([below, above]))).toEqual([]);
    for (const text of [
      "import { ps } from '../commands/ps.ts';",
      "import type { Ps } from '../commands/ps.ts';",
      "import {\n  ps,\n} from '../commands/ps.ts';",
      "export { ps } from '../commands/ps.ts';",
      "const { ps } = await import('../commands/ps.ts');",
    ])
      expect(againstTheOrder(edgesOf([{ ...below, text }, above]))).toEqual([
        'text/printable.ts imports commands/ps.ts',
      ]);
  });
  it('sees a ring', () => {
    const ring = [
      { name: 'text/a.ts', text: "import { b } from './b.ts';" },
      { name: 'text/b.ts', text: "import type { c } from './c.ts';" },
      { name: 'text/c.ts', text: "import { a } from './a.ts';" },
      { name: 'text/d.ts', text: "import { a } from './a.ts';" },
    ];
    expect(ringsOf(edgesOf(ring))).toEqual([['text/a.ts', 'text/b.ts', 'text/c.ts']]);
  });
});

describe('the rules of the house', () => {
  it('yargs is known to cli/parse.ts alone', () => expect(importers(/^yargs/)).toEqual(['cli/parse.ts']));
  it('the Kubernetes client and kubectl are behind the one door; besides, only a browser, a demangler and this program itself are started', () => {
    expect(importers(/^@kubernetes/)).toEqual(['cluster/client.ts']);
    expect(importers(/^execa/).sort()).toEqual([
      'cluster/kubectl.ts',
      'files/open.ts',
      'mcp/run-line.ts',
      'workflow/demangle.ts',
    ]);
    expect(importers(/^node:child_process/).sort()).toEqual([
      'cluster/ask-kubectl.ts',
      'cluster/exec-plugin.ts',
    ]);
  });
  it('profiles, waits, packets and what is seen of a node are pure', () => {
    for (const name of importers(/^node:(?!crypto|zlib)/))
      expect(name).not.toMatch(/^(?:profile|waits|packets|snapshot|text)\//);
  });
  it('only the entry touches the process, and nothing writes to the console', () => {
    expect(
      files
        .filter(({ text }) => /\bprocess\./.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')))
        .map(({ name }) => name),
    ).toEqual(['entry.ts']);
    expect(files.filter(({ text }) => /\bconsole\./.test(text))).toEqual([]);
  });
  it('no two exported things have the same name', () => {
    const exported = files.flatMap(({ name, text }) =>
      [
        ...text.matchAll(
          /^export (?:default )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm,
        ),
      ].map(([, each]) => [each!, name] as const),
    );
    expect(exported.length).toBeGreaterThan(500);
    const twice = [...Map.groupBy(exported, ([each]) => each)].filter(([, places]) => places.length > 1);
    expect(twice.map(([each, places]) => `${each}: ${places.map(([, name]) => name).join(', ')}`)).toEqual(
      [],
    );
  });
  it('no file is a drawer for everything', () => {
    for (const { name } of files)
      expect(name).not.toMatch(/(?:^|\/)(?:words|names|utils?|helpers?|common|misc)\.ts$/);
  });
});
