import type { CpuCounters } from './counters.ts';
import type { Frame } from './frame.ts';
import type { StacksBy } from './unwinding.ts';

/**
 * Calls as a tree, in preorder: node 0 is the root (`all`, frame -1), the children of a node follow it in the byte
 * order of their names, and `next` is the first node behind a node's subtree. So a child of `n` is `n + 1`, then
 * `next` of that, and so on while it is below `next[n]`. Keyed by frame, not by sorted text: a sibling whose name
 * merely begins alike stays apart.
 */
export interface CallTree {
  /** Index into `Profile.frames`; -1 for the root. */
  readonly frame: Int32Array;
  /** -1 for the root. */
  readonly parent: Int32Array;
  readonly next: Int32Array;
  /** Weight of the samples that ended in this node, and of those that passed through it; in `Profile.unit`. */
  readonly self: Float64Array;
  readonly total: Float64Array;
}

/** Whose a thread of a node is, as far as its cgroup and the names that are known tell. */
export interface ThreadOwner {
  readonly kind: 'pod' | 'unit' | 'kernel' | 'cgroup';
  /** The outermost frame: `redis/redis-0`, `kubelet.service`, `kernel`, or the end of another cgroup's path. */
  readonly name: string;
  /** The next frame: the container's name, or the beginning of its id where the name is not known. */
  readonly container?: string;
  readonly podUid?: string;
  readonly containerId?: string;
  /** The path of the cgroup; absent if the recording has no cgroups and is of this owner alone. */
  readonly cgroup?: string;
}

export interface Thread {
  readonly comm: string;
  /** The ids that perf printed; -1 where the input has none. */
  readonly pid: number;
  readonly tid: number;
  readonly samples: number;
  readonly weight: number;
  /** The path of its cgroup; undefined if the input has none. */
  readonly cgroup?: string;
  /** Whose it is, by its cgroup (owners.ts). Then the frames of its owner are outside of its own. */
  readonly owner?: ThreadOwner;
}

/** The distinct stacks: one row for each pair of a tree node in which samples ended and the thread of these samples. */
export interface StackTable {
  readonly node: Int32Array;
  /** Index into `Profile.threads`; -1 where the input has no threads (folded text). */
  readonly thread: Int32Array;
  readonly samples: Float64Array;
  readonly weight: Float64Array;
  /** Sums of the squared weights of the samples; undefined where all samples of a row have the same weight. */
  readonly squares?: Float64Array;
}

/** When each sample was taken, in time order. */
export interface SampleTimes {
  /** The time of the first sample, in seconds on perf's clock. */
  readonly start: number;
  /** Time since `start` in units of 10 µs, ascending. */
  readonly at: Uint32Array;
  /** Row of `Profile.stacks`. */
  readonly stack: Int32Array;
  /** The number of samples of each entry; undefined where each entry is one sample. */
  readonly samples: Uint32Array | undefined;
  /** The length of a bin in seconds, where samples were merged into bins to bound the memory; 0 without bins. */
  readonly binSeconds: number;
}

/** The units of `Timeline.at` per second. */
export const TICKS_PER_SECOND = 100_000;

/** What is known about the recording. Titles, labels and the data in the SVG use it. */
export interface About {
  /** `redis/redis-0, container redis`; `all CPUs`; a file's name where nothing else is known. */
  readonly target: string;
  readonly node?: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  /** ISO 8601, UTC. */
  readonly startedAt?: string;
  /** The duration of the recording in seconds. */
  readonly seconds?: number;
  /** `seconds` is only the time from the first sample to the last: the duration of the recording is not known. */
  readonly betweenSamples?: true;
  /** The sampling frequency that perf was asked for, in samples per second per CPU. */
  readonly frequencyHz?: number;
  /** How the callers of the sampled functions were found. */
  readonly stacks?: StacksBy;
  /** Of a recording of waits: how many threads were not looked at when it began or ended, because there were too many. */
  readonly notLookedAt?: number;
  readonly cpu?: CpuCounters;
}

/**
 * The unit of widths, `self` and `total`. `nanoseconds` are CPU time. `microseconds` are time off the CPU: then each sample is a
 * wait, or the part of it that was in the recording.
 */
export type Unit = 'samples' | 'nanoseconds' | 'microseconds' | 'events';

/** The samples of one event, folded. Events are never mixed. */
export interface Profile {
  readonly about: About;
  /** The event, such as `cpu-clock:ppp`; `samples` for folded text, which does not name it. */
  readonly event: string;
  /** Why this event was chosen among several, or which events were added together. */
  readonly eventNote?: string;
  /** `events` means the event's own count, such as cycles or page faults, from the periods. */
  readonly unit: Unit;
  /** True if samples of one stack have different, unknown weights. A test of differences would need the weights. */
  readonly weightsVary?: true;
  readonly frames: readonly Frame[];
  readonly tree: CallTree;
  readonly threads: readonly Thread[];
  readonly stacks: StackTable;
  /** Undefined if the input has no times, or the caller did not ask for them. */
  readonly timeline: SampleTimes | undefined;
  readonly samples: number;
  /** Samples of the idle task: in the tree, or left out of it. */
  readonly idle: { readonly samples: number; readonly leftOut: boolean };
  /** Samples of a pod that `--except` left out of the tree, with the pod's name. */
  readonly except?: { readonly pod: string; readonly samples: number };
  /** Samples that the kernel could not deliver; undefined if the input does not contain this number. */
  readonly lost: number | undefined;
  /** What was looked up by build ID; undefined if the user did not ask for it. */
  readonly lookups?: readonly SymbolLookup[];
}

/** What was looked up by the build ID of an object for its frames without a name. */
export interface SymbolLookup {
  /** The object (dso), as perf prints it. */
  readonly object: string;
  /** Undefined if the input does not have it. */
  readonly buildId?: string;
  /** Frames in the lines of the input: those without a name, and how many of them got one. */
  readonly frames: number;
  readonly named: number;
  /** Why the others still have none. */
  readonly unknown?: {
    readonly kind:
      | 'no-build-id'
      | 'no-offset'
      | 'server-lacks-it'
      | 'server-failed'
      | 'file-refused'
      | 'no-symbols'
      | 'no-function'
      | 'unknown-layout';
    /** For people. */
    readonly text: string;
  };
}

/** Two profiles in one tree. */
export interface Comparison {
  readonly before: About;
  readonly after: About;
  readonly event: string;
  readonly unit: Unit;
  readonly frames: readonly Frame[];
  /** `self` and `total` of this tree are those of the profile after, not normalized. */
  readonly tree: CallTree;
  /** The values of the profile before, by node, not normalized. */
  readonly beforeSelf: Float64Array;
  readonly beforeTotal: Float64Array;
  /** How the two profiles were normalized, and the factor for the values of the profile before. */
  readonly normalizedBy: 'duration' | 'total';
  /** Why the totals were used and not the durations. */
  readonly byTotalBecause?: string;
  readonly beforeFactor: number;
  /** Undefined if the input has weights but does not say how many samples they are. */
  readonly beforeSamples: number | undefined;
  readonly afterSamples: number | undefined;
  /** The assumptions of the comparison, one sentence each. */
  readonly assumptions: readonly string[];
  /** What a test needs to know about the samples of each; undefined if their number is not known. */
  readonly evidence: readonly [before: SampleEvidence, after: SampleEvidence] | undefined;
}

/** The data about the samples of one side that a test of differences needs. */
export interface SampleEvidence {
  readonly about: About;
  /** For each node of the comparison's tree: the sum of the squared weights of the samples that ended there. */
  readonly squares: Float64Array;
  /** The times, nodes and weights of the samples; undefined if they are not known. */
  readonly times:
    | { readonly at: Uint32Array | Float64Array; readonly node: Int32Array; readonly weight: Float64Array }
    | undefined;
}
