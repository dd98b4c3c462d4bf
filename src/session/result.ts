import type { Cluster, Reached } from '../cluster/cluster.ts';
import type { Collector } from '../collectors/collector.ts';
import type { EventOf } from '../node/events.ts';
import type { Plan } from '../plan/plan.ts';
import type { CpuCounters } from '../profile/counters.ts';
import type { StacksBy } from '../profile/unwinding.ts';
import type { Downloaded } from './collect.ts';
import { cpuCounters } from './cpu-counters.ts';
import type { Artifact } from './download.ts';
import type { Recording } from './recording.ts';
import { type Deletion, deletionOf, type EndReason, type StoppedBy, stoppedBy } from './stopped-by.ts';

/** Why the recording is not whole: what happened to the tool on the node before it had written all of it. */
export type Cut = NonNullable<EventOf<'end'>['cut']>;
export type NoCgroups = NonNullable<EventOf<'end'>['no_cgroups']>;

/** What became of files that perf could not open by itself (collectors/perf/harvest.sh). */
export interface SymbolFiles {
  readonly copied: number;
  readonly bytes: number;
  /** Files that were not copied because of a limit, which `why` names; absent where no limit was reached. */
  readonly missed?: number;
  readonly why?: NonNullable<EventOf<'end'>['unharvested_why']>;
}

export interface SessionResult {
  /** The cluster, and the user by whose rights it was reached. */
  readonly reached: Reached;
  readonly artifact: Artifact;
  /** The artifact is what the tool wrote, and only the tool itself can read it. */
  readonly isRaw: boolean;
  readonly cut?: Cut;
  /** Processes whose files perf was not allowed to read, because they held it up (collectors/perf/perf.sh). */
  readonly unnamedProcesses: number;
  /** How the stacks of a profile were found; absent for packets. */
  readonly stacks?: StacksBy;
  /** Files of programs that were copied for perf, because it could not open them; absent where there were none. */
  readonly symbolFiles?: SymbolFiles;
  /** Why the samples of a node have no cgroups; absent if they have, and for other scopes. */
  readonly noCgroups?: NoCgroups;
  /** What the kernel counted for the target's CPU use during the capture; absent if it did not count. */
  readonly cpu?: CpuCounters;
  readonly ended: EndReason;
  readonly stoppedBy: StoppedBy;
  readonly deletion?: Deletion;
  /** The tool's exit status. */
  readonly toolStatus: number;
  /** By the node's clock, milliseconds since the epoch. */
  readonly startedAt: number;
  readonly stoppedAt: number;
  readonly kernel: string;
  readonly toolVersion: string;
  /** The image as the node resolved it, with its digest. */
  readonly imageId: string;
  /** The last event with figures: packets, received, dropped. */
  readonly last: EventOf<'end'> | EventOf<'progress'> | undefined;
  /** What happened to the target during the capture, one phrase each. */
  readonly targetChanges: readonly string[];
  /** Why it is not known whether the target changed; absent if it is known. */
  readonly targetUnknown?: string;
  /** Settles when the debug pod's deletion was accepted; it does not hold up the result. */
  readonly removed: Promise<void>;
}

/** What the events, the downloaded file and the API say together. */
export function resultOf(
  { seen, began, end, hasAsked }: Recording,
  { artifact, isRaw, target, debugPod }: Downloaded,
  plan: Plan,
  collector: Collector,
  cluster: Cluster,
): Omit<SessionResult, 'removed'> {
  const ended: EndReason = end?.reason ?? 'lost';
  const deletion = deletionOf(debugPod);
  const cpu = cpuCounters(end, plan.target);
  const stacks = collector.stacks?.(began, plan);
  const capture = debugPod?.status?.containerStatuses?.find((each) => each.name === 'capture');
  return {
    reached: cluster.reached,
    artifact,
    isRaw,
    ...(end?.cut && { cut: end.cut }),
    unnamedProcesses: end?.unnamed ?? 0,
    ...(stacks && { stacks }),
    ...symbolFilesOf(end),
    ...(end?.no_cgroups && { noCgroups: end.no_cgroups }),
    ...(cpu && { cpu }),
    ended,
    stoppedBy: stoppedBy(ended, hasAsked, deletion),
    ...(deletion && { deletion }),
    toolStatus: end?.status ?? 0,
    startedAt: began.t,
    stoppedAt: end?.stopped ?? (seen.progress ?? began).t,
    kernel: seen.hello?.kernel ?? '',
    toolVersion: seen.tool?.version ?? '',
    imageId: capture?.imageID ?? '',
    last: end ?? seen.progress,
    targetChanges: target.changes,
    ...(target.unknown !== undefined && { targetUnknown: target.unknown }),
  };
}
function symbolFilesOf(end: EventOf<'end'> | undefined): Pick<SessionResult, 'symbolFiles'> {
  const {
    harvested: copied = 0,
    harvested_bytes: bytes = 0,
    unharvested: missed,
    unharvested_why: why,
  } = end ?? {};
  if (!copied && !why) return {};
  return { symbolFiles: { copied, bytes, ...(why && { missed: missed ?? 0, why }) } };
}
