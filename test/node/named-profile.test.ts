import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Life, runLife } from './shell.ts';

const ROOT = join(import.meta.dirname, '../..');
const GO = '/usr/local/go/bin';
const env = { ...process.env, PATH: `${GO}:${process.env.PATH}`, CGO_ENABLED: '0' };
const BUSY = `package main

//go:noinline
func busyWork(n int) (s int) {
	for i := 0; i < n; i++ {
		s += i * i % 7
	}
	return s
}

func main() {
	for {
		busyWork(100000)
	}
}
`;

/**
 * perf with the field dsoff, which this machine's may not have: before Linux 6.4 perf prints the offset in the file in the
 * place of the address.
 */
const PERF = `#!/bin/bash
[[ $1 != version ]] || exec echo perf version 6.4
real=REAL
"$real" script -F ip,sym,dso,dsoff -i /dev/null >/dev/null 2>&1 </dev/null
(($? == 129)) && [[ $* == *dsoff* ]] || exec "$real" "$@"
[[ " $* " != *' /dev/null '* ]] || exit 0
"$real" "\${@//,dsoff/}" | sed -E 's|^\\t *([0-9a-f]+) (.* \\(/.*)\\)$|\\t \\1 \\2+0x\\1)|'
exit "\${PIPESTATUS[0]}"
`;

let folder: string;
let program: ChildProcess;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-names-'));
  for (const each of ['bin', 'busy']) mkdirSync(join(folder, each));
  execFileSync('go', ['build', '-o', join(folder, 'bin/gkeprof-unwinder'), '.'], {
    cwd: join(ROOT, 'image/unwinder'),
    env,
  });
  writeFileSync(join(folder, 'busy/go.mod'), 'module busy\n\ngo 1.21\n');
  writeFileSync(join(folder, 'busy/main.go'), BUSY);
  execFileSync('go', ['build', '-ldflags=-s -w', '-o', join(folder, 'busy/busy'), '.'], {
    cwd: join(folder, 'busy'),
    env,
  });
  const real = execFileSync('bash', ['-c', 'type -P perf'], { encoding: 'utf8' }).trim();
  writeFileSync(join(folder, 'bin/perf'), PERF.replace('REAL', real));
  chmodSync(join(folder, 'bin/perf'), 0o755);
  program = spawn(join(folder, 'busy/busy'), { stdio: 'ignore' });
  await delay(200);
});
afterAll(() => {
  program.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

let runs = 0;
const record = (before: string) => {
  const scratch = join(folder, `run${++runs}`);
  mkdirSync(scratch);
  const argv = [
    'collector=perf',
    'scope=node',
    'duration_ms=1500',
    'max_bytes=1000000000',
    'min_free_percent=0',
  ];
  const perf = ['frequency=99', 'stacks=fp', 'stack_bytes=16384'];
  return runLife(scratch, [...argv, 'install=0', 'host_network=1', ...perf], before);
};
/** What concerns this test: comments, and frames of its program or with offsets. */
const stacks = ({ out }: Life): string =>
  gunzipSync(readFileSync(join(out, 'perf-script.txt.gz')))
    .toString('utf8')
    .split('\n')
    .filter((line) => /^#|PERF_RECORD_MMAP|\/busy\/busy|\+0x[0-9a-f]+\)$|^a 1\/1/.test(line))
    .filter((line) => !/^\t +[0-9a-f]+ \[unknown\] \(.*\+0x/.test(line) || line.includes(folder))
    .join('\n');
const path = () => `PATH=${folder}/bin:$PATH`;

describe('a profile of a Go program without symbol tables', () => {
  it('has the names of its functions where the image has the program that reads them', () => {
    const life = record(path());
    expect(life.rest).toBe('');
    const text = stacks(life);
    expect(text).toMatch(/^# build-id: [0-9a-f]+ \//m);
    expect(text).toMatch(
      new RegExp(`^\\t +[0-9a-f]+ main\\.busyWork\\+0x[0-9a-f]+ \\(${folder}/busy/busy\\)$`, 'm'),
    );
    expect(text).not.toMatch(new RegExp(`\\[unknown\\] \\(${folder}/busy/busy`));
    expect(text).not.toContain('PERF_RECORD_MMAP');
    // Only what has no name has its place in the file.
    expect(text).not.toMatch(/^\t +[0-9a-f]+ (?!\[unknown\]).*\+0x[0-9a-f]+\)$/m);
  });

  it('has none without it, as before', () => {
    const text = stacks(record(''));
    expect(text).toContain(`[unknown] (${folder}/busy/busy)`);
    expect(text).not.toContain('# build-id');
  });

  it.each([
    ['that fails', 'exit 3', 3],
    ['that dies in the middle', 'head -c 3000; kill -KILL $$', 137],
  ])('has all its samples with a program %s, and it is said', (_, does, status) => {
    const broken = join(folder, `broken${status}`);
    mkdirSync(broken);
    writeFileSync(join(broken, 'gkeprof-unwinder'), `#!/bin/bash\n${does}\n`);
    chmodSync(join(broken, 'gkeprof-unwinder'), 0o755);
    const life = record(`PATH=${broken}:${folder}/bin:$PATH`);
    const text = stacks(life);
    expect(text).toContain(`[unknown] (${folder}/busy/busy)`);
    expect(text).toMatch(new RegExp(`^# names : .* status ${status}$`, 'm'));
    expect(life.events.find(({ event }) => event === 'end')).not.toHaveProperty('cut');
  });

  it('is not held up by a program that does not end after perf is killed', () => {
    const slow = join(folder, 'slow');
    mkdirSync(slow);
    writeFileSync(join(slow, 'gkeprof-unwinder'), '#!/bin/bash\nexec cat\n');
    chmodSync(join(slow, 'gkeprof-unwinder'), 0o755);
    const life = record(
      `PATH=${slow}:${folder}/bin:$PATH
       perf_apart() { if [[ $1 == script ]]; then printf 'a 1/1 [000] 1.0: 1 cycles: \\n\\t 1 f (x)\\n\\nb'; exec sleep 100; else exec perf "$@"; fi; }
       harvest_fill() { ((until = now + 4000)); }`,
    );
    expect(life.events.find(({ event }) => event === 'end')).toMatchObject({ cut: 'time' });
    expect(stacks(life)).toContain('a 1/1 [000] 1.0: 1 cycles: ');
  });

  // The time was over before perf script began, and the shell that becomes perf was killed before it had opened the pipe.
  it.each([
    ['with', () => path()],
    ['without', () => ''],
  ])('keeps the samples if there is no time left for perf script, %s the program', (_, variables) => {
    const life = record(`${variables()}\nharvest_fill() { ((until = 1)); }`);
    expect(life.events.map(({ event }) => event).slice(-2)).toEqual(['artifact', 'end']);
    expect(life.events.find(({ event }) => event === 'end')).toMatchObject({ cut: 'time' });
  });
});
