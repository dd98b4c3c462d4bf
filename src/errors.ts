/** The exit codes of the tool. The help, the README and the manual page print this table. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  cluster: 3,
  tool: 4,
  incomplete: 5,
  own: 125,
  hangup: 129,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANING: ReadonlyArray<readonly [ExitCode, string]> = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed'],
  [EXIT.usage, 'the command line is wrong; nothing was created'],
  [
    EXIT.cluster,
    'the API server refused, the object was not found, the cluster is unreachable, or doctor found a problem',
  ],
  [EXIT.tool, 'the tool on the node failed, or recorded nothing'],
  [EXIT.incomplete, 'files were kept but are incomplete: the target ended early, or a later step failed'],
  [EXIT.own, 'crictl and shell: gkeprof itself failed; any other code is that of the command on the node'],
  [EXIT.interrupted, 'interrupted by Ctrl-C, and nothing was kept (129 after a hang-up, 143 after SIGTERM)'],
];

/**
 * The error class of the tool. `message` is the reason in one line, `hint` says what to do next, and `code` is the exit
 * code. Every expected failure is a GkeprofError; any other error that reaches the user is a bug.
 */
export class GkeprofError extends Error {
  override readonly name = 'GkeprofError';
  readonly code: ExitCode;
  readonly hint: string | undefined;

  constructor(code: ExitCode, reason: string, hint?: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}

export const usageError = (reason: string, hint?: string): GkeprofError =>
  new GkeprofError(EXIT.usage, reason, hint);

export const clusterError = (reason: string, hint?: string, cause?: unknown): GkeprofError =>
  new GkeprofError(EXIT.cluster, reason, hint, cause);

export const toolError = (reason: string, hint?: string): GkeprofError =>
  new GkeprofError(EXIT.tool, reason, hint);

/** The message of an error, or the text of any other thrown value. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error);
}
