import { type Process, parseProcess } from './proc.ts';
import { parseRuntime, type Runtime } from './runtime.ts';

/** What a node was like at one moment: everything that src/node/inspect.sh wrote, read. */
export interface Snapshot {
  /** By the node's clock, milliseconds since the epoch. */
  readonly takenMs: number;
  readonly ticksPerSecond: number;
  readonly memoryKb: number;
  /** Seconds since the epoch. */
  readonly bootSeconds: number;
  readonly uptimeSeconds: number;
  /** By pid, ascending. */
  readonly processes: readonly Process[];
  /** Whether reading one of the processes took so long that those behind it are missing. */
  readonly isCut: boolean;
  /** Name of a user, by the mount namespace's own /etc/passwd. */
  userName(process: Process): string;
  readonly runtime?: Runtime;
  /** Why there is no `runtime`, though it was asked for. */
  readonly runtimeProblem?: string;
  /** Lines of `part_sockets` and `part_links`, by where they come from. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
}

/** Where a line of the snapshot comes from ends at its first colon; what follows is whatever the file held. */
export function parseSnapshot(text: string): Snapshot {
  const lines = new Map<string, string[]>();
  const runs = new Map<number, Array<{ file: string; text: string }>>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const where = line.slice(0, colon);
    const content = line.slice(colon + 1);
    const file = /^\/proc\/(\d+)\/(stat|status|cgroup|cmdline)$/.exec(where);
    if (file) {
      const pid = Number(file[1]);
      const of = runs.get(pid) ?? [];
      if (of.length === 0) runs.set(pid, of);
      const last = of.at(-1);
      if (last && last.file === file[2]) last.text += `\n${content}`;
      else of.push({ file: file[2]!, text: content });
    } else {
      const known = lines.get(where);
      if (known) known.push(content);
      else lines.set(where, [content]);
    }
  }
  const first = (where: string) => lines.get(where)?.[0] ?? '';
  const value = (where: string, pattern: RegExp) =>
    Number((lines.get(where) ?? []).map((line) => pattern.exec(line)?.[1]).find(Boolean) ?? Number.NaN);
  const names = userNames(lines);
  return {
    takenMs: Number(first('taken')),
    ticksPerSecond: Number(first('clock')),
    memoryKb: value('/proc/meminfo', /^MemTotal:\s*(\d+)/),
    bootSeconds: value('/proc/stat', /^btime (\d+)/),
    uptimeSeconds: value('/proc/uptime', /^([\d.]+)/),
    processes: [...runs.values()]
      .map(processOf)
      .filter((proc) => proc !== undefined)
      .sort((a, b) => a.pid - b.pid),
    isCut: first('processes') === 'cut',
    userName: (proc) => names(proc.pid, proc.uid),
    ...runtimeOf(lines),
    lines,
  };
}

/** The files of a process in their order; none of it counts without the times at the end. */
function processOf(files: ReadonlyArray<{ file: string; text: string }>): Process | undefined {
  const find = (name: string) => files.find((each) => each.file === name)?.text ?? '';
  const last = files.at(-1)!;
  if (files.length < 2 || files[0]!.file !== 'stat' || last.file !== 'stat') return undefined;
  return parseProcess({
    stat: files[0]!.text,
    status: find('status'),
    cgroup: find('cgroup'),
    cmdline: find('cmdline'),
    statAgain: last.text,
  });
}

function userNames(lines: ReadonlyMap<string, readonly string[]>): (pid: number, uid: number) => string {
  const namespaceOf = new Map<number, string>();
  for (const line of lines.get('mnt') ?? []) {
    const match = /^\/proc\/(\d+)\/ns\/mnt (\S+)$/.exec(line);
    if (match) namespaceOf.set(Number(match[1]), match[2]!);
  }
  const named = new Map<string, Map<number, string>>();
  for (const [where, content] of lines) {
    const pid = /^\/proc\/(\d+)\/root\/etc\/passwd$/.exec(where)?.[1];
    const namespace = pid && namespaceOf.get(Number(pid));
    if (!namespace) continue;
    const users = new Map<number, string>();
    for (const line of content) {
      const [name = '', , uid = ''] = line.split(':');
      if (!users.has(Number(uid))) users.set(Number(uid), name);
    }
    named.set(namespace, users);
  }
  // Who has no such file, as in a distroless image, has no names; but uid 0 is root by what Linux is.
  return (pid, uid) => named.get(namespaceOf.get(pid) ?? '')?.get(uid) ?? (uid === 0 ? 'root' : String(uid));
}

function runtimeOf(
  lines: ReadonlyMap<string, readonly string[]>,
): Pick<Snapshot, 'runtime' | 'runtimeProblem'> {
  const problem = lines.get('crictl')?.[0];
  if (problem === 'no socket') return { runtimeProblem: "the runtime's socket was not found on the node" };
  if (problem) return { runtimeProblem: 'there is no crictl on the node, nor in the image' };
  const ps = lines.get('crictl-ps');
  const pods = lines.get('crictl-pods');
  if (!ps || !pods) return {};
  try {
    return { runtime: parseRuntime(ps.join('\n'), pods.join('\n')) };
  } catch (error) {
    return { runtimeProblem: `crictl on the node said: ${(error as Error).message}` };
  }
}
