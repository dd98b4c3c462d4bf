import { type Frame, parseFrame } from './frame.ts';

/** What an event line of `perf script` says about a sample. */
export interface SampleHead {
  readonly comm: string;
  readonly pid: number;
  readonly tid: number;
  readonly cpu: number;
  /** Seconds on perf's clock. */
  readonly time: number;
  /** In the event's own unit (nanoseconds for cpu-clock); undefined where the input has none. */
  readonly period: number | undefined;
  readonly event: string;
}

export interface Sample extends SampleHead {
  /** From the leaf to the root, as perf prints them. The same line is the same object. */
  readonly frames: readonly Frame[];
}

/** Lines that are not of the format, by kind, with the first of each. */
export interface Oddity {
  readonly kind: 'event line' | 'frame line';
  readonly line: string;
  count: number;
}

/**
 * An event line of `perf script -F comm,pid,tid,cpu,time,period,event,…` (Linux tools/perf/builtin-script.c,
 * perf_sample__fprintf_start). Anchored on ` PID/TID [CPU] TIME:` and read from the right, because a thread may
 * call itself anything, that pattern included. `rest` is what stands behind the event: a frame, in one-line samples.
 */
export function parseEventLine(
  line: string,
): { head: SampleHead; rest: string } | { lost: number } | undefined {
  const place =
    /^(?:(.*?)\s+)?(-?\d+)\/(-?\d+)\s+\[(-?\d+)\]\s+(\d+\.\d+):\s+((?:(?!\s\[\d+\]\s+\d+\.\d+:).)*)$/s.exec(
      line,
    );
  if (!place) return undefined;
  const [, comm, pid, tid, cpu, time, tail] = place as unknown as [
    string,
    string | undefined,
    string,
    string,
    string,
    string,
    string,
  ];
  const lost = /^PERF_RECORD_LOST(?:_SAMPLES)?\s+lost\s+(\d+)/.exec(tail);
  if (lost) return { lost: Number(lost[1]) };
  const event = /^(?:(\d+)\s+)?(\S+):(?:\s+(.*))?$/s.exec(tail.trimEnd());
  if (!event) return undefined;
  return {
    head: {
      comm: (comm ?? '').trim(),
      pid: Number(pid),
      tid: Number(tid),
      cpu: Number(cpu),
      time: Number(time),
      period: event[1] === undefined ? undefined : Number(event[1]),
      event: event[2]!,
    },
    rest: event[3] ?? '',
  };
}

/**
 * Reads `perf script` text as it comes, in chunks cut anywhere, and gives each sample to `onSample`. Call `end`
 * after the last chunk: a last sample needs no blank line. Memory is bounded by the number of distinct frame lines.
 */
export class PerfScriptReader {
  /** `# key : value` of `--header`; the first of each key. */
  readonly header = new Map<string, string>();
  readonly oddities: Oddity[] = [];
  /** Samples that the kernel could not deliver, as perf counted them. */
  lost = 0;

  readonly #onSample: (sample: Sample) => void;
  readonly #frames = new Map<string, Frame | null>();
  readonly #decoder = new TextDecoder();
  #rest = '';
  #head: SampleHead | undefined;
  #chain: Frame[] = [];

  constructor(onSample: (sample: Sample) => void) {
    this.#onSample = onSample;
  }

  push(chunk: Uint8Array): void {
    this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  end(): void {
    this.#take(`${this.#decoder.decode()}\n`);
    this.#finish();
  }

  #take(text: string): void {
    const all = this.#rest + text;
    let from = 0;
    for (let at = all.indexOf('\n'); at >= 0; at = all.indexOf('\n', from)) {
      const end = at > from && all.charCodeAt(at - 1) === 13 ? at - 1 : at;
      this.#line(all.slice(from, end));
      from = at + 1;
    }
    this.#rest = all.slice(from);
  }

  #line(line: string): void {
    if (line.trim() === '') {
      this.#finish();
      return;
    }
    if (line.startsWith('#')) {
      const fact = /^#\s*([a-z][\w ]*?)\s*:\s(.*)$/.exec(line);
      if (fact && !this.header.has(fact[1]!)) this.header.set(fact[1]!, fact[2]!.trim());
      return;
    }
    // A frame line begins with a blank and an address; an event line may begin with blanks too (an empty name).
    if (this.#head && /^\s/.test(line)) {
      const frame = this.#frame(line);
      if (frame) {
        this.#chain.push(frame);
        return;
      }
    }
    this.#finish();
    const parsed = parseEventLine(line);
    if (!parsed) {
      this.#odd(/^\s/.test(line) ? 'frame line' : 'event line', line);
      return;
    }
    if ('lost' in parsed) {
      this.lost += parsed.lost;
      return;
    }
    this.#head = parsed.head;
    const frame = parsed.rest ? this.#frame(` ${parsed.rest}`) : undefined;
    if (frame) this.#chain.push(frame);
  }

  #frame(line: string): Frame | undefined {
    let frame = this.#frames.get(line);
    if (frame === undefined) {
      frame = parseFrame(line) ?? null;
      this.#frames.set(line, frame);
    }
    return frame ?? undefined;
  }

  #finish(): void {
    if (this.#head) this.#onSample({ ...this.#head, frames: this.#chain });
    this.#head = undefined;
    this.#chain = [];
  }

  #odd(kind: Oddity['kind'], line: string): void {
    const known = this.oddities.find((each) => each.kind === kind);
    if (known) known.count += 1;
    else this.oddities.push({ kind, line: line.slice(0, 200), count: 1 });
  }
}
