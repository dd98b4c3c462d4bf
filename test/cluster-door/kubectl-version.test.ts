import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { kubectlVersion } from '../../src/cluster/kubectl-version.ts';
import { KUBECTL_PATH } from '../real-kubectl.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-kubectl-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const home = (PATH: string) => ({ env: { PATH, HOME: folder }, windows: false });

/** The version of a kubectl that is this shell script. */
function versionOf(script: string, boundMs = 10_000): Promise<string> {
  writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return kubectlVersion(home([folder, '/usr/bin', '/bin'].join(delimiter)), boundMs);
}

it('is what the real kubectl says', async () =>
  expect(await kubectlVersion(home(KUBECTL_PATH), 10_000)).toMatch(/^v1\.\d+\.\d+/));

it('is that of an old one too', async () =>
  expect(await versionOf(`echo '{"clientVersion":{"major":"1","minor":"22","gitVersion":"v1.22.17"}}'`)).toBe(
    'v1.22.17',
  ));

it.each([
  ['exit 3', /kubectl failed without an error message/],
  ["echo 'error: no' >&2; exit 1", /^no$/],
  ['echo hello', /did not print its version/],
  ['echo \'{"clientVersion":{"gitVersion":7}}\'', /did not print its version/],
])('says what is wrong with `%s`', (script, reason) => expect(versionOf(script)).rejects.toThrow(reason));

it('does not wait for one that hangs', () =>
  expect(versionOf('exec sleep 60', 300)).rejects.toThrow('kubectl did not tell its version within 0.3 s'));

it('says that there is none', () =>
  expect(kubectlVersion(home(folder), 1000)).rejects.toThrow('kubectl was not found on PATH'));
