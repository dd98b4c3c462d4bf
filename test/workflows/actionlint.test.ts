import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cached, filesBelow, keyOf } from '../cluster/cache.ts';
import { CACHE } from '../cluster/home.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, '.github/workflows');
const SOURCES = join(import.meta.dirname, 'actionlint');
let actionlint: string;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-actionlint-'));
  const built = await cached(
    join(CACHE, `actionlint-${keyOf(await filesBelow(SOURCES))}`),
    async (unfinished) => {
      mkdirSync(unfinished);
      const words = ['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-o', `${unfinished}/`];
      await execa('go', [...words, 'github.com/rhysd/actionlint/cmd/actionlint'], {
        cwd: SOURCES,
        env: {
          ...{ CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
          GOMODCACHE: join(CACHE, 'go', 'modules'),
          GOCACHE: join(CACHE, 'go', 'build'),
        },
      });
    },
  );
  actionlint = join(built, 'actionlint');
}, 600_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const lint = (files: readonly string[]) =>
  execa(actionlint, ['-oneline', ...files], { cwd: root, reject: false, all: true });

it('finds nothing wrong in the workflows', async () => {
  const files = readdirSync(folder).map((name) => join(folder, name));
  expect(files.length).toBeGreaterThan(4);
  const { all, exitCode } = await lint(files);
  expect([all, exitCode]).toEqual(['', 0]);
});

it.each([
  ['a job that is needed and missing', 'needs: [image, build]', 'needs: [image, bild]', 'bild'],
  ['a property that the matrix has not', 'matrix.file }}', 'matrix.fiel }}', 'fiel'],
  ['a permission that does not exist', 'attestations: write', 'attestation: write', 'attestation'],
  ['a shell script that splits words', 'cp "../archives/$FILE"', 'cp ../archives/$FILE', 'SC2086'],
])('would find %s', async (_what, from, to, found) => {
  const text = readFileSync(join(folder, 'release.yml'), 'utf8');
  expect(text).toContain(from);
  const path = join(home, 'release.yml');
  writeFileSync(path, text.replace(from, to));
  const { all, exitCode } = await lint([path]);
  expect(exitCode).toBe(1);
  expect(all).toContain(found);
});
