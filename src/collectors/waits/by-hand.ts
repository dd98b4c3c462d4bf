import { baseName } from '../../plan/artifact-name.ts';
import type { Plan, WaitsTask } from '../../plan/plan.ts';
import { debuggerLines, execLine, type ManualContext, pidLines } from '../by-hand/debugger.ts';

/** The states of one process by hand: its threads, the function of the kernel in which each sleeps, its sockets, its throttling. */
export function waitsByHand(
  plan: Plan,
  { rateHz }: WaitsTask,
  around: ManualContext,
  nowMs: number,
): string[] {
  const { target } = plan;
  const container =
    target.kind === 'pod'
      ? (target.container ?? target.containers.find(({ running }) => running))
      : undefined;
  // A loop in the shell starts several processes for each look, so it cannot look as often.
  const looks = Math.max(1, Math.ceil(plan.limits.durationSeconds * Math.min(rateHz, 2)));
  const base = baseName(plan.node, nowMs, 'by_hand');
  return [
    ...debuggerLines(around, ['iproute2', 'util-linux']),
    ...pidLines(around, container?.id ?? ''),
    '# name, state and kernel function of each thread, twice a second: the shares of the lines are the shares of the time',
    `${execLine(around, `env pid="$pid" bash -c 'for ((at = 0; at < ${looks}; at++)); do for task in /proc/$pid/task/*; do echo "$(cat $task/comm) $(sed "s/.*) //" $task/stat | cut -c1) $(cat $task/wchan)"; done; sleep 0.5; done'`)} > ${base}.waits.txt`,
    `sort ${base}.waits.txt | uniq -c | sort -rn`,
    '# time on a CPU and in the queue of a CPU, in nanoseconds, of each thread since its start',
    execLine(around, `env pid="$pid" bash -c 'grep -H . /proc/$pid/task/*/schedstat'`),
    '# the connections: lastsnd is smaller than lastrcv while a reply is outstanding',
    execLine(around, 'nsenter -t "$pid" -n ss -tinp'),
    "# how often and how long the container's CPU limit stopped it",
    execLine(
      around,
      `env pid="$pid" bash -c 'cat /host/sys/fs/cgroup{,/cpu,/cpu,cpuacct}"$(sed -n "s/^\\(0::\\|[0-9]*:[a-z,]*cpu[a-z,]*:\\)//p" /proc/$pid/cgroup | head -n1)"/cpu.stat 2>/dev/null'`,
    ),
  ];
}
