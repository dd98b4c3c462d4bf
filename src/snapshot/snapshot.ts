import { type Process, parseProcess } from './proc.ts';
import { parseRuntime, type Runtime } from './runtime.ts';

/** What a node was like at one moment: everything that src/collectors/snapshot/snapshot.sh wrote, read. */
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
  /** Whether there was more on the node than is read: something is missing at the end. */
  readonly isCut: boolean;
  /** Name of a user, by the mount namespace's own /etc/passwd; in a user namespace of its pod by its number there. */
  userName(process: Process): string;
  /** Whether the user may have a name behind what was read of /etc/passwd. */
  isUserCut(process: Process): boolean;
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
  const users = userNames(lines);
  const isRead = commandsRead(lines);
  return {
    takenMs: Number(first('taken')),
    ticksPerSecond: Number(first('clock')),
    memoryKb: value('/proc/meminfo', /^MemTotal:\s*(\d+)/),
    bootSeconds: value('/proc/stat', /^btime (\d+)/),
    uptimeSeconds: value('/proc/uptime', /^([\d.]+)/),
    processes: [...runs.values()]
      .map((files) => processOf(files, isRead))
      .filter((proc) => proc !== undefined)
      .sort((a, b) => a.pid - b.pid),
    isCut: lines.size > 0 && first('whole') !== 'yes',
    ...users,
    ...runtimeOf(lines),
    lines,
  };
}

/** Of which processes the whole command line was read: of long ones it is only the beginning. */
function commandsRead(
  lines: ReadonlyMap<string, readonly string[]>,
): (pid: number, isThere: boolean) => boolean {
  // One that held up whoever read its own: nobody knows which those behind it are.
  const areMissing = lines.has('commands');
  return (pid, isThere) => (isThere ? !(Number(lines.get(`command-bytes ${pid}`)?.[0]) > 0) : !areMissing);
}

/** The files of a process in their order; none of it counts without the times at the end. */
function processOf(
  files: ReadonlyArray<{ file: string; text: string }>,
  isRead: ReturnType<typeof commandsRead>,
): Process | undefined {
  const find = (name: string) => files.find((each) => each.file === name);
  const last = files.at(-1)!;
  if (files.length < 2 || files[0]!.file !== 'stat' || last.file !== 'stat') return undefined;
  const pid = Number.parseInt(files[0]!.text, 10);
  return parseProcess({
    stat: files[0]!.text,
    status: find('status')?.text ?? '',
    cgroup: find('cgroup')?.text ?? '',
    cmdline: find('cmdline')?.text ?? '',
    cmdlineCut: !isRead(pid, find('cmdline') !== undefined),
    statAgain: last.text,
  });
}

/** The namespaces of one kind: a line for each process, `mnt:/proc/7/ns/mnt mnt:[4026531841]`. */
function namespacesOf(
  lines: ReadonlyMap<string, readonly string[]>,
  kind: 'mnt' | 'user',
): Map<number, string> {
  const namespaces = new Map<number, string>();
  for (const line of lines.get(kind) ?? []) {
    const match = /^\/proc\/(\d+)\/ns\/\w+ (\S+)$/.exec(line);
    if (match) namespaces.set(Number(match[1]), match[2]!);
  }
  return namespaces;
}

/** Numbers of users of a user namespace: from `inside`, which are from `outside` for the node (user_namespaces(7)). */
interface UidRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** What the kubelet gives a pod at least, and none of them the node's own (KEP-127). */
const POD_UIDS = 65_536;

const isPods = ({ inside, outside, count }: UidRange): boolean =>
  inside === 0 && outside >= POD_UIDS && count >= POD_UIDS;

function userNames(lines: ReadonlyMap<string, readonly string[]>): Pick<Snapshot, 'userName' | 'isUserCut'> {
  const mounts = namespacesOf(lines, 'mnt');
  const named = new Map<string, Map<number, string>>();
  const owners = namespacesOf(lines, 'user');
  const ranges = new Map<string, UidRange[]>();
  for (const [where, content] of lines) {
    const owner = owners.get(Number(/^\/proc\/(\d+)\/uid_map$/.exec(where)?.[1]));
    if (owner !== undefined) {
      const read = content.map((line) => line.trim().split(/\s+/).map(Number));
      ranges.set(
        owner,
        read.map(([inside = 0, outside = 0, count = 0]) => ({ inside, outside, count })),
      );
    }
    const pid = /^\/proc\/(\d+)\/root\/etc\/passwd$/.exec(where)?.[1];
    const namespace = pid && mounts.get(Number(pid));
    if (!namespace) continue;
    const users = new Map<number, string>();
    for (const line of content) {
      const [name = '', , uid = ''] = line.split(':');
      if (!users.has(Number(uid))) users.set(Number(uid), name);
    }
    named.set(namespace, users);
  }
  const cut = new Set((lines.get('passwd-cut') ?? []).map((pid) => mounts.get(Number(pid))));
  const all = [...ranges.values()].flat();
  const insideOf = ({ pid, uid }: Process): number => {
    const own = ranges.get(owners.get(pid) ?? '') ?? [];
    if (own.length === 0 || own.some(({ outside }) => outside === 0)) return uid;
    // In a namespace that a container made for itself, it is the pod's that says who it is.
    const pods = own.some(isPods) ? own : all;
    const range = pods.find((each) => isPods(each) && uid >= each.outside && uid < each.outside + each.count);
    return range ? uid - range.outside : uid;
  };
  const nameOf = (proc: Process) => named.get(mounts.get(proc.pid) ?? '')?.get(insideOf(proc));
  return {
    // Who has no such file, as in a distroless image, has no names; but uid 0 is root by what Linux is.
    userName(proc) {
      const uid = insideOf(proc);
      return nameOf(proc) ?? (uid === 0 ? 'root' : String(uid));
    },
    isUserCut: (proc) => nameOf(proc) === undefined && cut.has(mounts.get(proc.pid)),
  };
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
