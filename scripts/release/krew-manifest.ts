import { dump } from 'js-yaml';
import { archiveName, PLATFORMS, programName } from './platforms.ts';

/** In the words of `kubectl krew info`: what it is and what it asks for. */
const SHORT = 'Flame graphs and packet captures of a pod';
const LONG = `Profiles the CPU of a pod, or captures its packets, from its node: resolves the pod to the node, runs perf or
tcpdump in a short-lived debug pod pinned there, copies the result, verifies it by SHA-256, removes the pod, and
draws or summarizes it on the laptop. No ssh, no agent in the cluster, nothing left behind.
`;
const CAVEATS = `Needs the rights that \`kubectl gkeprof manifests\` prints.
On macOS with an Intel processor it also needs Node.js 22.19 or newer on PATH: for that one there is no
self-contained executable.
For completion by kubectl, link kubectl_complete-gkeprof from the plugin's folder in krew's store into a folder on PATH.
`;

/**
 * The manifest for krew (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/) from what was built.
 * `sums` are the archives' SHA-256 by their names; `url` is the folder they are downloaded from.
 */
export function krewManifest(version: string, url: string, sums: ReadonlyMap<string, string>): string {
  return dump(
    {
      apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
      kind: 'Plugin',
      metadata: { name: 'gkeprof' },
      spec: {
        version: `v${version}`,
        shortDescription: SHORT,
        description: LONG,
        caveats: CAVEATS,
        platforms: PLATFORMS.filter((platform) => sums.has(archiveName(platform, version))).map(
          (platform) => {
            const name = archiveName(platform, version);
            return {
              selector: { matchLabels: { os: platform.os, arch: platform.arch } },
              uri: `${url}/v${version}/${name}`,
              sha256: sums.get(name)!,
              bin: programName(platform),
              files: [
                { from: programName(platform), to: '.' },
                { from: 'LICENSE', to: '.' },
                { from: 'THIRD-PARTY-NOTICES.txt', to: '.' },
                { from: 'kubectl_complete-gkeprof', to: '.' },
              ],
            };
          },
        ),
      },
    },
    { lineWidth: -1 },
  );
}
