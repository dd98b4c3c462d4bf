/** `unknown`: it could not be found out. Only a `problem` changes the exit code. */
export type CheckStatus = 'ok' | 'warning' | 'problem' | 'unknown';

/** What a check says about its subject, in plain text that may contain anything that a cluster or a node said. */
export interface Finding {
  readonly status: CheckStatus;
  readonly found: string;
  /** A command that can be typed, or one sentence. */
  readonly fix?: string;
}

/** A row of the table that `doctor` prints. */
export interface Check extends Finding {
  /** Its name, by which programs find it. */
  readonly check: string;
}

/** Why something is not known. */
export interface Failure {
  readonly reason: string;
  readonly hint?: string;
  /** The status code of the API server's answer; undefined if there was none. */
  readonly code?: number;
  /** There was no answer in time, or nobody who could be asked. */
  readonly isSilent?: true;
}

/** Something that was asked for: the answer, or why there is none. */
export type Fact<T> = { readonly value: T } | { readonly failure: Failure };

/** The answer, or undefined without one. */
export const answerOf = <T>(fact: Fact<T>): T | undefined => ('value' in fact ? fact.value : undefined);

/** Why there is no answer; undefined with one. */
export const failureOf = (fact: Fact<unknown>): Failure | undefined =>
  'failure' in fact ? fact.failure : undefined;

export const ok = (found: string): Finding => ({ status: 'ok', found });
export const warning = (found: string, fix?: string): Finding => withFix('warning', found, fix);
export const problem = (found: string, fix?: string): Finding => withFix('problem', found, fix);
export const unknown = (found: string, fix?: string): Finding => withFix('unknown', found, fix);

/** What a failure says about its subject, where it is not known whether that is a problem. */
export const unknownBecause = ({ reason, hint }: Failure): Finding => unknown(reason, hint);

function withFix(status: CheckStatus, found: string, fix: string | undefined): Finding {
  return { status, found, ...(fix !== undefined && { fix }) };
}
