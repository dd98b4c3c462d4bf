import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filesIn, unpackImage } from '../../scripts/image/archive.ts';
import { imageBom } from '../../scripts/image/bom.ts';
import { contentsOf, debianPackage } from '../../scripts/image/contents.ts';
import { rowsOf, tableOf } from '../../scripts/image/table.ts';
import { ROOT } from '../../scripts/reference.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-contents-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

const stanza = (name: string, version: string, more = '') =>
  `Package: ${name}\nStatus: install ok installed\nArchitecture: arm64\n${more}Version: ${version}\n`;
const SUM = '0123456789abcdef0123456789abcdef';

/** A root file system of two packages. */
const twoPackages = () => {
  write('root/etc/os-release', 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="13"\n');
  write('root/var/lib/dpkg/status.d/tar', stanza('tar', '1.35+dfsg-3.1'));
  write('root/var/lib/dpkg/status.d/tar.md5sums', `${SUM}  bin/tar\n`);
  write('root/var/lib/dpkg/status.d/libzstd1', stanza('libzstd1', '1.5.7-1', 'Source: libzstd (1.5.7)\n'));
  write('root/var/lib/dpkg/status.d/libzstd1.md5sums', `${SUM}  usr/lib/libzstd.so.1\n`);
  write('root/usr/bin/tar', 'the program'.repeat(1000));
  write('root/usr/lib/libzstd.so.1', 'the library');
  write('root/usr/share/doc/tar/copyright', 'GPL');
  return join(folder, 'root');
};

describe('the contents of an image', () => {
  it('are its packages with their files, also where dpkg knows them from before /bin became a link', async () => {
    const { packages, files, debian } = await contentsOf(twoPackages());
    expect(debian).toEqual({ name: 'debian', version: '13' });
    expect(packages.map(({ name }) => name)).toEqual(['libzstd1', 'tar']);
    expect(files.get('tar')).toEqual(['usr/bin/tar']);
    expect(files.get('libzstd1')).toEqual(['usr/lib/libzstd.so.1']);
  });

  it('are refused if a file belongs to none of them', async () => {
    const root = twoPackages();
    write('root/usr/lib/stray.so', '');
    await expect(contentsOf(root)).rejects.toThrow('/usr/lib/stray.so belongs to no package');
  });

  it('are in a valid list of materials, with what each package was built from', async () => {
    const contents = await contentsOf(twoPackages());
    const text = await imageBom({ name: 'tools', version: '1', architecture: 'arm64' }, contents);
    const { components } = JSON.parse(text) as { components: ReadonlyArray<{ purl?: string }> };
    expect(components.flatMap(({ purl }) => purl ?? [])).toEqual([
      'pkg:deb/debian/libzstd1@1.5.7-1?arch=arm64&distro=debian-13&upstream=libzstd%401.5.7',
      'pkg:deb/debian/tar@1.35+dfsg-3.1?arch=arm64&distro=debian-13&upstream=tar%401.35%2Bdfsg-3.1',
    ]);
  });

  it('are in a table, the largest first, and the small ones together', async () => {
    const root = twoPackages();
    const rows = await rowsOf(root, await contentsOf(root));
    expect(rows.map(({ name }) => name)).toContain('libzstd1');
    expect(rows.find(({ name }) => name === 'tar')).toMatchObject({
      version: '1.35+dfsg-3.1',
      bytes: 11_000,
    });
    for (const { compressedBytes } of rows) expect(compressedBytes).toBeGreaterThan(20);
    const table = tableOf(rows, 1);
    expect(table.split('\n')).toHaveLength(5);
    expect(table).toContain(`| ${rows.length - 1} smaller ones |`);
  });
});

it('docs/image.md names each package that the Dockerfile takes, and no other', () => {
  const [, packages] = /PACKAGES="([^"]*)"/.exec(readFileSync(join(ROOT, 'image/Dockerfile'), 'utf8'))!;
  const page = readFileSync(join(ROOT, 'docs/image.md'), 'utf8');
  const [, named] = /come the packages ([^.]*)\./.exec(page)!;
  const names = named!.replaceAll(/\([^)]*\)/g, '').split(/[,\s]+|\band\b/);
  expect(names.filter(Boolean)).toEqual(packages!.split(/[\s\\]+/));
});

it('a stanza without a version is no package', () => {
  expect(debianPackage(stanza('a', '2:1-3', 'Source: b\n')).source).toEqual({ name: 'b', version: '2:1-3' });
  expect(() => debianPackage('Package: a\nArchitecture: all\n')).toThrow('no package is described by');
});

it('an image is unpacked layer by layer, without what a later layer removed', async () => {
  write('one/usr/kept', 'kept'.repeat(5000));
  write('one/usr/removed', 'removed');
  write('two/usr/.wh.removed', '');
  write('two/usr/new', 'new');
  write('all/config.json', '{"architecture":"arm64"}');
  write('all/manifest.json', '[{"Config":"config.json","Layers":["one.tar","two.tar.gz"]}]');
  await execa('tar', ['-cf', join(folder, 'all/one.tar'), '-C', join(folder, 'one'), '.']);
  await execa('tar', ['-czf', join(folder, 'all/two.tar.gz'), '-C', join(folder, 'two'), '.']);
  await execa('tar', ['-cf', join(folder, 'image.tar'), '-C', join(folder, 'all'), '.']);
  const image = await unpackImage(join(folder, 'image.tar'), join(folder, 'into'));
  expect(await filesIn(image.root)).toEqual(['usr/kept', 'usr/new']);
  expect(image.architecture).toBe('arm64');
  expect(image.compressedBytes).toBeGreaterThan(100);
  expect(image.compressedBytes).toBeLessThan(5000);
});
