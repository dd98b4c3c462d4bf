import { GkeprofError, reasonOf } from '../errors.ts';
import { type Plan, targetText } from '../plan/plan.ts';

/** A target that could not be recorded or read. */
export interface FailedTarget {
  /** As people write it: `pod/redis-0`. */
  readonly target: string;
  /** Absent for a node. */
  readonly namespace?: string;
  /** Absent for a pod that is on no node. */
  readonly node?: string;
  readonly error: string;
  readonly hint?: string;
}

/** A target as results name it: as people write it, and its namespace. */
export const namedInResult = ({ target }: Plan): Pick<FailedTarget, 'target' | 'namespace'> => ({
  target: targetText(target),
  ...(target.kind === 'pod' && { namespace: target.namespace }),
});

/** A target without a recording, as results have it. */
export const failedTarget = (plan: Plan, error: unknown): FailedTarget => ({
  ...namedInResult(plan),
  node: plan.node,
  error: reasonOf(error),
  ...(error instanceof GkeprofError && error.hint !== undefined && { hint: error.hint }),
});

/** A pod with its namespace, because the targets of one command may be of several. */
export const podText = ({ target }: Plan): string =>
  target.kind === 'pod' ? `pod "${target.name}" in namespace "${target.namespace}"` : targetText(target);

/** The same of a target that is known by its result alone. */
export const failedText = ({ target, namespace }: FailedTarget): string =>
  namespace === undefined ? target : `${target} in namespace ${namespace}`;
