import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventName, EventOf } from '../../src/node/events.ts';
import { type Life, runLife } from './shell.ts';

// Programs with a JIT compiler in mount namespaces of their own, with a /tmp of their own, as containers have. What
// each lays there is its $1, with its pid in $$. The honest one writes the map of its functions itself.
const PROGRAM = `
mount -t tmpfs none /mnt && : >/mnt/node && mount --bind "$0" /mnt/node && mount --move /mnt /tmp && chmod 1777 /tmp || exit 1
eval "$1"
exec nice -n 5 /tmp/node "$2" -e "$3"`;
const LOOP =
  'function honestLoop(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) % 1000003; return x; } for (;;) honestLoop(1e6)';

let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-life-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function start(lays: string, flag = '--no-opt'): Promise<number> {
  const child = spawn(
    'unshare',
    ['-m', '--propagation', 'private', 'bash', '-c', PROGRAM, process.execPath, lays, flag, LOOP],
    { stdio: 'ignore', cwd: folder }, // Node leaves a log of its own in its working directory.
  );
  children.push(child);
  await expect.poll(() => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).toMatch(/^\/tmp\/node/);
  return child.pid!;
}

/** One that is in its loop already, which its map shows. */
async function startHonest(): Promise<number> {
  const pid = await start('', '--perf-basic-prof');
  const map = `/proc/${pid}/root/tmp/perf-${pid}.map`;
  await expect.poll(() => readFileSync(map, 'utf8')).toContain('honestLoop');
  return pid;
}

const record = (before = '') =>
  runLife(
    folder,
    [
      'collector=perf',
      'scope=node',
      'duration_ms=1500',
      'max_bytes=1000000000',
      'min_free_percent=0',
      'install=0',
      'host_network=1',
      'frequency=99',
      'stacks=fp',
      'stack_bytes=16384',
    ],
    before,
  );

const stacks = ({ out }: Life) => gunzipSync(readFileSync(join(out, 'perf-script.txt.gz'))).toString('utf8');
const find = <Name extends EventName>({ events }: Life, name: Name): EventOf<Name> | undefined =>
  events.find((each): each is EventOf<Name> => each.event === name);

describe('a profile of a node with a hostile process', () => {
  it.each([
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    ['a fifo in place of its map', 'mkfifo "/tmp/perf-${$}.map"', ''],
    ['a link to /dev/zero in place of its map', 'ln -s /dev/zero "/tmp/perf-$$.map"', ''],
    ['a map of a terabyte', 'truncate -s 1T "/tmp/perf-$$.map"', ''],
    [
      'a fifo that was laid after everything was looked at',
      'mkfifo "/tmp/perf-$$.map"',
      'perf_hide_bad_maps() { :; }; perf_stuck_ms=3000',
    ],
    [
      'a link to /dev/zero that was laid after everything was looked at',
      'ln -s /dev/zero "/tmp/perf-$$.map"',
      'perf_hide_bad_maps() { :; }',
    ],
  ])('costs only its own names: %s', async (_, lays, before) => {
    const hostile = await start(lays);
    const honest = await startHonest();
    const life = record(before);
    expect(life.rest).toBe('');
    expect(find(life, 'refused')).toBeUndefined();
    expect(find(life, 'end')?.cut).toBeUndefined();
    expect(find(life, 'artifact')).toMatchObject({ role: 'stacks', file: 'perf-script.txt.gz' });
    const text = stacks(life);
    expect(text).toMatch(new RegExp(`^\\S+ +${honest}/`, 'm'));
    expect(text).toMatch(/\bhonestLoop\b/);
    expect(text).toMatch(new RegExp(`^\\S+ +${hostile}/`, 'm'));
  });

  // A mapped file that was removed is called `NAME (deleted)` in /proc/PID/maps, and perf record opens what is called so.
  it('is recorded, though perf is held up before it begins', async () => {
    const lays =
      'perl -e 1; cp /tmp/node /tmp/x 2>/dev/null; mkfifo "/tmp/x (deleted)"; (sleep 1; rm /tmp/x) & set -- "$1" "$2" "$3"; exec /tmp/x "$2" -e "$3"';
    const hostile = await startAs('/tmp/x', lays);
    const honest = await startHonest();
    await expect.poll(() => readFileSync(`/proc/${hostile}/maps`, 'utf8')).toContain('/tmp/x (deleted)');
    const life = record('perf_stuck_ms=3000');
    expect(life.rest).toBe('');
    expect(find(life, 'end')).toMatchObject({ reason: 'time', unnamed: 1 });
    expect(stacks(life)).toMatch(new RegExp(`^\\S+ +${honest}/`, 'm'));
    expect(stacks(life)).toMatch(/\bhonestLoop\b/);
  });

  async function startAs(program: string, lays: string): Promise<number> {
    const child = spawn(
      'unshare',
      ['-m', '--propagation', 'private', 'bash', '-c', PROGRAM, process.execPath, lays, '--no-opt', LOOP],
      { stdio: 'ignore' },
    );
    children.push(child);
    await expect
      .poll(() => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith(program))
      .toBe(true);
    return child.pid!;
  }
});

describe('a perf script that does not come to its end', () => {
  const perf = (script: string) =>
    `perf_apart() { if [[ $1 == script ]]; then ${script}; else exec perf "$@"; fi; }`;
  const SAMPLE = 'a 1/1 [000] 1.0: 1 cycles: \\n\\t 1 f (x)\\n\\n';

  it.each([
    ['is killed', 'kill -KILL "$BASHPID"', 'failed', 60_000],
    ['fails', 'exit 3', 'failed', 60_000],
    ['takes too long', 'exec sleep 1000', 'time', 5000],
  ])('is cut when it %s: what was whole by then is kept, and it is said', (_, end, why, mostMs) => {
    const life = record(
      `${perf(`printf '# header\\n${SAMPLE}${SAMPLE}b 2/2 [000] 1.0: 1 cyc'; sleep 0.3; ${end}`)}
       harvest_fill() { ((until = now + ${mostMs})); }`,
    );
    expect(find(life, 'end')).toMatchObject({ cut: why });
    expect(find(life, 'artifact')).toMatchObject({ role: 'stacks' });
    expect(stacks(life)).toBe(`# header\n${SAMPLE}${SAMPLE}`.replaceAll('\\n', '\n').replaceAll('\\t', '\t'));
    expect(existsSync(join(life.out, 'perf.data'))).toBe(false);
  });

  it.each([
    ['nothing', ':'],
    ['its header', "printf '# header\\n'"],
    ['half a sample', "printf '# header\\na 1/1 [000]'"],
  ])('keeps the samples themselves when %s was written', (_, script) => {
    const life = record(perf(`${script}; kill -KILL "$BASHPID"`));
    expect(life.rest).toBe('');
    expect(find(life, 'end')).toMatchObject({ cut: 'failed' });
    expect(find(life, 'artifact')).toMatchObject({ role: 'samples', file: 'perf.data' });
    expect(readFileSync(join(life.out, 'perf.data')).subarray(0, 8).toString()).toBe('PERFILE2');
  });

  // A security module may forbid mounts (AppArmor's profile for containers does).
  it('is cut, but not given up before, where nobody can be hidden', async () => {
    await start('mkfifo "/tmp/perf-$$.map"');
    const life = record('perf_hides=0; perf_stuck_ms=1000');
    expect(find(life, 'end')).toMatchObject({ cut: 'stuck' });
    expect(find(life, 'end')?.unnamed).toBeUndefined();
  });

  it('is cut when gzip fails', () => {
    const life = record('gzip() { cat >/dev/null; return 1; }');
    expect(find(life, 'end')).toMatchObject({ cut: 'space' });
    expect(find(life, 'artifact')).toMatchObject({ role: 'samples', file: 'perf.data' });
  });

  // perf leaves out what it has no memory for, and ends with 0: names would be missing without a word.
  it('is cut when it has no memory for the names', async () => {
    await start('');
    const life = record(
      'perf_least_kb=90000; perf_most_kb=90000; arg[scope]=pod; perf_prepare() { perf_scope=(); }',
    );
    expect(find(life, 'end')).toMatchObject({ cut: 'memory' });
  });
});
