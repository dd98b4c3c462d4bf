import type { Cluster } from '../cluster/cluster.ts';
import type { Interrupts } from '../interrupts.ts';
import type { EventOf } from '../node/events.ts';
import type { Log } from '../output/log.ts';
import type { Plan } from '../plan/plan.ts';
import type { Unwinding } from '../profile/unwinding.ts';

/** One way to find stacks for all debug pods of a command (session/stacks-agreement.ts). */
export interface StacksDecision {
  /** The way of all targets; undefined before it is decided, and if the best way is not possible for all of them. */
  readonly agreed: Unwinding | undefined;
  /** Takes what a debug pod needs and can, and tells it the decision. Never rejects: a node without an answer decides by itself. */
  looked(plan: Plan, looked: EventOf<'looked'>, context: SessionContext): Promise<void>;
  /** Of a debug pod that failed, perhaps before it said what it needs; without a plan if it was never created. */
  without(plan?: Plan): void;
}

/**
 * What every part of a session needs of the outside world, in one place: it is made once for a command, and handed down
 * unchanged. Tests give a fake cluster and a clock of their own.
 */
export interface SessionContext {
  /** The API server and kubectl: the only way to the debug pod. */
  readonly cluster: Cluster;
  /** What the user reads on stderr: lines that stay, and the live line. */
  readonly log: Log;
  /** Ctrl-C: the first asks for an orderly end, the second for an end at once. */
  readonly interrupts: Interrupts;
  /** Milliseconds since the epoch by the clock of this computer. */
  readonly now: () => number;
  /** Waits for so many milliseconds. Rejects with the signal's reason when that aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** How stacks are found, if several debug pods are to agree on it. */
  readonly stacks?: StacksDecision;
  /** Milliseconds after which a copy that brings nothing has stalled, if not the usual; tests wait less. */
  readonly stallMs?: number;
  /** Milliseconds over which the speed of a copy is judged, if not the usual; tests wait less. */
  readonly paceMs?: number;
  /** Whether the user's shell is one of Windows, for the commands in hints. */
  readonly windows?: boolean;
}
