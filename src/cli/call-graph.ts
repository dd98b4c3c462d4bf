import { usageError } from '../errors.ts';
import type { PerfTask } from '../plan/plan.ts';
import { UNWINDINGS } from '../profile/unwinding.ts';
import { printable } from '../text/printable.ts';
import type { OptionSpec } from './option-spec.ts';

/** Of most programs the callers within 16 KiB reach the start of the thread; perf's own default of 8 KiB cuts more stacks. */
const STACK_BYTES = 16_384;

/** perf's largest copy: the greatest multiple of 8 below 64 KiB (Linux tools/perf/util/callchain.c, get_stack_size). */
const MOST_STACK_BYTES = 65_528;

const WAYS = ['auto', ...UNWINDINGS] as const;

export const CALL_GRAPH: OptionSpec = {
  type: 'string',
  describe:
    'How callers are found: fp (frame pointers), dwarf[,BYTES] (unwinds a copy of the stack), ebpf (needs an image with gkeprof-unwinder), or auto (the node chooses by what runs there)',
  group: 'Profile:',
  value: 'WAY',
  defaultText: 'auto',
  suggestions: WAYS,
};

/** The value of `--call-graph`: `auto`, `fp`, `dwarf`, `dwarf,BYTES` or `ebpf`. Throws a usage error for anything else. */
export function parseCallGraph(text: string): Pick<PerfTask, 'stacks' | 'stackBytes'> {
  const [name, size, ...more] = text.trim().split(',');
  const stacks = WAYS.find((way) => way === name);
  if (stacks === undefined || more.length > 0 || (size !== undefined && stacks !== 'dwarf'))
    throw usageError(
      `--call-graph: "${printable(text)}" is not a way to find callers`,
      'auto, fp, dwarf, dwarf,BYTES or ebpf',
    );
  if (size === undefined) return { stacks, stackBytes: STACK_BYTES };
  const stackBytes = /^\d{1,5}$/.test(size) ? Number(size) : 0;
  if (stackBytes < 8 || stackBytes > MOST_STACK_BYTES || stackBytes % 8 !== 0)
    throw usageError(
      `--call-graph: perf copies a multiple of 8 bytes of the stack, from 8 to ${MOST_STACK_BYTES}, not "${printable(size)}"`,
      `--call-graph dwarf,${STACK_BYTES}`,
    );
  return { stacks, stackBytes };
}
