/** A process as /proc has it. Times are in clock ticks, as the kernel counts them (proc(5)). */
export interface Process {
  readonly pid: number;
  readonly ppid: number;
  /** Its pid in each pid namespace it is in, the node's first. */
  readonly nsPids: readonly number[];
  readonly comm: string;
  /** Empty for kernel threads and zombies. */
  readonly argv: readonly string[];
  /** Whether only the beginning of the command line was read, or nothing of it. */
  readonly argvCut: boolean;
  readonly state: string;
  readonly group: number;
  readonly session: number;
  /** Device number of the controlling terminal; 0 for none. */
  readonly tty: number;
  readonly foregroundGroup: number;
  readonly kernelThread: boolean;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly nice: number;
  readonly threads: number;
  readonly startTicks: number;
  readonly vsizeBytes: number;
  /** As `status` has it: the count in `stat` is only near it (proc(5)), and ps prints this one. */
  readonly rssKb: number;
  readonly lockedKb: number;
  /** Effective. */
  readonly uid: number;
  /** The lines of its cgroup file. */
  readonly cgroups: readonly string[];
}

/** The files of one process in the order in which they were read; `stat` is read once more at the end. */
export interface ProcessFiles {
  readonly stat: string;
  readonly status: string;
  readonly cgroup: string;
  readonly cmdline: string;
  readonly cmdlineCut: boolean;
  readonly statAgain: string;
}

/** PF_KTHREAD of include/linux/sched.h. */
const KERNEL_THREAD = 0x0020_0000;

/**
 * Parses the files of a process. Undefined if the process ended while they were read, or if its pid belongs to another process
 * by now: then the start times before and after differ.
 */
export function parseProcess(files: ProcessFiles): Process | undefined {
  const before = parseStat(files.stat);
  const after = parseStat(files.statAgain);
  if (!before || !after || before.startTicks !== after.startTicks) return undefined;
  const status = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(files.status)?.[1] ?? '';
  const nsPids = status('NSpid').split(/\s+/).filter(Boolean).map(Number);
  return {
    ...before,
    nsPids: nsPids.length ? nsPids : [before.pid],
    argv: files.cmdline === '' ? [] : files.cmdline.replace(/\0+$/, '').split('\0'),
    argvCut: files.cmdlineCut,
    rssKb: Number.parseInt(status('VmRSS'), 10) || 0,
    lockedKb: Number.parseInt(status('VmLck'), 10) || 0,
    uid: Number(status('Uid').split(/\s+/)[1] ?? 0),
    cgroups: files.cgroup.split('\n').filter(Boolean),
  };
}

/** /proc/PID/stat. The name is in brackets and may contain spaces, brackets and line feeds: the last bracket closes it. */
function parseStat(text: string) {
  const open = text.indexOf(' (');
  const close = text.lastIndexOf(') ');
  if (open < 0 || close < open) return undefined;
  const [state, ...fields] = text.slice(close + 2).split(' ');
  // Numbered as in proc(5), where the state is the third.
  const field = (number: number) => Number(fields[number - 4]);
  if (!state || !Number.isFinite(field(24))) return undefined;
  return {
    pid: Number(text.slice(0, open)),
    comm: text.slice(open + 2, close),
    state,
    ppid: field(4),
    group: field(5),
    session: field(6),
    tty: field(7),
    foregroundGroup: field(8),
    kernelThread: (field(9) & KERNEL_THREAD) !== 0,
    userTicks: field(14),
    systemTicks: field(15),
    nice: field(19),
    threads: field(20),
    startTicks: field(22),
    vsizeBytes: field(23),
  };
}
