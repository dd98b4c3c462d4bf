import type { DebugPodPlan } from '../../plan/plan.ts';
import { shellQuote } from '../../text/shell-quote.ts';

/** What the commands of --explain are made for. */
export interface ManualContext {
  /** kubectl with the flags that lead to the cluster, as a person types it. */
  readonly kubectl: string;
  readonly node: string;
  readonly debugPod: Pick<DebugPodPlan, 'image' | 'install' | 'imagePullPolicy' | 'leastPrivilege'>;
}

/** Runs a command in the debugger pod, whose name is in the script's variable `$debugger`. */
export const execLine = ({ kubectl }: ManualContext, command: string, flags = ''): string =>
  `${kubectl} exec ${flags ? `${flags} ` : ''}"$debugger" -- ${command}`;

/**
 * Starts a privileged pod on the node with `kubectl debug`, which is deleted when the script ends. `smaller` is a profile of
 * `kubectl debug` that is enough for these commands, for --least-privilege.
 */
export function debuggerLines(
  around: ManualContext,
  packages: readonly string[],
  smaller?: 'netadmin',
): string[] {
  const { kubectl, node, debugPod } = around;
  const profile = (debugPod.leastPrivilege && smaller) || 'sysadmin';
  const debug = `${kubectl} debug node/${node} --profile=${profile} --image=${debugPod.image} --image-pull-policy=${debugPod.imagePullPolicy ?? 'IfNotPresent'}`;
  return [
    profile === 'netadmin'
      ? "# a pod in the node's namespaces, with NET_ADMIN, NET_RAW and what the runtime gives to every container"
      : "# a privileged pod on the node, in its pid and network namespaces, the node's files at /host",
    ...(debugPod.leastPrivilege && profile === 'sysadmin'
      ? ['# kubectl debug has no profile with only the rights of --least-privilege that is enough for this']
      : []),
    `debugger=$(${debug} -- sleep 3600 2>&1 | grep -o 'node-debugger-[a-z0-9.-]*' | head -n1)`,
    `trap '${kubectl} delete pod --wait=false "$debugger"' EXIT`,
    `${kubectl} wait --for=condition=Ready --timeout=120s "pod/$debugger"`,
    ...(debugPod.install && packages.length
      ? [
          execLine(
            around,
            `sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends ${packages.join(' ')}'`,
          ),
        ]
      : []),
  ];
}

/** Sets `$pid` to a process of a container, by the name of its cgroup. */
export const pidLines = (around: ManualContext, containerId: string): string[] => [
  '# finds a process of the container by its cgroup; the first one (pid 1 inside) is preferred, because it lives longest',
  `pid=$(${execLine(around, `sh -c 'for f in $(grep -l ${containerId} /proc/[0-9]*/cgroup 2>/dev/null); do grep -qs "^NSpid:.*[[:space:]]1$" "\${f%cgroup}status" && echo "0 $f" || echo "1 $f"; done'`)} | sort | head -n1 | cut -d/ -f3)`,
];

/** Runs crictl, of the image or of the node, on the socket of the node's runtime. */
export const crictlLine = (around: ManualContext, words: readonly string[], flags = ''): string =>
  crictlText(around, words.map(shellQuote).join(' '), flags);

/** The same with words that are quoted already. */
export const crictlText = (around: ManualContext, words: string, flags = ''): string =>
  execLine(
    around,
    `env PATH=/usr/local/bin:/usr/bin:/bin:/host/usr/bin:/host/home/kubernetes/bin crictl -r unix:///host/run/containerd/containerd.sock ${words}`,
    flags,
  );

/** The commands as a script for bash, with a comment that says what it does. */
export const script = (what: string, lines: readonly string[]): string =>
  ['#!/usr/bin/env bash', `# by hand, what this does: ${what}`, 'set -eu', ...lines, ''].join('\n');
