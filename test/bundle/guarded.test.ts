import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { guarded, pathOf } from '../../scripts/bundle/guarded.ts';

const bundled = (contents: string) =>
  build({
    stdin: { contents, resolveDir: '/' },
    bundle: true,
    write: false,
    logLevel: 'silent',
    plugins: [
      guarded('plain', ['one', 'two'], (bundle, matched) => {
        bundle.onResolve({ filter: /^(?:one|two)$/ }, ({ path }) => ({ path, namespace: 'plain' }));
        bundle.onLoad({ filter: /.*/, namespace: 'plain' }, ({ path }) => {
          matched(path);
          return { contents: `export default '${path}';` };
        });
      }),
    ],
  });

it('a plugin that finds something for each of its rules lets the build be', async () => {
  const { outputFiles } = await bundled("import one from 'one'; import two from 'two'; f(one, two);");
  expect(outputFiles[0]!.text).toContain('"two"');
});

it('a rule for which nothing is found fails the build', async () => {
  await expect(bundled("import one from 'one'; f(one);")).rejects.toThrow(
    'the plugin plain found nothing for "two"',
  );
});

it('a path is matched at its end, with the separators of any system', () => {
  const filter = pathOf('src/one/names.ts');
  expect(filter.test('/x/src/one/names.ts')).toBe(true);
  expect(filter.test('C:\\x\\src\\one\\names.ts')).toBe(true);
  expect(filter.test('/x/src/one/names-ts')).toBe(false);
  expect(filter.test('/x/src/one/names.tsx')).toBe(false);
});
