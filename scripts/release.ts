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
import { homebrewFormula } from './release/homebrew.ts';
import { krewManifest } from './release/krew-manifest.ts';
import { materialsOf } from './release/materials.ts';
import { thirdPartyNotices } from './release/notices.ts';
import { archiveName, NODE_VERSION, PLATFORMS, programName } from './release/platforms.ts';
import { sbom } from './release/sbom.ts';
import { scoopManifest } from './release/scoop.ts';
import { nodeLicence } from './release/tools.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    url: { type: 'string' },
    krew: { type: 'boolean', default: false },
  },
});
const output = resolve(positionals[0] ?? join(root, 'dist'));
const archives = join(output, 'archives');
const text = (name: string) => readFile(join(root, name), 'utf8');
const manifest = JSON.parse(await text('package.json')) as {
  version: string;
  license: string;
  description: string;
  homepage: string;
};
const { version } = manifest;
/** The folder that `vVERSION/ARCHIVE` is downloaded from. */
const url = values.url ?? `${manifest.homepage}/releases/download`;

const bundle = await makeBundle();
await rm(archives, { recursive: true, force: true });
await mkdir(archives, { recursive: true });
await writeFile(join(output, 'kubectl-gkeprof'), bundle.file);
await chmod(join(output, 'kubectl-gkeprof'), 0o755);
await writeFile(join(output, 'inputs.json'), `${JSON.stringify(bundle.inputs, null, 1)}\n`);

const materials = materialsOf(bundle.inputs, root);
/** What says where the content of an archive comes from. */
const ofBundle = {
  notices: thirdPartyNotices(materials),
  sbom: await sbom(manifest, materials),
};
const ofExecutable = {
  notices: thirdPartyNotices(materials, { version: NODE_VERSION, licence: await nodeLicence() }),
  sbom: await sbom(manifest, materials, process.versions),
};
const beside: Entry[] = [
  { name: 'LICENSE', bytes: Buffer.from(await text('LICENSE')) },
  { name: 'README.md', bytes: Buffer.from(await text('README.md')) },
  {
    name: 'kubectl_complete-gkeprof',
    bytes: Buffer.from(await text('plugin/kubectl_complete-gkeprof')),
    executable: true,
  },
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
  const origin = platform.node ? ofExecutable : ofBundle;
  const entries = [
    { name: programName(platform), bytes: program, executable: true },
    ...beside,
    { name: 'THIRD-PARTY-NOTICES.txt', bytes: Buffer.from(origin.notices) },
    { name: 'sbom.cdx.json', bytes: Buffer.from(origin.sbom) },
  ];
  await deliver(archiveName(platform, version), platform.os === 'windows' ? zip(entries) : tarGz(entries));
}
await deliver(`kubectl-gkeprof_v${version}.sbom.cdx.json`, Buffer.from(ofExecutable.sbom));
const krew = krewManifest(version, url, sums);
await writeFile(join(archives, 'gkeprof.yaml'), krew);
await writeFile(join(archives, 'kubectl-gkeprof.rb'), homebrewFormula(manifest, url, sums));
await writeFile(join(archives, 'kubectl-gkeprof.json'), scoopManifest(manifest, url, sums));
if (values.krew) await writeFile(join(root, 'krew-index/gkeprof.yaml'), krew);
const lines = [...sums].map(([name, sum]) => `${sum}  ${name}\n`).sort();
await writeFile(join(archives, 'SHA256SUMS'), lines.join(''));
