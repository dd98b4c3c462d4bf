import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Contrib } from '@cyclonedx/cyclonedx-library';

/** A package of which the bundle contains something. */
export interface Material {
  readonly name: string;
  readonly version: string;
  /** The content of its package.json. */
  readonly manifest: Contrib.FromNodePackageJson.Types.NodePackageJson;
  /** What the lock file has of its archive, such as `sha512-…`. */
  readonly integrity?: string;
  /** Its licence and notices, word for word. */
  readonly texts: readonly string[];
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;
const LICENCES = join(import.meta.dirname, 'licences');

/**
 * The packages that these files belong to, sorted by name and version, each version once. `inputs` are paths relative to
 * `root`, as in `Bundle.inputs`. Throws if a package has no licence text, neither its own nor one in the folder licences.
 */
export function materialsOf(inputs: readonly string[], root: string): readonly Material[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const folders = new Set(inputs.flatMap((path) => PACKAGE.exec(path.replaceAll('\\', '/'))?.[0] ?? []));
  const materials = new Map<string, Material>();
  for (const folder of folders) {
    const manifest = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    ) as Material['manifest'];
    const { name, version } = manifest;
    if (!name || !version) throw new Error(`${folder}/package.json has no name and version`);
    const integrity = packages[folder]?.integrity;
    const texts = licenceTexts(join(root, folder), name);
    materials.set(`${name} ${version}`, { name, version, manifest, ...(integrity && { integrity }), texts });
  }
  for (const { name, version } of inputs.flatMap((path) => insideOf(join(root, path)))) {
    const texts = licenceTexts(undefined, name);
    materials.set(`${name} ${version}`, { name, version, manifest: { name, version }, texts });
  }
  return [...materials].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, material]) => material);
}

/** Packages that the makers of a package have put into its files, by the source map beside the file. */
function insideOf(path: string): ReadonlyArray<Pick<Material, 'name' | 'version'>> {
  const map = `${path}.map`;
  if (!PACKAGE.test(path.replaceAll('\\', '/')) || !existsSync(map)) return [];
  const { sources } = JSON.parse(readFileSync(map, 'utf8')) as { readonly sources: readonly string[] };
  return sources.flatMap((source) => {
    const [, name, version] = /\.pnpm\/((?:@[^/]+\+)?[^/@]+)@([^/_(]+)/.exec(source) ?? [];
    if (name === undefined || version === undefined) {
      if (source.includes('node_modules/')) throw new Error(`${map} names ${source} without a version`);
      return [];
    }
    return [{ name: name.replace('+', '/'), version }];
  });
}

function licenceTexts(folder: string | undefined, name: string): readonly string[] {
  const gatherer = new Contrib.License.Utils.LicenseEvidenceGatherer();
  const texts = [...(folder === undefined ? [] : gatherer.getFileAttachments(folder))]
    .sort((a, b) => (a.file < b.file ? -1 : 1))
    .map(({ text }) =>
      Buffer.from(String(text.content), 'base64').toString('utf8').replaceAll('\r\n', '\n').trim(),
    );
  if (texts.length > 0) return texts;
  const own = join(LICENCES, `${name.replace('/', '__')}.txt`);
  if (existsSync(own)) return [readFileSync(own, 'utf8').trim()];
  throw new Error(`the package ${name} has no licence file: put its text into ${own}`);
}
