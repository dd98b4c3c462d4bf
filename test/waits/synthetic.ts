/** One part of what a thread does, in µs. */
export type Part =
  | { readonly does: 'run'; readonly us: number }
  /** In the queue of a CPU. */
  | { readonly does: 'queue'; readonly us: number }
  /** In the queue because a cgroup is throttled. */
  | { readonly does: 'throttled'; readonly us: number }
  | { readonly does: 'wait'; readonly us: number; readonly object: string; readonly state?: string };

export interface SyntheticThread {
  readonly tid: number;
  readonly pid?: number;
  readonly comm: string;
  /** What it does next; called again whenever a part is over. */
  readonly next: () => Part;
  readonly bornAt?: number;
  readonly endsAt?: number;
}

export interface SyntheticRecording {
  readonly durationUs: number;
  readonly rateHz: number;
  readonly threads: readonly SyntheticThread[];
  /** Lines behind `start`: cgroups, sockets, files. */
  readonly header?: readonly string[];
  readonly random: () => number;
  readonly process?: { readonly pid: number; readonly comm: string; readonly container?: string };
}

/** What the threads really did, in µs: `run`, `queue`, `throttled` and the objects of waits, by thread. */
export type Truth = Map<number, Map<string, number>>;

/** The counters of one thread while its parts go by, as /proc shows them. */
class Actor {
  readonly thread: SyntheticThread;
  #part: Part;
  #left: number;
  run = 0;
  #countedDelay = 0;
  #delay = 0;
  slices = 0;
  readonly truth = new Map<string, number>();

  constructor(thread: SyntheticThread) {
    this.thread = thread;
    this.#part = thread.next();
    this.#left = this.#part.us;
    this.#begin();
  }

  #begin(): void {
    if (this.#part.does !== 'run') return;
    this.slices += 1;
    // The kernel counts the time in the queue when it is over.
    this.#countedDelay = this.#delay;
  }

  advance(us: number, throttledEnds: (ago: number, length: number) => void): void {
    let left = us;
    while (left > 0) {
      const now = Math.min(left, this.#left);
      const name = this.#part.does === 'wait' ? this.#part.object : this.#part.does;
      this.truth.set(name, (this.truth.get(name) ?? 0) + now);
      if (this.#part.does === 'run') this.run += now;
      else if (this.#part.does !== 'wait') this.#delay += now;
      left -= now;
      this.#left -= now;
      if (this.#left > 0) continue;
      if (this.#part.does === 'throttled') throttledEnds(left, this.#part.us);
      this.#part = this.thread.next();
      this.#left = this.#part.us;
      this.#begin();
    }
  }

  numbers(): string {
    return `${Math.round(this.run) * 1000} ${Math.round(this.#countedDelay) * 1000} ${this.slices}`;
  }

  state(): string {
    if (this.#part.does !== 'wait') return 'R 0 - -1 -';
    return `${this.#part.state ?? 'S'} 0 - 0 ${this.#part.object}`;
  }
}

/**
 * A recording of threads whose parts are known, as the sampler writes it: looks at intervals that are drawn between a half and
 * one and a half of the mean, and only at threads whose numbers have changed. A thread that did nothing for some seconds is looked at
 * in each fifth round only, which is decided once a second.
 */
export function synthetic(recording: SyntheticRecording): { readonly text: string; readonly truth: Truth } {
  const { durationUs, rateHz, random } = recording;
  const { pid, comm, container = '-' } = recording.process ?? { pid: 100, comm: 'program' };
  const lines = [
    'waits 1 x86_64',
    `start 1700000000000000 ${rateHz} 2 100`,
    ...(recording.header ?? []),
    `proc 0 ${pid} ${container} ${comm}`,
  ];
  const waiting = [...recording.threads];
  const actors = new Map<number, Actor>();
  const shown = new Map<number, string>();
  /** When each was seen last as it was. */
  const seen = new Map<number, number>();
  const truth: Truth = new Map();
  const active = new Set<number>();
  /** When each was last seen to have changed. */
  const changed = new Map<number, number>();
  let ordered = 0;
  let round = 0;
  let throttledUs = 0;
  let nrThrottled = 0;
  let isThrottledNew = true;
  let now = 0;
  const tick = (isLast: boolean) => {
    if (isThrottledNew || isLast)
      lines.push(`cpu ${now} 1 0 ${Math.round(throttledUs)} ${Math.floor(now / 100_000)} ${nrThrottled}`);
    isThrottledNew = false;
    for (const thread of waiting.filter(({ bornAt = 0 }) => bornAt <= now)) {
      waiting.splice(waiting.indexOf(thread), 1);
      actors.set(thread.tid, new Actor(thread));
      lines.push(`thread ${now} ${thread.tid} ${thread.pid ?? pid} ${thread.comm}`);
    }
    round += 1;
    if (now >= ordered + 1e6) {
      active.clear();
      for (const [tid, at] of changed) if (at >= ordered - 3e6) active.add(tid);
      ordered = now;
    }
    for (const [tid, actor] of actors) {
      if (seen.has(tid) && !active.has(tid) && !isLast && (round + tid) % 5 !== 0) continue;
      const numbers = actor.numbers();
      if ((actor.thread.endsAt ?? Number.POSITIVE_INFINITY) <= now) {
        lines.push(`gone ${now} ${tid}`);
        actors.delete(tid);
        truth.set(tid, actor.truth);
      } else if (isLast || shown.get(tid) !== numbers) {
        const isSame = shown.get(tid) === numbers;
        lines.push(`look ${now} ${tid} ${numbers} ${actor.state()} ${isSame ? now : (seen.get(tid) ?? '-')}`);
        shown.set(tid, numbers);
        changed.set(tid, now);
      }
      seen.set(tid, now);
    }
  };
  tick(false);
  while (now < durationUs) {
    const step = Math.min(durationUs - now, Math.round((1e6 / rateHz) * (0.5 + random())));
    now += step;
    for (const actor of actors.values())
      actor.advance(step, (_, length) => {
        throttledUs += length;
        nrThrottled += 1;
        isThrottledNew = true;
      });
    tick(now >= durationUs);
  }
  for (const [tid, actor] of actors) truth.set(tid, actor.truth);
  lines.push(`own ${now} 1000`, `end ${now} time`);
  return { text: `${lines.join('\n')}\n`, truth };
}

/** Parts one after the other, again and again. */
export function cycle(parts: readonly Part[]): () => Part {
  let at = 0;
  return () => parts[at++ % parts.length]!;
}

export async function* pieces(text: string, size: () => number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(1, size());
    yield bytes.subarray(at, end);
    at = end;
  }
}
