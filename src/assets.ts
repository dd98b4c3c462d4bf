import { readFileSync } from 'node:fs';

/**
 * The files of the source tree that the tool needs as text: the scripts that run on the node, the manifests, and the
 * browser part of the flame graph. In development they are read from disk. `npm run build` replaces this module with one
 * that contains their text (scripts/build.ts), and takes the list of files from here.
 */
export const ASSETS = {
  'node/protocol.sh': './node/protocol.sh',
  'node/memory.sh': './node/memory.sh',
  'node/arguments.sh': './node/arguments.sh',
  'node/identity.sh': './node/identity.sh',
  'node/network.sh': './node/network.sh',
  'node/cpu.sh': './node/cpu.sh',
  'node/runtime.sh': './node/runtime.sh',
  'node/capture.sh': './node/capture.sh',
  'node/files.sh': './node/files.sh',
  'profile/picture/browser/numbers.js': './profile/picture/browser/numbers.js',
  'profile/picture/browser/model.js': './profile/picture/browser/model.js',
  'profile/picture/browser/elements.js': './profile/picture/browser/elements.js',
  'profile/picture/browser/appearance.js': './profile/picture/browser/appearance.js',
  'profile/picture/browser/views.js': './profile/picture/browser/views.js',
  'profile/picture/browser/layout.js': './profile/picture/browser/layout.js',
  'profile/picture/browser/head.js': './profile/picture/browser/head.js',
  'profile/picture/browser/heat.js': './profile/picture/browser/heat.js',
  'profile/picture/browser/main.js': './profile/picture/browser/main.js',
  'profile/picture/picture.css': './profile/picture/picture.css',
  'packets/print/browser/timeline.js': './packets/print/browser/timeline.js',
  'manifests/debug-pod.yaml': '../manifests/debug-pod.yaml',
  'manifests/namespace.yaml': '../manifests/namespace.yaml',
  'manifests/rbac.yaml': '../manifests/rbac.yaml',
  'manifests/node-rights.yaml': '../manifests/node-rights.yaml',
  'manifests/openshift.yaml': '../manifests/openshift.yaml',
  'cli/completion/scripts/bash.bash': './cli/completion/scripts/bash.bash',
  'cli/completion/scripts/zsh.zsh': './cli/completion/scripts/zsh.zsh',
  'cli/completion/scripts/fish.fish': './cli/completion/scripts/fish.fish',
  'cli/completion/scripts/powershell.ps1': './cli/completion/scripts/powershell.ps1',
  'plugin/kubectl_complete-gkeprof': '../plugin/kubectl_complete-gkeprof',
  'package.json': '../package.json',
} as const;

/** The shell half of a collector, or its program, which the table of collectors names (collectors/index.ts): no list is kept here. */
type CollectorScript = `collectors/${string}.sh` | `collectors/${string}.pl`;

export type AssetName = keyof typeof ASSETS | CollectorScript;

const isListed = (name: AssetName): name is keyof typeof ASSETS => Object.hasOwn(ASSETS, name);

/** The text of one of the files above, or of a part of a collector. */
export function asset(name: AssetName): string {
  return readFileSync(new URL(isListed(name) ? ASSETS[name] : `./${name}`, import.meta.url), 'utf8');
}
