import { UNWINDINGS, WHYS } from '../profile/unwinding.ts';
import { printable } from '../text/printable.ts';

/** What a field of an event may hold. A field that is optional is absent where the node does not know it. */
interface Field<T> {
  readonly accepts: (value: unknown) => value is T;
  readonly isOptional: boolean;
}
interface OptionalField<T> extends Field<T> {
  readonly isOptional: true;
}

const field = <T>(accepts: (value: unknown) => value is T): Field<T> => ({ accepts, isOptional: false });
const optional = <T>({ accepts }: Field<T>): OptionalField<T> => ({ accepts, isOptional: true });

/** A whole number from 0 on that JavaScript holds exactly. */
const number = field(
  (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
);
/** Text of up to 1000 characters that matches the form. */
const text = (form = /^/) =>
  field((value): value is string => typeof value === 'string' && value.length <= 1000 && form.test(value));
const oneOf = <const T extends readonly string[]>(...values: T) =>
  field((value): value is T[number] => typeof value === 'string' && values.includes(value));

/** Names of commands with commas between them. */
const tools = text(/^[\w.,-]*$/);
const reason = oneOf(
  'time',
  'count',
  'size',
  'space',
  'requested',
  'terminated',
  'tool-ended',
  'target-gone',
);

/** What tcpdump counts: packets captured, received by the filter, dropped by the kernel; and the kernel's buffer in KiB. */
const packets = {
  packets: optional(number),
  received: optional(number),
  dropped: optional(number),
  buffer: optional(number),
};

/** What the kernel counted between the start and the end of the recording (node/cpu.sh); session/cpu-counters.ts explains it. */
const cpu = {
  cpu_elapsed_us: optional(number),
  cpu_used_us: optional(number),
  /** PSI: how long at least one thread waited. */
  cpu_pressure_us: optional(number),
  /** The sum over the threads that could be read, and how much CPU time these used. */
  cpu_waited_us: optional(number),
  cpu_ran_us: optional(number),
  cpu_threads: optional(number),
  cpu_threads_ended: optional(number),
  /** Millionths of a core; 0: no limit. */
  cpu_limit_ucores: optional(number),
  cpu_limit_before_ucores: optional(number),
  /** Of the cgroup that its own limit throttled for the longest time, and what this cgroup is to the target. */
  cpu_throttled_us: optional(number),
  cpu_periods: optional(number),
  cpu_throttled_periods: optional(number),
  cpu_throttler: optional(oneOf('target', 'pod', 'container', 'below', 'above')),
  cpu_throttler_id: optional(text(/^[0-9a-f]{12}$/)),
  cpu_throttler_ucores: optional(number),
  /** The time of all CPUs of the node, the part of it that was stolen, and the number of CPUs. */
  cpu_node_ticks: optional(number),
  cpu_steal_ticks: optional(number),
  cpu_count: optional(number),
  /** CPU time of the pod's containers in microseconds: `ID=TIME,ID=TIME`. */
  cpu_containers: optional(text(/^[0-9a-f]{12}=\d+(?:,[0-9a-f]{12}=\d+)*$/)),
};

/** Every event that the node's script emits, with its fields: the shell's `emit` and `refuse` are the other half of this. */
export const EVENTS = {
  hello: { collector: text(/^[a-z]+$/), kernel: text() },
  installing: { tools },
  installed: {},
  /**
   * For profiles by several debug pods: the best way to find stacks that a recorder of this one needs, with the reason, and the
   * ways that are possible for all of them.
   */
  looked: { wants: oneOf(...UNWINDINGS), why: oneOf(...WHYS), can: text(/^fp(?:,dwarf)?(?:,ebpf)?$/) },
  /** For profiles: how stacks are found, and if the node chose it, why. */
  capturing: { stacks: optional(oneOf(...UNWINDINGS)), stacks_why: optional(oneOf(...WHYS)) },
  tool: { version: text() },
  /** Bytes that the tool wrote so far, and bytes that are free for the files of the debug pod. */
  progress: { bytes: number, free: number, ...packets },
  stopping: { reason },
  artifact: {
    role: text(/^[a-z]+$/),
    file: text(/^[a-z0-9][a-z0-9._-]*$/i),
    bytes: number,
    sha256: text(/^[0-9a-f]{64}$/),
  },
  /** A snapshot has no status, and a command has no reason. `stopped` is in milliseconds since the epoch. */
  end: {
    reason: optional(reason),
    status: optional(number),
    stopped: optional(number),
    ...packets,
    ...cpu,
    /** Processes whose files perf was not allowed to read. */
    unnamed: optional(number),
    /** Files of programs that were copied for perf, because it could not open them by itself, maps of jitdump files, and their bytes. */
    harvested: optional(number),
    harvested_bytes: optional(number),
    /**
     * Files that were found, or not looked for, but over a limit; and which limit it was. `tools`: the image has no perl. `format`: a
     * jitdump file is not one.
     */
    unharvested: optional(number),
    unharvested_why: optional(oneOf('large', 'total', 'time', 'tools', 'format')),
    /** Why the recording is not whole. */
    cut: optional(oneOf('failed', 'stuck', 'slow', 'time', 'memory', 'space')),
    /** Why the samples have no cgroups: no mount of them, perf or the kernel is too old, or the eBPF unwinder does not tell them. */
    no_cgroups: optional(oneOf('mount', 'perf', 'kernel', 'unwinder')),
  },
  /** The script cannot do the work: a code, and the file in scratch that has the tool's words. */
  refused: { code: text(/^[a-z-]+$/), log: optional(text(/^[a-z-]+\.log$/)), tools: optional(tools) },
  /** Snapshots: the first answer is there. */
  answered: {},
  /** Commands: the command runs. */
  running: {},
} as const satisfies Readonly<Record<string, Readonly<Record<string, Field<unknown>>>>>;

type Fields = typeof EVENTS;
type ValueOf<F> = F extends Field<infer T> ? T : never;
type OptionalOf<S> = { [K in keyof S]: S[K] extends OptionalField<unknown> ? K : never }[keyof S];
type FieldsOf<S> = { readonly [K in Exclude<keyof S, OptionalOf<S>>]: ValueOf<S[K]> } & {
  readonly [K in OptionalOf<S>]?: ValueOf<S[K]>;
};

export type EventName = keyof Fields;

/** An event of one name. `t` is in milliseconds since the epoch by the node's clock; `seq` counts from 1. */
export type EventOf<Name extends EventName> = Name extends EventName
  ? { readonly event: Name; readonly seq: number; readonly t: number } & FieldsOf<Fields[Name]>
  : never;

/** One event of the node's script (node/protocol.sh): version 1 of the protocol. */
export type NodeEvent = EventOf<EventName>;

/** The last event of each name that was seen. */
export type SeenEvents = { [Name in EventName]?: EventOf<Name> };

/** Keeps an event as the last one of its name. */
export function keepEvent(seen: SeenEvents, event: NodeEvent): void {
  Object.assign(seen, { [event.event]: event });
}

/** A line of this session's protocol. */
interface ParsedLine {
  readonly seq: number;
  /** Absent for an event that this version does not know, or that is not well-formed: it is passed over. */
  readonly event?: NodeEvent;
  /** What is wrong with an event that is not well-formed. */
  readonly problem?: string;
}

/** A line as an event of this session; undefined for anything else, and for events that are passed over. */
export const parseEvent = (line: string, nonce: string): NodeEvent | undefined =>
  parseLine(line, nonce)?.event;

/** The nonce in a line that looks like an event: whose event it is. Undefined for any other line. */
export const nonceOf = (line: string): string | undefined =>
  /^\{"gkeprof":1,"seq":\d+,"nonce":"([0-9a-f]{22})"/.exec(line)?.[1];

function parseLine(line: string, nonce: string): ParsedLine | undefined {
  if (!line.startsWith('{"gkeprof":1,')) return undefined;
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { seq, t, event: name } = value;
  if (value.nonce !== nonce || !isCount(seq) || seq === 0 || !isCount(t) || typeof name !== 'string')
    return undefined;
  if (!Object.hasOwn(EVENTS, name)) return { seq };
  const fields: Readonly<Record<string, Field<unknown>>> = EVENTS[name as EventName];
  const known: Record<string, unknown> = { event: name, seq, t };
  for (const [key, { accepts, isOptional }] of Object.entries(fields)) {
    const given = Object.hasOwn(value, key) ? value[key] : undefined;
    if (given === undefined && isOptional) continue;
    if (!accepts(given)) return { seq, problem: `the node's event "${name}" has a wrong "${key}"` };
    known[key] = given;
  }
  // Each field was checked by its own row above.
  return { seq, event: known as unknown as NodeEvent };
}

const isCount = (value: unknown): value is number => number.accepts(value);

/** What reading a line gave. */
export type LineReading =
  | { readonly kind: 'event'; readonly event: NodeEvent }
  /** An event that was seen before: a reconnect repeats lines. */
  | { readonly kind: 'repeated' }
  /** Numbers are missing before this one: read events.jsonl again, then give this line again. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number }
  /** An event that this version does not know: it is passed over. */
  | { readonly kind: 'unknown' }
  /** Not of the protocol, or not well-formed: shown as the node's output, escaped. */
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
    const parsed = parseLine(line, this.#nonce);
    if (!parsed) return { kind: 'foreign', text: shown(line) };
    if (parsed.seq < this.#next) return { kind: 'repeated' };
    if (parsed.seq > this.#next) return { kind: 'gap', from: this.#next, to: parsed.seq - 1 };
    this.#next += 1;
    if (parsed.event) return { kind: 'event', event: parsed.event };
    return parsed.problem === undefined ? { kind: 'unknown' } : { kind: 'foreign', text: parsed.problem };
  }
}

/** No event is as long; of a longer line only this many characters are kept. */
const LONGEST_LINE = 64 * 1024;

/** The beginning of a foreign line, as much as a person reads. */
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
