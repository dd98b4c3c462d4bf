import { type Category, type Peer, peerOf, type Wait, waitsOf } from './categories.ts';
import { GroupTimes } from './group-times.ts';
import { type Neighbour, Neighbours } from './neighbours.ts';
import { type Look, parseRecordingLine, type RecordingLine } from './recording-line.ts';
import { StepClock } from './step-clock.ts';
import { type Stretch, ThreadClock } from './thread-clock.ts';
import { groupText, namePattern } from './thread-group.ts';
import { ThreadTimes } from './thread-times.ts';
import { CgroupClock, type LimitedCgroup, ThrottledTime } from './throttling.ts';

/** Where the wall clock of the threads of a target went. */
export interface Waits {
  /** The recording has its last line. */
  readonly isWhole: boolean;
  /** Lines that could not be read. */
  readonly damagedLines: number;
  /** The node's clock at the beginning, in µs since 1970; undefined if the recording ends before that line. */
  readonly startedAtUs: number | undefined;
  readonly durationUs: number;
  /** Looks per second: asked for, and the lowest that there was. */
  readonly rateHz: number;
  readonly lowestRateHz: number;
  /** In the order of the time that is neither idle, nor asleep by its own choice, nor waiting for another thread; the most first. */
  readonly groups: readonly GroupTimes[];
  /** Cgroups with a limit, or with time throttled. */
  readonly cgroups: readonly LimitedCgroup[];
  /** Who ran on a CPU while threads of the target stood in its queue, by how long they waited; the longest first. */
  readonly neighbours: readonly Neighbour[];
  /** The addresses of peers, and the ids of containers, for which there may be names. */
  readonly addresses: ReadonlySet<string>;
  readonly containers: ReadonlySet<string>;
  /** Threads that were never looked at; undefined if it is not known. */
  readonly missedThreads: number | undefined;
  /** CPU time of the sampler, in µs. */
  readonly ownCpuUs: number;
  /** The share of the time of all CPUs that the hypervisor took, 0 to 1; undefined if it is not known. */
  readonly stealShare: number | undefined;
  /** The share of the time in which a thread waited for a CPU, by PSI; undefined if it is not known. */
  readonly pressureShare: number | undefined;
  /** The length of a step of `GroupTimes.steps`, in µs. */
  readonly stepUs: number;
}

interface ThreadRecord {
  readonly pid: number;
  comm: string;
  clock?: ThreadClock;
  times?: ThreadTimes;
}

interface Pending {
  readonly stretch: Stretch;
  readonly times: ThreadTimes;
  readonly throttled: ThrottledTime;
}

interface Grown {
  first: number;
  last: number;
}

/** The mean of the intervals in which something happens: the longer ones are hit more often (docs/waits-format.md: 0.5 to 1.5 of the mean). */
const MEAN_HIT = 13 / 12;

/** Reads a recording line by line. Lines that are damaged are counted, and everything else is read. */
export class WaitsReader {
  #start: Extract<RecordingLine, { readonly kind: 'start' }> | undefined;
  #rateHz = 0;
  #lowestRateHz = Number.POSITIVE_INFINITY;
  #now = 0;
  /** The last time before `#now` at which there was a line, which is that of a tick. */
  #before = 0;
  #isWhole = false;
  #damaged = 0;
  #missed: number | undefined;
  #ownCpuUs = 0;
  #steal: Grown | undefined;
  #pressure: Grown | undefined;
  /** What looks with the same words wait for, until a number of theirs means something else. */
  readonly #known = new Map<string, readonly Wait[]>();
  /** The processes whose threads left a queue by the looks of this tick. */
  readonly #waited = new Set<number>();
  readonly #processes = new Map<number, { readonly container: string | undefined; readonly comm: string }>();
  readonly #threads = new Map<number, ThreadRecord>();
  readonly #ended: ThreadTimes[] = [];
  readonly #groups = new Map<string, GroupTimes>();
  readonly #cgroups = new Map<number, CgroupClock>();
  readonly #objects = { peers: new Map<number, Peer>(), files: new Map<number, string>() };
  readonly #neighbours = new Neighbours();
  /** Stretches whose end is so near that the counters of their cgroups may still come. */
  #pending: Pending[] = [];
  readonly #clock = new StepClock(() => {
    for (const group of this.#groups.values()) group.halve();
    for (const { times } of this.#threads.values()) times?.halve();
    for (const times of this.#ended) times.halve();
  });

  line(text: string): void {
    const line = parseRecordingLine(text);
    if (!line) {
      if (LOOKS_KNOWN.test(text)) this.#damaged += 1;
      return;
    }
    if ('at' in line && line.at > this.#now) {
      this.#before = this.#now;
      this.#now = line.at;
      this.#waited.clear();
      this.#clock.reach(line.at);
      this.#settle(line.at - 2 * this.#meanTickUs() - this.#lagUs());
    }
    this.#take(line);
  }

  /** A line that was too long to be one. */
  damagedLine(): void {
    this.#damaged += 1;
  }

  end(): Waits {
    for (const { clock } of this.#threads.values()) clock?.gone(Number.NEGATIVE_INFINITY, 0);
    this.#settle(Number.POSITIVE_INFINITY);
    for (const { times } of this.#threads.values()) times?.end();
    for (const times of this.#ended) times.end();
    const active = (group: GroupTimes) =>
      group.wallUs - group.of('idle') - group.of('sleep') - group.of('condition');
    const cpus = this.#start?.cpus ?? 0;
    const ticks = (this.#now / 1e6) * (this.#start?.ticksPerSecond ?? 0) * cpus;
    return {
      isWhole: this.#isWhole,
      damagedLines: this.#damaged,
      startedAtUs: this.#start?.epochUs,
      durationUs: this.#now,
      rateHz: this.#start?.rateHz ?? 0,
      lowestRateHz: Math.min(this.#lowestRateHz, this.#start?.rateHz ?? 0),
      groups: [...this.#groups.values()]
        .filter(({ wallUs }) => wallUs > 0)
        .sort((one, other) => active(other) - active(one) || other.wallUs - one.wallUs),
      cgroups: [...this.#cgroups.values()]
        .map((each) => each.facts())
        .filter(({ limitCores, throttledUs }) => limitCores !== undefined || throttledUs > 0),
      neighbours: this.#neighbours.list(),
      addresses: new Set(
        [...this.#groups.values()].flatMap((group) =>
          group.waits().flatMap(({ wait }) => wait.peer?.address ?? []),
        ),
      ),
      containers: new Set(
        [
          ...[...this.#groups.values()].map(({ key }) => key.container),
          ...this.#neighbours.list().map(({ container }) => container),
          ...[...this.#cgroups.values()].map(({ container }) => container),
        ].filter((each) => each !== undefined),
      ),
      missedThreads: this.#missed,
      ownCpuUs: this.#ownCpuUs,
      stealShare: this.#steal && ticks > 0 ? (this.#steal.last - this.#steal.first) / ticks : undefined,
      pressureShare:
        this.#pressure && this.#now > 0
          ? (this.#pressure.last - this.#pressure.first) / this.#now
          : undefined,
      stepUs: this.#clock.stepUs,
    };
  }

  /** Stretches wait for the counters of throttling that come after them. */
  #lagUs(): number {
    return Math.max(0, ...[...this.#cgroups.values()].map(({ lagUs }) => lagUs));
  }

  #meanTickUs(): number {
    return this.#rateHz > 0 ? 1e6 / this.#rateHz : 0;
  }

  /** How long before now the last tick was. A tick in which nothing had changed has no line. */
  #tickUs(): number {
    const since = this.#now - this.#before;
    const mean = this.#meanTickUs();
    return since <= 1.5 * mean ? since : MEAN_HIT * mean;
  }

  #take(line: RecordingLine): void {
    switch (line.kind) {
      case 'start':
        this.#start = line;
        this.#rateHz = line.rateHz;
        return;
      case 'rate':
        this.#rateHz = line.rateHz;
        if (line.rateHz > 0) this.#lowestRateHz = Math.min(this.#lowestRateHz, line.rateHz);
        return;
      case 'cgroup': {
        const known = this.#cgroups.get(line.number);
        if (known) known.line = line;
        else this.#cgroups.set(line.number, new CgroupClock(line));
        return;
      }
      case 'cpu':
        this.#cgroups.get(line.cgroup)?.count(line, this.#tickUs());
        return;
      case 'proc':
        this.#processes.set(line.pid, line);
        return;
      case 'thread':
        this.#thread(line);
        return;
      case 'gone':
        this.#gone(line.tid, line.at);
        return;
      case 'look':
        this.#look(line);
        return;
      case 'sock':
        this.#known.clear();
        this.#objects.peers.set(line.number, peerOf(line.protocol, line.direction, line.local, line.remote));
        return;
      case 'file':
        this.#known.clear();
        this.#objects.files.set(line.number, line.path);
        return;
      case 'psi':
        this.#pressure = grown(this.#pressure, line.someUs);
        return;
      case 'steal':
        this.#steal = grown(this.#steal, line.ticks);
        return;
      case 'ran':
        if (!this.#isAloneWith(line.pid)) this.#neighbours.add(line);
        return;
      case 'own':
        this.#ownCpuUs = Math.max(this.#ownCpuUs, line.cpuUs);
        return;
      case 'missed':
        // The sum since the beginning.
        this.#missed = line.threads;
        return;
      case 'end':
        this.#isWhole = true;
    }
  }

  #thread({ tid, pid, comm }: Extract<RecordingLine, { readonly kind: 'thread' }>): void {
    const known = this.#threads.get(tid);
    if (known && known.pid === pid) {
      known.comm = comm;
      if (known.times) {
        // What was seen under the old name stays with the old group.
        this.#settleThread(known.times);
        known.times.moveTo(this.#groupOf(pid, comm, known.times));
      }
      return;
    }
    if (known) this.#gone(tid, this.#now);
    this.#threads.set(tid, { pid, comm });
  }

  #look(look: Look): void {
    const thread = this.#threads.get(look.tid) ?? { pid: look.tid, comm: '?' };
    this.#threads.set(look.tid, thread);
    const waits = this.#waitsOf(look);
    if (thread.clock) {
      if (look.delayNs > thread.clock.last.delayNs) this.#waited.add(thread.pid);
      thread.clock.look(look, waits, look.seen === undefined ? this.#tickUs() : look.at - look.seen);
      return;
    }
    const { pid } = thread;
    const times = new ThreadTimes(this.#groupOf(pid, thread.comm), this.#clock);
    const container = this.#processes.get(pid)?.container;
    const cgroups = [...this.#cgroups.values()].filter(
      (each) => each.container === undefined || each.container === container,
    );
    thread.times = times;
    const throttled = new ThrottledTime(cgroups);
    thread.clock = new ThreadClock(look, waits, (stretch) =>
      this.#pending.push({ stretch, times, throttled }),
    );
  }

  #waitsOf(look: Look): readonly Wait[] {
    const text = `${look.state} ${look.object ?? ''} ${look.wchan ?? ''}`;
    let waits = this.#known.get(text);
    if (!waits) {
      if (this.#known.size >= MOST_KNOWN) this.#known.clear();
      waits = waitsOf(look, this.#objects);
      this.#known.set(text, waits);
    }
    return waits;
  }

  #gone(tid: number, at: number): void {
    const thread = this.#threads.get(tid);
    this.#threads.delete(tid);
    if (!thread?.clock || !thread.times) return;
    thread.clock.gone(at, this.#tickUs());
    this.#ended.push(thread.times);
  }

  #groupOf(pid: number, comm: string, before?: ThreadTimes): GroupTimes {
    const process = this.#processes.get(pid);
    const key = {
      container: process?.container,
      process: namePattern(process?.comm ?? '?'),
      pattern: namePattern(comm),
    };
    const text = groupText(key);
    let group = this.#groups.get(text);
    if (!group) {
      group = new GroupTimes(key, this.#clock);
      this.#groups.set(text, group);
    }
    if (group.names.size < 2) group.names.add(comm);
    if (group.processNames.size < 2) group.processNames.add(process?.comm ?? '?');
    if (before?.group !== group) group.threads += 1;
    return group;
  }

  /** Whether nobody but the only thread of this process waited in this tick: it did not wait for itself. */
  #isAloneWith(pid: number): boolean {
    if (!this.#processes.has(pid) || this.#waited.size !== 1 || !this.#waited.has(pid)) return false;
    return [...this.#threads.values()].filter((each) => each.pid === pid).length === 1;
  }

  /** Gives away the stretches that ended before a time. */
  #settle(before: number): void {
    if (this.#pending.length === 0 || this.#pending[0]!.stretch.to > before) return;
    const later = this.#pending.findIndex(({ stretch }) => stretch.to > before);
    const ready = this.#pending.splice(0, later < 0 ? this.#pending.length : later);
    for (const each of ready) give(each);
    for (const cgroup of this.#cgroups.values()) cgroup.forgetBefore(before - FORGET_US);
  }

  #settleThread(times: ThreadTimes): void {
    for (const each of this.#pending) if (each.times === times) give(each);
    this.#pending = this.#pending.filter((each) => each.times !== times);
  }
}

/** A program that takes a new lock for each request has no end of them. */
const MOST_KNOWN = 10_000;
/** A stretch waits at most so long for the time in a queue that the kernel adds later (thread-clock.ts), and a bit more. */
const FORGET_US = 10_000_000;

/** The kinds that this version reads: a line of such a kind that cannot be read is damaged. */
const LOOKS_KNOWN =
  /^(?:start|cgroup|proc|thread|gone|look|sock|file|cpu|psi|steal|ran|rate|own|missed|end)(?: |$)/;

const grown = (before: Grown | undefined, value: number): Grown => ({
  first: before?.first ?? value,
  last: value,
});

function give({ stretch, times, throttled }: Pending): void {
  const { from, to, delay } = stretch;
  times.add(stretch, delay > 0 ? throttled.take(from, to, delay) : 0);
}

/** The share of a group's time in a category, 0 to 1. */
export const shareOf = (group: GroupTimes, category: Category): number =>
  group.wallUs > 0 ? group.of(category) / group.wallUs : 0;
