/** Lines of a snapshot as collectors/snapshot/snapshot.sh writes them, for one process. */
export interface Given {
  readonly pid: number;
  readonly ppid?: number;
  readonly comm?: string;
  readonly argv?: readonly string[];
  readonly state?: string;
  readonly start?: number;
  readonly startAgain?: number;
  readonly ticks?: number;
  readonly nsPids?: readonly number[];
  readonly uid?: number;
  readonly cgroup?: string;
  readonly flags?: number;
  readonly nice?: number;
  readonly threads?: number;
  readonly session?: number;
  readonly group?: number;
  readonly foreground?: number;
  readonly tty?: number;
  /** In kB. */
  readonly rss?: number;
  readonly vsize?: number;
}

export function processLines(given: Given): string[] {
  const { pid, ppid = 1, comm = 'x', argv = ['x'], state = 'S', start = 1000, uid = 0 } = given;
  const stat = (from: number) => {
    const fields = Array.from({ length: 52 }, () => 0);
    const set: Record<number, number> = {
      4: ppid,
      5: given.group ?? 0,
      6: given.session ?? 0,
      7: given.tty ?? 0,
      8: given.foreground ?? -1,
      9: given.flags ?? 0,
      14: given.ticks ?? 0,
      19: given.nice ?? 0,
      20: given.threads ?? 1,
      22: from,
      23: given.vsize ?? 0,
    };
    for (const [at, value] of Object.entries(set)) fields[Number(at) - 1] = value;
    return `${pid} (${comm}) ${state} ${fields.slice(3).join(' ')}`
      .split('\n')
      .map((line) => `/proc/${pid}/stat:${line}`);
  };
  const status = [
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `NSpid:\t${(given.nsPids ?? [pid]).join('\t')}`,
    `VmRSS:\t${given.rss ?? 0} kB`,
  ];
  return [
    ...stat(start),
    ...status.map((line) => `/proc/${pid}/status:${line}`),
    `/proc/${pid}/cgroup:${given.cgroup ?? '0::/'}`,
    ...(argv.length ? `${argv.join('\0')}\0`.split('\n').map((line) => `/proc/${pid}/cmdline:${line}`) : []),
    ...stat(given.startAgain ?? start),
  ];
}

export const snapshotText = (...processes: Given[]): string =>
  [
    'taken:1000000000',
    'clock:100',
    '/proc/meminfo:MemTotal:        1000 kB',
    '/proc/stat:btime 900000',
    '/proc/uptime:100000.00 1.00',
    ...processes.flatMap(processLines),
    'whole:yes',
  ].join('\n');
