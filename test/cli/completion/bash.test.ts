import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
let folder: string;
let bin: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-bash-'));
  for (const name of ['a.pcap.gz', 'b b.pcapng', 'c.txt']) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, 'sub'));
  bin = mkdtempSync(join(tmpdir(), 'gkeprof-bash-bin-'));
  writeFileSync(join(bin, 'kubectl-gkeprof'), PLUGIN, { mode: 0o755 });
});
afterAll(() => {
  for (const each of [folder, bin]) rmSync(each, { recursive: true });
});

/** A plugin that answers at once, as test/cli/completion/answer.test.ts says the real one does; the real one is asked in e2e. */
const PLUGIN = `#!/usr/bin/env bash
shift
case "$*" in
fl) printf 'flamegraph\tProfile\n:4\n' ;;
'pcap -n redis re' | 'pcap --namespace=redis re') printf 'redis-1\tRunning 1/1\nredis-0\tPending 0/1\n:36\n' ;;
'pcap x --scope=if') printf 'iface\n:4\n' ;;
'pcap x --scope ') printf 'netns\niface\nnode\n:4\n' ;;
'pcap x --context arn:aws:' | 'pcap x --context=arn:aws:') printf 'arn:aws:eks:dev\n:4\n' ;;
'analyze '*) printf 'pcap.gz\npcapng\n:8\n' ;;
'render f --output=c' | 'pcap x --kubeconfig c') printf ':0\n' ;;
*) echo "asked for: $*" >&2; exit 1 ;;
esac
`;

/**
 * What real bash would put in or show for a line, its cursor at the end: the line is broken into words as readline
 * does, at blanks, = and :.
 */
async function press(line: string, { shown = false, before = '' } = {}): Promise<string[]> {
  const words = line.split(/ |(?<==)|(?==)|(?<=:)|(?=:)/);
  const script = `${before}
source "$SCRIPT"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=${shown ? 63 : 9}
[[ $(complete -p "$1") =~ -F\\ ([^ ]+) ]] && "\${BASH_REMATCH[1]}" "$1" "\${!#}" ''
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await execa('bash', ['--norc', '-c', script, 'bash', ...words], {
    cwd: folder,
    env: {
      PATH: [bin, process.env.PATH].join(delimiter),
      HOME: folder,
      SCRIPT: here('../../../src/cli/completion/scripts/bash.bash'),
    },
    extendEnv: false,
  });
  expect(stderr).toBe('');
  return stdout.split('\n').filter(Boolean);
}

describe.each(['kubectl gkeprof', 'kubectl-gkeprof'])('bash completes %s', (program) => {
  it.each<[string, string[]]>([
    ['fl', ['flamegraph']],
    ['pcap -n redis re', ['redis-1', 'redis-0']],
    ['pcap --namespace=redis re', ['redis-1', 'redis-0']],
    ['pcap x --scope=if', ['iface']],
    ['pcap x --scope ', ['netns', 'iface', 'node']],
    ['pcap x --context arn:aws:', ['eks:dev']],
    ['pcap x --context=arn:aws:', ['eks:dev']],
    ['pcap x -n ', []],
    ['analyze ', ['a.pcap.gz', 'b b.pcapng', 'sub']],
    ['analyze a', ['a.pcap.gz']],
    ['pcap x --kubeconfig c', ['c.txt']],
    ['render f --output=c', ['c.txt']],
  ])('%s', async (rest, want) => {
    const got = await press(`${program} ${rest}`);
    expect(want.length > 1 && rest.startsWith('analyze') ? got.sort() : got).toEqual(want);
  });

  it('and says what they are where they are only shown', async () => {
    expect(await press(`${program} pcap -n redis re`, { shown: true })).toEqual([
      'redis-1  (Running 1/1)',
      'redis-0  (Pending 0/1)',
    ]);
  });
});

it('what is not of the plugin stays with the completion of kubectl, which may ask it itself', async () => {
  const before = '__start_kubectl() { COMPREPLY=("theirs $1 $2"); }\ncomplete -F __start_kubectl kubectl';
  expect(await press('kubectl get po', { before })).toEqual(['theirs kubectl po']);
  expect(await press('kubectl gke', { before })).toEqual(['theirs kubectl gke']);
  expect(await press('kubectl gkeprof fl', { before })).toEqual(['flamegraph']);
});

it('the executable that kubectl asks answers as the plugin does', async () => {
  const { stdout, stderr } = await execa('kubectl_complete-gkeprof', ['pcap', 'x', '--scope', ''], {
    env: { PATH: [here('../../../plugin'), dirname(process.execPath), process.env.PATH].join(delimiter) },
    extendEnv: false,
  });
  expect(stdout).toBe('netns\niface\nnode\n:4');
  expect(stderr).toBe('');
});
