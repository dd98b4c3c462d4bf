import { type Finding, failureOf, ok, problem, unknown, unknownBecause, warning } from './check.ts';
import type { Facts } from './facts.ts';

type Kernel = Extract<NonNullable<Facts['kernel']>, { value: unknown }>['value'];

/** What a debug pod on the node found out about the kernel, a row each. */
export const KERNEL_CHECKS: Readonly<Record<string, (kernel: Kernel) => Finding>> = {
  cgroup: ({ cgroup }) => ok({ v1: 'v1', v2: 'v2', hybrid: 'v1 and v2 (hybrid)' }[cgroup]),
  pmu: ({ pmu }) =>
    ok(pmu ? 'the CPU counts cycles' : 'none: perf samples by the clock, which is right for CPU time'),
  btf: ({ btf }) =>
    btf
      ? ok('/sys/kernel/btf/vmlinux')
      : warning(
          'none: the eBPF unwinder was not tried on such a kernel',
          'If a flame graph says that the unwinder failed, use --call-graph fp or --call-graph dwarf.',
        ),
  'kptr-restrict': ({ kptrRestrict }) => {
    if (kptrRestrict === undefined) return unknown('the node did not tell');
    return kptrRestrict < 2
      ? ok(String(kptrRestrict))
      : warning(
          `${kptrRestrict}: nobody can read the addresses of kernel functions, so they have no names`,
          'Set the sysctl kernel.kptr_restrict of the node to 1.',
        );
  },
  'perf-event-paranoid': ({ perfEventParanoid }) =>
    perfEventParanoid === undefined
      ? unknown('the kernel has no perf events, or the node did not tell')
      : ok(`${perfEventParanoid}, which does not limit the debug pod`),
};

/** The row `debug-pod` says why a node was not asked. */
export const checkKernel = (
  decide: (kernel: Kernel) => Finding,
  kernel: NonNullable<Facts['kernel']>,
): Finding => ('failure' in kernel ? unknown('the node did not tell') : decide(kernel.value));

/** Whether the debug pod really started on the node and answered: the image was pulled, and the kubelet took the pod. */
export function checkDebugPod(kernel: NonNullable<Facts['kernel']>): Finding {
  const failure = failureOf(kernel);
  if (!failure) return ok('started on the node, answered, and was deleted');
  return failure.isSilent ? unknownBecause(failure) : problem(failure.reason, failure.hint);
}
