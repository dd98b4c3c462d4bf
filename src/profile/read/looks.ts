import { decodedWord } from '../../text/percent-encoding.ts';

/** What a look at a thread saw: collectors/perf/look.pl. */
interface LookedThread {
  /** When, in seconds on perf's clock. */
  readonly time: number;
  readonly pid: number;
  readonly tid: number;
  /** Its state, as its letter in /proc. */
  readonly state: string;
  /** When the thread began, in ticks since the node started: a later thread of the same number has another one. */
  readonly begun: number;
  /** How long it had run, in nanoseconds, and how often it had come to a CPU. */
  readonly ran: number;
  readonly slices: number;
}

/** A thread at the start of the recording. */
export interface StartingThread extends LookedThread {
  /** The functions in which the kernel holds it, the innermost first; those of a module with its name in brackets. */
  readonly functions: readonly string[];
  /** The path of its cgroup, where the recording tells the containers of a pod apart. */
  readonly cgroup?: string;
  readonly comm: string;
}

const THREAD =
  /^# thread (start|end) (\d+\.\d+) (\d+)\/(\d+) ([A-Za-z]) (\d+) (\d+) (\d+)(?: (\S+) (\S+) (\S+))?$/;
const LOOK = /^# look (start|end) (\d+\.\d+)$/;
const LOOKED = /^# looked (start|end) (\d+) (\d+)$/;

/** No name of a thread has more bytes. A name may hold what ends a line in other files. */
const commOf = (word: string): string => decodedWord(word).replaceAll(/[\u0000-\u001f\u007f]/g, '?');

/** The threads of the target at the start and at the end of a recording of waits, by the lines behind its samples. */
export class ThreadLooks {
  /** When the looks began, in seconds on perf's clock; NaN if there was none. */
  began = Number.NaN;
  ended = Number.NaN;
  readonly atStart = new Map<number, StartingThread>();
  readonly atEnd = new Map<number, LookedThread>();
  /** How many threads a look left out, at most, because there were too many. */
  missed = 0;

  /** Takes a line. Returns whether it is one of a look. */
  read(line: string): boolean {
    const [, when, time, pid, tid, state, begun, ran, slices, functions, cgroup, comm] =
      THREAD.exec(line) ?? [];
    if (when !== undefined) {
      const numbers = { time: Number(time), pid: Number(pid), tid: Number(tid) };
      const thread = {
        ...numbers,
        state: state!,
        begun: Number(begun),
        ran: Number(ran),
        slices: Number(slices),
      };
      if (when === 'end') this.atEnd.set(thread.tid, thread);
      else if (comm !== undefined)
        this.atStart.set(thread.tid, {
          ...thread,
          functions: functions === '-' ? [] : functions!.split(','),
          ...(cgroup !== '-' && { cgroup: decodedWord(cgroup!) }),
          comm: commOf(comm),
        });
      return true;
    }
    const [, look, at] = LOOK.exec(line) ?? [];
    if (look === 'start') this.began = Number(at);
    if (look === 'end') this.ended = Number(at);
    const [, looked, , missed] = LOOKED.exec(line) ?? [];
    if (looked !== undefined) this.missed = Math.max(this.missed, Number(missed));
    return look !== undefined || looked !== undefined;
  }
}
