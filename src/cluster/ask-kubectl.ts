import { spawn } from 'node:child_process';
import { clusterError } from '../errors.ts';
import { quoteFor } from '../shell-quote.ts';
import { childEnvironment, type KubectlHome, NOT_INSTALLED } from './kubectl.ts';

/** What kubectl said, to its end. */
export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Asks kubectl something before the door is open. By node:child_process, because loading execa takes longer than kubectl
 * needs for its answer. `shown` is the line for -v, where the words hold a secret.
 */
export function askKubectl(
  words: readonly string[],
  home: KubectlHome,
  shown: readonly string[] = words,
): Promise<Said> {
  home.trace?.(['kubectl', ...shown].map(quoteFor(home.windows)).join(' '));
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', words, {
      env: childEnvironment(home),
      // Ctrl-C in the terminal is ours, and this ends by itself at once.
      detached: !home.windows,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? clusterError(...NOT_INSTALLED) : error),
    );
    child.on('close', (status) =>
      resolve({
        status: status ?? 1,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    );
  });
}
