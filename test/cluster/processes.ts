import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { pidsIn } from './cgroups.ts';
import { LOGS } from './home.ts';
import { until } from './waiting.ts';

/**
 * A process as it can be told from any other: a pid alone is used again sooner or later, a pid and its start time are
 * not, and argv[0] says whether it is still what was started.
 */
export type ProcessIdentity = {
  readonly pid: number;
  /** Clock ticks after boot. */
  readonly startTicks: number;
  readonly argv0: string;
};

/** Reads state and start time from /proc/PID/stat, where the name in brackets may itself hold spaces and brackets. */
export function parseStat(stat: string): { readonly state: string; readonly startTicks: number } {
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [afterName[0], Number(afterName[19])];
  if (!state || !Number.isSafeInteger(startTicks)) throw new Error(`not a /proc/PID/stat: ${stat}`);
  return { state, startTicks };
}

/** The identity of a running process; undefined when it is gone or a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const { state, startTicks } = parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
    const argv0 = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')[0] ?? '';
    return state === 'Z' ? undefined : { pid, startTicks, argv0 };
  } catch {
    return undefined;
  }
}

/** When a process started, in milliseconds since 1970. Linux counts /proc's ticks in hundredths of a second. */
export async function startedAt(process: ProcessIdentity): Promise<number> {
  const uptime = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  return Date.now() - uptime * 1000 + process.startTicks * 10;
}

/** A program that outlives this one. */
export type Daemon = {
  readonly name: string;
  /** The cgroup that it runs in, by which it is found again. */
  readonly cgroup: string;
  /** What goes before the command, such as nsenter, and becomes it. */
  readonly enter?: readonly string[];
  /** The absolute path of the program and its arguments. */
  readonly command: readonly [string, ...string[]];
};

/** Daemons get nothing of the caller's environment: it may hold proxies, KUBECONFIG or secrets. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/**
 * Becomes a command in a cgroup, with its output in a log: whatever is not to be lost sight of when this process is
 * killed is started this way.
 */
export function launch(cgroup: string, log: string, command: readonly string[]): string[] {
  return [join(import.meta.dirname, 'launch.sh'), cgroup, log, ...command];
}

function logOf(daemon: Daemon): string {
  return join(LOGS, `${daemon.name}.log`);
}

/**
 * The running process of a daemon. It is looked up where the kernel keeps it, by cgroup and argv[0], rather than in a
 * pid file, which may be missing or stale after a kill -9 at the wrong moment.
 */
export async function findDaemon(daemon: Daemon): Promise<ProcessIdentity | undefined> {
  const found = await Promise.all((await pidsIn(daemon.cgroup)).map(identify));
  return found.find((process) => process?.argv0 === daemon.command[0]);
}

/** Starts a daemon unless it runs. */
export async function ensureDaemon(daemon: Daemon): Promise<ProcessIdentity> {
  const running = await findDaemon(daemon);
  if (running) return running;
  const log = logOf(daemon);
  const child = execa('sh', launch(daemon.cgroup, log, [...(daemon.enter ?? []), ...daemon.command]), {
    cwd: '/',
    env: ENVIRONMENT,
    extendEnv: false,
    detached: true,
    cleanup: false,
    reject: false,
    stdio: 'ignore',
  });
  child.nodeChildProcess.unref();
  return until(`the start of ${daemon.name} (see ${log})`, 60, async () => {
    const process = child.pid === undefined ? undefined : await identify(child.pid);
    if (!process) throw new Error(`${daemon.name} ended at once:\n${await lastLines(log)}`);
    return process.argv0 === daemon.command[0] ? process : undefined;
  });
}

/** Awaits what a daemon has to bring about, and gives up as soon as the daemon is dead. */
export async function whileRunning<T>(
  daemon: Daemon,
  what: string,
  seconds: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  return until(`${what} (see ${logOf(daemon)})`, seconds, async () => {
    const answer = await probe();
    if (answer === undefined && !(await findDaemon(daemon))) {
      throw new Error(`${daemon.name} has ended:\n${await lastLines(logOf(daemon))}`);
    }
    return answer;
  });
}

/** The end of a log, which says why something failed or how far it is. */
export async function lastLines(log: string, count = 15): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
