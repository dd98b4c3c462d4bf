// `npm run build`: everything that a release consists of, into dist/ (or the folder named as the first word):
// kubectl-gkeprof (the ESM file), OS-ARCH/ (self-contained executables), archives/ (what is uploaded). The same sources
// make the same bytes. With --krew, krew-index/gkeprof.yaml is written anew. docs/releasing.md says how to release.
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeBundle } from './bundle/bundle.ts';
import { type Entry, tarGz, zip } from './release/archive.ts';
import { makeExecutable } from './release/executable.ts';
import { krewManifest } from './release/krew-manifest.ts';
import { archiveName, PLATFORMS, programName } from './release/platforms.ts';
import { sbom } from './release/sbom.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    url: { type: 'string', default: 'https://example.com/kubectl-gkeprof' },
    krew: { type: 'boolean', default: false },
  },
});
const output = resolve(positionals[0] ?? join(root, 'dist'));
const archives = join(output, 'archives');
const text = (name: string) => readFile(join(root, name), 'utf8');
const { version } = JSON.parse(await text('package.json')) as { version: string };

const bundle = await makeBundle();
await rm(archives, { recursive: true, force: true });
await mkdir(archives, { recursive: true });
await writeFile(join(output, 'kubectl-gkeprof'), bundle.file);
await chmod(join(output, 'kubectl-gkeprof'), 0o755);

const materials = sbom(await text('package-lock.json'), version);
const beside: Entry[] = [
  { name: 'LICENSE', bytes: Buffer.from(await text('LICENSE')) },
  { name: 'README.md', bytes: Buffer.from(await text('README.md')) },
  {
    name: 'kubectl_complete-gkeprof',
    bytes: Buffer.from(await text('plugin/kubectl_complete-gkeprof')),
    executable: true,
  },
  { name: 'sbom.cdx.json', bytes: Buffer.from(materials) },
];
const sums = new Map<string, string>();
async function deliver(name: string, bytes: Uint8Array): Promise<void> {
  await writeFile(join(archives, name), bytes);
  sums.set(name, createHash('sha256').update(bytes).digest('hex'));
  process.stdout.write(`${name}, ${(bytes.length / 2 ** 20).toFixed(1)} MiB\n`);
}
for (const platform of PLATFORMS.filter(({ folder }) => values.only?.includes(folder) ?? true)) {
  let program: Uint8Array = Buffer.from(bundle.file);
  if (platform.node) {
    const path = join(output, platform.folder, programName(platform));
    await makeExecutable(platform, bundle, path);
    program = await readFile(path);
  }
  const entries = [{ name: programName(platform), bytes: program, executable: true }, ...beside];
  await deliver(archiveName(platform, version), platform.os === 'windows' ? zip(entries) : tarGz(entries));
}
await deliver(`kubectl-gkeprof_v${version}.sbom.cdx.json`, Buffer.from(materials));
const manifest = krewManifest(version, values.url, sums);
await writeFile(join(archives, 'gkeprof.yaml'), manifest);
if (values.krew) await writeFile(join(root, 'krew-index/gkeprof.yaml'), manifest);
const lines = [...sums].map(([name, sum]) => `${sum}  ${name}\n`).sort();
await writeFile(join(archives, 'SHA256SUMS'), lines.join(''));
