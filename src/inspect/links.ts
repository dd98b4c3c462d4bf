import type { Snapshot } from './snapshot.ts';

interface Link {
  readonly index: number;
  readonly name: string;
  /** The index of its other end, in that one's own namespace. */
  readonly peer: number;
}

/** Network namespaces, by `net:[inode]`: its processes, and its links by the snapshot's `links` part. */
function namespacesOf({ lines }: Snapshot): Map<string, { pids: number[]; links: Link[] }> {
  const namespaces = new Map<string, { pids: number[]; links: Link[] }>();
  const of = new Map<number, string>();
  for (const line of lines.get('net') ?? []) {
    const match = /^\/proc\/(\d+)\/ns\/net (\S+)$/.exec(line);
    if (!match) continue;
    const pid = Number(match[1]);
    of.set(pid, match[2]!);
    const known = namespaces.get(match[2]!);
    if (known) known.pids.push(pid);
    else namespaces.set(match[2]!, { pids: [pid], links: [] });
  }
  for (const [where, content] of lines) {
    const pid = /^links (\d+)$/.exec(where)?.[1];
    const namespace = pid === undefined ? undefined : namespaces.get(of.get(Number(pid)) ?? '');
    for (const line of namespace ? content : []) {
      // ip-link(8), one a line: `7: veth0123@if2: <BROADCAST,…`.
      const match = /^(\d+): ([^:@]+)@if(\d+):/.exec(line);
      if (match) namespace!.links.push({ index: Number(match[1]), name: match[2]!, peer: Number(match[3]) });
    }
  }
  return namespaces;
}

/**
 * The processes in the network namespace at the other end of one of the node's interfaces. Both ends have to name each
 * other: indexes are each namespace's own, so one alone may be found in many. Undefined: the node has no such interface.
 */
export function pidsBehind(name: string, snapshot: Snapshot): readonly number[] | undefined {
  const namespaces = namespacesOf(snapshot);
  const here = namespaces.get(snapshot.lines.get('here')?.[0] ?? '');
  const link = here?.links.find((each) => each.name === name);
  if (!link) return undefined;
  return [...namespaces.values()]
    .filter(
      (each) => each !== here && each.links.some((end) => end.index === link.peer && end.peer === link.index),
    )
    .flatMap(({ pids }) => pids);
}
