import { type Frame, parseFrameLine } from '../frame.ts';
import { FROM_BEFORE } from '../from-before.ts';
import type { Stacks } from '../stacks.ts';
import { OFF_CPU } from '../weighing.ts';
import type { StartingThread, ThreadLooks } from './looks.ts';
import { isScheduler, type OffCpuWaits, stateFrame } from './off-cpu.ts';
import { notePeriod, type Origin } from './origins.ts';
import type { Rows } from './rows.ts';

/** The reader that the waits are counted in (perf-script.ts). */
interface WaitReader {
  readonly frames: readonly Frame[];
  readonly stacks: Stacks;
  readonly origins: readonly Origin[];
  readonly rows: Rows;
  frameLines: number;
  withSymbol: boolean;
  frameNumber(frame: Frame): number;
  originNumber(comm: string, pid: number, tid: number, event: string, cgroup?: string): number;
}

/** A wait as a row of a profile of waits counts it. */
export interface CountedWait {
  /** Its frames, the innermost first, and the letters of its state. */
  readonly chain: Int32Array;
  readonly state: string;
  readonly origin: number;
  /** When it began, or from when on it counts, in seconds on perf's clock. */
  readonly since: number;
  readonly microseconds: number;
}

/** Counts a wait, and returns its row. Its stack is without the scheduler, and has the state between the thread and the functions. */
export function addWait(reader: WaitReader, wait: CountedWait): number {
  const { chain, microseconds } = wait;
  const origin = reader.origins[wait.origin]!;
  let from = 0;
  while (from < chain.length && isScheduler(reader.frames[chain[from]!]!)) from += 1;
  const stack = Int32Array.of(
    ...chain.subarray(from),
    reader.frameNumber(stateFrame(wait.state)),
    origin.frame,
  );
  origin.samples += 1;
  notePeriod(origin, microseconds);
  return reader.rows.add(reader.stacks.number(stack, 0, stack.length), wait.origin, microseconds);
}

/** The waits that were there at the start of the recording or at its end, with their frames. Call it after the last line. */
export function openWaits(reader: WaitReader, waits: OffCpuWaits, looks: ThreadLooks): CountedWait[] {
  return waits.open(looks).map(({ since, microseconds, left, thread, origin }) => {
    if (left) return { since, microseconds, ...left.held, origin: left.origin };
    const frames = framesOf(thread!).map((frame) => reader.frameNumber(frame));
    reader.frameLines += frames.length;
    reader.withSymbol = true;
    return {
      ...{ since, microseconds, chain: Int32Array.from(frames), state: thread!.state },
      // perf has no name and no number for a thread that ends.
      origin: origin !== undefined && reader.origins[origin]!.tid > 0 ? origin : originOf(reader, thread!),
    };
  });
}

const originOf = (reader: WaitReader, { comm, pid, tid, cgroup }: StartingThread): number =>
  reader.originNumber(comm, pid, tid, OFF_CPU, cgroup);

/** What is known of the stack of a thread that waited when the recording began, the innermost frame first. */
const framesOf = ({ functions }: StartingThread): Frame[] => [
  ...functions.flatMap((each) => {
    const [, name = each, module = '[kernel.kallsyms]'] = /^(.*?)(\[.*\])?$/.exec(each) ?? [];
    return parseFrameLine(`\t0 ${name}+0x0 (${module})`) ?? [];
  }),
  FROM_BEFORE,
];
