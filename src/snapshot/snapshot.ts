import { type Process, parseProcess } from './proc.ts';
import { parseRuntime, type Runtime } from './runtime.ts';

/** The state of a node at one moment: the parsed output of src/collectors/snapshot/snapshot.sh. */
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
  /** Whether the snapshot was truncated because there was too much on the node. */
  readonly isCut: boolean;
  /** Name of a user, by the mount namespace's own /etc/passwd; in a user namespace of its pod by its number there. */
  userName(process: Process): string;
  /** Whether the user's name may be in the part of /etc/passwd that was not read. */
  isUserCut(process: Process): boolean;
  readonly runtime?: Runtime;
  /** Why there is no `runtime`, though it was asked for. */
  readonly runtimeProblem?: string;
  /** Lines of `part_sockets` and `part_links`, by where they come from. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
}

/** Parses a snapshot. Each line has its source, a colon, and a line of what the source contained. */
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

/** Tells of which processes the whole command line was read: of a long one only the beginning is. */
function commandsRead(
  lines: ReadonlyMap<string, readonly string[]>,
): (pid: number, isThere: boolean) => boolean {
  // Reading a command line may have hung: then it is not known of which processes the others are missing.
  const areMissing = lines.has('commands');
  return (pid, isThere) => (isThere ? !(Number(lines.get(`command-bytes ${pid}`)?.[0]) > 0) : !areMissing);
}

/** Parses the files of a process in their order. Without the second `stat` at the end, nothing of them counts. */
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

/** A range of UIDs of a user namespace: `inside` is the first of them there, and `outside` on the node (user_namespaces(7)). */
interface UidRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** A pod has at least so many UIDs, and none of them is one of the node's own (KEP-127). */
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
    // A container may have made a user namespace of its own: then the UIDs of the pod's namespace count.
    const pods = own.some(isPods) ? own : all;
    const range = pods.find((each) => isPods(each) && uid >= each.outside && uid < each.outside + each.count);
    return range ? uid - range.outside : uid;
  };
  const nameOf = (proc: Process) => named.get(mounts.get(proc.pid) ?? '')?.get(insideOf(proc));
  return {
    // Without such a file, as in a distroless image, there are no names; but UID 0 is always root.
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
