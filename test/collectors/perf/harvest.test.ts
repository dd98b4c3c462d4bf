import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventOf } from '../../../src/node/events.ts';
import { runLife } from '../../node/shell.ts';

const SOURCE = fileURLToPath(new URL('program.c', import.meta.url));

/** Builds of one program, whose functions have names of their own. */
const BUILDS = {
  server: ['server', '-static'],
  first: ['first', '-static'],
  second: ['second', '-static'],
  firstWithoutId: ['first', '-static', '-Wl,--build-id=none'],
  secondWithoutId: ['second', '-static', '-Wl,--build-id=none'],
} as const;
type Build = keyof typeof BUILDS;

let builds: string;
let folder: string;
let cgroup: string;

/** Where perf looks for cgroups: as the script finds it, the v1 mount of perf_event, otherwise cgroup2. */
function cgroupRoot(): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const old = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options!.split(',').includes('perf_event'),
  );
  return (old ?? mounts.findLast(([, , type]) => type === 'cgroup2'))![1]!;
}

beforeAll(() => {
  builds = mkdtempSync(join(tmpdir(), 'gkeprof-builds-'));
  for (const [build, [name, ...flags]] of Object.entries(BUILDS)) {
    const names = ['60', '30', '10'].map((share) => `-DNAME_${share}=${name}_${share}`);
    execFileSync('gcc', [
      '-O1',
      '-fno-omit-frame-pointer',
      ...flags,
      ...names,
      '-o',
      join(builds, build),
      SOURCE,
    ]);
  }
});
afterAll(() => rmSync(builds, { recursive: true }));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-harvest-'));
  cgroup = join(cgroupRoot(), folder.split('/').at(-1)!);
  mkdirSync(cgroup);
});
afterEach(async () => {
  for (let tries = 0; ; tries += 1) {
    try {
      // A process may have ended since it was listed: then the next try finds the rest.
      for (const pid of readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
        process.kill(Number(pid), 'SIGKILL');
      rmdirSync(cgroup);
      break;
    } catch (error) {
      if (tries > 1200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  rmSync(folder, { recursive: true });
});

/** Puts a build into a container as a file of its own: `cp` would write into the one that runs. */
function install(root: string, build: Build, path = 'app'): void {
  copyFileSync(join(builds, build), join(root, 'new'));
  renameSync(join(root, 'new'), join(root, path));
}

/** Starts a container whose first process is `/server WORDS`, with a build of the program as /app. */
async function contain(
  name: string,
  build: Build,
  ...words: string[]
): Promise<{ root: string; child: ChildProcess }> {
  const root = join(folder, name);
  mkdirSync(root);
  install(root, 'server', 'server');
  install(root, build);
  mkdirSync(join(root, 'proc'));
  const server = ['contain', join(cgroup, 'cgroup.procs'), root];
  const child = spawn(join(root, 'server'), [...server, ...words], { stdio: 'ignore' });
  // What it is to become: `run` goes on as /app.
  const command = [words[0] === 'run' ? '/app\0burn' : `${root}\0${words[0]}`, words[1]].join('\0');
  await expect.poll(() => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).toBe(`${command}\0`);
  return { root, child };
}

/** No look at what runs: only what is still there when the recording is over can be copied. */
const WITHOUT_WATCH = 'harvest_begin() { harvest_write; exec {harvest_ask}>/dev/null; }';
const WITHOUT_HARVEST = 'harvest_begin() { :; }; harvest_ask() { :; }; harvest_fill() { :; }';

/** Shell beside a recording: it starts when perf records, and the recording does not end before it, however busy the machine is. */
const beside = (
  shell: string,
) => `eval "own_$(declare -f perf_read_cpu; declare -f perf_stop | sed s/^perf_stop/own_perf_stop/)"
perf_read_cpu() {
  [[ -e $WORK/begun ]] || { { : >"$WORK/begun"; ${shell || ':'}; : >"$WORK/done"; } 8>&- 9>&- >/dev/null 2>&1 & }
  own_perf_read_cpu
}
perf_stop() { until [[ -e $WORK/done ]]; do sleep 0.1; done; own_perf_stop; }`;

/** Records what runs in the cgroup; `meanwhile` is shell that runs beside it. */
function record(before = '', meanwhile = '', seconds = 3) {
  const run = join(folder, 'run');
  mkdirSync(run);
  const began = Date.now();
  const life = runLife(
    run,
    [
      ...['collector=perf', 'scope=pod', `duration_ms=${seconds * 1000}`, 'max_bytes=1000000000'],
      ...[
        'min_free_percent=0',
        'install=0',
        'host_network=1',
        'frequency=997',
        'stacks=fp',
        'stack_bytes=16384',
        `pod_uid=${'0'.repeat(32)}`,
      ],
      ...['pod_namespace=x', 'pod_ips=', 'container_ids='],
    ],
    `pod_is_of_namespace() { :; }; target_is_gone() { false; }
     perf_prepare() { find_cgroup_root; pod_cgroup=${folder.split('/').at(-1)} watched_cgroup=$pod_cgroup; perf_scope=(--cgroup "$pod_cgroup"); }
     perf_version() { :; }
     ${beside(meanwhile)}
     ${before}`,
  );
  const text = gunzipSync(readFileSync(join(life.out, 'perf-script.txt.gz'))).toString('utf8');
  return {
    seconds: (Date.now() - began) / 1000,
    rest: life.rest,
    log: existsSync(join(life.out, 'harvest.log')) ? readFileSync(join(life.out, 'harvest.log'), 'utf8') : '',
    end: life.events.find((each): each is EventOf<'end'> => each.event === 'end')!,
    text,
    ...topsOf(text),
  };
}

/** The innermost functions of the samples that are in a program of a container, by their share of these. */
function topsOf(text: string): { samples: number; share: (name: RegExp) => number } {
  const tops = [
    ...text.matchAll(/^\S.*:\s*\n\s+[0-9a-f]+ (.*) \(\/(?:app|server)(?: \(deleted\))?\)$/gm),
  ].map(([, name]) => name!.replace(/\+0x[0-9a-f]+$/, ''));
  return {
    samples: tops.length,
    share: (name) => tops.filter((each) => name.test(each)).length / tops.length,
  };
}

function expectShares({ samples, share, text }: ReturnType<typeof record>, name: string): void {
  // A busy machine gives few.
  expect(samples, text.slice(-2000)).toBeGreaterThan(50);
  expect(share(/unknown/)).toBe(0);
  for (const wanted of [0.6, 0.3, 0.1]) {
    // Five standard errors, and what a slice of work that was cut off may be.
    const most = 5 * Math.sqrt((wanted * (1 - wanted)) / samples) + 0.03;
    expect(Math.abs(share(new RegExp(`^${name}_${100 * wanted}$`)) - wanted)).toBeLessThan(most);
  }
}

describe('a server that starts a program for each request', () => {
  it.each(['serve', 'fork'])('has the names of its functions, with their shares: %s', async (how) => {
    await contain('one', 'first', how, '5');
    const found = record();
    expect([found.rest, found.log]).toEqual(['', '']);
    expectShares(found, how === 'fork' ? 'server' : 'first');
    if (how === 'serve') expect(found.end.harvested).toBeGreaterThan(0);
  });

  // What the rest of this file is worth.
  it('has none where perf is left alone', async () => {
    await contain('one', 'first', 'serve', '5');
    expect(record(WITHOUT_HARVEST).share(/unknown/)).toBeGreaterThan(0.8);
  });

  it('has them where nothing was looked at during the recording', async () => {
    await contain('one', 'first', 'serve', '5');
    expectShares(record(WITHOUT_WATCH), 'first');
  });

  it('has them beside another container with another program at the same path', async () => {
    await contain('one', 'first', 'serve', '5');
    await contain('two', 'second', 'serve', '5');
    const found = record('', '', 4);
    expect(found.share(/unknown/)).toBe(0);
    // Whichever shares its CPU with something else gets less.
    expect(found.share(/^first_/)).toBeGreaterThan(0.1);
    expect(found.share(/^second_/)).toBeGreaterThan(0.1);
  });
});

describe('a program that was replaced or removed', () => {
  const swap = (root: string, build: Build) =>
    `cp ${join(builds, build)} ${root}/new; mv ${root}/new ${root}/app`;

  it.each([
    ['before the recording', 'before', ''],
    ['during it', 'during', ''],
    ['during it, and it ended', 'during', 'kill'],
  ])('keeps its own names: replaced %s', async (_, when, ends) => {
    const { root, child } = await contain('one', 'first', 'run', '100000');
    if (when === 'before') install(root, 'second');
    const meanwhile = when === 'before' ? ':' : `sleep 1.5; ${swap(root, 'second')}`;
    const found = record('', `${meanwhile}; ${ends ? `kill -KILL ${child.pid}` : ':'}`);
    expectShares(found, 'first');
    expect(found.text).not.toMatch(/\bsecond_/);
  });

  it('has no names where nobody had it open, and never those of the other', async () => {
    const { root, child } = await contain('one', 'first', 'run', '100000');
    const found = record(WITHOUT_WATCH, `sleep 1.5; ${swap(root, 'second')}; kill -KILL ${child.pid}`);
    expect(found.samples).toBeGreaterThan(50);
    expect(found.share(/unknown/)).toBe(1);
    expect(found.text).not.toMatch(/\b(?:first|second)_/);
  });

  it.each([
    ['runs on', ''],
    ['ends', 'kill'],
  ])('has its names where it has been deleted before, and %s', async (_, ends) => {
    const { root, child } = await contain('one', 'first', 'run', '100000');
    rmSync(join(root, 'app'));
    const found = record('', ends && `sleep 1.5; kill -KILL ${child.pid}`);
    expectShares(found, 'first');
  });

  it.each([
    ['runs on', ''],
    ['ends', 'kill'],
  ])('never has those of another where neither has a build id, and it %s', async (_, ends) => {
    const { root, child } = await contain('one', 'firstWithoutId', 'run', '100000');
    const found = record(
      '',
      `sleep 1.5; ${swap(root, 'secondWithoutId')}; ${ends ? `kill -KILL ${child.pid}` : ':'}`,
    );
    expect(found.samples).toBeGreaterThan(50);
    expect(found.text).not.toMatch(/\bsecond_/);
  });

  it('has its names where its container is gone when the recording ends', async () => {
    const { root, child } = await contain('one', 'first', 'run', '100000');
    const found = record('', `sleep 1.5; kill -KILL ${child.pid}; rm -r ${root}`);
    expectShares(found, 'first');
  });
});

describe('a hostile file at the path of a program that ended, in a container that lives', () => {
  it.each([
    ['a fifo', (path: string) => execFileSync('mkfifo', [path])],
    ['a link to /dev/zero', (path: string) => symlinkSync('/dev/zero', path)],
    ['a device', (path: string) => execFileSync('mknod', [path, 'c', '1', '5'])],
    // Outside of the container the link leads to a file with the very build id.
    ['a link to a file of the node', (path: string) => symlinkSync(join(builds, 'second'), path)],
    [
      'a file of a terabyte',
      (path: string) => {
        copyFileSync(join(builds, 'second'), path);
        truncateSync(path, 2 ** 40);
      },
    ],
    [
      'half an ELF file',
      (path: string) => writeFileSync(path, readFileSync(join(builds, 'second')).subarray(0, 300)),
    ],
    ['an empty file', (path: string) => writeFileSync(path, '')],
  ])('costs only its own names: %s', async (what, lay) => {
    const hostile = await contain('hostile', 'second', 'serve', '5');
    await contain('honest', 'first', 'serve', '5');
    const place = join(hostile.root, 'laid');
    lay(place);
    const found = record(WITHOUT_WATCH, `sleep 2; mv -T ${place} ${hostile.root}/app`, 4);
    expect([found.rest, found.log]).toEqual(['', '']);
    expect(found.share(/^first_/)).toBeGreaterThan(0.1);
    expect(found.share(/^second_/)).toBe(0);
    expect(found.share(/unknown/)).toBeGreaterThan(0.1);
    expect(found.end.harvested_bytes).toBeLessThan(10_000_000);
    expect(found.end.cut).toBeUndefined();
    // A terabyte, or what has no end, takes longer than that.
    expect(found.seconds).toBeLessThan(100);
    expect(found.end.unharvested).toBe(what === 'a file of a terabyte' ? 1 : undefined);
  });
});

// In a mount namespace of its own, with a /tmp of its own: nothing of it is left.
const CONTAINER = `
echo 0 >"$1" && mount -t tmpfs none /mnt && : >/mnt/node && mount --bind "$0" /mnt/node && mount --move /mnt /tmp || exit 1
eval "$2"
exec /tmp/node --no-opt $4 -e "$3"`;
const LOOP =
  'function jitLoop(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) % 1000003; return x; } for (;;) jitLoop(1e6)';
/** Node.js writes its jitdump file a page at a time, so a program that compiles nothing any more leaves the last functions out. */
const COMPILING = LOOP.replace(
  'jitLoop(1e6)',
  '{ jitLoop(1e6); new Function("return " + Math.random())(); }',
);

/** Starts Node.js in a container, and waits until this file is there, with the name of the function unless `lays` has made it. */
async function startNode(
  flags: string,
  fileOf: (pid: number) => string,
  lays = '',
  program = LOOP,
): Promise<ChildProcess> {
  const words = [CONTAINER, process.execPath, join(cgroup, 'cgroup.procs'), lays, program, flags];
  const child = spawn('unshare', ['-m', '--propagation', 'private', 'bash', '-c', ...words], {
    stdio: 'ignore',
    cwd: folder,
  });
  const file = fileOf(child.pid!);
  // An earlier process may have had this pid, and have left a map in the /tmp of this machine.
  rmSync(`/tmp/perf-${child.pid}.map`, { force: true });
  const isReady = () => existsSync(file) && (lays !== '' || readFileSync(file).includes('jitLoop'));
  await expect.poll(() => (child.exitCode === null ? isReady() : 'it has ended')).toBe(true);
  return child;
}
const inJit = (text: string) => /\bjitLoop\b/.test(text);

describe('a program with a JIT compiler that ends during the recording', () => {
  const mapOf = (pid: number) => `/proc/${pid}/root/tmp/perf-${pid}.map`;
  const startWithMap = () => startNode('--perf-basic-prof', mapOf);

  it('keeps the names of its functions', async () => {
    const child = await startWithMap();
    const found = record('harvest_maps=/tmp', `sleep 2; kill -KILL ${child.pid}`, 4);
    rmSync(`/tmp/perf-${child.pid}.map`);
    expect([found.rest, found.log]).toEqual(['', '']);
    expect(inJit(found.text)).toBe(true);
  });

  it('has none where perf is left alone', async () => {
    const child = await startWithMap();
    expect(inJit(record(WITHOUT_HARVEST, `sleep 2; kill -KILL ${child.pid}`, 4).text)).toBe(false);
  });

  it.each([
    ['a fifo', 'mkfifo "/tmp/perf-$$.map"'],
    ['a link to /dev/zero', 'ln -s /dev/zero "/tmp/perf-$$.map"'],
    ['a file of a terabyte', 'truncate -s 1T "/tmp/perf-$$.map"'],
  ])('costs only its own names with %s as its map', async (_, lays) => {
    // With the flag it would write over what is laid.
    const child = await startNode('', mapOf, lays);
    await contain('honest', 'first', 'serve', '5');
    const found = record('', `sleep 2; kill -KILL ${child.pid}`, 4);
    expect([found.rest, found.log]).toEqual(['', '']);
    expect(existsSync(`/tmp/perf-${child.pid}.map`)).toBe(false);
    expect(found.share(/unknown/)).toBe(0);
    expect(found.share(/^first_/)).toBeGreaterThan(0.9);
    expect(found.seconds).toBeLessThan(100);
  });
});

describe('a program with a JIT compiler that writes a jitdump file', () => {
  const dumpOf = (pid: number) => join(folder, `jit-${pid}.dump`);
  const startWithDump = () =>
    startNode('--perf-prof --interpreted-frames-native-stack', dumpOf, '', COMPILING);
  let child: ChildProcess;
  beforeEach(async () => {
    child = await startWithDump();
  });
  afterEach(() => rmSync(`/tmp/perf-${child.pid}.map`, { force: true }));

  it.each([
    ['and lives', ':'],
    ['and ends during the recording', 'sleep 2; kill -KILL PID'],
    ['and removes it', 'rm jit-PID.dump'],
  ])('has the names of its functions: %s', async (_, meanwhile) => {
    const found = record('', `cd ${folder}; ${meanwhile.replaceAll('PID', String(child.pid))}`, 4);
    expect([found.rest, found.log]).toEqual(['', '']);
    expect(inJit(found.text)).toBe(true);
    expect(found.end.harvested).toBeGreaterThan(0);
    expect(found.end.unharvested_why).toBeUndefined();
  });

  it('has none where perf is left alone', () => {
    expect(inJit(record(WITHOUT_HARVEST).text)).toBe(false);
  });

  it('has them where nothing was looked at during the recording', () => {
    expect(inJit(record(WITHOUT_WATCH).text)).toBe(true);
  });

  it('has none of the file of another process', () => {
    renameSync(dumpOf(child.pid!), dumpOf(child.pid! + 1));
    const found = record();
    expect(inJit(found.text)).toBe(false);
    expect(found.end.harvested).toBe(0);
  });

  it.each([
    ['large', 'is of a terabyte', 'truncate -s 1T FILE'],
    ['format', 'is something else', 'printf x | dd of=FILE conv=notrunc'],
  ])('costs only its own names, and it is said: %s, because it %s', async (why, _, lays) => {
    await contain('honest', 'first', 'serve', '5');
    execFileSync('bash', ['-c', lays.replaceAll('FILE', dumpOf(child.pid!))], { stdio: 'pipe' });
    const found = record();
    expect([found.rest, found.log]).toEqual(['', '']);
    expect(inJit(found.text)).toBe(false);
    expect(found.share(/unknown/)).toBe(0);
    expect(found.end).toMatchObject({ unharvested: 1, unharvested_why: why });
    expect(found.text).toContain(`# not read : ${why}: ${dumpOf(child.pid!)}\n`);
  });
});

/** The program of each request is among what was left out; so is the server's, if a child of it ran when the recording began. */
function expectLeftOut({ end, text }: ReturnType<typeof record>, why: string): void {
  const paths = [...text.matchAll(/^# not read : (\w+): (.*)$/gm)].map(([, each, path]) => `${each} ${path}`);
  expect(paths).toContain(`${why} /app`);
  expect(paths.filter((each) => each !== `${why} /app` && each !== `${why} /server`)).toEqual([]);
  expect(end).toMatchObject({ unharvested: paths.length, unharvested_why: why });
}

describe('the limits', () => {
  it('leave out a file that is larger, and it is said', async () => {
    await contain('one', 'first', 'serve', '5');
    const found = record('harvest_file_bytes=100000');
    expect(found.share(/unknown/)).toBeGreaterThan(0.8);
    expectLeftOut(found, 'large');
  });

  it('leave out what is too much together', async () => {
    await contain('one', 'first', 'serve', '5');
    expectLeftOut(record('harvest_all_bytes=100000'), 'total');
  });

  it('hold for a program that does not end', async () => {
    await contain('one', 'first', 'serve', '5');
    // Held up while the recording ran, and again after it.
    const found = record(
      'harvest_write() { echo "sleep 100; exit" >"$WORK/harvest.pl"; }; harvest_seconds=1',
    );
    expect(found.end).toMatchObject({ unharvested_why: 'time' });
    // The program that does not end sleeps for 100 s, and twice.
    expect(found.seconds).toBeLessThan(100);
  });

  it('and the image that has no perl leave the recording as it was', async () => {
    await contain('one', 'first', 'serve', '5');
    const found = record('type() { [[ $2 != perl ]] && builtin type "$@"; }');
    expect(found.end).toMatchObject({ unharvested_why: 'tools' });
    expect(found.samples).toBeGreaterThan(50);
  });
});

it('leaves nothing of the harvest in what is copied to the client', async () => {
  await contain('one', 'first', 'serve', '5');
  record();
  expect(readdirSync(join(folder, 'run', 'out')).sort()).toEqual(
    ['done', 'events.jsonl', 'harvest.log', 'perf-script.log', 'perf-script.txt.gz', 'perf.log'].sort(),
  );
});
