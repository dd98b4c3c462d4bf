import { enlarged } from '../arrays.ts';
import type { Frame } from '../frame.ts';
import { hashOfBytes, Words } from './byte-interner.ts';
import { type EventBytes, parseWho } from './event-line.ts';

/** Who a sample is of, and of which event. Its stacks begin with `frame`, as those of threads of the same name do. */
export interface Origin {
  readonly comm: string;
  readonly pid: number;
  readonly tid: number;
  readonly event: string;
  /** The path of its cgroup, `unknown` if perf did not know it; undefined if perf did not print cgroups. */
  readonly cgroup?: string;
  readonly frame: number;
  samples: number;
  /** How many of them had no period. */
  withoutPeriod: number;
  /** Of the first sample that has one; NaN before. */
  period: number;
  /** Whether another sample's is not the same. */
  periodsVary: boolean;
}

/** Takes note of a period that is not the first one's. */
export function notePeriod(origin: Origin, period: number): void {
  if (Number.isNaN(origin.period)) origin.period = period;
  else if (period !== origin.period) origin.periodsVary = true;
}

const NEWLINE = 10;

/** The threads and events of a recording, numbered as they come, and found again by the bytes of their lines. */
export class Origins {
  readonly list: Origin[] = [];
  /** The name of the event that is made from those in the lines, if there is one. */
  madeEvent: string | undefined;
  readonly #frames: Frame[];
  readonly #numbers = new Map<string, number>();
  readonly #threadFrames = new Map<string, number>();
  /** How they stood in the lines. */
  readonly #whos = new Words();
  readonly #events = new Words();
  /** By event, by thread, one more than the origin; 0 for none. */
  readonly #known: Int32Array[] = [];
  readonly #decoder = new TextDecoder();
  /** A thread with its cgroup, as the bytes of both. */
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);

  /** Each name of a thread gets, for each event, a frame that bears it. */
  constructor(frames: Frame[]) {
    this.#frames = frames;
  }

  /** The origin of the event line that begins at `at` and that `event` has just read. */
  read(bytes: Uint8Array, view: DataView, at: number, line: EventBytes): number {
    const { whoEnd, eventStart, eventEnd, cgroupStart, cgroupEnd } = line;
    const who =
      cgroupEnd === 0
        ? this.#whos.number(view, at, whoEnd, hashOfBytes(view, at, whoEnd))
        : this.#whoAndCgroup(bytes, at, line);
    const event = this.#events.number(view, eventStart, eventEnd, hashOfBytes(view, eventStart, eventEnd));
    let known = this.#known[event] ?? new Int32Array(64);
    if (who >= known.length) known = enlarged(known, who + 1);
    this.#known[event] = known;
    if (known[who] === 0) {
      const text = (from: number, to: number) => this.#decoder.decode(bytes.subarray(from, to));
      const cgroup = cgroupEnd === 0 ? undefined : text(cgroupStart, cgroupEnd);
      const { comm, pid, tid } = parseWho(text(at, whoEnd).trim())!;
      known[who] = this.number(comm, pid, tid, this.madeEvent ?? text(eventStart, eventEnd), cgroup) + 1;
    }
    return known[who]! - 1;
  }

  /** The number of a thread in a cgroup. No name of a cgroup has a line feed (Linux, cgroup_mkdir). */
  #whoAndCgroup(bytes: Uint8Array, at: number, { whoEnd, cgroupStart, cgroupEnd }: EventBytes): number {
    const length = whoEnd - at + 1 + cgroupEnd - cgroupStart;
    if (length + 4 > this.#bytes.length) {
      this.#bytes = new Uint8Array(2 * length + 4);
      this.#view = new DataView(this.#bytes.buffer);
    }
    const copy = this.#bytes;
    let to = 0;
    for (let from = at; from < whoEnd; from += 1) copy[to++] = bytes[from]!;
    copy[to++] = NEWLINE;
    for (let from = cgroupStart; from < cgroupEnd; from += 1) copy[to++] = bytes[from]!;
    return this.#whos.number(this.#view, 0, to, hashOfBytes(this.#view, 0, to));
  }

  /** The origin of `comm pid/tid`, or `comm` without `ids`, and event. */
  parse(who: string, event: string, ids = true): number {
    const { comm, pid, tid } = parseWho(who, ids)!;
    return this.number(comm, pid, tid, event);
  }

  number(comm: string, pid: number, tid: number, event: string, cgroup?: string): number {
    const key = `${event}\n${cgroup ?? ''}\n${pid}/${tid} ${comm}`;
    let origin = this.#numbers.get(key);
    if (origin === undefined) {
      const frame = this.#frame(comm || `:${tid}`, event);
      const counts = { samples: 0, withoutPeriod: 0, period: Number.NaN, periodsVary: false };
      origin =
        this.list.push({
          ...{ comm, pid, tid, event, frame, ...counts },
          ...(cgroup !== undefined && { cgroup }),
        }) - 1;
      this.#numbers.set(key, origin);
    }
    return origin;
  }

  #frame(name: string, event: string): number {
    const key = `${event}\n${name}`;
    let frame = this.#threadFrames.get(key);
    if (frame === undefined) {
      frame = this.#frames.push({ name, kind: 'thread', dso: '', unknown: false }) - 1;
      this.#threadFrames.set(key, frame);
    }
    return frame;
  }
}
