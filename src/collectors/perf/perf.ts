import { profileScope } from '../../plan/artifact-name.ts';
import { type PerfTask, type Plan, targetText } from '../../plan/plan.ts';
import { stacksText } from '../../profile/unwinding.ts';
import { formatBytes } from '../../text/quantity.ts';
import { type Collector, lastWords, privileges } from '../collector.ts';
import { perfByHand } from './by-hand.ts';

const PROFILING = privileges(
  'pids',
  'DAC_READ_SEARCH',
  'IPC_LOCK',
  'SYSLOG',
  'SYS_ADMIN',
  'SYS_CHROOT',
  'SYS_PTRACE',
);
const task = (scope: PerfTask['scope']): PerfTask => ({
  collector: 'perf',
  scope,
  frequencyHz: 99,
  stacks: 'auto',
  stackBytes: 16_384,
});

const taskOf = (plan: Plan): PerfTask => {
  if (plan.capture.collector !== 'perf') throw new Error('not a plan for perf');
  return plan.capture;
};

/** CPU samples with perf: perf.sh is its other half. */
export const perf: Collector = {
  name: 'perf',
  scripts: [
    'collectors/perf/perf.sh',
    'collectors/perf/kernel.sh',
    'collectors/perf/text.sh',
    'collectors/perf/stacks.sh',
    'collectors/perf/ebpf.sh',
    'collectors/perf/harvest.sh',
  ],
  program: [
    'collectors/perf/look.pl',
    'collectors/perf/jitdump.pl',
    'collectors/perf/hold.pl',
    'collectors/perf/cache.pl',
  ],
  leastPrivilege: {
    needs: { node: PROFILING, pod: PROFILING, container: PROFILING },
    works: [{ scope: 'node' }, { scope: 'pod' }, { scope: 'container' }],
  },
  samples: [
    { name: 'perf node', task: task('node'), on: 'node' },
    { name: 'perf pod', task: task('pod'), on: 'pod' },
    { name: 'perf container', task: task('container'), on: 'container' },
  ],
  ending: '.perf-script.txt.gz',
  artifact: 'perf-script.txt.gz',
  raw: ({ stacks }) =>
    stacks === 'ebpf'
      ? { file: 'samples.txt', ending: '.perf-script.txt', isOpaque: false }
      : { file: 'perf.data', ending: '.perf.data', isOpaque: true },
  install: 'linux-perf, about 30 s and 60 MB',

  describe(plan) {
    const target = plan.target;
    const what =
      target.kind === 'pod' && target.container
        ? `container ${target.container.name} of ${targetText(target)}`
        : targetText(target);
    const { frequencyHz, stacks, stackBytes, offCpu } = taskOf(plan);
    const how = stacks === 'auto' ? '' : `, stacks: ${stacksText({ way: stacks, bytes: stackBytes })}`;
    return offCpu
      ? `waits (off-CPU time) of ${what}${how}`
      : `CPU samples of ${what}, ${frequencyHz} Hz${how}`;
  },

  nodeArguments(plan) {
    const { frequencyHz, stacks, stackBytes, byContainer, offCpu, agree } = taskOf(plan);
    return {
      keys: [
        `frequency=${frequencyHz}`,
        `stacks=${stacks}`,
        `stack_bytes=${stackBytes}`,
        ...(byContainer ? ['cgroups=1'] : []),
        ...(offCpu ? ['off_cpu=1'] : []),
        ...(agree ? ['agree=1'] : []),
      ],
      words: [],
    };
  },

  scopeName(plan) {
    const target = plan.target;
    const { pid } = taskOf(plan);
    if (pid !== undefined) return `container_of_pid_${pid}`;
    return target.kind === 'node'
      ? 'all_cpus'
      : profileScope(target.namespace, target.name, target.container?.name);
  },

  progress(event, before) {
    const seconds = before ? (event.t - before.t) / 1000 : 0;
    return [
      formatBytes(event.bytes),
      ...(seconds > 0
        ? [`${formatBytes(Math.max(0, Math.round((event.bytes - before!.bytes) / seconds)))}/s`]
        : []),
    ];
  },

  stacks({ stacks: way, stacks_why: why }, plan) {
    if (way === undefined) return undefined;
    return {
      way,
      ...(way === 'dwarf' && { bytes: taskOf(plan).stackBytes }),
      ...(why !== undefined && { why }),
    };
  },

  explain(code, plan, log) {
    if (code === 'no-unwinder')
      return {
        reason: `the image "${plan.debugPod.image}" has no gkeprof-unwinder, which finds stacks by eBPF`,
        hint: 'build an image from image/Dockerfile and name it with --image, or use --call-graph dwarf',
      };
    if (code === 'unwinder-failed')
      return {
        reason: `the eBPF unwinder failed on the node ${plan.node}: ${lastWords(log)}`,
        hint: 'use --call-graph dwarf, or --call-graph fp',
      };
    if (code === 'perf-script-failed') return { reason: `perf script failed on the node: ${lastWords(log)}` };
    if (code !== 'perf-failed') return undefined;
    const reason = `perf failed on the node ${plan.node}: ${lastWords(log)}`;
    return /Operation not permitted|Permission denied|EPERM|EACCES/.test(log)
      ? {
          reason,
          hint: plan.debugPod.leastPrivilege
            ? 'the node does not allow an unprivileged container to sample, perhaps because of a security module: try without --least-privilege'
            : 'the node does not allow a privileged container to sample: check kernel.perf_event_paranoid and its security modules',
        }
      : { reason };
  },

  byHand: (plan, around, nowMs) => perfByHand(plan, taskOf(plan), around, nowMs),
};
