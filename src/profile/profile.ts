import type { Frame } from './frame.ts';

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

export interface Thread {
  readonly comm: string;
  /** As perf printed them; -1 where the input does not say. */
  readonly pid: number;
  readonly tid: number;
  readonly samples: number;
  readonly weight: number;
}

/** The distinct stacks: one row for each pair of a tree node in which samples ended and the thread they were of. */
export interface StackTable {
  readonly node: Int32Array;
  /** Index into `Profile.threads`; -1 where the input has no threads (folded text). */
  readonly thread: Int32Array;
  readonly samples: Float64Array;
  readonly weight: Float64Array;
  /** Sums of the squares of what each sample weighs; undefined where all samples of a row weigh the same. */
  readonly squares?: Float64Array;
}

/** When each sample was taken, in time order. */
export interface SampleTimes {
  /** Of the first sample, in seconds on perf's clock. */
  readonly start: number;
  /** Time since `start` in units of 10 µs, ascending. */
  readonly at: Uint32Array;
  /** Row of `Profile.stacks`. */
  readonly stack: Int32Array;
  /** How many samples an entry stands for; undefined where it is always one. */
  readonly samples: Uint32Array | undefined;
  /** Seconds an entry covers, where samples were put together in bins to bound the memory; 0 where each stands for itself. */
  readonly binSeconds: number;
}

/** `Timeline.at` counts these in a second. */
export const TICKS_PER_SECOND = 100_000;

/** What is known about the recording; it goes into titles, labels and the SVG's data block. */
export interface About {
  /** `redis/redis-0, container redis`; `all CPUs`; a file's name where nothing else is known. */
  readonly target: string;
  readonly node?: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  /** ISO 8601, UTC. */
  readonly startedAt?: string;
  /** How long was recorded, in seconds. */
  readonly seconds?: number;
  /** `seconds` is only the time from the first sample to the last: the duration of the recording is not known. */
  readonly betweenSamples?: true;
  /** Samples a second and processor that perf was asked for. */
  readonly frequencyHz?: number;
  /** By the kernel's counters of the target: CPU time, and how long a limit held it back or it waited for a processor, in seconds. */
  readonly cpu?: {
    readonly usedSeconds?: number;
    readonly throttledSeconds?: number;
    readonly waitedSeconds?: number;
  };
}

/** What a width, a `self` and a `total` count. */
export type Unit = 'samples' | 'nanoseconds' | 'events';

/** The samples of one event, folded. Events are never mixed. */
export interface Profile {
  readonly about: About;
  /** `cpu-clock:ppp`; `samples` for folded text, which does not say. */
  readonly event: string;
  /** Why this event was chosen if the input has several that might be meant, or which events were added together. */
  readonly eventNote?: string;
  /** `events`: the event's own count (cycles, faults), by period. */
  readonly unit: Unit;
  /** Samples of one stack weigh differently, and nothing says by how much: a test of differences needs that. */
  readonly weightsVary?: true;
  readonly frames: readonly Frame[];
  readonly tree: CallTree;
  readonly threads: readonly Thread[];
  readonly stacks: StackTable;
  /** Undefined where the input has no times, or they were not wanted. */
  readonly timeline: SampleTimes | undefined;
  readonly samples: number;
  /** Samples of the idle task: in the tree, or left out of it. */
  readonly idle: { readonly samples: number; readonly leftOut: boolean };
  /** Samples that the kernel could not deliver; undefined if the input does not say. */
  readonly lost: number | undefined;
}

/** Two profiles in one tree. */
export interface Comparison {
  readonly before: About;
  readonly after: About;
  readonly event: string;
  readonly unit: Unit;
  readonly frames: readonly Frame[];
  /** `self` and `total` are of the profile after, as counted. */
  readonly tree: CallTree;
  /** Of the profile before, as counted; by node. */
  readonly beforeSelf: Float64Array;
  readonly beforeTotal: Float64Array;
  /** What the two were made comparable by, and the factor that `before…` is multiplied with for that. */
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

/** What a test of differences has to know about the samples of one side. */
export interface SampleEvidence {
  readonly about: About;
  /** By node of the comparison's tree: sums of the squares of what the samples that ended there weigh. */
  readonly squares: Float64Array;
  /** The times, nodes and weights of the samples; undefined if they are not known. */
  readonly times:
    | { readonly at: Uint32Array; readonly node: Int32Array; readonly weight: Float64Array }
    | undefined;
}
