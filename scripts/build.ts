// `npm run bundle`: one bundled ESM file that starts fast, dist/kubectl-gkeprof. `npm run build` goes on with scripts/release.ts.
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { makeBundle } from './bundle/bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
await mkdir(`${root}dist`, { recursive: true });
const bundle = (await makeBundle()).file;
await writeFile(`${root}dist/kubectl-gkeprof`, bundle);
await chmod(`${root}dist/kubectl-gkeprof`, 0o755);
// kubectl looks for this name on PATH.
await copyFile(`${root}plugin/kubectl_complete-gkeprof`, `${root}dist/kubectl_complete-gkeprof`);
const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
process.stdout.write(`dist/kubectl-gkeprof ${version}, ${Math.round(bundle.length / 1024)} KiB\n`);
