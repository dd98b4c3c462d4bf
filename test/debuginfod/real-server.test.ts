import {
  type ChildProcess,
  type ExecFileSyncOptionsWithStringEncoding,
  execFileSync,
  spawn,
} from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { fakeServer, serving } from './fake-server.ts';

/**
 * The judges are perf, which reads the same recording with the symbols at hand, and debuginfod and debuginfod-find of elfutils.
 * Programs of known functions are built by each linker, stripped, and recorded; then what perf says of the same samples with
 * the files before strip in their place has to be what we say with the files of a debuginfod server.
 */
const LIBRARY = `
__attribute__((noinline)) static int hidden_burn(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i * 3; return s; }
int lib_work(int n) { int r = hidden_burn(n); return r + 1; }
int lib_alias(int n) __attribute__((alias("lib_work")));
int __lib_underscores_longer(int n) __attribute__((alias("lib_work")));
int lib_weak_and_longest_of_all(int n) __attribute__((weak, alias("lib_work")));
`;
const PROGRAM = `
int lib_work(int);
__attribute__((noinline)) static int main_burn(int n) { volatile int s = 0; for (int i = 0; i < n; i++) s += i * 7; return s; }
__attribute__((noinline)) int outer(int n) { int a = main_burn(n); int b = lib_work(n); return a + b; }
int main(void) { int s = 0; for (int i = 0; i < 4000; i++) s += outer(100000); return s & 1; }
`;

const BUILDS = [
  ['ld', ['-fuse-ld=bfd', '-Wl,-z,separate-code']],
  ['ld without separate code', ['-fuse-ld=bfd', '-Wl,-z,noseparate-code']],
  ['ld at a fixed address', ['-fuse-ld=bfd', '-no-pie']],
  ['gold', ['-fuse-ld=gold']],
  ['lld', ['-fuse-ld=lld']],
  ['lld at a fixed address', ['-fuse-ld=lld', '-no-pie']],
] as const;
type Build = (typeof BUILDS)[number][0];

let folder: string;
const servers: ChildProcess[] = [];
const quiet: ExecFileSyncOptionsWithStringEncoding = { stdio: 'pipe', encoding: 'utf8' };

/** What was recorded of a build: what perf says with all symbols, and the texts that have none of its functions. */
interface Recorded {
  readonly place: string;
  /** Stacks by perf with the files as they were before strip. */
  readonly truth: string;
  /** With the build IDs in front and the place in the file behind each object. */
  readonly stated: string;
  /** As perf prints the maps of the processes. */
  readonly mapped: string;
  readonly buildIds: ReadonlyMap<string, string>;
}
const recordings = new Map<Build, Recorded>();

const FIELDS = 'comm,pid,tid,time,period,event,ip,sym,symoff,dso';

function record(build: Build, flags: readonly string[]): Recorded {
  const place = join(folder, build.replaceAll(' ', '-'));
  const at = (...names: string[]) => join(place, ...names);
  for (const name of ['run', 'whole', 'objcopy', 'eu-strip', 'stripped'])
    mkdirSync(at(name), { recursive: true });
  writeFileSync(at('lib.c'), LIBRARY);
  writeFileSync(at('main.c'), PROGRAM);
  const common = ['-g', '-O1', '-fno-omit-frame-pointer', '-Wl,--build-id', ...flags];
  const shared = common.filter((flag) => flag !== '-no-pie');
  execFileSync('gcc', [...shared, '-shared', '-fPIC', at('lib.c'), '-o', at('whole/libwork.so')], quiet);
  const link = [`-L${at('whole')}`, '-lwork', '-Wl,-rpath,$ORIGIN'];
  execFileSync('gcc', [...common, at('main.c'), '-o', at('whole/main'), ...link], quiet);
  for (const name of ['main', 'libwork.so']) {
    execFileSync('objcopy', ['--only-keep-debug', at('whole', name), at('objcopy', `${name}.debug`)], quiet);
    execFileSync(
      'eu-strip',
      ['-f', at('eu-strip', `${name}.debug`), '-o', at('run', name), at('whole', name)],
      quiet,
    );
    copyFileSync(at('run', name), at('stripped', name));
  }
  // The library's functions that others call stay in .dynsym, where perf finds them too.
  const data = at('perf.data');
  const perf = (...args: string[]) => execFileSync('perf', args, { ...quiet, maxBuffer: 1 << 28 });
  perf(
    'record',
    '-B',
    '-e',
    'cpu-clock',
    '-F',
    '499',
    '-g',
    '--buildid-mmap',
    '-o',
    data,
    '--',
    at('run/main'),
  );
  const script = (...more: string[]) => perf('script', '-i', data, '-F', FIELDS, ...more);
  const ids = perf('buildid-list', '-i', data);
  const head = ids.replaceAll(/^(?=.)/gm, '# build-id: ');
  const plain = script();
  let stated: string;
  try {
    stated = perf('script', '-i', data, '-F', `${FIELDS},dsoff`);
  } catch {
    // perf 5.17 to 6.2 prints the place in the file where others print the address.
    stated = plain.replaceAll(/^(\t +)([0-9a-f]+) \[unknown\] \((\/.*)\)$/gm, '$1$2 [unknown] ($3+0x$2)');
  }
  const mapped = script('--show-mmap-events');
  for (const name of ['main', 'libwork.so']) copyFileSync(at('whole', name), at('run', name));
  const truth = script();
  return {
    ...{ place, truth, mapped, stated: head + stated },
    buildIds: new Map([...ids.matchAll(/^([0-9a-f]+) +(.*)$/gm)].map(([, id, path]) => [path!, id!])),
  };
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** A debuginfod server over the files of a folder, which knows this build ID when it is ready. */
async function debuginfod(place: string, buildId: string, kind: string): Promise<string> {
  const port = await freePort();
  const child = spawn('debuginfod', ['-d', ':memory:', '-p', String(port), '-F', place], {
    stdio: 'ignore',
    env: { ...process.env, DEBUGINFOD_URLS: '', HOME: folder },
  });
  servers.push(child);
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 600; tries += 1) {
    const answer = await fetch(`${url}/buildid/${buildId}/${kind}`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return url;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('debuginfod does not serve the files');
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-debuginfod-'));
  for (const [build, flags] of BUILDS) recordings.set(build, record(build, flags));
});
afterAll(() => {
  for (const server of servers) server.kill();
  rmSync(folder, { recursive: true });
});

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(folder, 'cache-'));
});

async function folded(text: string, ...flags: string[]) {
  const path = join(cache, 'raw.txt');
  writeFileSync(path, text);
  const words = ['render', path, '--format', 'folded', '--output', '-', ...flags];
  const { stdout, stderr } = await gkeprof(words, '', { DEBUGINFOD_CACHE_PATH: cache });
  return { stacks: stdout.toString().trim().split('\n'), stderr };
}

const FUNCTIONS = ['main', 'outer', 'main_burn', 'lib_alias', 'hidden_burn'];

describe.each(BUILDS.map(([build]) => build))('a program of %s', (build) => {
  const here = () => recordings.get(build)!;
  const idOf = (name: string) => here().buildIds.get(join(here().place, 'run', name))!;

  it('has no names of its own functions without their symbols, and all of them with', async () => {
    const { stated, truth } = here();
    const before = await folded(stated);
    for (const name of FUNCTIONS.filter((each) => each !== 'lib_alias' && each !== 'main'))
      expect(before.stacks.join('\n')).not.toContain(name);
    const { stacks } = await folded(truth);
    for (const name of FUNCTIONS) expect(stacks.join('\n')).toMatch(new RegExp(`;${name}(?:;| )`));
  });

  it.each([
    ['debug files of objcopy', ['objcopy'], 'debuginfo'],
    ['debug files of objcopy, and the executables', ['objcopy', 'stripped'], 'debuginfo'],
    ['debug files of eu-strip', ['eu-strip'], 'debuginfo'],
    ['files that were never stripped', ['whole'], 'executable'],
  ])('has the names that perf finds, from %s', async (_what, kept, kind) => {
    const { place, truth, stated, mapped } = here();
    const served = mkdtempSync(join(folder, 'served-'));
    for (const name of kept) execFileSync('cp', ['-r', join(place, name), served], quiet);
    const url = await debuginfod(served, idOf('main'), kind);
    const expected = await folded(truth);
    for (const text of [stated, mapped]) {
      const { stacks, stderr } = await folded(text, '--debuginfod', url);
      expect(stderr).toMatch(/debuginfod: named (\d+) of \1 frames/);
      expect(stacks).toEqual(expected.stacks);
    }
  });
});

describe('the cache', () => {
  /** `debuginfod-find KIND HEX` with the same cache. */
  const find = (url: string, kind: string, buildId: string) =>
    execa('debuginfod-find', [kind, buildId], {
      reject: false,
      env: { DEBUGINFOD_CACHE_PATH: cache, DEBUGINFOD_URLS: url, DEBUGINFOD_RETRY_LIMIT: '0' },
    });
  const program = () => {
    const { place, buildIds, stated } = recordings.get('ld')!;
    const buildId = buildIds.get(join(place, 'run', 'main'))!;
    const file = readFileSync(join(place, 'whole', 'main'));
    return { buildId, file, stated };
  };

  it('of debuginfod-find is used without a request', async () => {
    const { buildId, file, stated } = program();
    const server = await fakeServer(serving({ [`/buildid/${buildId}/debuginfo`]: file }));
    const path = join(cache, buildId, 'debuginfo');
    expect((await find(server.url, 'debuginfo', buildId)).stdout).toBe(path);
    await server.close();
    const { stderr } = await folded(stated, '--debuginfod', 'http://127.0.0.1:1');
    expect(stderr).toMatch(/still unknown: \d+ frames of \S+libwork\.so/);
    expect(stderr).not.toMatch(/still unknown: \d+ frames of \S+main /);
  });

  it('that we filled is used by debuginfod-find without a request', async () => {
    const { buildId, file, stated } = program();
    const server = await fakeServer(serving({ [`/buildid/${buildId}/debuginfo`]: file }));
    await folded(stated, '--debuginfod', server.url);
    const asked = server.asked.length;
    expect((await find(server.url, 'debuginfo', buildId)).stdout).toBe(join(cache, buildId, 'debuginfo'));
    expect(server.asked).toHaveLength(asked);
    await server.close();
  });

  it('keeps for both that no server has a file', async () => {
    const { buildId, stated } = program();
    const server = await fakeServer(serving({}));
    await find(server.url, 'debuginfo', buildId);
    expect(server.asked).toEqual([`/buildid/${buildId}/debuginfo`]);
    await folded(stated, '--debuginfod', server.url);
    expect(server.asked.filter((path) => path === `/buildid/${buildId}/debuginfo`)).toHaveLength(1);
    expect(server.asked).toContain(`/buildid/${buildId}/executable`);
    const asked = server.asked.length;
    expect((await find(server.url, 'executable', buildId)).stderr).toContain('No such file or directory');
    expect(server.asked).toHaveLength(asked);
    await server.close();
  });
});
