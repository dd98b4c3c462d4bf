import { usageError } from '../errors.ts';
import { cpuBound, dwarfBytes, whatFits } from '../plan/dwarf-size.ts';
import type { PerfTask, Plan } from '../plan/plan.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import type { CaptureTarget } from './run-capture.ts';

/**
 * Checks how large a recording with copies of stacks may become, before anything is created. Returns what to tell the user.
 *
 * The bound is what perf writes if the target keeps all CPUs busy that it may use. Where these are its own, because it has a
 * CPU limit or is the node, a recording that may not fit is refused. A pod without a limit could use the whole node, and nearly
 * never does: to refuse it would cost the recording of a small pod on a large node. It is recorded, and ends by itself at the
 * limit of its size, with what there is by then.
 */
export async function checkDwarfRoom(
  { cluster }: Pick<CaptureTarget, 'cluster'>,
  plan: Plan,
): Promise<string[]> {
  const { capture, limits, target } = plan;
  if (capture.collector !== 'perf' || capture.stacks !== 'dwarf') return [];
  const [node, pod] = await Promise.all([
    cluster.readNode(plan.node),
    target.kind === 'pod' ? cluster.readPod(target.namespace, target.name) : undefined,
  ]);
  const bound = cpuBound(target, node, pod);
  if (!bound) return [];
  const sampling = { ...capture, seconds: limits.durationSeconds, cpus: bound.cpus };
  const bytes = dwarfBytes(sampling);
  const cpus = bound.cpus === 1 ? '1 CPU' : `${Number(bound.cpus.toFixed(2))} CPUs`;
  if (bytes <= limits.maxBytes)
    return [
      `DWARF copies a part of the stack with each sample: at most ${formatBytes(bytes)} on the node, if ${cpus} ${bound.cpus === 1 ? 'is' : 'are'} busy all the time`,
    ];
  const most = formatBytes(limits.maxBytes);
  if (target.kind === 'pod' && bound.by === 'node')
    return [
      `DWARF copies a part of the stack with each sample: if this pod without a CPU limit kept all ${cpus} of the node busy, the recording would stop early, at ${most}`,
    ];
  throw usageError(
    `--call-graph dwarf may write ${formatBytes(bytes)} here, but a recording may have at most ${most}: ${samplingText(capture, limits.durationSeconds)} on ${cpus}`,
    fittingText(whatFits(sampling, limits.maxBytes)),
  );
}

const samplingText = ({ frequencyHz, stackBytes }: PerfTask, seconds: number): string =>
  `${frequencyHz} samples per second for ${formatDuration(seconds)}, with ${stackBytes} bytes of the stack each,`;

/** The flags that would each make it fit. */
function fittingText({ seconds, frequencyHz, stackBytes }: ReturnType<typeof whatFits>): string {
  const flags = [
    seconds !== undefined && `--duration ${seconds}s`,
    frequencyHz !== undefined && `--frequency ${frequencyHz}`,
    stackBytes !== undefined && `--call-graph dwarf,${stackBytes}`,
  ].filter((flag) => flag !== false);
  return flags.length === 0 ? 'use --call-graph fp' : `this fits: ${flags.join(', or ')}`;
}
