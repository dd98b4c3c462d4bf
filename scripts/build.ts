// `npm run build`: one bundled ESM file that starts fast, dist/kubectl-gkeprof.
import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { ASSETS, asset } from '../src/assets.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Replaces src/assets.ts by a module that holds the files' contents. */
const embeddedAssets: Plugin = {
  name: 'embedded-assets',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/]src[\\/]assets\.ts$/ }, () => {
      const contents = Object.fromEntries(
        Object.keys(ASSETS).map((name) => [name, asset(name as keyof typeof ASSETS)]),
      );
      return {
        loader: 'js',
        contents: `const contents = ${JSON.stringify(contents)};\nexport const asset = (name) => contents[name];\n`,
      };
    });
  },
};

/**
 * Node's own modules that dependencies import are loaded when those are, not when the file is: an ESM bundle hoists
 * every import of a builtin to its top, and half of them are for talking to a cluster.
 */
const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup(bundle) {
    bundle.onResolve({ filter: /^(node:)?[a-z_/]+$/ }, ({ path, importer, namespace }) => {
      if (namespace !== 'file' || !importer.includes('node_modules') || !isBuiltin(path)) return undefined;
      return { path, namespace: 'lazy-builtin' };
    });
    bundle.onLoad({ filter: /.*/, namespace: 'lazy-builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** The entry of the bundle: the same check of Node as in plugin/, before the rest is evaluated. */
const ENTRY = `
const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 19)) {
  const { run } = await import('./src/entry.ts');
  await run();
} else {
  process.stderr.write('error: kubectl gkeprof needs Node 22.19 or newer, this is ' + process.versions.node + '\\nhint: install a newer Node\\n');
  process.exitCode = 1;
}
`;

const outfile = `${root}dist/kubectl-gkeprof`;
await mkdir(`${root}dist`, { recursive: true });
await build({
  stdin: { contents: ENTRY, resolveDir: root, sourcefile: 'entry.js' },
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minify: true,
  legalComments: 'none',
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as $createRequire } from 'node:module';\nconst require = $createRequire(import.meta.url);",
  },
  plugins: [embeddedAssets, lazyBuiltins],
  logLevel: 'warning',
});
await chmod(outfile, 0o755);
const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
process.stdout.write(
  `dist/kubectl-gkeprof ${version}, ${Math.round((await stat(outfile)).size / 1024)} KiB\n`,
);
