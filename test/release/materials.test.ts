import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { materialsOf } from '../../scripts/release/materials.ts';
import { thirdPartyNotices } from '../../scripts/release/notices.ts';
import { sbom } from '../../scripts/release/sbom.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gkeprof-materials-'));
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/@x/a': { integrity: 'sha512-AAAA' } } }),
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function installed(folder: string, manifest: object, files: Readonly<Record<string, string>>): string {
  const path = join(root, folder);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'package.json'), JSON.stringify(manifest));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return `${folder}/index.js`;
}

it('takes each version of a package once, from scopes and nested folders, with all its texts', () => {
  const a = installed(
    'node_modules/@x/a',
    { name: '@x/a', version: '1.0.0', license: 'MIT' },
    { license: 'A' },
  );
  const files = { 'LICENSE.md': 'B\r\nb', NOTICE: 'N' };
  const b = installed('node_modules/b', { name: 'b', version: '2.0.0' }, files);
  const nested = installed(
    'node_modules/c/node_modules/b',
    { name: 'b', version: '1.0.0' },
    { LICENCE: 'B1' },
  );
  const again = installed('node_modules/d/node_modules/b', { name: 'b', version: '2.0.0' }, files);
  const materials = materialsOf(['src/main.ts', 'lazily:fs', a, a, b, nested, again], root);
  expect(materials.map(({ name, version, texts }) => [name, version, texts])).toEqual([
    ['@x/a', '1.0.0', ['A']],
    ['b', '1.0.0', ['B1']],
    ['b', '2.0.0', ['B\nb', 'N']],
  ]);
  const notices = thirdPartyNotices(materials, { version: '26.0.0', licence: 'of Node' });
  for (const part of ['- @x/a 1.0.0 (MIT)\n', '- b 2.0.0 (see its text)\n', '\nB\nb\n\nN\n', '\nof Node\n'])
    expect(notices).toContain(part);
});

it('lists what the makers of a package have put into its files, by their source maps', () => {
  const path = installed('node_modules/whole', { name: 'whole', version: '3.0.0' }, { LICENSE: 'W' });
  const map = (sources: readonly string[]) =>
    writeFileSync(join(root, `${path}.map`), JSON.stringify({ sources }));
  map(['../src/own.ts', '../node_modules/.pnpm/content-type@1.0.5/node_modules/content-type/index.js']);
  expect(materialsOf([path], root).map(({ name, version }) => [name, version])).toEqual([
    ['content-type', '1.0.5'],
    ['whole', '3.0.0'],
  ]);
  map(['../node_modules/.pnpm/@x+unknown@1.0.0_y@2/node_modules/@x/unknown/index.js']);
  expect(() => materialsOf([path], root)).toThrow('the package @x/unknown has no licence file');
  map(['../node_modules/unknown/index.js']);
  expect(() => materialsOf([path], root)).toThrow('without a version');
});

it('fails for a package without a licence', () => {
  const path = installed('node_modules/none', { name: 'none', version: '1.0.0' }, {});
  expect(() => materialsOf([path], root)).toThrow('the package none has no licence file');
});

it('lists Node with its parts, but not the numbers of its interfaces', async () => {
  const whole = { name: 'whole', version: '1.0.0' };
  const made = JSON.parse(await sbom(whole, [], { node: '26.0.0', v8: '1', modules: '147' })) as {
    components: object[];
  };
  expect(made.components).toEqual([expect.objectContaining({ name: 'node', version: '26.0.0' })]);
  expect(made.components[0]).toMatchObject({ components: [{ name: 'v8', version: '1' }] });
  await expect(sbom({ name: 'whole' }, [])).rejects.toThrow('no name or version');
});
