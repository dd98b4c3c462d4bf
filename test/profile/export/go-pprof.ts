import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { beforeAll } from 'vitest';

const PATH = `${process.env.PATH}${delimiter}/usr/local/go/bin`;

/** Go builds its pprof at the first use, from source: minutes on a machine where nobody ever asked for it. */
export const pprofIsBuilt = () =>
  beforeAll(() => {
    const { error } = spawnSync('go', ['tool', 'pprof', '-help'], {
      stdio: 'ignore',
      env: { ...process.env, PATH },
    });
    if (error) throw new Error('this test needs Go, on the PATH or in /usr/local/go', { cause: error });
  }, 600_000);

/** What Go's own tool says of a profile. */
export function pprof(bytes: Uint8Array, ...words: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-pprof-'));
  const file = join(folder, 'p.pb');
  try {
    writeFileSync(file, bytes);
    return execFileSync('go', ['tool', 'pprof', ...words, file], {
      encoding: 'utf8',
      env: { ...process.env, PATH, PPROF_TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
