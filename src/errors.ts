/** The exit codes of the tool: one table, printed in help and README from here. */
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
  [EXIT.usage, 'usage: nothing was created'],
  [EXIT.cluster, 'the cluster refused, lacks it, or cannot be reached'],
  [EXIT.tool, 'the tool on the node failed, or there was nothing to see'],
  [EXIT.incomplete, 'kept but incomplete: the target vanished, or what came after failed'],
  [EXIT.own, 'crictl and shell: failed by themselves; what ran on the node ended with any other'],
  [EXIT.interrupted, 'interrupted with nothing kept (129 hang-up, 143 terminated likewise)'],
];

/**
 * The one error family. `message` is the reason in one line; `hint` is what to type or look at next;
 * `code` is the exit code. Everything a user meets is one of these; anything else is a bug.
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

/** The reason in one line, whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error);
}
