import type { Owner } from './owner.ts';
import type { Process } from './proc.ts';
import {
  commandText,
  cpuPercent,
  memoryPercent,
  startedMs,
  startText,
  stateText,
  timeText,
  ttyText,
  vsizeKb,
} from './procps.ts';
import type { Snapshot } from './snapshot.ts';

/** A process with its owner, with the columns of `ps`. */
export interface ProcessRow {
  readonly node: string;
  readonly proc: Process;
  readonly owner: Owner;
  readonly user: string;
  readonly cpu: string;
  readonly memory: string;
  readonly vszKb: number;
  readonly tty: string;
  readonly stat: string;
  readonly start: string;
  readonly startedMs: number;
  readonly time: string;
  readonly cpuSeconds: number;
  readonly command: string;
}

export const processRow = (node: string, snapshot: Snapshot, proc: Process, owner: Owner): ProcessRow => ({
  node,
  proc,
  owner,
  user: snapshot.userName(proc),
  cpu: cpuPercent(proc, snapshot),
  memory: memoryPercent(proc, snapshot),
  vszKb: vsizeKb(proc),
  tty: ttyText(proc.tty),
  stat: stateText(proc),
  start: startText(proc, snapshot),
  startedMs: startedMs(proc, snapshot),
  time: timeText(proc, snapshot),
  cpuSeconds: (proc.userTicks + proc.systemTicks) / snapshot.ticksPerSecond,
  command: commandText(proc),
});

type Key = (row: ProcessRow) => number | string;

/** The keys of `--sort`: the names of the columns of ps, and our own. */
const KEYS: Readonly<Record<string, Key>> = {
  pid: ({ proc: { pid } }) => pid,
  ppid: ({ proc: { ppid } }) => ppid,
  user: ({ user }) => user,
  cpu: ({ cpu }) => Number(cpu),
  mem: ({ proc: { rssKb } }) => rssKb,
  rss: ({ proc: { rssKb } }) => rssKb,
  vsz: ({ vszKb: kb }) => kb,
  start: ({ proc: { startTicks } }) => startTicks,
  time: ({ cpuSeconds }) => cpuSeconds,
  nlwp: ({ proc: { threads } }) => threads,
  comm: ({ proc: { comm } }) => comm,
  command: ({ command }) => command,
  container: ({ owner }) => owner.container ?? '',
  pod: ({ owner }) => owner.pod ?? '',
  namespace: ({ owner }) => owner.namespace ?? '',
};

const ALIASES: Readonly<Record<string, string>> = {
  '%cpu': 'cpu',
  pcpu: 'cpu',
  '%mem': 'mem',
  pmem: 'mem',
  start_time: 'start',
  cputime: 'time',
  threads: 'nlwp',
  cmd: 'command',
  args: 'command',
  ucmd: 'comm',
};

export const SORT_KEYS: readonly string[] = Object.keys(KEYS);

/** A comparison by a list such as `-rss,pid`; undefined if a name is unknown. */
export function sorting(text: string): ((a: ProcessRow, b: ProcessRow) => number) | undefined {
  const keys = text.split(',').map((word) => {
    const name = word.replace(/^[-+]/, '').toLowerCase();
    return { key: KEYS[ALIASES[name] ?? name], sign: word.startsWith('-') ? -1 : 1 };
  });
  if (keys.some(({ key }) => key === undefined)) return undefined;
  return (a, b) => {
    for (const { key, sign } of keys) {
      const [left, right] = [key!(a), key!(b)];
      if (left !== right) return left < right ? -sign : sign;
    }
    return 0;
  };
}

/** The row for programs. */
export const processJson = (row: ProcessRow) => {
  const { proc: own, owner } = row;
  return {
    node: row.node,
    pid: own.pid,
    ppid: own.ppid,
    nsPid: own.nsPids.at(-1)!,
    user: row.user,
    uid: own.uid,
    cpuPercent: Number(row.cpu),
    memoryPercent: Number(row.memory),
    vszBytes: 1024 * row.vszKb,
    rssBytes: 1024 * own.rssKb,
    tty: row.tty,
    stat: row.stat,
    startedAt: new Date(row.startedMs).toISOString(),
    cpuSeconds: row.cpuSeconds,
    threads: own.threads,
    comm: own.comm,
    argv: own.argv,
    ...(own.argvCut && { argvCut: true }),
    ...owner,
  };
};
