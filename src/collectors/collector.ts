import type { AssetName } from '../assets.ts';
import type { EventOf } from '../node/events.ts';
import type { NodeTask, Plan } from '../plan/plan.ts';
import type { StacksBy } from '../profile/unwinding.ts';
import type { ManualContext } from './by-hand/debugger.ts';

/** A refusal of the node's script for people: the reason and, where there is one, the next step. */
export interface Explanation {
  readonly reason: string;
  readonly hint?: string;
}

/** Linux capabilities, as Kubernetes names them: without `CAP_`. */
export type Capability =
  | 'DAC_READ_SEARCH'
  | 'IPC_LOCK'
  | 'NET_RAW'
  | 'SYSLOG'
  | 'SYS_ADMIN'
  | 'SYS_CHROOT'
  | 'SYS_PTRACE';

/** What the container `capture` gets of the node under --least-privilege, in place of everything. */
export interface Privileges {
  /** Whether it sees the node's processes. */
  readonly hostPID: boolean;
  /** Whether it is on the node's network. */
  readonly hostNetwork: boolean;
  /** Sorted by name. */
  readonly capabilities: readonly Capability[];
}

/** The namespaces of the node that a collector needs: its processes (pids), its network, both or neither. */
const NAMESPACES = {
  pids: { hostPID: true, hostNetwork: false },
  network: { hostPID: false, hostNetwork: true },
  both: { hostPID: true, hostNetwork: true },
  neither: { hostPID: false, hostNetwork: false },
} as const;

/** Privileges in one line, for the rows of a collector. */
export const privileges = (of: keyof typeof NAMESPACES, ...capabilities: Capability[]): Privileges => ({
  ...NAMESPACES[of],
  capabilities: capabilities.sort(),
});

/** A collector's rows for --least-privilege. docs/least-privilege.md says what does not work without each capability. */
export interface LeastPrivilege {
  /** What the work needs, by `SCOPE`, or by `SCOPE PART` for work that has parts: then the parts' needs add up. */
  readonly needs: Readonly<Record<string, Privileges>>;
  /** All work that can occur with --least-privilege: the admission policy accepts these and nothing else. */
  readonly works: ReadonlyArray<{ readonly scope: NodeTask['scope']; readonly parts?: readonly string[] }>;
  /** The parts of a task, if its needs depend on them. */
  partsOf?(task: NodeTask): readonly string[] | undefined;
}

/** A kind of debug pod, as a task that stands for all of its kind. */
export interface SampleTask {
  readonly name: string;
  readonly task: NodeTask;
  /** What the sample is of. */
  readonly on: 'node' | 'pod' | 'container';
  /** What the arguments of this kind may name as their target; absent: the same as `on`. */
  readonly target?: 'either';
  /** Whether it can do anything on the node: a policy accepts it only where shells are allowed. */
  readonly isShell?: true;
}

/**
 * What a debug pod is for: one row of the table in index.ts. The session knows only this: how the plan becomes words for
 * the node's script, and what the pod needs. The shell half declares the arguments and the scopes that it takes, and the
 * function `NAME_run` that does the work (node/capture.sh).
 */
export interface NodeWork {
  /** What stands behind `collector=`: the prefix of its functions in the shell half. */
  readonly name: string;
  /** The shell half: the parts of the node's script that are the collector's own. */
  readonly scripts: readonly AssetName[];
  /**
   * A program in another language than the shell. It is a word of its own behind the script, because a word of a command must
   * not be longer than 128 KiB; the shell half finds its text in `NAME_program`. It is made of these parts, in this order.
   */
  readonly program?: readonly AssetName[];
  /** Absent for what cannot be limited. */
  readonly leastPrivilege?: LeastPrivilege;
  /** Every kind of debug pod that it makes: the admission policy is made from these pods. */
  readonly samples: readonly SampleTask[];
  /** What is done, in a phrase, for the pod's annotation and for the first line that the user sees. */
  describe(plan: Plan): string;
  /** The arguments of the node's script that are the collector's own: KEY=VALUE words, and words that belong to its tool. */
  nodeArguments(plan: Plan): { keys: string[]; words: string[] };
}

/** What a tool has written before the node made the artifact of it. */
export interface RawFile {
  readonly file: string;
  readonly ending: string;
  /** Whether nothing but the tool itself, with the files of the node, can read it. */
  readonly isOpaque: boolean;
}

/**
 * Work that records something into a file: the artifact. What is made of the artifact is the command's business.
 */
export interface Collector extends NodeWork {
  /** The ending of the artifact's file, behind the common base name. */
  readonly ending: string;
  /** The file that the node announces, unless something prevents it from finishing one. */
  readonly artifact: string;
  /** The file that the tool writes in scratch: it is worth keeping if the capture container dies before it finishes. */
  raw?(began: EventOf<'capturing'>): RawFile;
  /** The tools that a plain image lacks, and what installing them costs, for the announcement. */
  readonly install: string;
  /** The scope in the file names. */
  scopeName(plan: Plan): string;
  /** The live line's figures, the most important first; `before` is the progress event before this one. */
  progress(event: EventOf<'progress'>, before: EventOf<'progress'> | undefined): string[];
  /** How the stacks of a profile are found, by the event that the recording has begun. */
  stacks?(began: EventOf<'capturing'>, plan: Plan): StacksBy | undefined;
  /** Refusals that only this collector knows. `log` is what its tool printed, already printable. */
  explain(code: string, plan: Plan, log: string): Explanation | undefined;
  /** The commands that do the same by hand, for `--explain`. `nowMs` is the time for the file names. */
  byHand(plan: Plan, around: ManualContext, nowMs: number): string[];
}

/** Whether the work records an artifact. */
export const isRecording = (work: NodeWork): work is Collector => 'ending' in work;

/** The last lines of a tool's log that are not empty, on one line: that is where tools put the reason. */
export function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.slice(-3).join(' · ') || 'it printed nothing';
}
