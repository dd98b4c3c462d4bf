import { archiveName, PLATFORMS, type Platform } from './platforms.ts';

/** What the release says of itself in package.json. */
export interface Release {
  readonly version: string;
  readonly homepage: string;
  readonly license: string;
}

const DESCRIPTION = 'Flame graphs and packet captures of a pod, from its node';

/**
 * The formula for a Homebrew tap (https://docs.brew.sh/Formula-Cookbook). `sums` are the archives' SHA-256 by their names;
 * `url` is the folder they are downloaded from.
 */
export function homebrewFormula(release: Release, url: string, sums: ReadonlyMap<string, string>): string {
  const block = (os: Platform['os']) =>
    PLATFORMS.filter((platform) => platform.os === os).flatMap((platform) => {
      const name = archiveName(platform, release.version);
      const sum = sums.get(name);
      if (sum === undefined) return [];
      return [
        `    on_${platform.arch === 'arm64' ? 'arm' : 'intel'} do`,
        `      url ${quoted(`${url}/v${release.version}/${name}`)}`,
        `      sha256 ${quoted(sum)}`,
        // The archive without Node's binary.
        ...(platform.node ? [] : ['', '      depends_on "node"']),
        '    end',
      ];
    });
  return `# Made by \`npm run build\`.
class KubectlGkeprof < Formula
  desc ${quoted(DESCRIPTION)}
  homepage ${quoted(release.homepage)}
  version ${quoted(release.version)}
  license ${quoted(release.license)}

  on_macos do
${block('darwin').join('\n')}
  end

  on_linux do
${block('linux').join('\n')}
  end

  def install
    bin.install "kubectl-gkeprof", "kubectl_complete-gkeprof"
    doc.install "THIRD-PARTY-NOTICES.txt"
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/kubectl-gkeprof version").strip
  end
end
`;
}

/** A Ruby string; names, versions and addresses have no characters that Ruby would interpret. */
function quoted(text: string): string {
  if (/["\\#\n]/.test(text)) throw new Error(`not for a Ruby string: ${text}`);
  return `"${text}"`;
}
