import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { reasonOf } from '../errors.ts';

/** As much of the machine as decides about how a file is opened. */
export interface Desktop {
  readonly windows: boolean;
  readonly macos: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What opens a file with the program that is meant for it: the words, the file last; undefined where nobody would see it. */
export function openerOf({ windows, macos, env }: Desktop): readonly [string, ...string[]] | undefined {
  if (env.SSH_CONNECTION || env.SSH_TTY) return undefined;
  if (macos) return ['open'];
  // What `start` does, without a shell that would read the name again.
  if (windows) return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}

/** An opener that still runs after so long is the browser itself. */
const PATIENCE_MS = 3000;

/** Opens a local file in the browser. Resolves with why it could not, undefined when it did; never rejects. */
export async function openFile(path: string, desktop: Desktop): Promise<string | undefined> {
  const opener = openerOf(desktop);
  if (!opener) return 'this is an ssh session';
  const [command, ...words] = opener;
  const child = execa(command, [...words, path], {
    env: desktop.env as Record<string, string>,
    extendEnv: false,
    detached: !desktop.windows,
    cleanup: false,
    stdio: 'ignore',
    reject: false,
  });
  const ended = child.then((result) =>
    result.code === 'ENOENT'
      ? `there is no ${command} on PATH`
      : result.failed
        ? `${command} ended with ${result.exitCode ?? reasonOf(result)}`
        : undefined,
  );
  const patience = new AbortController();
  const stillRuns = delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  const reason = await Promise.race([ended, stillRuns]);
  patience.abort();
  child.nodeChildProcess.unref(); // It may go on when we are gone.
  return reason;
}
