// `npm test`: everything, in order, on this machine: lint, shell, types, unit tests, tests with tools, the release, then the end-to-end suite on a
// real cluster, which is brought up first and taken down again. A cluster that is up already is replaced. At the end come
// the names of what failed, and as the last line, plain, `N passed, N failed`.
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { ensureCluster, type TestCluster } from '../test/cluster/index.ts';

interface VitestReport {
  readonly numPassedTests: number;
  readonly testResults: ReadonlyArray<{
    readonly name: string;
    readonly status: string;
    readonly assertionResults: ReadonlyArray<{
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[];
    }>;
  }>;
}

// No test may be skipped for a missing tool here: test/tools.ts.
process.env.GKEPROF_TEST_TOOLS = 'required';

let passed = 0;
let failed = 0;
const failures: string[] = [];

async function step(title: string, command: string, words: readonly string[]): Promise<boolean> {
  const began = Date.now();
  process.stdout.write(`\n== ${title}\n`);
  const result = await execa(command, words, { stdio: 'inherit', reject: false });
  process.stdout.write(
    `== ${title}: ${result.exitCode === 0 ? 'ok' : 'FAILED'}, ${Math.round((Date.now() - began) / 1000)} s\n`,
  );
  return result.exitCode === 0;
}

/** A step that counts as one test. */
async function check(title: string, command: string, words: readonly string[]): Promise<void> {
  if (await step(title, command, words)) passed += 1;
  else fail(title);
}

function fail(what: string): void {
  failed += 1;
  failures.push(what);
}

/** Every test that failed, and every file that failed outside its tests, with the first line of why. */
const namesOf = (project: string, report: VitestReport): string[] =>
  report.testResults.flatMap(({ name, status, assertionResults }) => {
    const file = `${project} ${relative(process.cwd(), name)}`;
    const tests = assertionResults.filter((test) => test.status === 'failed');
    if (tests.length === 0) return status === 'failed' ? [`${file}: outside its tests`] : [];
    return tests.map(
      ({ fullName, failureMessages }) =>
        `${file}: ${fullName}: ${failureMessages?.[0]?.split('\n')[0] ?? 'no message'}`,
    );
  });

/** A vitest project: its own counts, a failure for each file that failed outside its tests, and one more where it ended badly without one (a crash, no tests). */
async function suite(project: string): Promise<void> {
  const report = join(tmpdir(), `gkeprof-test-${process.pid}-${project}.json`);
  const ok = await step(project, 'vitest', [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  const counts = await readFile(report, 'utf8').then(
    (text) => JSON.parse(text) as VitestReport,
    () => ({ numPassedTests: 0, testResults: [] }),
  );
  await rm(report, { force: true });
  const names = namesOf(project, counts);
  passed += counts.numPassedTests;
  failed += names.length;
  failures.push(...names);
  if ((!ok || counts.numPassedTests === 0) && names.length === 0) fail(`${project}: ended badly`);
}

/** A cluster in which nobody left anything: pods of other runs would be in the lists that the tests compare. */
async function freshCluster(): Promise<TestCluster> {
  const cluster = await ensureCluster();
  if (cluster.started || !cluster.owned) return cluster;
  await cluster.down();
  return await ensureCluster();
}

await check('format and lint', 'biome', ['ci', '.']);
await check('types', 'tsc', ['--noEmit']);
await check('build', process.execPath, ['scripts/build.ts']);
process.stdout.write('\n== cluster up\n');
// Its set-up also installs the packages that the other tests judge with: shellcheck, xmllint, tshark, Chromium.
const cluster = await freshCluster().catch((error: unknown) => {
  fail(`the test cluster could not be started: ${error instanceof Error ? error.message : String(error)}`);
  return undefined;
});
try {
  await check('shell', process.execPath, ['scripts/shellcheck.ts']);
  await suite('unit');
  await suite('tools');
  await suite('browser');
  await suite('release');
  if (cluster) await suite('e2e');
} finally {
  await cluster?.down();
}
process.stdout.write(`\n${failures.map((what) => `failed: ${what}\n`).join('')}`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
