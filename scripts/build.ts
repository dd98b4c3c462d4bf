// `npm run build`: one bundled ESM file that starts fast, dist/kubectl-gkeprof.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
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
 * The Kubernetes client is most of the code, and half of the verbs never talk to a cluster: it is carried packed, which
 * costs nothing until it is asked for, and 10 ms then. As a part of the module it would be compiled with every start,
 * 0.1 s; as plain text it would be read with every start, 0.02 s.
 */
const clientAsText: Plugin = {
  name: 'client-as-text',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/]src[\\/]cluster[\\/]client\.ts$/ }, async ({ path }) => {
      const client = await build({ ...COMMON, entryPoints: [path], format: 'cjs', write: false });
      const packed = brotliCompressSync(client.outputFiles[0]!.contents).toString('base64');
      const [, names] = /^export \{([^}]+)\} from /m.exec(await readFile(path, 'utf8'))!;
      return {
        loader: 'js',
        contents: `const text = require('node:zlib').brotliDecompressSync(Buffer.from('${packed}', 'base64')).toString();
const module = { exports: {} };
new Function('require', 'module', 'exports', text)(require, module, module.exports);
export const {${names}} = module.exports;
`,
      };
    });
  },
};

/** The other thread of a large file, whose text the bundle carries too: it stays one file. */
const workerAsText: Plugin = {
  name: 'worker-as-text',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/]src[\\/]start-worker\.ts$/ }, async () => {
      const worker = await build({
        ...COMMON,
        entryPoints: [`${root}src/scan-worker.ts`],
        format: 'cjs',
        write: false,
      });
      return {
        loader: 'js',
        contents: `import { Worker } from 'node:worker_threads';
const text = ${JSON.stringify(worker.outputFiles[0]!.text)};
export const startScanWorker = (workerData) => new Worker(text, { eval: true, workerData });
`,
      };
    });
  },
};

/**
 * yargs measures the columns of its help with string-width, which makes a segmenter and tables of emoji when it is
 * loaded, 35 ms with every start. Our help is plain words: a letter is a column.
 */
const plainHelp: Plugin = {
  name: 'plain-help',
  setup(bundle) {
    bundle.onResolve({ filter: /^string-width$/ }, ({ path, importer }) =>
      /node_modules[\\/](?:cliui|wrap-ansi|yargs)[\\/]/.test(importer)
        ? { path, namespace: 'plain-width' }
        : undefined,
    );
    bundle.onLoad({ filter: /.*/, namespace: 'plain-width' }, () => ({
      contents: 'export default (text) => text.length;',
    }));
  },
};

const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
} as const;

const outfile = `${root}dist/kubectl-gkeprof`;
await mkdir(`${root}dist`, { recursive: true });
const program = await build({
  stdin: {
    contents: "import('./src/entry.ts').then(({ run }) => run());",
    resolveDir: root,
    sourcefile: 'entry.js',
  },
  ...COMMON,
  // Inside, modules of Node are required where they are used: an ESM bundle would load all of them with every start.
  format: 'cjs',
  define: { 'import.meta.url': '$url' },
  write: false,
  plugins: [embeddedAssets, clientAsText, workerAsText, plainHelp],
});
const text = `(function (require, module, exports, $url) {${program.outputFiles[0]!.text}\n})`;
const key = createHash('sha256').update(text).digest('hex').slice(0, 16);
const launcher = await build({
  entryPoints: [`${root}scripts/launcher.js`],
  ...COMMON,
  bundle: false,
  format: 'esm',
  define: { KEY: JSON.stringify(key) },
  write: false,
});
await writeFile(
  outfile,
  `#!/usr/bin/env node\nconst PROGRAM = ${JSON.stringify(text)};\n${launcher.outputFiles[0]!.text}`,
);
await chmod(outfile, 0o755);
const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
process.stdout.write(
  `dist/kubectl-gkeprof ${version}, ${Math.round((await stat(outfile)).size / 1024)} KiB\n`,
);
