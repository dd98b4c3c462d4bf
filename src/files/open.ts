import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa, type Result } from 'execa';
import { reasonOf } from '../errors.ts';

/** The properties of the machine that decide how a file is opened. */
export interface Desktop {
  readonly windows: boolean;
  readonly macos: boolean;
  /** Linux inside Windows (WSL), whose browser is the one of Windows. */
  readonly wsl: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A command that opens a file with the program that is registered for it. */
export interface Opener {
  /** The name of the file follows them. */
  readonly words: readonly [string, ...string[]];
  /** The command belongs to Windows and needs the name that the file has there. */
  readonly takesWindowsPath?: true;
  /** Its exit code is not looked at, because it does not say whether the command succeeded. */
  readonly ignoresExitCode?: true;
}

/** The commands to try, in this order. Empty in an ssh session, where nobody would see the browser. */
export function openersFor({ windows, macos, wsl, env }: Desktop): readonly Opener[] {
  if (env.SSH_CONNECTION || env.SSH_TTY) return [];
  if (macos) return [{ words: ['open'] }];
  // The same as `start`, but without a shell that would interpret the name.
  if (windows) return [{ words: ['rundll32', 'url.dll,FileProtocolHandler'] }];
  const linux: Opener = { words: ['xdg-open'] };
  if (!wsl) return [linux];
  // wslview is of the package wslu, which not every distribution has. explorer.exe ends with 1 whatever it did.
  const explorer: Opener = { words: ['explorer.exe'], takesWindowsPath: true, ignoresExitCode: true };
  return [{ words: ['wslview'] }, explorer, linux];
}

/** Whether this Linux runs inside Windows. `kernel` is the content of /proc/version. */
export const isWsl = (env: Desktop['env'], kernel: string): boolean =>
  Boolean(env.WSL_DISTRO_NAME) || /microsoft/i.test(kernel);

/** A command that still runs after this time is the browser itself. */
const PATIENCE_MS = 3000;

/** Opens a local file in the browser. Resolves with the reason if that fails, else with undefined; never rejects. */
export async function openFile(path: string, machine: Omit<Desktop, 'wsl'>): Promise<string | undefined> {
  const kernel = await readFile('/proc/version', 'utf8').catch(() => '');
  const desktop = { ...machine, wsl: !machine.windows && !machine.macos && isWsl(machine.env, kernel) };
  const openers = openersFor(desktop);
  if (openers.length === 0) return 'this is an ssh session';
  const failures: string[] = [];
  for (const opener of openers) {
    const failure = await openWith(opener, resolve(path), desktop);
    if (failure === undefined) return undefined;
    failures.push(failure);
  }
  return failures.join('; ');
}

/** Resolves with the reason if the command fails, else with undefined. */
async function openWith(
  { words: [command, ...words], takesWindowsPath, ignoresExitCode }: Opener,
  path: string,
  { windows, env }: Desktop,
): Promise<string | undefined> {
  const options = { env: env as Record<string, string>, extendEnv: false, reject: false } as const;
  let name = path;
  if (takesWindowsPath) {
    const translated = await execa('wslpath', ['-w', path], options);
    if (translated.failed) return failureOf('wslpath', translated);
    name = translated.stdout;
  }
  const child = execa(command, [...words, name], {
    ...options,
    detached: !windows,
    cleanup: false,
    stdio: 'ignore',
  });
  const ended = child.then((result) =>
    ignoresExitCode && result.exitCode !== undefined ? undefined : failureOf(command, result),
  );
  const patience = new AbortController();
  const stillRuns = delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  const reason = await Promise.race([ended, stillRuns]);
  patience.abort();
  child.nodeChildProcess.unref(); // The browser may outlive us.
  return reason;
}

const failureOf = (
  command: string,
  result: Pick<Result, 'code' | 'failed' | 'exitCode'>,
): string | undefined =>
  result.code === 'ENOENT'
    ? `there is no ${command} on PATH`
    : result.failed
      ? `${command} ended with ${result.exitCode ?? reasonOf(result)}`
      : undefined;
