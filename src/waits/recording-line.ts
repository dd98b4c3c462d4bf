import { decodedWord } from '../text/percent-encoding.ts';

/** What a line of a recording says. Times are in µs since the start of the recording, run and queue times in ns. */
export type RecordingLine =
  | {
      readonly kind: 'start';
      readonly epochUs: number;
      readonly rateHz: number;
      readonly cpus: number;
      readonly ticksPerSecond: number;
    }
  | {
      readonly kind: 'cgroup';
      readonly number: number;
      readonly role: string;
      /** µs of CPU time in each period; undefined where there is no limit. */
      readonly quotaUs: number | undefined;
      readonly periodUs: number;
      readonly path: string;
    }
  | {
      readonly kind: 'proc';
      readonly at: number;
      readonly pid: number;
      readonly container: string | undefined;
      readonly comm: string;
    }
  | {
      readonly kind: 'thread';
      readonly at: number;
      readonly tid: number;
      readonly pid: number;
      readonly comm: string;
    }
  | { readonly kind: 'gone'; readonly at: number; readonly tid: number }
  | Look
  | {
      readonly kind: 'sock';
      readonly number: number;
      readonly protocol: string;
      /** `in`: a connection to a port that the pod listens on; `out`: one that the pod made. */
      readonly direction: string;
      readonly local: string;
      /** Undefined for a socket that is not connected. */
      readonly remote: string | undefined;
    }
  | { readonly kind: 'file'; readonly number: number; readonly path: string }
  | {
      readonly kind: 'cpu';
      readonly at: number;
      readonly cgroup: number;
      readonly usageUs: number;
      readonly throttledUs: number;
      readonly periods: number;
      readonly throttledPeriods: number;
    }
  | { readonly kind: 'psi'; readonly at: number; readonly someUs: number }
  | { readonly kind: 'steal'; readonly at: number; readonly ticks: number }
  | {
      readonly kind: 'ran';
      readonly at: number;
      readonly pid: number;
      readonly container: string | undefined;
      /** Undefined for a process that had ended before it could be asked. */
      readonly comm: string | undefined;
      /** How long threads of the target waited for this CPU meanwhile, in ns. */
      readonly waitedNs: number;
    }
  | { readonly kind: 'rate'; readonly at: number; readonly rateHz: number }
  | { readonly kind: 'own'; readonly at: number; readonly cpuUs: number }
  | { readonly kind: 'missed'; readonly at: number; readonly threads: number }
  | { readonly kind: 'end'; readonly at: number; readonly reason: string };

/** One look at a thread. */
export interface Look {
  readonly kind: 'look';
  readonly at: number;
  readonly tid: number;
  /** Time on a CPU, in ns since the thread began. */
  readonly runNs: number;
  /** Time in the queue of a CPU, in ns; the kernel adds it when the thread leaves the queue. */
  readonly delayNs: number;
  /** How many times it got a CPU: the same number means that it has not run since. */
  readonly slices: number;
  /** The state letter of /proc/PID/stat. */
  readonly state: string;
  /** The kernel's function in which it sleeps. */
  readonly wchan: string | undefined;
  /** What it waits for, in the words of the format; undefined where that is not known. */
  readonly object: string | undefined;
  /** Until this time nothing had changed since the look before; undefined for the first look. */
  readonly seen: number | undefined;
}

/** The first line of a recording. */
export const FIRST_LINE = /^waits (\d+)(?: (\S+))?$/;

/**
 * Reads one line of a recording. Undefined for a line of a kind that this version does not know, and for one that is
 * damaged: a number is missing or cannot be read.
 */
export function parseRecordingLine(line: string): RecordingLine | undefined {
  const words = line.split(' ');
  const read = Object.hasOwn(KINDS, words[0]!) ? KINDS[words[0] as RecordingLine['kind']] : undefined;
  if (!read) return undefined;
  const fields = new Fields(words);
  const parsed = read(fields);
  return fields.isDamaged ? undefined : parsed;
}

/** The words of a line, read one after the other. */
class Fields {
  readonly #words: readonly string[];
  #next = 1;
  isDamaged = false;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  number(): number {
    const word = this.#word();
    const value = /^-?\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!Number.isSafeInteger(value)) this.isDamaged = true;
    return value;
  }

  /** Undefined for `-`, and at the end of a line. */
  optionalNumber(): number | undefined {
    const word = this.#words[this.#next];
    return word === undefined || word === '-' ? undefined : this.number();
  }

  /** A decimal fraction, which is not negative. */
  fraction(): number {
    const word = this.#word();
    const value = /^\d+(?:\.\d+)?$/.test(word) ? Number(word) : Number.NaN;
    if (Number.isNaN(value)) this.isDamaged = true;
    return value;
  }

  text(): string {
    return decodedWord(this.#word());
  }

  /** Undefined for `-`. */
  optional(): string | undefined {
    const word = this.#word();
    return word === '-' ? undefined : decodedWord(word);
  }

  #word(): string {
    const word = this.#words[this.#next];
    this.#next += 1;
    if (word === undefined || word === '') this.isDamaged = true;
    return word ?? '';
  }
}

const KINDS: { readonly [Kind in RecordingLine['kind']]: (fields: Fields) => RecordingLine } = {
  start: (f) => ({
    kind: 'start',
    epochUs: f.number(),
    rateHz: f.number(),
    cpus: f.number(),
    ticksPerSecond: f.number(),
  }),
  cgroup: (f) => {
    const [number, role, quota, periodUs, path] = [f.number(), f.text(), f.number(), f.number(), f.text()];
    return { kind: 'cgroup', number, role, quotaUs: quota < 0 ? undefined : quota, periodUs, path };
  },
  proc: (f) => ({
    kind: 'proc',
    at: f.number(),
    pid: f.number(),
    container: f.optional(),
    comm: f.text(),
  }),
  thread: (f) => ({ kind: 'thread', at: f.number(), tid: f.number(), pid: f.number(), comm: f.text() }),
  gone: (f) => ({ kind: 'gone', at: f.number(), tid: f.number() }),
  look: (f) => {
    const [at, tid, runNs, delayNs, slices, state] = [
      f.number(),
      f.number(),
      f.number(),
      f.number(),
      f.number(),
      f.text(),
    ];
    f.optional();
    const wchan = f.optional();
    f.optional();
    const object = f.optional();
    return { kind: 'look', at, tid, runNs, delayNs, slices, state, wchan, object, seen: f.optionalNumber() };
  },
  sock: (f) => {
    f.number();
    const [number, protocol, direction, local] = [f.number(), f.text(), f.text(), f.text()];
    return { kind: 'sock', number, protocol, direction, local, remote: f.optional() };
  },
  file: (f) => {
    f.number();
    return { kind: 'file', number: f.number(), path: f.text() };
  },
  cpu: (f) => ({
    kind: 'cpu',
    at: f.number(),
    cgroup: f.number(),
    usageUs: f.number(),
    throttledUs: f.number(),
    periods: f.number(),
    throttledPeriods: f.number(),
  }),
  psi: (f) => ({ kind: 'psi', at: f.number(), someUs: f.number() }),
  steal: (f) => ({ kind: 'steal', at: f.number(), ticks: f.number() }),
  ran: (f) => {
    const at = f.number();
    f.optional();
    const [pid, container, comm] = [f.number(), f.optional(), f.optional()];
    return { kind: 'ran', at, pid, container, comm, waitedNs: f.optionalNumber() ?? 1 };
  },
  rate: (f) => ({ kind: 'rate', at: f.number(), rateHz: f.fraction() }),
  own: (f) => ({ kind: 'own', at: f.number(), cpuUs: f.number() }),
  missed: (f) => ({ kind: 'missed', at: f.number(), threads: f.number() }),
  end: (f) => ({ kind: 'end', at: f.number(), reason: f.text() }),
};
