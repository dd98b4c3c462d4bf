import { formatDuration } from '../text/quantity.ts';

/** What the kernel counted about the CPU of the target during the recording (node/cpu.sh). What it does not count is absent. */
export interface CpuCounters {
  /** The time between the two readings of the counters. */
  readonly seconds?: number;
  /** CPU time. */
  readonly usedSeconds?: number;
  /** The tightest CPU limit of the target and of all cgroups above it, in cores; null: there is no limit. */
  readonly limitCores?: number | null;
  /** The limit at the start, if it was changed during the recording. */
  readonly limitCoresBefore?: number | null;
  /** How long a CPU limit throttled it, added up over the CPUs. */
  readonly throttledSeconds?: number;
  /** The limit that did this, if one did: of several, the one that throttled for the longest time. */
  readonly throttling?: Throttling;
  /** How long its threads were runnable but not running, added up over the threads. */
  readonly runQueueSeconds?: number;
  /** The share of the CPU time that these threads used, 0 to 1: what threads waited that had ended is not known. */
  readonly runQueueCoverage?: number;
  /** How long at least one of its threads waited for a CPU: `some` of PSI. */
  readonly waitedSeconds?: number;
  /** The share of the node's CPU time that its host gave to others, 0 to 1. */
  readonly stealShare?: number;
  /** How many CPUs the node has, if the whole node is the target. */
  readonly nodeCpus?: number;
  /** Threads that there were at the end, and threads of the start that had ended by then. */
  readonly threads?: number;
  readonly threadsEnded?: number;
  /** CPU time of the containers of the pod. */
  readonly containers?: ReadonlyArray<{ readonly name: string; readonly usedSeconds: number }>;
}

export interface Throttling {
  /** Whose limit it is: an `inner` cgroup is below the target, an `outer` one above the pod. */
  readonly by: 'container' | 'pod' | 'inner' | 'outer';
  readonly container?: string;
  readonly limitCores?: number;
  /** The periods in which it was runnable, and in how many of them it was throttled. */
  readonly periods?: number;
  readonly throttledPeriods?: number;
}

/**
 * The counters as one line: `0.20 of 0.20 cores: throttled in 94 % of periods, 6.10 s; waited 7.30 s for a CPU`. `recorded` is
 * the duration of the recording in seconds, for receipts that lack the time between the readings.
 */
export function countersText(cpu: CpuCounters, recorded: number): string {
  const seconds = cpu.seconds ?? recorded;
  const used = usedText(cpu, seconds);
  const clauses = [
    throttledText(cpu),
    waitedText(cpu),
    cpu.waitedSeconds !== undefined && seconds > 0 && `PSI some ${percent(cpu.waitedSeconds / seconds)}`,
    stealText(cpu),
  ].filter((clause) => clause !== false);
  return [used, clauses.join('; ')].filter(Boolean).join(': ');
}

function usedText(cpu: CpuCounters, seconds: number): string {
  const { usedSeconds, limitCores, limitCoresBefore, nodeCpus } = cpu;
  if (usedSeconds === undefined) return '';
  if (seconds <= 0) return `${secondsText(usedSeconds)} of CPU time`;
  const cores = coresText(usedSeconds / seconds);
  if (nodeCpus !== undefined) return `${cores} of ${nodeCpus} CPUs`;
  if (limitCores === undefined) return `${cores} cores`;
  const limited =
    limitCores === null ? `${cores} cores, no CPU limit` : `${cores} of ${coresText(limitCores)} cores`;
  if (limitCoresBefore === undefined) return limited;
  const before =
    limitCoresBefore === null ? 'there was none before' : `${coresText(limitCoresBefore)} before`;
  return `${limited} (the limit was changed during the recording, ${before})`;
}

function throttledText({ throttledSeconds, throttling, limitCores }: CpuCounters): string | false {
  if (throttledSeconds === undefined) return false;
  if (throttledSeconds === 0) return typeof limitCores === 'number' && 'not throttled';
  const { periods = 0, throttledPeriods = 0 } = throttling ?? {};
  // The limit of another cgroup than the one in front of the colon is named.
  const by =
    throttling?.limitCores === undefined || throttling.limitCores === limitCores
      ? ''
      : ` by the limit of ${whose(throttling)} (${coresText(throttling.limitCores)} cores)`;
  const often =
    periods === 0
      ? ` for ${secondsText(throttledSeconds)}`
      : ` in ${periods < FEW_PERIODS ? `${throttledPeriods} of ${periods}` : `${percent(throttledPeriods / periods)} of`} periods, ${secondsText(throttledSeconds)}`;
  return `throttled${by}${often}`;
}

/** A share of fewer periods than this is not a whole number of percent. */
const FEW_PERIODS = 20;

const whose = ({ by, container }: Throttling): string =>
  ({
    container: `container ${container}`,
    pod: 'the pod',
    inner: 'a cgroup inside it',
    outer: 'a cgroup above the pod',
  })[by];

/** If the threads that were read used a smaller share of the CPU time than this, the others may have waited, too. */
const ALMOST_ALL = 0.95;

function waitedText({ runQueueSeconds, runQueueCoverage = 1 }: CpuCounters): string | false {
  if (runQueueSeconds === undefined) return false;
  const waited = secondsText(runQueueSeconds);
  return runQueueCoverage < ALMOST_ALL
    ? `waited at least ${waited} for a CPU (threads that ended are not counted)`
    : `waited ${waited} for a CPU`;
}

/** A smaller share would be printed as 0. */
const LEAST_STEAL = 0.0005;

const stealText = ({ stealShare, nodeCpus }: CpuCounters): string | false =>
  stealShare !== undefined &&
  (stealShare >= LEAST_STEAL || nodeCpus !== undefined) &&
  `steal ${percent(stealShare)}`;

const coresText = (cores: number): string => cores.toFixed(cores > 0 && cores < 0.1 ? 3 : 2);

const percent = (share: number): string => `${(100 * share).toFixed(share >= 0.1 ? 0 : 1)} %`;

/** A time of a counter for people: `3 ms`, `4.95 s`. */
export const secondsText = (seconds: number): string =>
  seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;

/** If at least this many samples are expected, it is no coincidence that there are none. */
const EXPECTED = 10;

/** A target that was throttled for a smaller share of the time than this was nearly idle. */
const MUCH = 10;

/** What is known about a recording without samples. */
export interface EmptyRecording {
  readonly seconds: number;
  readonly frequencyHz: number;
  readonly cpu?: CpuCounters;
  /** The container that was recorded, if it was not the whole pod. */
  readonly container?: string;
  /** The target ended during the recording, which ended with it. */
  readonly hasEnded?: boolean;
}

/**
 * Why a recording is empty: the target had ended, was throttled, waited for a CPU, was idle (perhaps because another container
 * of the pod does the work), or perf did not see it. The lack of samples alone does not show which.
 */
export function emptyReason(
  target: string,
  { seconds, frequencyHz, cpu, container, hasEnded }: EmptyRecording,
): string {
  const name = container === undefined ? target : `container ${container} of ${target}`;
  const time = formatDuration(seconds);
  const { usedSeconds, throttledSeconds = 0, threads, threadsEnded = 0 } = cpu ?? {};
  const used = usedSeconds === undefined ? '' : `used ${secondsText(usedSeconds)} of CPU time in ${time}`;
  if (hasEnded) return `${name} ended after ${time}`;
  if (threads === 0)
    return `all processes of ${name} had ended${threadsEnded > 0 ? ' before the recording did' : ''}${used && `; it ${used}`}`;
  if (usedSeconds === undefined)
    return `${name} was idle or got no CPU in ${time}; the kernel has no counters that would show which`;
  const span = cpu?.seconds ?? seconds;
  const waited = cpu?.waitedSeconds ?? cpu?.runQueueSeconds ?? 0;
  const held = [
    throttledSeconds > span / MUCH && `a CPU limit throttled it for ${secondsText(throttledSeconds)}`,
    waited > span / MUCH && `it waited for a CPU for ${secondsText(waited)}`,
  ].filter((part) => part !== false);
  if (held.length) return `${name} ${used}, and ${held.join(', and ')}`;
  if (usedSeconds * frequencyHz >= EXPECTED)
    return `${name} ${used}, but perf did not see it (is the event counted on this node?)`;
  const busy =
    container === undefined
      ? undefined
      : cpu?.containers
          ?.filter((each) => each.name !== container && each.usedSeconds * frequencyHz >= EXPECTED)
          .sort((a, b) => b.usedSeconds - a.usedSeconds)[0];
  const idle = `${name} was idle, it ${used}`;
  return busy
    ? `${idle}; container ${busy.name} of the same pod used ${secondsText(busy.usedSeconds)}: profile that one with -c ${busy.name}`
    : `${idle}; profile it while it works, or for longer`;
}
