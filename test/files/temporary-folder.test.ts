import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sweepFolders, temporaryFolder } from '../../src/files/temporary-folder.ts';
import { gkeprof } from '../command-line.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gkeprof-sweep-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const MODULE = new URL('../../src/files/temporary-folder.ts', import.meta.url).href;
const MAKE = `import('${MODULE}').then(({ temporaryFolder }) => console.log(temporaryFolder(process.argv[1])));`;

/** A folder of a client that was killed in the middle of a copy. */
function leftByAKilled(): string {
  const path = execFileSync(process.execPath, ['-e', MAKE, directory]).toString().trim();
  writeFileSync(join(path, 'part'), 'half of a file');
  return path;
}

const DAY = 24 * 3600_000;
const sweep = (nowMs = Date.now()) => sweepFolders(directory, nowMs);
/** Made as one is on another computer. */
function ofAnother(age: number): string {
  const path = join(directory, '.gkeprof-0123456789ab-1-1-abcdef');
  mkdirSync(path, { mode: 0o700 });
  const at = (Date.now() - age) / 1000;
  utimesSync(path, at, at);
  return path;
}

describe('what killed clients left', () => {
  it('is removed with what is in it, and named', async () => {
    const path = leftByAKilled();
    expect(await sweep()).toEqual([basename(path)]);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is for its user alone', () => {
    expect(statSync(temporaryFolder(directory)).mode & 0o777).toBe(0o700);
  });

  it('is not what a running client has', async () => {
    temporaryFolder(directory);
    const other = spawn(process.execPath, ['-e', `${MAKE}setInterval(() => {}, 1000)`, directory]);
    await once(other.stdout, 'data');
    expect(await sweep(Date.now() + 9 * DAY)).toEqual([]);
    expect(readdirSync(directory)).toHaveLength(2);
    other.kill('SIGKILL');
    await once(other, 'close');
    expect(await sweep()).toHaveLength(1);
  });

  it('is known by the start of its maker, when another process has its id by now', async () => {
    const name = basename(temporaryFolder(directory));
    rmSync(join(directory, name), { recursive: true });
    const [, host, pid, start, random] = name.split('-');
    const before = `.gkeprof-${host}-${pid}-${Number(start) - 1}-${random}`;
    mkdirSync(join(directory, before), { mode: 0o700 });
    expect(await sweep()).toEqual(start === '0' ? [] : [before]);
  });

  it('is removed of another computer, or of an earlier release, when nothing was written for a day', async () => {
    const other = ofAnother(DAY - 60_000);
    const earlier = mkdtempSync(join(directory, '.gkeprof-'));
    expect(await sweep()).toEqual([]);
    expect((await sweep(Date.now() + 2 * DAY)).sort()).toEqual([basename(other), basename(earlier)].sort());
  });

  it('is not a folder that is still written to, however old it is', async () => {
    const path = ofAnother(9 * DAY);
    writeFileSync(join(path, 'part'), 'more');
    utimesSync(path, 1, 1);
    expect(await sweep()).toEqual([]);
  });

  it.each<[string, (path: string) => void]>([
    ['that others can read or write', (path) => chmodSync(path, 0o755)],
    ['that holds something else', (path) => writeFileSync(join(path, 'thesis.tex'), '')],
    [
      'that is a link',
      (path) => {
        rmSync(path, { recursive: true });
        mkdirSync(join(directory, 'own'));
        symlinkSync(join(directory, 'own'), path);
      },
    ],
    [
      'that is a file',
      (path) => {
        rmSync(path, { recursive: true });
        writeFileSync(path, '');
      },
    ],
    ...(process.getuid?.() === 0
      ? [
          ['of another user', (path: string) => chownSync(path, 65_534, 65_534)] as [
            string,
            (path: string) => void,
          ],
        ]
      : []),
  ])('is nothing %s', async (_what, change) => {
    const path = leftByAKilled();
    change(path);
    expect(await sweep(Date.now() + 9 * DAY)).toEqual([]);
    expect(readdirSync(directory)).toContain(basename(path));
  });

  it('is nothing with another name', async () => {
    for (const name of [
      '.gkeprof-notes',
      '.gkeprof',
      '.gkeprof-0123456789ab-1-1-abcdef.bak',
      'gkeprof-abcdef',
    ])
      mkdirSync(join(directory, name), { mode: 0o700 });
    expect(await sweep(Date.now() + 9 * DAY)).toEqual([]);
  });

  it('is swept by the next command that writes there, in one line', async () => {
    const path = leftByAKilled();
    writeFileSync(join(directory, 'x.folded'), 'a;b 1\n');
    const run = await gkeprof(['render', join(directory, 'x.folded'), '--output-dir', directory]);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain(
      `removed 1 folder that killed commands left in ${directory}: ${basename(path)}\n`,
    );
    expect(readdirSync(directory).sort()).toEqual(['x.flamegraph.svg', 'x.folded']);
  });
});
