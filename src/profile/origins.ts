import { copyOf } from './arrays.ts';
import { type EventBytes, parseWho } from './event-line.ts';
import type { Frame } from './frame.ts';

/** Who a sample is of, and of which event. Its stacks begin with `frame`, as those of threads of the same name do. */
export interface Origin {
  readonly comm: string;
  readonly pid: number;
  readonly tid: number;
  readonly event: string;
  readonly frame: number;
  samples: number;
  /** How many of them had no period. */
  withoutPeriod: number;
}

/** How an origin stood in a line. */
interface Spelling {
  readonly who: Uint8Array;
  readonly event: Uint8Array;
  readonly origin: number;
}

/** The threads and events of a recording, numbered as they come, and found again by the bytes of their lines. */
export class Origins {
  readonly list: Origin[] = [];
  readonly #frames: Frame[];
  readonly #numbers = new Map<string, number>();
  readonly #threadFrames = new Map<string, number>();
  /** By a hash of the bytes. */
  readonly #spellings = new Map<number, Spelling[]>();
  readonly #decoder = new TextDecoder();

  /** Each name of a thread gets, for each event, a frame that bears it. */
  constructor(frames: Frame[]) {
    this.#frames = frames;
  }

  /** The origin of the event line that begins at `at` and that `event` has just read. */
  read(bytes: Uint8Array, at: number, { whoEnd, eventStart, eventEnd }: EventBytes): number {
    let hash = whoEnd - at + 64 * (eventEnd - eventStart);
    // The thread's number is at its end.
    for (let here = Math.max(at, whoEnd - 8); here < whoEnd; here += 1)
      hash = (Math.imul(hash, 31) + bytes[here]!) & 0x3fffffff;
    let spellings = this.#spellings.get(hash);
    if (!spellings) {
      spellings = [];
      this.#spellings.set(hash, spellings);
    }
    for (const each of spellings) {
      if (
        each.who.length === whoEnd - at &&
        each.event.length === eventEnd - eventStart &&
        sameBytes(each.who, bytes, at) &&
        sameBytes(each.event, bytes, eventStart)
      )
        return each.origin;
    }
    const who = copyOf(bytes, at, whoEnd);
    const event = copyOf(bytes, eventStart, eventEnd);
    const origin = this.parse(this.#decoder.decode(who).trim(), this.#decoder.decode(event));
    spellings.push({ who, event, origin });
    return origin;
  }

  /** The origin of `comm pid/tid` and event. */
  parse(who: string, event: string): number {
    const { comm, pid, tid } = parseWho(who)!;
    return this.number(comm, pid, tid, event);
  }

  number(comm: string, pid: number, tid: number, event: string): number {
    const key = `${event}\n${pid}/${tid} ${comm}`;
    let origin = this.#numbers.get(key);
    if (origin === undefined) {
      const frame = this.#frame(comm || `:${tid}`, event);
      origin = this.list.push({ comm, pid, tid, event, frame, samples: 0, withoutPeriod: 0 }) - 1;
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

function sameBytes(key: Uint8Array, bytes: Uint8Array, from: number): boolean {
  for (let at = key.length - 1; at >= 0; at -= 1) if (key[at] !== bytes[from + at]) return false;
  return true;
}
