import { usageError } from '../errors.ts';
import type { PerfTask } from '../plan/plan.ts';
import type { OptionSpec, RawOptions } from './option-spec.ts';

export const OFF_CPU_OPTION: OptionSpec = {
  type: 'boolean',
  describe:
    'Record how long threads wait and where, instead of where they run: sleeps, locks, disks, and waits for a CPU',
  group: 'Profile:',
  notPresettable: true,
};

/** Throws where waits cannot be recorded in the way that the flags name. */
export function checkOffCpu(
  raw: RawOptions,
  offCpu: boolean,
  isWholeNode: boolean,
  stacks: PerfTask['stacks'],
): void {
  if (!offCpu) {
    const flag = ['min-wait', 'max-wait'].find((name) => raw.isTyped(name));
    if (flag !== undefined)
      throw usageError(`--${flag} needs --off-cpu`, 'kubectl gkeprof flamegraph TARGET --off-cpu');
    return;
  }
  if (isWholeNode)
    throw usageError(
      '--off-cpu cannot be used with a whole node',
      'name pods, or use --pid for one container',
    );
  if (raw.isTyped('frequency'))
    throw usageError('--off-cpu records every wait, so it has no --frequency', 'leave one of them out');
  if (stacks === 'dwarf' || stacks === 'ebpf')
    throw usageError(
      `--off-cpu finds callers by frame pointers only, not by --call-graph ${stacks}`,
      'leave --call-graph out',
    );
}
