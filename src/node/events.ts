import { printable } from '../text/printable.ts';

/** One event of the node's script (node/protocol.sh), as it came: version 1 of the protocol. */
export interface NodeEvent {
  readonly gkeprof: 1;
  readonly seq: number;
  readonly nonce: string;
  /** Milliseconds since the epoch by the node's clock. */
  readonly t: number;
  readonly event: string;
  readonly [key: string]: string | number;
}

export const numberOf = (event: NodeEvent | undefined, key: string): number => {
  const value = event?.[key];
  return typeof value === 'number' ? value : 0;
};

export const textOf = (event: NodeEvent | undefined, key: string): string => {
  const value = event?.[key];
  return typeof value === 'string' ? value : '';
};

/** A line as an event, or undefined for anything that is not one of this session. */
export function parseEvent(line: string, nonce: string): NodeEvent | undefined {
  if (!line.startsWith('{"gkeprof":1,')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const event = value as NodeEvent;
  const whole =
    event.nonce === nonce &&
    Number.isSafeInteger(event.seq) &&
    event.seq > 0 &&
    Number.isSafeInteger(event.t) &&
    typeof event.event === 'string' &&
    Object.values(event).every((each) => typeof each === 'string' || typeof each === 'number');
  return whole ? event : undefined;
}

/** What reading a line gave. */
export type LineReading =
  | { readonly kind: 'event'; readonly event: NodeEvent }
  /** An event seen before: a reconnect repeats lines. */
  | { readonly kind: 'repeated' }
  /** Numbers are missing before this one: read events.jsonl again, then give this line again. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number }
  /** Not of the protocol: shown, escaped, as the node's output. */
  | { readonly kind: 'foreign'; readonly text: string };

/**
 * Puts events in order, each once, however often and from wherever the lines are read: the log, the log again
 * after a reconnect (which repeats lines, since `--since-time` has whole seconds), or events.jsonl.
 */
export class EventReader {
  readonly #nonce: string;
  #next = 1;

  constructor(nonce: string) {
    this.#nonce = nonce;
  }

  read(line: string): LineReading {
    const event = parseEvent(line, this.#nonce);
    if (!event) return { kind: 'foreign', text: shown(line) };
    if (event.seq < this.#next) return { kind: 'repeated' };
    if (event.seq > this.#next) return { kind: 'gap', from: this.#next, to: event.seq - 1 };
    this.#next += 1;
    return { kind: 'event', event };
  }
}

/** No event has as much; of a longer line only so many characters are kept. */
const LONGEST_LINE = 64 * 1024;

/** As much of a foreign line as a person reads. */
const shown = (line: string): string =>
  line.length > LONGEST_SHOWN ? `${printable(line.slice(0, LONGEST_SHOWN))}…` : printable(line);

const LONGEST_SHOWN = 1000;

/** Cuts chunks of bytes into lines; a last line without a line feed is kept until `end`. */
export class LineSplitter {
  #rest = '';
  readonly #decoder = new TextDecoder();

  push(chunk: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LONGEST_LINE);
    return lines.filter((line) => line !== '').map((line) => line.slice(0, LONGEST_LINE));
  }

  end(): string[] {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return rest ? [rest] : [];
  }
}
