import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { execa } from 'execa';
import { ASSETS, type AssetName, asset } from '../../src/assets.ts';
import { COLLECTORS } from '../../src/collectors/index.ts';
import { completion } from '../../src/commands/completion.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { main } from '../../src/main.ts';
import type { Build } from '../../src/version.ts';
import { clientInParts } from './client.ts';
import { guarded, pathOf } from './guarded.ts';
import { nodeLazily } from './lazily.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Replaces src/assets.ts by a module that holds the files' contents. */
const embeddedAssets = guarded('embedded-assets', ['assets'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/assets.ts') }, () => {
    matched('assets');
    const names = new Set([
      ...(Object.keys(ASSETS) as AssetName[]),
      ...COLLECTORS.flatMap(({ scripts, program }) => [...scripts, ...(program ?? [])]),
    ]);
    const contents = Object.fromEntries([...names].map((name) => [name, asset(name)]));
    return {
      loader: 'js',
      contents: `const contents = ${JSON.stringify(contents)};\nexport const asset = (name) => contents[name];\n`,
    };
  });
});

/** Makes the Kubernetes client a piece of its own, because half of the verbs never talk to a cluster. */
const clientApart = guarded('client-apart', ['client'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/cluster/client.ts') }, async ({ path }) => {
    matched('client');
    const [, names] = /^export \{([^}]+)\} from /m.exec(await readFile(path, 'utf8'))!;
    return {
      loader: 'js',
      contents: `export const {${names}} = $pieces.run('client', 'client');\n`,
    };
  });
});

/** Makes the SDK of the Model Context Protocol a piece of its own, because only `mcp` needs it. */
const sdkApart = guarded('sdk-apart', ['sdk'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/mcp/sdk.ts') }, async ({ path }) => {
    matched('sdk');
    const names = [...(await readFile(path, 'utf8')).matchAll(/^export \{([^}]+)\} from /gm)].flatMap(
      ([, each]) => each!.split(',').map((name) => name.trim().replace(/^\w+ as /, '')),
    );
    return {
      loader: 'js',
      contents: `export const { ${names.join(', ')} } = $pieces.run('mcp', 'mcp');\n`,
    };
  });
});

/** Leaves out the validator of JSON Schema that the SDK brings: the server checks its arguments by zod, and nothing asks for it. */
const withoutValidator = guarded('without-validator', ['validator'], (bundle, matched) => {
  bundle.onResolve({ filter: /[\\/]ajvProvider-[\w-]+\.mjs$/ }, ({ path }) => {
    matched('validator');
    return { path, namespace: 'left-out' };
  });
  bundle.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({
    loader: 'js',
    contents: `class LeftOut {
  getValidator() {
    throw new Error('the validator of JSON Schema is not in this bundle');
  }
}
export { LeftOut as n, LeftOut as t };`,
  }));
});

/** Makes the program of the second thread, which reads a part of a large file, a piece of its own, so that the bundle stays one file. */
const workerApart = guarded('worker-apart', ['worker'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/files/start-worker.ts') }, () => {
    matched('worker');
    return {
      loader: 'js',
      contents: `import { Worker } from 'node:worker_threads';
export const startScanWorker = (workerData) => new Worker($pieces.text('worker'), { eval: true, workerData });
`,
    };
  });
});

/** Loads execa when it is first called, which is after the cluster has answered: nothing before that has to wait for it. */
const execaLater = guarded('execa-later', ['execa'], (bundle, matched) => {
  bundle.onResolve({ filter: /^execa$/ }, ({ path, namespace }) =>
    namespace === 'later' ? undefined : { path, namespace: 'later' },
  );
  bundle.onLoad({ filter: /.*/, namespace: 'later' }, () => {
    matched('execa');
    return {
      contents: "export const execa = (...words) => require('execa').execa(...words);",
      resolveDir: root,
    };
  });
});

/**
 * Replaces string-width, by which yargs measures the columns of its help: it builds a segmenter and tables of emoji when it
 * is loaded, which takes 35 ms of every start. Our help is plain text, in which each letter takes one column.
 */
const plainHelp = guarded('plain-help', ['string-width'], (bundle, matched) => {
  bundle.onResolve({ filter: /^string-width$/ }, ({ path, importer }) =>
    /node_modules[\\/](?:cliui|wrap-ansi|yargs)[\\/]/.test(importer)
      ? { path, namespace: 'plain-width' }
      : undefined,
  );
  bundle.onLoad({ filter: /.*/, namespace: 'plain-width' }, () => {
    matched('string-width');
    return { contents: 'export default (text) => text.length;' };
  });
});

/**
 * Makes the table of commands plain data for completion, which needs the names and flags of commands and not their code:
 * that piece is loaded in a fraction of the time.
 */
const tableAsData = guarded('table-as-data', ['table', 'package that is not needed'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/commands/index.ts') }, ({ path }) => {
    matched('table');
    const table = COMMANDS.filter(({ hidden }) => !hidden).map(
      ({ name, describe, options, completion, repeats, subcommands, restWords }) => ({
        name,
        describe,
        options,
        completion,
        repeats,
        subcommands,
        restWords,
      }),
    );
    return {
      loader: 'ts',
      resolveDir: dirname(path),
      contents: `import { complete } from './complete.ts';
export const COMMANDS = [...${JSON.stringify(table)}, complete];`,
    };
  });
  // The parser of the command line and the reader of the configuration import these, and completion needs neither.
  bundle.onResolve({ filter: /^(?:execa|js-yaml|yargs)$/ }, ({ path }) => ({
    path,
    namespace: 'not-in-table',
  }));
  bundle.onLoad({ filter: /.*/, namespace: 'not-in-table' }, ({ path }) => {
    matched('package that is not needed');
    return { contents: `module.exports = {}; throw new Error('${path} is not in this piece');` };
  });
});

/** Makes what asks kubectl for the names of objects a piece of its own, because the completion of flags does not need it. */
const namesApart = guarded('names-apart', ['names'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/cluster/completion-names.ts') }, () => {
    matched('names');
    return {
      loader: 'js',
      contents: "export const { namesByKubectl } = $pieces.run('names', 'names');\n",
    };
  });
});

/** Lets the program use the answer of kubectl that the launcher, for a verb with a cluster, asked for before it loaded the program. */
const aheadApart = guarded('ahead-apart', ['read-ahead'], (bundle, matched) => {
  bundle.onLoad({ filter: pathOf('src/cluster/read-ahead.ts') }, () => {
    matched('read-ahead');
    return { loader: 'js', contents: 'export const readAhead = () => $pieces.ahead;\n' };
  });
});

const COMMON = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  // CommonJS can require modules of Node where they are used: an ESM bundle would load all of them with every start.
  format: 'cjs',
  // The launcher evaluates pieces by node:vm, where import() is experimental: Node would print a warning on the user's terminal.
  supported: { 'dynamic-import': false },
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
  metafile: true,
  absWorkingDir: root,
} as const;

interface Pieces {
  readonly texts: Record<'program' | 'table' | 'client' | 'names' | 'ahead' | 'worker' | 'mcp', string>;
  readonly inputs: readonly string[];
}

/** The pieces that the launcher evaluates or hands to the program, as ASCII text, and the files that they were made from. */
async function makePieces(): Promise<Pieces> {
  const entry = {
    ...COMMON,
    stdin: {
      contents: "import('./src/entry.ts').then(({ run }) => run());",
      resolveDir: root,
      sourcefile: 'entry.js',
    },
    define: {
      'import.meta.url': '$url',
      GKEPROF_BUILD: JSON.stringify(await buildFacts()) ?? 'undefined',
    },
  };
  const plugins = [
    ...[embeddedAssets, clientApart, sdkApart, aheadApart, workerApart, plainHelp, execaLater],
    nodeLazily,
  ];
  const ofTable = [tableAsData, namesApart, clientApart, embeddedAssets, nodeLazily];
  const [program, table, client, names, ahead, worker, mcp] = await Promise.all([
    build({ ...entry, plugins }),
    build({ ...entry, plugins: ofTable }),
    build({ ...COMMON, entryPoints: [`${root}src/cluster/client.ts`], plugins: [clientInParts, nodeLazily] }),
    build({ ...COMMON, entryPoints: [`${root}src/cluster/completion-names.ts`], plugins: [nodeLazily] }),
    build({ ...COMMON, entryPoints: [`${root}src/cluster/read-ahead.ts`] }),
    build({ ...COMMON, entryPoints: [`${root}src/files/parallel-read-worker.ts`] }),
    build({ ...COMMON, entryPoints: [`${root}src/mcp/sdk.ts`], plugins: [withoutValidator] }),
  ]);
  const apart = (text: string) => `(function (require, module, exports) {${text}\n})`;
  const wrapped = (text: string) => `(function (require, module, exports, $url, $pieces) {${text}\n})`;
  return {
    texts: {
      program: wrapped(program.outputFiles[0]!.text),
      table: wrapped(table.outputFiles[0]!.text),
      client: apart(client.outputFiles[0]!.text),
      names: apart(names.outputFiles[0]!.text),
      ahead: apart(ahead.outputFiles[0]!.text),
      worker: worker.outputFiles[0]!.text,
      mcp: apart(mcp.outputFiles[0]!.text),
    },
    inputs: inputsOf([program, table, client, names, ahead, worker, mcp].map(({ metafile }) => metafile)),
  };
}

/** The files of which something is left in an output, sorted: what was read and then dropped is not redistributed. */
function inputsOf(metafiles: readonly Metafile[]): string[] {
  const left = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
    ),
  );
  return [...new Set(left)].sort();
}

/** The commit that the sources are of; undefined without git or its folder, as in a source archive. */
async function buildFacts(): Promise<Build | undefined> {
  const git = async (...words: string[]) => (await execa('git', words, { cwd: root })).stdout;
  try {
    const [commit = '', seconds] = (await git('log', '-1', '--format=%H %ct')).split(' ');
    const modified = (await git('status', '--porcelain', '--untracked-files=no')) !== '';
    return { commit, date: `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}Z`, modified };
  } catch {
    return undefined;
  }
}

/** The output of command lines that always print the same, so that the launcher can print it without loading the program. */
async function makeAnswers(): Promise<string> {
  const verbs = COMMANDS.filter(({ hidden }) => !hidden).map(({ name }) => name);
  const lines = ['', '--help', '-h', 'help', 'version', '--version'].concat(
    verbs.flatMap((verb) => [`help ${verb}`, `${verb} --help`, `${verb} -h`]),
    completion.subcommands!.map((shell) => `completion ${shell}`),
  );
  const answers: Record<string, string> = {};
  for (const line of lines) {
    const code = await main(line.split(' ').filter(Boolean), {
      stdin: Readable.from([]),
      stdout: { write: (text) => (answers[line] = `${answers[line] ?? ''}${text}`) },
      stderr: {
        write: (text) => {
          throw new Error(`${line}: ${text}`);
        },
      },
      env: {},
      windows: false,
      engine: { node: '', platform: '' },
      onSignal: () => {},
    });
    if (code !== 0 || !answers[line]) throw new Error(`"${line}" has no answer`);
  }
  return ascii(answers);
}

/** JSON in which each letter is one byte. */
const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[^\x00-\x7f]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** What is written to files: the ESM file, and its two parts, which an executable carries separately. */
export interface Bundle {
  readonly file: string;
  readonly launcherOfExecutable: string;
  readonly packed: Uint8Array;
  /** The files of which the bundle contains something, relative to the repository and sorted, as esbuild's metafile names them. */
  readonly inputs: readonly string[];
}

/** Makes the launcher and the packed pieces; in the ESM file the pieces follow the launcher as a comment. */
export async function makeBundle(): Promise<Bundle> {
  const { texts, inputs } = await makePieces();
  const pieces = { ...texts, answers: await makeAnswers() };
  const places: Record<string, readonly [start: number, length: number]> = {};
  let whole = '';
  for (const [name, text] of Object.entries(pieces)) {
    // The places are counted in letters and used as bytes, which is the same for ASCII only.
    if (/[^\x00-\x7f]/.test(text)) throw new Error(`the piece ${name} is not plain ASCII`);
    places[name] = [whole.length, text.length];
    whole += text;
  }
  const packed = brotliCompressSync(whole);
  const comment = packed.toString('base64');
  const launcher = async (isExecutable: boolean) => {
    const made = await build({
      ...COMMON,
      entryPoints: [`${root}scripts/bundle/launcher.js`],
      bundle: false,
      format: 'esm',
      define: {
        IS_EXECUTABLE: String(isExecutable),
        KEY: JSON.stringify(createHash('sha256').update(whole).digest('hex').slice(0, 16)),
        PACKED: String(comment.length),
        PIECES: JSON.stringify(places),
        VERBS: JSON.stringify(COMMANDS.map(({ name }) => name)),
        CLUSTER_VERBS: JSON.stringify(
          COMMANDS.filter(({ options }) => options.kubeconfig).map(({ name }) => name),
        ),
      },
    });
    return made.outputFiles[0]!.text;
  };
  return {
    file: `#!/usr/bin/env node\n${await launcher(false)}/*${comment}*/\n`,
    launcherOfExecutable: await launcher(true),
    packed,
    inputs,
  };
}
