// `npm test`: everything, in order, on this machine: lint, shell, types, unit tests, what is released, then the end-to-end suite on a
// real cluster, which is brought up first and taken down again if it was not up before. The last line is plain:
// `N passed, N failed`.
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureCluster } from '../test/cluster/index.ts';

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly success: boolean;
}

let passed = 0;
let failed = 0;

async function step(
  title: string,
  command: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<boolean> {
  const began = Date.now();
  process.stdout.write(`\n== ${title}\n`);
  const result = await execa(command, words, { stdio: 'inherit', reject: false, env });
  process.stdout.write(
    `== ${title}: ${result.exitCode === 0 ? 'ok' : 'FAILED'}, ${Math.round((Date.now() - began) / 1000)} s\n`,
  );
  return result.exitCode === 0;
}

/** A step that is one test: it passed or it failed. */
async function check(title: string, command: string, words: readonly string[]): Promise<void> {
  if (await step(title, command, words)) passed += 1;
  else failed += 1;
}

/** A vitest project: its own counts, and one failure more where it ended badly without one (a crash, no tests). */
async function suite(project: string, env: Record<string, string> = {}): Promise<void> {
  const report = join(tmpdir(), `gkeprof-test-${process.pid}-${project}.json`);
  const ok = await step(
    project,
    'vitest',
    ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    env,
  );
  const counts = await readFile(report, 'utf8').then(
    (text) => JSON.parse(text) as VitestReport,
    () => ({ numPassedTests: 0, numFailedTests: 0, success: false }),
  );
  await rm(report, { force: true });
  passed += counts.numPassedTests;
  failed += counts.numFailedTests;
  if ((!ok || counts.numPassedTests === 0) && counts.numFailedTests === 0) failed += 1;
}

await check('format and lint', 'biome', ['ci', '.']);
await check('types', 'tsc', ['--noEmit']);
await check('build', process.execPath, ['scripts/build.ts']);
process.stdout.write('\n== cluster up\n');
// Its set-up also installs the packages that the other tests judge with: shellcheck, xmllint, tshark, Chromium.
const cluster = await ensureCluster().catch((error: unknown) => {
  process.stdout.write(
    `the cluster cannot be had, so the run fails: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  failed += 1;
  return undefined;
});
try {
  await check('shell', process.execPath, ['scripts/shellcheck.ts']);
  await suite('unit');
  await suite('browser');
  await suite('release');
  if (cluster) await suite('e2e');
} finally {
  if (cluster?.started) await cluster.down();
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
