import type { Cluster } from '../cluster/cluster.ts';
import type { Interrupts } from '../interrupts.ts';
import type { Log } from '../output/log.ts';

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
  /** Milliseconds after which a copy that brings nothing has stalled, if not the usual; tests wait less. */
  readonly stallMs?: number;
  /** Milliseconds over which the speed of a copy is judged, if not the usual; tests wait less. */
  readonly paceMs?: number;
  /** Whether the user's shell is one of Windows, for the commands in hints. */
  readonly windows?: boolean;
}
