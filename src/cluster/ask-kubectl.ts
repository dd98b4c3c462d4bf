import { spawn } from 'node:child_process';
import { clusterError } from '../errors.ts';
import { quoteFor } from '../shell-quote.ts';
import { childEnvironment, type KubectlHome, NOT_INSTALLED } from './kubectl-home.ts';

/** What kubectl said, to its end. */
export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A question to kubectl. */
export interface Asked {
  readonly said: Promise<Said>;
  /** Nobody wants the answer any more. */
  abandon(): void;
}

/** Asks kubectl, and shows the line of it with -v: `shown` where the words hold a secret. */
export function askKubectl(
  words: readonly string[],
  home: KubectlHome,
  shown: readonly string[] = words,
): Promise<Said> {
  home.trace?.(['kubectl', ...shown].map(quoteFor(home.windows)).join(' '));
  return startKubectl(words, home).said;
}

/** By node:child_process, because loading execa takes longer than kubectl needs for its answer. */
export function startKubectl(words: readonly string[], home: Pick<KubectlHome, 'env' | 'windows'>): Asked {
  const child = spawn('kubectl', words, {
    // It is over before Go's collector of garbage has anything to gain, which costs a sixth of its time.
    env: { ...childEnvironment(home), GOGC: 'off' },
    // Ctrl-C in the terminal is ours, and this ends by itself at once.
    detached: !home.windows,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString('utf8');
  const said = new Promise<Said>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? clusterError(...NOT_INSTALLED) : error),
    );
    child.on('close', (status) =>
      resolve({ status: status ?? 1, stdout: text(stdout), stderr: text(stderr) }),
    );
  });
  return { said, abandon: () => void child.kill('SIGKILL') };
}
