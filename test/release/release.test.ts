import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { execa } from 'execa';
import { load } from 'js-yaml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { archiveName, PLATFORMS } from '../../scripts/release/platforms.ts';
import { nodeLicence, rcodesign, stripTool } from '../../scripts/release/tools.ts';
import { krewPrograms } from './krew.ts';
import { missingFrom, packagesOf } from './packages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const home = mkdtempSync(join(tmpdir(), 'gkeprof-release-'));
const dist = join(home, 'dist');
const archive = (name: string) => join(dist, 'archives', `kubectl-gkeprof_v${version}_${name}`);
const release = (to: string, ...words: string[]) =>
  execa(process.execPath, [join(root, 'scripts/release.ts'), to, ...words], { cwd: root });
/** The files in the bundle, by esbuild's metafile. */
const inputs = () => JSON.parse(readFileSync(join(dist, 'inputs.json'), 'utf8')) as string[];
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const sumsOf = (folder: string) => readFileSync(join(folder, 'archives/SHA256SUMS'), 'utf8');
/** No Node on PATH, no cache of somebody else's. */
const bare = { PATH: '/usr/bin:/bin', HOME: home, XDG_CACHE_HOME: join(home, 'cache') };

const ARCHIVES = [
  'darwin_amd64.tar.gz',
  'darwin_arm64.tar.gz',
  'linux_amd64.tar.gz',
  'linux_arm64.tar.gz',
  'windows_amd64.zip',
];

beforeAll(async () => {
  await release(dist);
}, 1_800_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const folders = new Map<string, string>();
/** The folder with the content of an archive, which is unpacked once. */
async function unpacked(name: string): Promise<string> {
  const known = folders.get(name);
  if (known) return known;
  const folder = join(home, `unpacked-${name}`);
  mkdirSync(folder, { recursive: true });
  if (name.endsWith('.zip')) await execa('python3', ['-m', 'zipfile', '-e', archive(name), folder]);
  else await execa('tar', ['-xzf', archive(name), '-C', folder]);
  folders.set(name, folder);
  return folder;
}

it.each(ARCHIVES)(
  '%s holds the program, the licences, the completion and the list of materials',
  async (name) => {
    const folder = await unpacked(name);
    const program = name.startsWith('windows') ? 'kubectl-gkeprof.exe' : 'kubectl-gkeprof';
    expect(readdirSync(folder).sort()).toEqual(
      [
        ...['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.txt', program],
        ...['kubectl_complete-gkeprof', 'sbom.cdx.json'],
      ].sort(),
    );
    expect(readFileSync(join(folder, 'LICENSE'), 'utf8')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
  },
);

it.each([
  ['linux_amd64.tar.gz', 'kubectl-gkeprof', /^ELF 64-bit LSB (?:pie )?executable, x86-64/],
  ['linux_arm64.tar.gz', 'kubectl-gkeprof', /^ELF 64-bit LSB (?:pie )?executable, ARM aarch64/],
  ['darwin_arm64.tar.gz', 'kubectl-gkeprof', /^Mach-O 64-bit arm64 executable/],
  ['darwin_amd64.tar.gz', 'kubectl-gkeprof', /^(?:a \/usr\/bin\/env node|Node\.js) script/],
  ['windows_amd64.zip', 'kubectl-gkeprof.exe', /^PE32\+ executable .*x86-64/],
])('%s is for that system, and carries this very program', async (name, program, format) => {
  const path = join(await unpacked(name), program);
  const { stdout: kind } = await execa('file', ['-b', path]);
  expect(kind).toMatch(format);
  if (name === 'darwin_amd64.tar.gz') return;
  const platform = PLATFORMS.find((each) => archiveName(each, version) === basename(archive(name)))!;
  if (platform.os === 'linux')
    expect(kind.endsWith(', stripped')).toBe((await stripTool(platform)) !== undefined);
  const esm = readFileSync(join(dist, 'kubectl-gkeprof'), 'utf8');
  const packed = /\/\*([A-Za-z0-9+/=]+)\*\/\n$/.exec(esm)![1]!;
  expect(readFileSync(path).includes(Buffer.from(packed, 'base64'))).toBe(true);
});

it('the archive for this system runs, with no Node on PATH, and does not read NODE_OPTIONS', async () => {
  const folder = await unpacked('linux_amd64.tar.gz');
  const run = (...words: string[]) =>
    execa(join(folder, 'kubectl-gkeprof'), words, { env: bare, extendEnv: false });
  for (const round of ['cold', 'warm']) {
    expect((await run('version')).stdout, round).toBe(version);
    expect((await run('manifests')).stdout, round).toContain('kind: Namespace');
  }
  const env = { ...bare, NODE_OPTIONS: '--require=/nonexistent' };
  const deaf = await execa(join(folder, 'kubectl-gkeprof'), ['manifests'], { env, extendEnv: false });
  expect(deaf.stdout).toContain('kind: Namespace');
  const folded = join(home, 'stacks.folded');
  writeFileSync(folded, 'redis-server;main;aeMain 3\nredis-server;main;beforeSleep 1\n');
  expect((await run('render', folded, '--format', 'top', '--output', '-')).stdout).toContain('aeMain');
});

it('the program for macOS has a signature that fits it, and one byte more or less is noticed', async () => {
  const path = join(await unpacked('darwin_arm64.tar.gz'), 'kubectl-gkeprof');
  const codesign = await rcodesign();
  const information = await execa(codesign, ['print-signature-info', path]);
  expect(information.stdout).toContain('identifier: kubectl-gkeprof');
  expect(information.stdout).toMatch(/flags: .*ADHOC/);
  expect(await pagesThatDiffer(path)).toBe(0);
  const changed = join(home, 'changed');
  cpSync(path, changed);
  const bytes = readFileSync(changed);
  bytes[1_000_000]! ^= 1;
  writeFileSync(changed, bytes);
  expect(await pagesThatDiffer(changed)).toBe(1);
});

/** What the kernel does when it loads a page: compares its hash with the code directory's (Apple's cs_blobs.h). */
async function pagesThatDiffer(path: string): Promise<number> {
  const bytes = readFileSync(path);
  expect(bytes.readUInt32LE(0)).toBe(0xfeedfacf);
  let at = 32;
  for (let left = bytes.readUInt32LE(16); bytes.readUInt32LE(at) !== 0x1d; left -= 1) {
    expect(left).toBeGreaterThan(0);
    at += bytes.readUInt32LE(at + 4);
  }
  const signature = bytes.subarray(bytes.readUInt32LE(at + 8));
  expect(signature.readUInt32BE(0)).toBe(0xfade0cc0);
  const blobs = Array.from({ length: signature.readUInt32BE(8) }, (_, index) => 12 + index * 8);
  const directoryAt = blobs
    .map((each) => signature.readUInt32BE(each + 4))
    .find((each) => signature.readUInt32BE(each) === 0xfade0c02)!;
  const directory = signature.subarray(directoryAt);
  expect([directory[36], directory[37]]).toEqual([32, 2]); // SHA-256
  const hashes = directory.readUInt32BE(16);
  const limit = directory.readUInt32BE(32);
  const page = 2 ** directory[39]!;
  const slots = directory.readUInt32BE(28);
  expect(slots).toBe(Math.ceil(limit / page));
  expect(limit).toBe(bytes.readUInt32LE(at + 8));
  let differ = 0;
  for (let slot = 0; slot < slots; slot += 1) {
    const found = createHash('sha256')
      .update(bytes.subarray(slot * page, Math.min(limit, (slot + 1) * page)))
      .digest();
    if (!found.equals(directory.subarray(hashes + slot * 32, hashes + slot * 32 + 32))) differ += 1;
  }
  return differ;
}

it('the checksums are those of the files', async () => {
  const { stdout } = await execa('sha256sum', ['--check', 'SHA256SUMS'], { cwd: join(dist, 'archives') });
  expect(stdout.split('\n').every((line) => line.endsWith(': OK'))).toBe(true);
  expect(stdout.split('\n')).toHaveLength(ARCHIVES.length + 1);
});

it('the notices in each archive name every package in the bundle, with its licence', async () => {
  const packages = packagesOf(inputs(), root);
  expect(packages.length).toBeGreaterThan(30);
  const licence = (await nodeLicence()).trim();
  const parts = ['OpenSSL', 'ICU', 'V8', 'zlib', 'zstd', 'npm'];
  expect(parts.filter((part) => !licence.includes(`\n- ${part}, located at `))).toEqual([]);
  for (const name of ARCHIVES) {
    const notices = readFileSync(join(await unpacked(name), 'THIRD-PARTY-NOTICES.txt'), 'utf8');
    expect(missingFrom(notices, packages), name).toEqual([]);
    const hasNode = notices.includes(`\n- node ${process.versions.node} (`) && notices.includes(licence);
    expect(hasNode, name).toBe(name !== 'darwin_amd64.tar.gz');
    // A package that is left out would be noticed.
    const without = notices.replaceAll('yargs-parser', '');
    expect(missingFrom(without, packages), name).toEqual(['yargs-parser 22.0.0']);
  }
});

it('the list of materials is CycloneDX, and equals what is in the bundle', async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  const purls = packagesOf(inputs(), root).map(({ purl }) => purl);
  const node = `pkg:generic/node@${process.versions.node}`;
  const of = async (path: string) => {
    const text = readFileSync(path, 'utf8');
    expect(await validator.validate(text)).toBeNull();
    const document = JSON.parse(text) as { components: Array<{ purl: string; components?: object[] }> };
    expect(
      await validator.validate(JSON.stringify({ ...document, components: [{ nonsense: 1 }] })),
    ).not.toBeNull();
    return document.components;
  };
  for (const name of ARCHIVES) {
    const components = await of(join(await unpacked(name), 'sbom.cdx.json'));
    const expected = name === 'darwin_amd64.tar.gz' ? purls : [...purls, node];
    expect(components.map(({ purl }) => purl).sort(), name).toEqual(expected.sort());
  }
  const released = await of(archive('sbom.cdx.json').replace('_sbom', '.sbom'));
  const parts = released.find(({ purl }) => purl === node)!.components as Array<{ name: string }>;
  expect(parts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['icu', 'openssl', 'sqlite', 'v8', 'zlib']),
  );
});

it('krew takes the manifest, and installs the archive with it', async () => {
  const programs = await krewPrograms();
  const manifest = join(dist, 'archives/gkeprof.yaml');
  await execa(join(programs, 'validate-krew-manifest'), ['-manifest', manifest, '-skip-install']);
  const krewRoot = join(home, 'krew');
  const env = { ...bare, KREW_ROOT: krewRoot, KREW_NO_UPGRADE_CHECK: '1' };
  const words = ['install', `--manifest=${manifest}`, `--archive=${archive('linux_amd64.tar.gz')}`];
  await execa(join(programs, 'krew'), words, { env, extendEnv: false });
  const plugin = join(krewRoot, 'bin/kubectl-gkeprof');
  expect((await execa(plugin, ['version'], { env, extendEnv: false })).stdout).toBe(version);
  const store = join(krewRoot, 'store/gkeprof', `v${version}`);
  expect(readdirSync(store).sort()).toEqual([
    'LICENSE',
    'THIRD-PARTY-NOTICES.txt',
    'kubectl-gkeprof',
    'kubectl_complete-gkeprof',
  ]);
  const PATH = [join(krewRoot, 'bin'), bare.PATH].join(':');
  const complete = await execa(join(store, 'kubectl_complete-gkeprof'), ['flam'], {
    env: { ...env, PATH },
    extendEnv: false,
  });
  expect(complete.stdout).toContain('flamegraph');
  const kubectl = await execa('sh', ['-c', 'command -v kubectl'], { reject: false });
  if (kubectl.exitCode === 0) {
    const PATH = [join(krewRoot, 'bin'), kubectl.stdout.replace(/\/[^/]*$/, ''), bare.PATH].join(':');
    const { stdout } = await execa('kubectl', ['gkeprof', 'version'], {
      env: { ...env, PATH },
      extendEnv: false,
    });
    expect(stdout).toBe(version);
  }
});

it('krew-index/gkeprof.yaml is what is built, but for the checksums and the place of the next release', () => {
  const plain = (path: string) =>
    JSON.stringify(load(readFileSync(path, 'utf8')), (key, value: unknown) =>
      key === 'sha256' || key === 'uri'
        ? String(value)
            .replace(/^.*\//, '')
            .replace(/^[0-9a-f]{64}$/, 'sum')
        : value,
    );
  expect(plain(join(root, 'krew-index/gkeprof.yaml'))).toBe(plain(join(dist, 'archives/gkeprof.yaml')));
});

it('the same sources make the same bytes', async () => {
  const second = join(home, 'second');
  await release(second, '--only=linux-x64', '--only=darwin-arm64');
  const again = sumsOf(second).split('\n');
  expect(again.filter(Boolean)).toHaveLength(3); // And the list of materials.
  expect(sumsOf(dist).split('\n')).toEqual(expect.arrayContaining(again));
  for (const folder of ['linux-x64/kubectl-gkeprof', 'darwin-arm64/kubectl-gkeprof'])
    expect(sha256(join(second, folder))).toBe(sha256(join(dist, folder)));
  rmSync(second, { recursive: true });
});

it('npm pack makes one package, which installs offline into an empty folder and runs there', async () => {
  const folder = join(home, 'npm');
  mkdirSync(folder);
  // Without foreground-scripts=false what prepack prints would stand before the JSON.
  const pack = ['pack', '--json', '--foreground-scripts=false', '--pack-destination', folder];
  const { stdout } = await execa('npm', pack, { cwd: root });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: Array<{ path: string }> }];
  const paths = packed.files.map(({ path }) => path);
  const loose = paths.filter((path) => !/^(?:image|manifests)\//.test(path));
  expect(loose.sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist/THIRD-PARTY-NOTICES.txt',
    'dist/kubectl-gkeprof',
    'dist/kubectl_complete-gkeprof',
    'man/kubectl-gkeprof.1',
    'package.json',
  ]);
  const words = ['install', '--offline', '--cache', join(folder, 'empty-cache'), '--no-audit', '--no-fund'];
  await execa('npm', [...words, '--prefix', folder, join(folder, packed.filename)], { cwd: folder });
  const modules = join(folder, 'node_modules');
  expect(readdirSync(modules).filter((name) => !name.startsWith('.'))).toEqual(['kubectl-gkeprof']);
  expect(sha256(join(modules, 'kubectl-gkeprof/dist/kubectl-gkeprof'))).toBe(
    sha256(join(dist, 'kubectl-gkeprof')),
  );
  const bin = join(modules, '.bin');
  const env = { ...bare, PATH: [bin, join(process.execPath, '..'), bare.PATH].join(':') };
  const run = (name: string, ...given: string[]) => execa(join(bin, name), given, { env, extendEnv: false });
  expect((await run('kubectl-gkeprof', 'version')).stdout).toBe(version);
  expect((await run('kubectl_complete-gkeprof', 'flam')).stdout).toContain('flamegraph');
});
