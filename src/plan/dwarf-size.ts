import type { V1Node, V1Pod } from '@kubernetes/client-node';
import type { PerfTask } from './plan.ts';
import type { Target } from './target.ts';

/** What perf writes for a sample besides the copy of the stack: header, registers, kernel functions (measured: 280 to 340 bytes). */
const SAMPLE_BYTES = 330;

/** The most CPUs that a target can keep busy. */
export interface CpuBound {
  readonly cpus: number;
  /** `limit`: its CPU limit; `node`: the CPUs of the node, because the target is the node, or because it has no limit. */
  readonly by: 'limit' | 'node';
}

/** The most CPUs that the target can keep busy: its limit if it has one, and never more than the node has. */
export function cpuBound(target: Target, node: V1Node, pod: V1Pod | undefined): CpuBound | undefined {
  const ofNode = cpusOf(node.status?.capacity?.cpu);
  const limit = target.kind === 'pod' && pod ? limitOf(pod, target.container?.name) : undefined;
  if (limit !== undefined && (ofNode === undefined || limit < ofNode)) return { cpus: limit, by: 'limit' };
  return ofNode === undefined ? undefined : { cpus: ofNode, by: 'node' };
}

/** The CPU limit of a container, or that of a pod: its own, or the sum if each of its containers has one. */
function limitOf({ spec }: V1Pod, container: string | undefined): number | undefined {
  const ofPod = cpusOf(spec?.resources?.limits?.cpu);
  // An init container runs beside the others if it is a sidecar.
  const all = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
  ];
  const limits = all
    .filter(({ name }) => container === undefined || name === container)
    .map(({ resources }) => cpusOf(resources?.limits?.cpu));
  const known = limits.filter((each) => each !== undefined);
  const sum =
    known.length > 0 && known.length === limits.length
      ? known.reduce((total, each) => total + each, 0)
      : undefined;
  return sum === undefined || ofPod === undefined ? (sum ?? ofPod) : Math.min(sum, ofPod);
}

/** A quantity of CPUs as the API server writes it: `2`, `1500m`. Undefined for anything else. */
function cpusOf(quantity: string | undefined): number | undefined {
  const [, number, milli] = /^(\d+(?:\.\d+)?)(m?)$/.exec(quantity ?? '') ?? [];
  const cpus = number === undefined ? 0 : Number(number) / (milli ? 1000 : 1);
  return cpus > 0 ? cpus : undefined;
}

/** What decides how large a recording with copies of stacks becomes. */
interface Sampling extends Pick<PerfTask, 'frequencyHz' | 'stackBytes'> {
  readonly seconds: number;
  readonly cpus: number;
}

/** Bytes that perf writes at most. A sample has the whole copy, also where the stack is shorter. */
export const dwarfBytes = ({ frequencyHz, stackBytes, seconds, cpus }: Sampling): number =>
  Math.ceil(frequencyHz * seconds * cpus) * (stackBytes + SAMPLE_BYTES);

/** The values that would each fit into so many bytes if the others stay as they are; one that is too small to be of use is absent. */
export function whatFits(
  sampling: Sampling,
  maxBytes: number,
): { readonly seconds?: number; readonly frequencyHz?: number; readonly stackBytes?: number } {
  const { frequencyHz, stackBytes, seconds, cpus } = sampling;
  const samples = maxBytes / (stackBytes + SAMPLE_BYTES);
  const shorter = Math.floor(samples / frequencyHz / cpus);
  const rarer = Math.floor(samples / seconds / cpus);
  const smaller =
    Math.floor((maxBytes / Math.ceil(frequencyHz * seconds * cpus) - SAMPLE_BYTES) / 1024) * 1024;
  return {
    ...(shorter >= 1 && { seconds: shorter }),
    ...(rarer >= 1 && { frequencyHz: rarer }),
    ...(smaller >= 4096 && { stackBytes: smaller }),
  };
}
