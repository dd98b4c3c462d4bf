import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package of which the bundle contains something, found without the code that makes the notices. */
export interface BundledPackage {
  readonly title: string;
  readonly purl: string;
  /** Its licence files, word for word. */
  readonly licences: readonly string[];
}

/** The packages that the files of esbuild's metafile belong to, each version once. */
export function packagesOf(inputs: readonly string[], root: string): BundledPackage[] {
  const folders = inputs
    .filter((path) => path.includes('node_modules/'))
    .map((path) => path.split('/'))
    .map((parts) => {
      const at = parts.lastIndexOf('node_modules') + 1;
      return parts.slice(0, at + (parts[at]!.startsWith('@') ? 2 : 1)).join('/');
    });
  const found = new Map<string, BundledPackage>();
  for (const folder of folders) {
    const path = join(root, folder);
    const { name, version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
    };
    const licences = readdirSync(path)
      .filter((file) => /^licen[cs]e(?:-mit)?(?:\.(?:md|txt))?$/i.test(file))
      .map((file) => readFileSync(join(path, file), 'utf8'));
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
    found.set(purl, { title: `${name} ${version}`, purl, licences });
  }
  for (const path of inputs) {
    const map = join(root, `${path}.map`);
    if (!path.includes('node_modules/') || !existsSync(map)) continue;
    // What its makers have put into the file.
    const inside = /node_modules\/\.pnpm\/[^/"]+@([\d.]+)[^/"]*\/node_modules\/([^/"]+)\//g;
    for (const [, version, name] of readFileSync(map, 'utf8').matchAll(inside)) {
      const purl = `pkg:npm/${name}@${version}`;
      found.set(purl, { title: `${name} ${version}`, purl, licences: [] });
    }
  }
  return [...found.values()];
}

/** The packages that the notices do not list, or whose licence they do not contain. */
export function missingFrom(notices: string, packages: readonly BundledPackage[]): string[] {
  const titles = new Set([...notices.matchAll(/^- (\S+ \S+) \(/gm)].map(([, title]) => title));
  const isThere = ({ title, licences }: BundledPackage) =>
    titles.has(title) &&
    licences.every((text) => notices.includes(text.replaceAll('\r\n', '\n').trim())) &&
    notices.split(`\n${title} (`).length === 2;
  return packages.filter((each) => !isThere(each)).map(({ title }) => title);
}
