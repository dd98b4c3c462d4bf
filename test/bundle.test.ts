import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execa, execaSync } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { needing } from './needing.ts';
import { KUBECTL_PATH } from './real-kubectl.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = join(root, 'dist/kubectl-gkeprof');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-bundle-'));
  await execa(process.execPath, [join(root, 'scripts/build.ts')]);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => rmSync(join(home, 'kubectl-gkeprof'), { recursive: true, force: true }));

const run = (words: readonly string[], cache = home) =>
  execa(process.execPath, [bundle, ...words], { env: { XDG_CACHE_HOME: cache }, extendEnv: false });
const folder = () => join(home, 'kubectl-gkeprof');
/** The kept files by what they are of. */
const kept = () =>
  Object.fromEntries(
    readdirSync(folder()).map((name) => [
      name.replace(/^[0-9a-f]{16}-(?:v[\d.]+-\w+-)?/, ''),
      join(folder(), name),
    ]),
  );
const MANIFESTS = ['answers.txt', 'program-manifests.v8', 'program.txt'];

it('takes flags before the verb and help behind it, as the sources do', async () => {
  const env = { XDG_CACHE_HOME: home, PATH: '/nowhere' };
  const errorOf = async (...words: string[]) => {
    const ended = await execa(process.execPath, [bundle, ...words], { env, extendEnv: false, reject: false });
    return [ended.exitCode, ended.stderr];
  };
  const flags = ['-n', 'shop', '--context', 'c', '--kubeconfig', '/no/such/file'];
  const behind = await errorOf('flamegraph', 'pod/x', ...flags);
  expect(behind[0]).toBe(3);
  expect(await errorOf(...flags, 'flamegraph', 'pod/x')).toEqual(behind);
  expect(await errorOf(...flags, 'flamegraph', 'pod/x', '--frequency', '0')).toEqual([
    2,
    expect.stringContaining('--frequency'),
  ]);
  const help = (await run(['flamegraph', '--help'])).stdout;
  expect((await run(['flamegraph', 'help'])).stdout).toBe(help);
  expect((await run(['-n', 'shop', '-h', 'flamegraph'])).stdout).toBe(help);
  expect((await run(['options'])).stdout).toContain('--as-group');
  expect((await run(['__complete', '-n', 'shop', 'fla'])).stdout).toMatch(/^flamegraph\t/);
});

it('the bundle keeps its texts and their compiled form in the cache folder, for its owner alone, and uses them', async () => {
  const { stdout } = await run(['manifests']);
  expect(stdout).toContain('kind: Namespace');
  expect(Object.keys(kept()).sort()).toEqual(MANIFESTS);
  const before = Object.values(kept()).map((file) => statSync(file));
  for (const { mode } of before) expect(mode & 0o777).toBe(0o600);
  expect((await run(['manifests'])).stdout).toBe(stdout);
  expect(Object.values(kept()).map((file) => statSync(file).ctimeMs)).toEqual(
    before.map((each) => each.ctimeMs),
  );
});

it.each(MANIFESTS)(
  'a %s that is damaged, cut short, or that others can write is not used, and replaced',
  async (name) => {
    const { stdout } = await run(['manifests']);
    for (const change of [
      (file: string) => writeFileSync(file, 'nonsense'),
      (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 1000)),
      (file: string) => chmodSync(file, 0o666),
    ]) {
      const file = kept()[name]!;
      change(file);
      const before = statSync(file);
      expect((await run(['manifests'])).stdout).toBe(stdout);
      const after = statSync(kept()[name]!);
      expect(after.ctimeMs).toBeGreaterThan(before.ctimeMs);
      expect(after.size).toBeGreaterThan(10_000);
      expect(after.mode & 0o777).toBe(0o600);
    }
  },
);

/** A folder of the cache's name that is not to be used: how it is made, given one with files as we would keep them. */
const FOREIGN: ReadonlyArray<readonly [string, (planted: string) => void]> = [
  ['a link to a folder', (planted) => symlinkSync(planted, folder())],
  ['a folder that others can write', (planted) => copied(planted, 0o777)],
  ['a folder that others can read', (planted) => copied(planted, 0o755)],
  ...(process.getuid?.() === 0
    ? ([
        ['a folder of another user', (planted: string) => chownSync(copied(planted, 0o700), 65_534, 65_534)],
      ] as const)
    : []),
];

function copied(planted: string, mode: number): string {
  cpSync(planted, folder(), { recursive: true });
  chmodSync(folder(), mode);
  return folder();
}

it.each(FOREIGN)('runs nothing that is kept in %s, and keeps nothing there', async (_what, make) => {
  const { stdout } = await run(['manifests']);
  const planted = join(home, 'planted');
  cpSync(folder(), planted, { recursive: true });
  chmodSync(planted, 0o700);
  const program = readdirSync(planted).find((name) => name.endsWith('-program.txt'))!;
  // Another program of the same length, as whoever plants one would make it.
  const text = readFileSync(join(planted, program), 'latin1');
  const evil = `(function(){process.stdout.write('planted');process.exit(0)})`;
  writeFileSync(join(planted, program), evil.padEnd(text.length), { mode: 0o600 });
  for (const name of readdirSync(planted)) if (name.endsWith('.v8')) rmSync(join(planted, name));
  rmSync(folder(), { recursive: true });
  make(planted);
  const before = readdirSync(folder()).sort();
  expect((await run(['manifests'])).stdout).toBe(stdout);
  expect(readdirSync(folder()).sort()).toEqual(before);
  rmSync(planted, { recursive: true });
});

it.each([
  ['a link', (file: string, other: string) => symlinkSync(other, file)],
  ['a file with another name', (file: string, other: string) => linkSync(other, file)],
  ['a pipe', (file: string) => execaSync('mkfifo', [file])],
])('%s in place of a kept file is not used, and replaced', async (_what, make) => {
  const { stdout } = await run(['manifests']);
  const file = kept()['program.txt']!;
  const other = join(home, 'other');
  renameSync(file, other);
  make(file, other);
  expect((await run(['manifests'])).stdout).toBe(stdout);
  expect(lstatSync(file).isFile()).toBe(true);
  expect(lstatSync(file).nlink).toBe(1);
  rmSync(other);
});

it('keeps nothing below a relative folder', async () => {
  const options = { env: { XDG_CACHE_HOME: '.' }, extendEnv: false, cwd: home };
  await execa(process.execPath, [bundle, 'manifests'], options);
  expect(existsSync(folder())).toBe(false);
});

needing('root')('root leaves nothing in the cache folder of another user', async () => {
  const cache = join(home, 'of-another');
  mkdirSync(cache);
  chownSync(cache, 65_534, 65_534);
  await run(['manifests'], cache);
  expect(readdirSync(cache)).toEqual([]);
});

it('what other releases left goes, what is not ours stays', async () => {
  await run(['version']);
  for (const name of ['0123456789abcdef-program.txt', '0123456789abcdef-v26.0.0-x64-client.v8', 'notes'])
    writeFileSync(join(folder(), name), '');
  await run(['manifests']);
  expect(Object.keys(kept()).sort()).toEqual([...MANIFESTS.slice(0, 1), 'notes', ...MANIFESTS.slice(1)]);
});

it('works where nothing can be kept', async () => {
  for (const cache of ['/dev/null', '']) {
    expect((await run(['version'], cache)).stdout).toBe(version);
    expect((await run(['manifests'], cache)).stdout).toContain('kind: Namespace');
  }
});

it('knows the commit that it was made from', async () => {
  const git = async (...words: string[]) => (await execa('git', words, { cwd: root })).stdout;
  const { build } = JSON.parse((await run(['version', '-o', 'json'])).stdout) as { build: unknown };
  expect(build).toEqual({
    commit: await git('rev-parse', 'HEAD'),
    date: new Date(await git('log', '-1', '--format=%cI')).toISOString().replace('.000', ''),
    modified: (await git('status', '--porcelain', '--untracked-files=no')) !== '',
  });
});

it('gives the answers that the sources give', async () => {
  const plugin = join(root, 'plugin/kubectl-gkeprof');
  for (const words of [
    [],
    ['--help'],
    ['version'],
    ['pcap', '--help'],
    ['help', 'render'],
    ['flamegrap'],
    ['__complete', ''],
    ['__complete', 'flamegraph', '--f'],
    ['__complete', 'flamegraph', 'pod/'],
  ]) {
    const options = { reject: false, env: { XDG_CACHE_HOME: home } } as const;
    const [ours, theirs] = await Promise.all([
      execa(process.execPath, [bundle, ...words], options),
      execa(process.execPath, [plugin, ...words], options),
    ]);
    expect([ours.stdout, ours.stderr, ours.exitCode]).toEqual([
      theirs.stdout,
      theirs.stderr,
      theirs.exitCode,
    ]);
  }
});

it('says nothing of its own making, of what it loads late either', async () => {
  const options = { env: { XDG_CACHE_HOME: home }, cwd: home, input: gzipSync('a;b 1\n') };
  const made = await execa(
    process.execPath,
    [bundle, 'render', '-', '--format', 'folded', '-o', 'yaml'],
    options,
  );
  expect(made.stdout).toContain('kind: ProfileReport');
  expect(made.stderr).not.toContain('Warning');
});

it('completes names that kubectl tells', async () => {
  const bin = join(home, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'kubectl'), '#!/bin/sh\necho redis load\n', { mode: 0o755 });
  const words = ['__complete', 'flamegraph', 'pod/redis-0', '-c', ''];
  const env = { XDG_CACHE_HOME: home, PATH: `${bin}:/usr/bin:/bin` };
  const asked = await execa(process.execPath, [bundle, ...words], { env, extendEnv: false });
  expect(asked.stdout).toBe('redis\nload\n:4');
});

it.each([
  [
    'once for a verb with a cluster',
    ['flamegraph', 'pod/p', '--kubeconfig=/first', '--kubeconfig', '/k'],
    ['/k'],
  ],
  ['not for its help', ['flamegraph', '--help', 'pod/p', '-v'], []],
  ['not for a verb without a cluster', ['render', '/nonexistent'], []],
])('asks kubectl for the configuration: %s', async (_, words, files) => {
  const bin = join(home, 'fake-bin');
  const log = join(home, 'kubectl.log');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'kubectl'), `#!/bin/sh\necho "$*" >>${log}\necho no >&2; exit 1\n`, {
    mode: 0o755,
  });
  writeFileSync(log, '');
  // The file has to be there, or it is refused before.
  const kubeconfig = join(home, 'k');
  writeFileSync(kubeconfig, '');
  const given = words.map((word) => (word === '/k' ? kubeconfig : word));
  const env = { XDG_CACHE_HOME: home, PATH: `${bin}:/usr/bin:/bin` };
  await execa(process.execPath, [bundle, ...given], { env, extendEnv: false, reject: false });
  const calls = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  expect(calls).toEqual(files.map(() => `config view --raw -o json --kubeconfig=${kubeconfig}`));
});

it('talks to a cluster with the parts of the client that it carries', async () => {
  const pod = {
    metadata: { name: 'p', uid: 'u' },
    spec: { nodeName: 'n', containers: [] },
    status: { phase: 'Failed' },
  };
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const body = request.url!.endsWith('/p') ? pod : { status: { allowed: true }, items: [] };
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const kubeconfig = join(home, 'kubeconfig');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [
        {
          name: 'c',
          cluster: {
            server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
            'insecure-skip-tls-verify': true,
          },
        },
      ],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  const result = await execa(process.execPath, [bundle, 'flamegraph', 'pod/p', '--kubeconfig', kubeconfig], {
    env: { XDG_CACHE_HOME: home, PATH: KUBECTL_PATH },
    reject: false,
  });
  server.close();
  expect(asked).toContain('GET /api/v1/namespaces/default/pods/p');
  expect(asked).toContain('POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews');
  expect(result.stderr).toContain('pod "p"');
  expect(Object.keys(kept())).toContain('client.txt');
});
