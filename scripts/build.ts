// `npm run bundle`: one bundled ESM file that starts fast, dist/kubectl-gkeprof. `npm run build` goes on with scripts/release.ts.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { makeBundle } from './bundle/bundle.ts';
import { materialsOf } from './release/materials.ts';
import { thirdPartyNotices } from './release/notices.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Puts a file into dist/ whole: a command that runs from there meanwhile reads the old one or the new one. */
async function put(name: string, content: Uint8Array | string, mode = 0o644): Promise<void> {
  const unfinished = `${root}dist/.${name}.${process.pid}`;
  await writeFile(unfinished, content, { mode });
  await rename(unfinished, `${root}dist/${name}`);
}

await mkdir(`${root}dist`, { recursive: true });
const bundle = await makeBundle();
await put('kubectl-gkeprof', bundle.file, 0o755);
// kubectl looks for this name on PATH.
await put('kubectl_complete-gkeprof', await readFile(`${root}plugin/kubectl_complete-gkeprof`), 0o755);
await put('THIRD-PARTY-NOTICES.txt', thirdPartyNotices(materialsOf(bundle.inputs, root)));
const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
process.stdout.write(`dist/kubectl-gkeprof ${version}, ${Math.round(bundle.file.length / 1024)} KiB\n`);
