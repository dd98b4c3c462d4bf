import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { shellQuote } from '../src/text/shell-quote.ts';

let number = 0;
/** Of this process only: an earlier one with the same pid may have left a server. */
const SERVER = `gkeprof-${randomUUID()}`;

const run = (words: readonly string[]) =>
  execa('tmux', ['-L', SERVER, '-f', '/dev/null', ...words], { reject: false });
const tmux = async (...words: string[]) => (await run(words)).stdout;

/** Starts a session. The server ends with its last session, and while it ends it refuses a new one, hence the attempts. */
async function newSession(...words: string[]): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const { exitCode, stderr } = await run(['new-session', '-d', ...words]);
    if (exitCode === 0) return;
    if (attempt === 50) throw new Error(`tmux starts no session: ${stderr}`);
    await delay(100);
  }
}

export const closeTerminals = async (): Promise<void> => void (await tmux('kill-server'));

/** Waits until the screen satisfies `good`. Returns the last screen in any case, so that a failed assertion shows it. */
async function until(shown: () => Promise<string>, good: (screen: string) => boolean): Promise<string> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const screen = await shown();
    if (good(screen) || Date.now() > deadline) return screen;
    await delay(100);
  }
}

/**
 * Runs a command line in a terminal with the given columns (and 60 rows by default), in a folder and with an environment.
 * When it ends, the screen shows `[exit N]`.
 */
export async function terminal(
  columns: number,
  line: string,
  {
    folder,
    env,
    rows = 60,
  }: { readonly folder: string; readonly env: Readonly<Record<string, string>>; readonly rows?: number },
) {
  number += 1;
  const name = `t${number}`;
  // The tmux server has its own environment, so the script sets the given one.
  const exports = Object.entries(env).map(([key, value]) => `export ${key}=${shellQuote(value)}`);
  const script = join(folder, `.line-${number}.sh`);
  // Ctrl-C must interrupt the command line, not the shell that runs it.
  writeFileSync(
    script,
    [...exports, 'trap : INT', line, "printf '[exit %s]' $?", 'exec sleep 300', ''].join('\n'),
  );
  const size = ['-x', String(columns), '-y', String(rows)];
  await newSession('-s', name, ...size, '-c', folder, `sh ${shellQuote(script)}`);
  const shown = () => tmux('capture-pane', '-p', '-S', '-', '-t', name);
  return {
    shows: (good: (screen: string) => boolean) => until(shown, (screen) => good(screen) || isOver(screen)),
    async types(text: string) {
      await tmux('send-keys', '-t', name, '-l', text);
      await tmux('send-keys', '-t', name, 'Enter');
    },
    presses: (key: string) => tmux('send-keys', '-t', name, key),
    becomes: (columns: number, rows: number) =>
      tmux('resize-window', '-t', name, '-x', String(columns), '-y', String(rows)),
    /** The process of the shell that runs the line. */
    pid: async () => Number(await tmux('display-message', '-p', '-t', name, '#{pane_pid}')),
    async ended() {
      const screen = await until(shown, isOver);
      await tmux('kill-session', '-t', name);
      return `${screen.trimEnd()}\n`;
    },
  };
}

const isOver = (screen: string): boolean => screen.includes('[exit ');
