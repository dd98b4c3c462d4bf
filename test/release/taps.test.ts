import { loadPrism, Visitor } from '@ruby/prism';
import { describe, expect, it } from 'vitest';
import { homebrewFormula } from '../../scripts/release/homebrew.ts';
import { archiveName, PLATFORMS } from '../../scripts/release/platforms.ts';
import { scoopManifest } from '../../scripts/release/scoop.ts';

const RELEASE = { version: '1.2.3', homepage: 'https://example.com/x', license: 'Apache-2.0' };
const URL = 'https://example.com/x/releases/download';
const SUMS = new Map(
  PLATFORMS.map((platform, index) => [archiveName(platform, '1.2.3'), String(index).repeat(64)]),
);
const parse = await loadPrism();

/** The calls in a Ruby program with the strings that they are given, from top to bottom. */
function callsIn(program: string): Array<[name: string, ...strings: string[]]> {
  const calls: Array<[string, ...string[]]> = [];
  class Calls extends Visitor {
    // biome-ignore lint/suspicious/noExplicitAny: the nodes of the tree have no useful types.
    override visitCallNode(node: any): void {
      const given = (node.arguments_?.arguments_ ?? []) as Array<{ unescaped?: { value: string } }>;
      calls.push([node.name as string, ...given.flatMap(({ unescaped }) => unescaped?.value ?? [])]);
      super.visitCallNode(node);
    }
  }
  new Calls().visit(parse(program).value);
  return calls;
}

describe('the formula for Homebrew', () => {
  const formula = homebrewFormula(RELEASE, URL, SUMS);

  it('is Ruby', () => {
    expect(parse(formula).errors).toEqual([]);
    expect(parse(formula.replace(/^end\n$/m, '')).errors).not.toEqual([]);
  });

  it('has an archive with its checksum for each system, and Node where the archive has none', () => {
    const calls = callsIn(formula);
    const archive = (system: string) => `${URL}/v1.2.3/kubectl-gkeprof_v1.2.3_${system}.tar.gz`;
    const wanted = new Set(['on_macos', 'on_linux', 'on_arm', 'on_intel', 'url', 'sha256', 'depends_on']);
    const sum = (system: string) => SUMS.get(`kubectl-gkeprof_v1.2.3_${system}.tar.gz`)!;
    expect(calls.filter(([name]) => wanted.has(name))).toEqual([
      ['on_macos'],
      ...[['on_arm'], ['url', archive('darwin_arm64')], ['sha256', sum('darwin_arm64')]],
      ...[['on_intel'], ['url', archive('darwin_amd64')], ['sha256', sum('darwin_amd64')]],
      ['depends_on', 'node'],
      ['on_linux'],
      ...[['on_intel'], ['url', archive('linux_amd64')], ['sha256', sum('linux_amd64')]],
      ...[['on_arm'], ['url', archive('linux_arm64')], ['sha256', sum('linux_arm64')]],
    ]);
  });

  it('takes no text that Ruby would interpret', () => {
    for (const license of ['a"b', 'a#{1}', 'a\\'])
      expect(() => homebrewFormula({ ...RELEASE, license }, URL, SUMS)).toThrow('not for a Ruby string');
  });
});

it('the manifest for Scoop has the archive for Windows with its checksum', () => {
  const name = 'kubectl-gkeprof_v1.2.3_windows_amd64.zip';
  expect(JSON.parse(scoopManifest(RELEASE, URL, SUMS))).toEqual({
    ...RELEASE,
    description: expect.stringContaining('plugin of kubectl'),
    suggest: { kubectl: 'kubectl' },
    architecture: { '64bit': { url: `${URL}/v1.2.3/${name}`, hash: SUMS.get(name) } },
    bin: 'kubectl-gkeprof.exe',
  });
});
