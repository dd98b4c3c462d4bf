import { spawn } from 'node:child_process';
import {
  childEnvironment,
  type KubectlHome,
  type KubectlOutput,
  type KubectlQuestion,
} from './kubectl-home.ts';

/**
 * Starts kubectl and collects its output. It uses node:child_process, because loading execa takes longer than kubectl needs
 * for its answer. `output` rejects with Node's error where kubectl is not installed.
 */
export function startKubectl(
  words: readonly string[],
  home: Pick<KubectlHome, 'env' | 'windows'>,
): KubectlQuestion {
  const child = spawn('kubectl', words, {
    // kubectl exits before a garbage collection could pay off, and Go's collector would take a sixth of its time.
    env: { ...childEnvironment(home), GOGC: 'off' },
    // Ctrl-C in the terminal must reach only this process. kubectl exits by itself soon after.
    detached: !home.windows,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString('utf8');
  const output = new Promise<KubectlOutput>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) =>
      resolve({ status: status ?? 1, stdout: text(stdout), stderr: text(stderr) }),
    );
  });
  return { output, abandon: () => void child.kill('SIGKILL') };
}

/** The arguments with which kubectl prints the configuration that it reads, or that of one file. */
export const viewWords = (kubeconfig: string | undefined): readonly string[] => [
  ...['config', 'view', '--raw', '-o', 'json'],
  ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
];
