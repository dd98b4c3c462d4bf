import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = join(root, 'dist/kubectl-gkeprof');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-bundle-'));
  await execa(process.execPath, [join(root, 'scripts/build.ts')]);
}, 120_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => rmSync(join(home, 'kubectl-gkeprof'), { recursive: true, force: true }));

const run = (cache = home) =>
  execa(process.execPath, [bundle, 'version'], { env: { XDG_CACHE_HOME: cache }, extendEnv: false });
const cached = () =>
  readdirSync(join(home, 'kubectl-gkeprof')).map((name) => join(home, 'kubectl-gkeprof', name));

it('the bundle keeps its compiled form in the cache folder, for its owner alone, and uses it', async () => {
  expect((await run()).stdout).toBe(version);
  const [file, ...others] = cached();
  expect(others).toEqual([]);
  expect(statSync(file!).mode & 0o777).toBe(0o600);
  const before = statSync(file!);
  expect((await run()).stdout).toBe(version);
  expect(statSync(cached()[0]!).ctimeMs).toBe(before.ctimeMs);
});

it.each([
  ['damaged', (file: string) => writeFileSync(file, 'nonsense')],
  ['cut short', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 1000))],
  ['one that others can write', (file: string) => chmodSync(file, 0o666)],
])('a compiled form that is %s is not run, and replaced', async (_, change) => {
  await run();
  const [file] = cached();
  change(file!);
  const before = statSync(file!);
  expect((await run()).stdout).toBe(version);
  const after = statSync(cached()[0]!);
  expect(after.ctimeMs).toBeGreaterThan(before.ctimeMs);
  expect(after.size).toBeGreaterThan(100_000);
  expect(after.mode & 0o777).toBe(0o600);
});

it('works where nothing can be kept', async () => {
  expect((await run('/dev/null')).stdout).toBe(version);
  expect((await run('')).stdout).toBe(version);
});
