import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readProfile } from '../../src/profile/read/read-profile.ts';
import { demangle } from '../../src/workflow/demangle.ts';
import { folded, pieces } from '../profile/reading.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-demangle-'));
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A tool under this name that knows two names; without it on PATH there is none. */
function put(tool: string): void {
  const script = "#!/bin/sh\nexec /usr/bin/sed -e 's/^_ZN1AC[12]Ev/A::A()/' -e 's/^_RNvC1a1f/a[1f]::f/'\n";
  writeFileSync(join(folder, tool), script, { mode: 0o755 });
  vi.stubEnv('PATH', [folder, '/nowhere'].join(delimiter));
}

const sample = (leaf: string): string =>
  `srv 7/8 [000] 1.500000: 5 cycles: \n\t55d0 ${leaf}+0x1 (/x)\n\t55d1 main+0x9 (/x)\n\n`;
const text = ['_ZN1AC1Ev', '_ZN1AC2Ev', '_RNvC1a1f', 'plain', '_Znot'].map(sample).join('');

const fold = async (): Promise<string> => {
  const { profile } = await readProfile(
    pieces(text),
    { noIdle: false, timeline: true },
    () => ({ target: 'test' }),
    () => undefined,
    undefined,
    demangle,
  );
  return folded(profile);
};

describe('mangled names', () => {
  it.each(['c++filt', 'llvm-cxxfilt'])(
    'are undone by %s, and functions of one name are one',
    async (tool) => {
      put(tool);
      expect(await fold()).toBe('srv;main;A::A 2\nsrv;main;_Znot 1\nsrv;main;a::f 1\nsrv;main;plain 1\n');
      rmSync(join(folder, tool));
    },
  );

  it('stay as they are where there is no such tool', async () => {
    vi.stubEnv('PATH', '/nowhere');
    expect(await fold()).toContain('srv;main;_RNvC1a1f 1\n');
  });
});
