import type { RecordingLine } from './recording-line.ts';

type CgroupLine = Extract<RecordingLine, { readonly kind: 'cgroup' }>;
type CpuLine = Extract<RecordingLine, { readonly kind: 'cpu' }>;

/** A stretch of time within which a cgroup was throttled for so long, in µs. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** A cgroup with a CPU limit that was reached, or could have been. */
export interface LimitedCgroup {
  /** The container whose cgroup it is, by its id; undefined for the pod's and for those above it. */
  readonly container: string | undefined;
  readonly path: string;
  readonly role: string;
  /** In cores; undefined where there is no limit. */
  readonly limitCores: number | undefined;
  /** During the recording, summed over CPUs as the kernel counts it. */
  readonly throttledUs: number;
  readonly periods: number;
  readonly throttledPeriods: number;
}

/** The counters of one cgroup during a recording. */
export class CgroupClock {
  /** Again when the limit has changed. */
  line: CgroupLine;
  readonly container: string | undefined;
  #first: CpuLine | undefined;
  #last: CpuLine | undefined;
  #lastThrottled = 0;
  /** In order of time. Those that nobody asks for any more are dropped. */
  readonly #spans: Span[] = [];

  constructor(line: CgroupLine) {
    this.line = line;
    this.container = containerOfPath(line.path);
  }

  /**
   * Takes the next counters. The kernel adds the time that a CPU was throttled when the throttling of that CPU ends, and the
   * sampler sees it at its next tick. A thread may run on another CPU by then: its delay was seen up to a period before the
   * throttling was counted (Linux 6.18). So the time lies before this line, up to a tick and a period further back.
   */
  count(line: CpuLine, tickUs: number): void {
    const last = this.#last;
    this.#first ??= line;
    this.#last = line;
    const added = last ? line.throttledUs - last.throttledUs : 0;
    if (!last || added <= 0) return;
    // Counted for each CPU: the stretch cannot have begun before the one before it had ended.
    const longest = line.at - this.#lastThrottled + tickUs;
    const length = Math.min(added, longest);
    this.#spans.push({ from: line.at - tickUs - this.lagUs - length, to: line.at, length });
    this.#lastThrottled = line.at;
  }

  /** How long after a delay its throttling may be counted, in µs. */
  get lagUs(): number {
    return this.line.quotaUs === undefined ? 0 : this.line.periodUs;
  }

  /** The stretches that reach into a time, the earliest first: later ones are for what comes later. */
  spansWithin(from: number, to: number): readonly Span[] {
    const before = this.#spans.findLastIndex((span) => span.to <= from);
    return this.#spans.slice(before + 1).filter((span) => span.from < to);
  }

  /** Forgets the stretches before a time, so that a long recording does not fill the memory. */
  forgetBefore(time: number): void {
    const keep = this.#spans.findIndex(({ to }) => to > time);
    if (keep > 1000 || (keep < 0 && this.#spans.length > 1000))
      this.#spans.splice(0, keep < 0 ? this.#spans.length : keep);
  }

  facts(): LimitedCgroup {
    const { path, role, quotaUs, periodUs } = this.line;
    const [first, last] = [this.#first, this.#last];
    const grown = (of: (line: CpuLine) => number) => (first && last ? Math.max(0, of(last) - of(first)) : 0);
    return {
      container: this.container,
      path,
      role,
      limitCores: quotaUs === undefined || periodUs <= 0 ? undefined : quotaUs / periodUs,
      throttledUs: grown(({ throttledUs }) => throttledUs),
      periods: grown(({ periods }) => periods),
      throttledPeriods: grown(({ throttledPeriods }) => throttledPeriods),
    };
  }
}

/** The id of a container at the end of a cgroup's path, as every runtime writes it: 64 hex digits. */
const containerOfPath = (path: string): string | undefined => /([0-9a-f]{64})(?:\.scope)?$/.exec(path)?.[1];

/** The time of one thread that was throttled: of each stretch of throttling at most as much as there was. */
export class ThrottledTime {
  readonly #cgroups: readonly CgroupClock[];
  readonly #used = new WeakMap<Span, number>();

  /** `cgroups` are those that the thread is in. */
  constructor(cgroups: readonly CgroupClock[]) {
    this.#cgroups = cgroups;
  }

  /** How much of a delay within a time was due to throttling, in µs. Times are asked for in their order. */
  take(from: number, to: number, delay: number): number {
    let left = delay;
    for (const cgroup of this.#cgroups)
      for (const span of cgroup.spansWithin(from, to)) {
        const used = this.#used.get(span) ?? 0;
        const overlap = Math.min(to, span.to) - Math.max(from, span.from);
        const taken = Math.max(0, Math.min(left, overlap, span.length - used));
        this.#used.set(span, used + taken);
        left -= taken;
      }
    return delay - left;
  }
}
