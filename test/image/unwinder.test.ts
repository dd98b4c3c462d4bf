import { spawnSync } from 'node:child_process';
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

  it('needs no library of the node, and no other modules than go.sum has', () => {
    expect(problemOf('go', 'mod', 'verify')).toBe('');
    expect(
      problemOf(
        'env',
        'CGO_ENABLED=0',
        'GOARCH=arm64',
        'GOFLAGS=-mod=readonly',
        'go',
        'build',
        '-o',
        '/dev/null',
        '.',
      ),
    ).toBe('');
  });
});
