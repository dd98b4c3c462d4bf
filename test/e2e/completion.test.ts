import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment, eventually, NAMESPACE, pluginDir, world } from './world.ts';

const scripts = fileURLToPath(new URL('../../src/cli/completion/scripts/', import.meta.url));
let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-complete-'));
});
afterAll(() => rmSync(home, { recursive: true }));

const env = () => ({ ...environment(world().admin, pluginDir), HOME: home, TERM: 'xterm', SHELL: '/bin/sh' });

/** Types into an interactive shell in a terminal (tmux), presses Tab until the line is as expected. */
async function press(shell: string, setUp: string, line: string, want: RegExp): Promise<void> {
  const socket = `gkeprof-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const tmux = (...words: string[]) =>
    execa('tmux', ['-L', socket, ...words], { env: env(), extendEnv: false });
  const screen = async () => (await tmux('capture-pane', '-p', '-J')).stdout;
  try {
    await tmux('-f', '/dev/null', 'new-session', '-d', '-x', '150', '-y', '50', shell);
    await tmux('send-keys', '-l', `${setUp}; echo rea''dy`);
    await tmux('send-keys', 'Enter');
    expect(await eventually(screen, (text) => /^ready$/m.test(text))).toMatch(/^ready$/m);
    await tmux('send-keys', '-l', line);
    // On a loaded machine an answer may be too late, which is no answer: then Tab is pressed again.
    const shown = await eventually(
      async () => {
        await tmux('send-keys', 'Tab');
        return eventually(screen, (text) => want.test(text), 3);
      },
      (text) => want.test(text),
    );
    expect(shown).toMatch(want);
  } finally {
    await tmux('kill-server').catch(() => {});
  }
}

const BASH = 'bash --norc --noprofile';
const ZSH = 'zsh -f';
const ZSH_SET_UP = 'autoload -Uz compinit; compinit -u';

describe('completion in real shells, of the real cluster', () => {
  it.each([
    [
      'bash, asked by kubectl',
      BASH,
      '. /usr/share/bash-completion/bash_completion; . <(kubectl completion bash)',
    ],
    ['bash, by our script', BASH, `. ${scripts}bash.bash`],
    ['zsh, asked by kubectl', ZSH, `${ZSH_SET_UP}; . <(kubectl completion zsh)`],
    ['zsh, by our script', ZSH, `${ZSH_SET_UP}; . ${scripts}zsh.zsh`],
  ])('%s', async (_, shell, setUp) => {
    await press(
      shell,
      setUp,
      `kubectl gkeprof flamegraph -n ${NAMESPACE} pod/redis-0 -c lo`,
      / -c load(?!-)/,
    );
    await press(shell, setUp, 'kubectl gkeprof flamegr', /gkeprof flamegraph/);
    await press(shell, setUp, 'kubectl gkeprof pcap x --scope=if', /--scope=iface/);
    await press(shell, setUp, 'kubectl gkeprof flamegraph node/', /node\/node-a.*node\/node-b/s);
  });

  it('fish, by our script', async () => {
    const complete = async (line: string) =>
      (
        await execa('fish', ['--no-config', '-c', `source ${scripts}fish.fish; complete -C "${line}"`], {
          env: env(),
          extendEnv: false,
        })
      ).stdout;
    const pods = 'redis-0\tRunning 2/2\nredis-stock\tRunning 2/2';
    const asked = () => complete(`kubectl gkeprof pcap -n ${NAMESPACE} redis-`);
    expect(await eventually(asked, (text) => text === pods)).toBe(pods);
    expect(await complete('kubectl-gkeprof pcap x --scope=i')).toBe('--scope=iface');
    expect(await complete('kubectl get po')).not.toContain('gkeprof');
  });

  it('kubectl itself gets pods, running ones first', async () => {
    const ask = async () =>
      (
        await execa('kubectl', ['__complete', 'gkeprof', 'flamegraph', '-n', NAMESPACE, 'pod/'], {
          env: env(),
          extendEnv: false,
        })
      ).stdout;
    const lines = (await eventually(ask, (text) => text.includes('pod/redis-0'))).split('\n');
    expect(lines.at(-1)).toBe(':36');
    const isRunning = lines.slice(0, -1).map((line) => line.includes('\tRunning '));
    expect(isRunning).toContain(false);
    expect(isRunning.lastIndexOf(true)).toBeLessThan(isRunning.indexOf(false));
  });

  it('a cluster that does not answer is no choices, no words and no process left', async () => {
    const run = await execa(
      'kubectl-gkeprof',
      ['__complete', 'pcap', '-n', 'x', '--kubeconfig', '/nowhere', 'po'],
      {
        // The folder of its proxy's socket.
        env: { ...env(), TMPDIR: home },
        extendEnv: false,
      },
    );
    expect(run.stdout).toBe('pod/\n:38');
    expect(run.stderr).toBe('');
    const proxies = () => execa('pgrep', ['-f', `proxy --unix-socket=${home}/gkeprof-`], { reject: false });
    expect((await eventually(proxies, ({ stdout }) => stdout === '')).stdout).toBe('');
  });
});
