import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const FOLDER = join(import.meta.dirname, '../../image/unwinder');

/** What a command of Go printed in the folder of the program, if it failed. */
function problemOf(...argv: readonly string[]): string {
  const [program, ...rest] = argv as [string, ...string[]];
  const { status, stdout, stderr } = spawnSync(program, rest, {
    cwd: FOLDER,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    env: {
      ...process.env,
      PATH: ['/usr/local/go/bin', process.env.PATH].join(delimiter),
      // The tests of Go skip what the machine lacks. Here the table of tools has said that it is there.
      GKEPROF_NEED_ALL: '1',
    },
  });
  return status === 0 ? '' : `${argv.join(' ')}: ${status}\n${stdout}\n${stderr}`;
}

describe('gkeprof-unwinder', () => {
  it('is formatted and vetted', () => {
    const { stdout } = spawnSync('/bin/sh', ['-c', 'PATH=/usr/local/go/bin:$PATH gofmt -l .'], {
      cwd: FOLDER,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(problemOf('go', 'vet', './...')).toBe('');
  });

  it('passes its tests', () => {
    expect(problemOf('go', 'test', './...')).toBe('');
  }, 600_000);

  it('needs no other modules than go.sum has', () => {
    expect(problemOf('go', 'mod', 'verify')).toBe('');
    expect(problemOf('env', 'GOFLAGS=-mod=readonly', 'go', 'build', '-o', '/dev/null', '.')).toBe('');
  });

  // The unwinder is built with changes to the profiler, which must fit the version that go.mod names.
  it.each(['amd64', 'arm64'])(
    'is built for %s, and needs no library of the node',
    (architecture) => {
      const folder = mkdtempSync(join(tmpdir(), 'unwinder-'));
      try {
        const program = join(folder, 'gkeprof-unwinder');
        expect(problemOf('sh', 'build.sh', program, architecture)).toBe('');
        const { stdout } = spawnSync('readelf', ['--program-headers', program], { encoding: 'utf8' });
        expect(stdout).toContain('LOAD');
        expect(stdout).not.toContain('INTERP');
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    600_000,
  );
});
