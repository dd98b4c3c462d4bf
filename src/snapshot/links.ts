import type { Snapshot } from './snapshot.ts';

/** The processes of each network namespace. */
function namespacesOf({ lines }: Snapshot): number[][] {
  const namespaces = new Map<string, number[]>();
  for (const line of lines.get('net') ?? []) {
    const [, pid, namespace] = /^\/proc\/(\d+)\/ns\/net (\S+)$/.exec(line) ?? [];
    if (namespace === undefined) continue;
    const known = namespaces.get(namespace);
    if (known) known.push(Number(pid));
    else namespaces.set(namespace, [Number(pid)]);
  }
  return [...namespaces.values()];
}

/**
 * The processes in the network namespace at the other end of one of the node's interfaces. The namespace is the one that the
 * node's kernel reports: names and numbers of interfaces inside are chosen by the pod and prove nothing. Empty if the other end
 * is in no namespace of a process; undefined if the node has no such interface.
 */
export function pidsBehind(name: string, snapshot: Snapshot): readonly number[] | undefined {
  // ip-link(8), one a line: `7: veth0123@if2: <BROADCAST,… \    link/ether … link-netns gkeprof-1234`.
  const line = (snapshot.lines.get('links') ?? []).find((each) => /^\d+: ([^:@]+)/.exec(each)?.[1] === name);
  if (line === undefined) return undefined;
  const pid = / link-netns gkeprof-(\d+)/.exec(line)?.[1];
  return namespacesOf(snapshot).find((pids) => pids.includes(Number(pid))) ?? [];
}
