import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = (readdirSync(src, { recursive: true }) as string[])
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name: name.replaceAll('\\', '/'), text: readFileSync(join(src, name), 'utf8') }));

/** Files with an import (not of types alone) of a module that matches. */
const importers = (pattern: RegExp) =>
  files
    .filter(({ text }) =>
      [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from '([^']+)'|import\('([^']+)'\)/gm)].some(
        (each) => pattern.test(each[1] ?? each[2]!),
      ),
    )
    .map(({ name }) => name);

describe('the rules of the house', () => {
  it('sees the files', () => expect(files.length).toBeGreaterThan(30));
  it('yargs is known to cli/parse.ts alone', () => expect(importers(/^yargs/)).toEqual(['cli/parse.ts']));
  it('the Kubernetes client and kubectl are behind the one door; besides, only a browser and a demangler are started', () => {
    expect(importers(/^@kubernetes/)).toEqual(['cluster/client.ts']);
    expect(importers(/^execa/).sort()).toEqual([
      'cluster/kubectl.ts',
      'files/open.ts',
      'workflow/demangle.ts',
    ]);
    expect(importers(/^node:child_process/).sort()).toEqual([
      'cluster/ask-kubectl.ts',
      'cluster/exec-plugin.ts',
    ]);
  });
  it('the profile, the capture and what is seen of a node are pure', () => {
    for (const name of importers(/^node:(?!crypto|zlib)/))
      expect(name).not.toMatch(/^(?:profile|packets|snapshot)\//);
  });
  it('only the entry touches the process, and nothing writes to the console', () => {
    expect(
      files
        .filter(({ text }) => /\bprocess\./.test(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')))
        .map(({ name }) => name),
    ).toEqual(['entry.ts']);
    expect(files.filter(({ text }) => /\bconsole\./.test(text))).toEqual([]);
  });
  it('no file is a drawer for everything, and each is still one room', () => {
    for (const { name, text } of files) {
      expect(name).not.toMatch(/utils|helpers/);
      expect(text.split('\n').length, name).toBeLessThanOrEqual(450);
    }
  });
});
