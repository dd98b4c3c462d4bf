import type { Call, Stacks } from './stacks.ts';

/** What the capture was asked to do, and how long it really took. */
export interface Recording {
  readonly frequencyHz: number;
  readonly seconds: number;
  /** Samples the kernel could not deliver. */
  readonly lost: number;
}

export interface Share {
  readonly name: string;
  readonly samples: number;
  /** Of all samples, 0 to 1. */
  readonly share: number;
}

export interface BusyThread {
  readonly comm: string;
  readonly pid: number;
  readonly tid: number;
  readonly main: boolean;
  readonly samples: number;
  /** Of one core, by samples over frequency and time. */
  readonly cores: number;
}

export interface Summary {
  readonly samples: number;
  readonly lost: number;
  readonly event: string;
  readonly seconds: number;
  /** Mean cores busy: samples that are not idle, over frequency and time. */
  readonly cores: number;
  /** Samples of the idle task. */
  readonly idle: number;
  /** Frames that perf could not name, of all frames, 0 to 1. */
  readonly unknownFrames: number;
  /** Most stacks have only one or two user frames: the programs were built without frame pointers. */
  readonly brokenUnwinding: boolean;
  readonly hottest: readonly Share[];
  readonly busiest: readonly BusyThread[];
}

const TOP = 5;

/** The figures that stand below a flame graph. Pure. */
export function summarize(stacks: Stacks, recording: Recording): Summary {
  const { frequencyHz, seconds, lost } = recording;
  const cores = (samples: number) => (seconds > 0 ? samples / (frequencyHz * seconds) : 0);
  const awake = stacks.samples - stacks.idle;
  return {
    samples: stacks.samples,
    lost,
    event: stacks.event,
    seconds,
    cores: cores(awake),
    idle: stacks.idle,
    unknownFrames: stacks.frames ? stacks.unknownFrames / stacks.frames : 0,
    brokenUnwinding: stacks.withUserFrames >= 20 && stacks.shallow > stacks.withUserFrames / 2,
    hottest: hottest(stacks.root)
      .slice(0, TOP)
      .map(([name, samples]) => ({ name, samples, share: samples / Math.max(1, stacks.samples) })),
    busiest: [...stacks.threads.values()]
      .filter((thread) => thread.pid !== 0)
      .sort((a, b) => b.samples - a.samples || a.tid - b.tid)
      .slice(0, TOP)
      .map(({ comm, pid, tid, samples }) => ({
        comm,
        pid,
        tid,
        main: pid === tid,
        samples,
        cores: cores(samples),
      })),
  };
}

/** Functions by the samples in which they were on top of the stack, the most first. */
function hottest(root: Call): Array<[string, number]> {
  const self = new Map<string, number>();
  const pending = [...root.calls.values()].flatMap((thread) => [...thread.calls.values()]);
  for (let at = pending.pop(); at; at = pending.pop()) {
    if (at.self > 0) self.set(at.frame.name, (self.get(at.frame.name) ?? 0) + at.self);
    pending.push(...at.calls.values());
  }
  return [...self].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** The figures as lines for people. */
export function summaryLines(summary: Summary): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const lines = [
    `${summary.samples} samples, ${summary.lost} lost, event ${summary.event}, ${summary.cores.toFixed(2)} cores busy on average, ${percent(summary.unknownFrames)} of frames unknown`,
  ];
  if (summary.idle) lines.push(`${summary.idle} samples are of idle processors (swapper)`);
  if (summary.hottest.length) {
    lines.push('hottest functions:');
    for (const { name, share } of summary.hottest) lines.push(`  ${percent(share).padStart(7)}  ${name}`);
  }
  if (summary.busiest.length) {
    lines.push('busiest threads:');
    for (const thread of summary.busiest) {
      const alike = summary.busiest.filter((each) => each.comm === thread.comm && each.main);
      const which = thread.main
        ? `main thread${alike.length > 1 ? ` of pid ${thread.pid}` : ''}`
        : `thread ${thread.tid}`;
      lines.push(`  ${thread.comm || `:${thread.tid}`}, ${which}: ${thread.cores.toFixed(2)} of one core`);
    }
  }
  if (summary.brokenUnwinding) {
    lines.push('most stacks end after one or two user frames: the program was built without frame pointers');
    lines.push('(build it with -fno-omit-frame-pointer; the hottest functions above are right all the same)');
  }
  return lines;
}
