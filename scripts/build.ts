// `npm run bundle`: one bundled ESM file that starts fast, dist/kubectl-gkeprof. `npm run build` goes on with scripts/release.ts.
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { makeBundle } from './bundle/bundle.ts';
import { materialsOf } from './release/materials.ts';
import { thirdPartyNotices } from './release/notices.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
await mkdir(`${root}dist`, { recursive: true });
const bundle = await makeBundle();
await writeFile(`${root}dist/kubectl-gkeprof`, bundle.file);
await chmod(`${root}dist/kubectl-gkeprof`, 0o755);
// kubectl looks for this name on PATH.
await copyFile(`${root}plugin/kubectl_complete-gkeprof`, `${root}dist/kubectl_complete-gkeprof`);
await writeFile(`${root}dist/THIRD-PARTY-NOTICES.txt`, thirdPartyNotices(materialsOf(bundle.inputs, root)));
const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8')) as { version: string };
process.stdout.write(`dist/kubectl-gkeprof ${version}, ${Math.round(bundle.file.length / 1024)} KiB\n`);
