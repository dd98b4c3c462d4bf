import type { Release } from './homebrew.ts';
import { archiveName, PLATFORMS, programName } from './platforms.ts';

/** The manifest for a Scoop bucket (https://github.com/ScoopInstaller/Scoop/wiki/App-Manifests), likewise. */
export function scoopManifest(release: Release, url: string, sums: ReadonlyMap<string, string>): string {
  const platform = PLATFORMS.find(({ os, arch }) => os === 'windows' && arch === 'amd64')!;
  const name = archiveName(platform, release.version);
  const hash = sums.get(name);
  const manifest = {
    version: release.version,
    description: 'Flame graphs and packet captures of a pod, from its node (a plugin of kubectl)',
    homepage: release.homepage,
    license: release.license,
    suggest: { kubectl: 'kubectl' },
    architecture: { '64bit': { url: `${url}/v${release.version}/${name}`, hash } },
    bin: programName(platform),
  };
  return `${JSON.stringify(manifest, null, 4)}\n`;
}
