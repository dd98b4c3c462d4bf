import { formatDuration } from '../../text/quantity.ts';
import type { Frame } from '../frame.ts';
import type { StartingThread, ThreadLooks } from './looks.ts';

/** Which waits count, in microseconds. */
export interface WaitLimits {
  readonly minWait?: number;
  readonly maxWait?: number;
}

/** The waits that the limits left out, by their number and their lengths in microseconds. */
export interface WaitsLeftOut {
  waits: number;
  shortest: number;
  longest: number;
}

/**
 * The clock that perf recorded beside each switch, in the command line that its header has. It counts on each CPU only while the
 * cgroup runs there. So what it counted between two switches on a CPU is how long the thread ran that the second one takes
 * off the CPU. `perf script` prints a line for the switch, with its stack, and soon after that one for the clock.
 */
const GROUP = /\{context-switches\/[^{}]*,cpu-clock\}:S/;

/** Whether a command line of perf, or the beginning of a text with it, is of a recording of waits. */
export const isOffCpu = (commandLine: string): boolean => GROUP.test(commandLine);

/** The names of both in the lines. */
export const CLOCK_EVENT = 'cpu-clock';
export const SWITCH_EVENT = 'sched:sched_switch';

/** A thread leaves a CPU. */
interface Switch {
  /** The thread. The line itself has -1 for one that ends. */
  readonly tid: number;
  readonly printedTid: number;
  readonly cpu: number;
  /** Its state, as its letters. */
  readonly state: string;
}

/**
 * The line of a switch. A thread's name has at most 15 bytes, so none can contain what stands around the numbers and the state.
 * collectors/perf/text.sh leaves nothing but these behind the event.
 */
const SWITCH =
  /(-?\d+)\s+\[(\d+)\]\s+\d+\.\d+:\s+(?:\d+\s+)?sched:sched_switch:\s+(?:.* )?prev_pid=(\d+) (?:prev_prio=-?\d+ )?prev_state=(\S+)(?:\s*$| ==> next_comm=)/;

/** The switch of a line; undefined for any other line. */
export function parseSwitch(line: string): Switch | undefined {
  const [, printedTid, cpu, tid, state] = SWITCH.exec(line) ?? [];
  if (state === undefined) return undefined;
  return { tid: Number(tid), printedTid: Number(printedTid), cpu: Number(cpu), state };
}

/** A thread that leaves the CPU in one of these states never comes back: Linux include/trace/events/sched.h. */
const isLast = (state: string): boolean => /^[XZ]/.test(state);

/**
 * What a thread waits for, by the letters of its state, in the words of proc_pid_status(5). A thread that is still runnable
 * was preempted, or its cgroup is throttled.
 */
const STATES: ReadonlyArray<readonly [RegExp, string]> = [
  [/^R/, '[preempted]'],
  [/^S/, '[sleeping]'],
  [/^D/, '[disk sleep]'],
  [/^[Tt]/, '[stopped]'],
];

/** The frame between the thread and its functions: why the thread was not on a CPU. */
export const stateFrame = (state: string): Frame => ({
  name: STATES.find(([letters]) => letters.test(state))?.[1] ?? '[other state]',
  kind: 'state',
  dso: '',
  unknown: false,
});

/** Functions in which each switch ends, whatever the thread waits for. */
const SCHEDULER =
  /^(?:__traceiter_sched_switch|perf_trace_sched_switch|__schedule|schedule|preempt_schedule(?:_common|_irq|_notrace)?|__cond_resched)$/;

export const isScheduler = ({ name, kind }: Frame): boolean => kind === 'kernel' && SCHEDULER.test(name);

/** A switch with its stack: the innermost frame first. */
export interface HeldSwitch extends Switch {
  readonly chain: Int32Array;
}

/** A wait that has ended. */
export interface OffCpuWait {
  /** How it began. */
  readonly left: HeldSwitch;
  readonly origin: number;
  /** When that was, in seconds on perf's clock. */
  readonly since: number;
  readonly microseconds: number;
}

/** A wait whose beginning or end is not in the recording: it counts from the recording's start, or up to its end. */
export interface OpenWait extends Pick<OffCpuWait, 'since' | 'microseconds'> {
  /** How it began, if that was in the recording. */
  readonly left?: { readonly held: HeldSwitch; readonly origin: number };
  /** The thread as it was at the start, if the wait had begun by then; with its origin if it left a CPU later. */
  readonly thread?: StartingThread;
  readonly origin?: number;
}

/**
 * The waits of threads, from what they do in the order of time: each time that a thread leaves a CPU, how long it had been there
 * says when it came, and so how long it was away since it had left a CPU before. After a loss no thread's last switch is
 * known, and no clock's last value. The waits that were there at the start or at the end of the recording need looks at the threads.
 */
export class OffCpuWaits {
  readonly #left = new Map<number, { time: number; held: HeldSwitch; origin: number }>();
  /** By CPU. */
  readonly #switches = new Map<number, HeldSwitch>();
  /** CPUs whose clock has been read since the last loss. */
  readonly #read = new Set<number>();
  #hasLost = false;
  /** When each thread first came to a CPU in the recording; undefined where that is not known. */
  readonly #first = new Map<number, { came: number; origin: number } | undefined>();
  readonly #limits: WaitLimits;
  /** The waits that the limits left out; undefined if they left out no wait. */
  leftOut: WaitsLeftOut | undefined;

  constructor(limits: WaitLimits) {
    this.#limits = limits;
  }

  lost(): void {
    this.#left.clear();
    this.#switches.clear();
    this.#read.clear();
    this.#hasLost = true;
  }

  /** Keeps a switch until its clock comes: on other CPUs others may switch between the two. */
  hold(held: HeldSwitch): void {
    this.#switches.set(held.cpu, held);
  }

  /** Takes the switch that the clock of a CPU belongs to. */
  take(cpu: number, printedTid: number): HeldSwitch | undefined {
    const held = this.#switches.get(cpu);
    this.#switches.delete(cpu);
    return held?.printedTid === printedTid ? held : undefined;
  }

  /**
   * The clock of a switch: a thread of the number `tid` left the CPU at `time`, in seconds, after it ran there for `ran` nanoseconds.
   * Returns its wait before that, if it is known and within the limits. `held` is undefined if the line of the switch is missing.
   */
  leave(
    held: HeldSwitch | undefined,
    tid: number,
    cpu: number,
    time: number,
    ran: number,
    origin: number,
  ): OffCpuWait | undefined {
    const thread = held?.tid ?? tid;
    const isClockKnown = !this.#hasLost || this.#read.has(cpu);
    this.#read.add(cpu);
    const before = this.#left.get(thread);
    if (!this.#first.has(thread))
      this.#first.set(thread, this.#hasLost ? undefined : { came: time - ran / 1e9, origin });
    if (held && !isLast(held.state)) this.#left.set(thread, { time, held, origin });
    else this.#left.delete(thread);
    if (!before || !isClockKnown) return undefined;
    // Times are printed in whole microseconds, so a short wait can come out below zero.
    const microseconds = Math.max(0, Math.round((time - before.time) * 1e9) - ran) / 1000;
    if (!this.#isWithin(microseconds)) return undefined;
    return { left: before.held, origin: before.origin, since: before.time, microseconds };
  }

  /** Whether a wait is within the limits. The length of one that is not is noted. */
  #isWithin(microseconds: number): boolean {
    const { minWait = 0, maxWait = Number.POSITIVE_INFINITY } = this.#limits;
    if (microseconds >= minWait && microseconds <= maxWait) return true;
    this.leftOut ??= { waits: 0, shortest: microseconds, longest: microseconds };
    const { leftOut } = this;
    leftOut.waits += 1;
    leftOut.shortest = Math.min(leftOut.shortest, microseconds);
    leftOut.longest = Math.max(leftOut.longest, microseconds);
    return false;
  }

  /** The waits within the limits that were there when the recording began, or when it ended. Call it after the last line. */
  open(looks: ThreadLooks): OpenWait[] {
    return [...this.#fromBefore(looks), ...this.#notEnded(looks)].filter(
      ({ microseconds }) => microseconds > 0 && this.#isWithin(microseconds),
    );
  }

  *#fromBefore({ began, ended, atStart, atEnd }: ThreadLooks): Generator<OpenWait> {
    for (const thread of atStart.values()) {
      if (isLast(thread.state)) continue;
      const wait = (until: number) => ({ thread, since: began, microseconds: microsecondsOf(until - began) });
      if (this.#first.has(thread.tid)) {
        const first = this.#first.get(thread.tid);
        // If it came before it was looked at, it was not yet the wait that was seen.
        if (first && first.came >= thread.time) yield { ...wait(first.came), origin: first.origin };
        continue;
      }
      // One that ran all the time leaves no CPU either. If its counters are what they were, it was on none.
      const end = atEnd.get(thread.tid);
      const isSame = end?.begun === thread.begun && end.slices === thread.slices && end.ran === thread.ran;
      if (isSame && thread.slices > 0) yield wait(ended);
    }
  }

  *#notEnded({ ended, atEnd }: ThreadLooks): Generator<OpenWait> {
    for (const [tid, { time, held, origin }] of this.#left) {
      const end = atEnd.get(tid);
      // One that may run is perhaps on a CPU again since nobody knows when.
      if (!end || /^[RXZ]/.test(end.state)) continue;
      yield { left: { held, origin }, since: time, microseconds: microsecondsOf(ended - time) };
    }
  }
}

const microsecondsOf = (seconds: number): number => Math.round(seconds * 1e6);

/** Why no wait is left, for people, and the flags that left them out. */
export function allLeftOutText(
  { waits, shortest, longest }: WaitsLeftOut,
  { minWait, maxWait }: { readonly [Limit in keyof WaitLimits]: number | undefined },
): { readonly why: string; readonly flags: string } {
  const text = (microseconds: number) => formatDuration(microseconds / 1e6);
  const one = (which: string) => (waits === 1 ? 'the only one' : `the ${which} of ${waits}`);
  if (minWait !== undefined && longest < minWait)
    return {
      why: `every wait was shorter than ${text(minWait)}; ${one('longest')} took ${text(longest)}`,
      flags: '--min-wait',
    };
  if (maxWait !== undefined && shortest > maxWait)
    return {
      why: `every wait was longer than ${text(maxWait)}; ${one('shortest')} took ${text(shortest)}`,
      flags: '--max-wait',
    };
  return {
    why: `no wait took between ${text(minWait ?? 0)} and ${text(maxWait ?? longest)}; the shortest of ${waits} took ${text(shortest)}, and the longest took ${text(longest)}`,
    flags: '--min-wait or --max-wait',
  };
}

/** The limits for people; undefined if all waits count. */
export function limitsText({ minWait, maxWait }: WaitLimits): string | undefined {
  const text = (microseconds: number) => formatDuration(microseconds / 1e6);
  if (minWait !== undefined && maxWait !== undefined) return `waits of ${text(minWait)} to ${text(maxWait)}`;
  if (minWait !== undefined) return `waits of ${text(minWait)} or longer`;
  return maxWait === undefined ? undefined : `waits of ${text(maxWait)} or shorter`;
}
