import { baseName } from '../../plan/artifact-name.ts';
import type { PerfTask, Plan } from '../../plan/plan.ts';
import type { Target } from '../../plan/target.ts';
import { debuggerLines, execLine, type ManualContext, pidLines } from '../by-hand/debugger.ts';
import { flameGraphLine } from '../by-hand/files.ts';

/** perf by hand: record on the node, run perf script, copy the stacks, draw them. */
export function perfByHand(plan: Plan, capture: PerfTask, around: ManualContext, nowMs: number): string[] {
  const target = plan.target;
  const seconds = Math.ceil(plan.limits.durationSeconds);
  const scope = target.kind === 'node' && capture.pid === undefined ? '' : ' -G "$cgroup"';
  const base = baseName(plan.node, nowMs, 'by_hand');
  return [
    ...debuggerLines(around, ['linux-perf', 'gzip']),
    ...(scope ? cgroupLines(target, capture, around) : []),
    ...(capture.offCpu
      ? [
          '# a cgroup sees only that its threads leave a CPU; the clock beside it tells for how long they had been there',
          '# waits that began before the recording, and waits that have not ended, are missing by hand',
        ]
      : []),
    ...(capture.stacks === 'auto' || capture.stacks === 'ebpf'
      ? [
          `# if stacks end early, replace -g by --call-graph dwarf,${capture.stackBytes}, which needs no frame pointers`,
        ]
      : []),
    '# perf needs the event before the cgroup, and -a: a cgroup is sampled on all CPUs',
    execLine(
      around,
      `perf record ${frequency(capture)}${callGraph(capture)} -a ${events(capture)}${scope} -o /tmp/perf.data -- sleep ${seconds}`,
    ),
    '# exec may lose the end of a long stream without an error: gzip -t checks that it is whole',
    `${execLine(around, `sh -c 'perf script -i /tmp/perf.data --header --no-inline${fields(capture)} | gzip'`)} > ${base}.perf-script.txt.gz`,
    `gzip -t ${base}.perf-script.txt.gz`,
    ...(capture.offCpu
      ? [
          '# nothing else makes waits of these two events',
          `kubectl gkeprof render ${base}.perf-script.txt.gz --output ${base}.svg`,
        ]
      : [
          '# https://github.com/brendangregg/FlameGraph',
          flameGraphLine(`${base}.perf-script.txt.gz`, `${base}.svg`),
        ]),
  ];
}

const events = ({ offCpu }: PerfTask): string =>
  offCpu ? '-e sched:sched_switch -e "{context-switches/call-graph=no,period=1/,cpu-clock}:S"' : '-e cycles';

/** Waits are all recorded. */
const frequency = ({ offCpu, frequencyHz }: PerfTask): string => (offCpu ? '' : `-F ${frequencyHz} `);

const fields = ({ offCpu }: PerfTask): string =>
  offCpu
    ? ' --show-lost-events -F trace:comm,pid,tid,cpu,time,period,event,trace,ip,sym,symoff,dso -F sw:comm,pid,tid,cpu,time,period,event'
    : '';

/** perf's option for the stacks. By hand nothing looks at the programs, and nothing else than perf walks the stacks. */
const callGraph = ({ stacks, stackBytes }: PerfTask): string =>
  stacks === 'dwarf' ? `--call-graph dwarf,${stackBytes}` : '-g';

/** Sets `$cgroup` to the cgroup that is sampled, as perf wants it: below the mount of its hierarchy. */
function cgroupLines(target: Target, { scope, pid }: PerfTask, around: ManualContext): string[] {
  const container =
    target.kind === 'pod'
      ? (target.container ?? target.containers.find(({ running }) => running))
      : undefined;
  const ofPod = scope === 'pod' && pid === undefined;
  return [
    "# mounts the node's whole tree of cgroups over the part that the pod sees",
    execLine(around, 'mount --rbind /host/sys/fs/cgroup /sys/fs/cgroup'),
    ...(pid === undefined ? pidLines(around, container?.id ?? '') : [`pid=${pid}`]),
    `cgroup=$(${execLine(around, 'cat "/proc/$pid/cgroup"')} | awk -F: '$2 == "perf_event" { v1 = $3 } $1 == 0 { v2 = $3 } END { print v1 ? v1 : v2 }')`,
    ...(ofPod ? ['cgroup=$(dirname "$cgroup") # the pod: one level up'] : []),
  ];
}
