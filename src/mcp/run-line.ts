import { execa } from 'execa';
import type { Context } from '../cli/command.ts';
import { printable } from '../text/printable.ts';

/** The longest answer that is passed on, in bytes: what is longer would fill the context of a model. */
const MOST_BYTES = 256 * 1024;

/** What became of a command line. */
export interface LineResult {
  readonly code: number;
  readonly stdout: string;
  /** Warnings and errors. */
  readonly stderr: string;
}

/**
 * Runs a command line of this program in a process of its own, which gets nothing of the streams that the protocol uses.
 * The signal interrupts it as Ctrl-C does: a recording stops, and what it has is kept. It is in a process group of its own,
 * because a Ctrl-C that reached it twice would give the recording up.
 */
export async function runLine(
  words: readonly string[],
  { self, env, windows }: Pick<Context, 'self' | 'env' | 'windows'>,
  signal: AbortSignal,
): Promise<LineResult> {
  const [program, ...before] = self;
  const child = execa(program!, [...before, ...words], {
    env: env as Record<string, string>,
    extendEnv: false,
    detached: !windows,
    reject: false,
    stdin: 'ignore',
    maxBuffer: MOST_BYTES,
  });
  const interrupt = () => void child.kill('SIGINT');
  if (signal.aborted) interrupt();
  else signal.addEventListener('abort', interrupt, { once: true });
  const { exitCode, stdout, stderr, isMaxBuffer, message = '' } = await child;
  signal.removeEventListener('abort', interrupt);
  if (isMaxBuffer)
    return {
      code: 1,
      stdout: '',
      stderr: 'error: the result is too long for a tool call: use the command line',
    };
  return { code: exitCode ?? 1, stdout, stderr: exitCode === undefined ? printable(message) : stderr };
}
