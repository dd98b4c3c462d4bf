import type { Frame } from './frame.ts';
import type { Sample } from './perf-script.ts';

/** A call: how often it was on the stack (`total`) and how often on top of it (`self`), in samples. */
export interface Call {
  readonly frame: Frame;
  total: number;
  self: number;
  readonly calls: Map<string, Call>;
}

export interface Thread {
  readonly comm: string;
  readonly pid: number;
  readonly tid: number;
  samples: number;
}

/**
 * Samples of one event as a tree of calls, keyed by frame (not by sorted text: a sibling whose name merely begins
 * alike stays apart). The first level below the root is the thread's name, as flame graphs of the runbook had it.
 * Memory is bounded by the number of distinct stacks.
 */
export class Stacks {
  readonly event: string;
  readonly root: Call = call({ name: 'all', kind: 'user', dso: '', unknown: false });
  readonly threads = new Map<string, Thread>();
  /** Frames counted over all samples, and those of them that perf could not name. */
  frames = 0;
  unknownFrames = 0;
  /** Samples with user frames, and those of them with only one or two: where unwinding ended at once. */
  withUserFrames = 0;
  shallow = 0;
  /** Samples of the idle task. */
  idle = 0;
  firstTime = Number.POSITIVE_INFINITY;
  lastTime = Number.NEGATIVE_INFINITY;

  constructor(event: string) {
    this.event = event;
  }

  get samples(): number {
    return this.root.total;
  }

  add(sample: Sample): void {
    const { frames, comm, pid, tid, time } = sample;
    const key = `${pid}/${tid}/${comm}`;
    const thread = this.threads.get(key);
    if (thread) thread.samples += 1;
    else this.threads.set(key, { comm, pid, tid, samples: 1 });
    this.firstTime = Math.min(this.firstTime, time);
    this.lastTime = Math.max(this.lastTime, time);
    if (pid === 0 && comm.startsWith('swapper')) this.idle += 1;
    let userFrames = 0;
    this.root.total += 1;
    let at = enter(this.root, { name: comm || `:${tid}`, kind: 'user', dso: '', unknown: false });
    for (let depth = frames.length - 1; depth >= 0; depth -= 1) {
      const frame = frames[depth]!;
      this.frames += 1;
      if (frame.unknown) this.unknownFrames += 1;
      if (frame.kind !== 'kernel') userFrames += 1;
      at = enter(at, frame);
    }
    at.self += 1;
    if (userFrames > 0) {
      this.withUserFrames += 1;
      if (userFrames <= 2) this.shallow += 1;
    }
  }
}

const call = (frame: Frame): Call => ({ frame, total: 0, self: 0, calls: new Map() });

function enter(parent: Call, frame: Frame): Call {
  const key = `${frame.kind} ${frame.name}`;
  let child = parent.calls.get(key);
  if (!child) {
    child = call(frame);
    parent.calls.set(key, child);
  }
  child.total += 1;
  return child;
}
