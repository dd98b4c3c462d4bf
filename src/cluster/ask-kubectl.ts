import { spawn } from 'node:child_process';
import { childEnvironment, type KubectlHome, type KubectlQuestion, type Said } from './kubectl-home.ts';

/**
 * Asks kubectl. By node:child_process, because loading execa takes longer than kubectl needs for its answer. `said` rejects
 * with Node's error where there is no kubectl.
 */
export function startKubectl(
  words: readonly string[],
  home: Pick<KubectlHome, 'env' | 'windows'>,
): KubectlQuestion {
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
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({ status: status ?? 1, stdout: text(stdout), stderr: text(stderr) }),
    );
  });
  return { said, abandon: () => void child.kill('SIGKILL') };
}

/** How kubectl prints the configuration that it reads; of one file where one is named. */
export const viewWords = (kubeconfig: string | undefined): readonly string[] => [
  ...['config', 'view', '--raw', '-o', 'json'],
  ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
];
