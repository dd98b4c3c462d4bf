import type { Target } from '../plan/target.ts';
import { chosenText } from '../profile/unwinding.ts';
import type { Receipt } from '../session/receipt.ts';

import { plain } from './markdown.ts';

/** What was recorded, when, and how: the part of a result that every kind of capture has. */
export function captureFacts({ gkeprof, plan, capture, targetChanges, targetUnknown }: Receipt) {
  const what = plan.capture;
  return {
    target: targetFacts(plan.targets[0]),
    node: plan.node,
    scope: what.scope,
    ...(what.collector === 'perf' && { frequencyHz: what.frequencyHz }),
    ...(what.collector === 'tcpdump' && { filter: what.filter.join(' ') }),
    startedAt: capture.startedAt,
    stoppedAt: capture.stoppedAt,
    durationSeconds: (Date.parse(capture.stoppedAt) - Date.parse(capture.startedAt)) / 1000,
    ended: capture.ended,
    ...(capture.cut && { cut: capture.cut }),
    ...(capture.unnamedProcesses && { unnamedProcesses: capture.unnamedProcesses }),
    ...(capture.stacks && { stacks: capture.stacks }),
    ...(capture.symbolFiles && { symbolFiles: capture.symbolFiles }),
    ...(capture.noCgroups && { noCgroups: capture.noCgroups }),
    ...(capture.cpu && { cpu: capture.cpu }),
    ...(capture.packets && { packets: capture.packets }),
    targetChanges,
    ...(targetUnknown !== undefined && { targetUnknown }),
    debugPod: {
      namespace: plan.debugPod.namespace,
      name: plan.debugPod.name,
      image: plan.debugPod.image,
      imageId: capture.imageId,
    },
    kernel: capture.kernel,
    toolVersion: capture.toolVersion,
    gkeprof,
  };
}

export type CaptureFacts = ReturnType<typeof captureFacts>;

const targetFacts = (target: Target) =>
  target.kind === 'node'
    ? { kind: 'node' as const, name: target.node }
    : {
        kind: 'pod' as const,
        namespace: target.namespace,
        name: target.name,
        uid: target.uid,
        ips: target.ips,
        ...(target.container && { container: target.container.name }),
      };

/** `pod redis/redis-0, container redis, on node-b`, in Markdown. */
export function targetWords({ target, node }: Pick<CaptureFacts, 'target' | 'node'>): string {
  if (target.kind === 'node') return `node ${plain(node)}`;
  const container = target.container === undefined ? '' : `, container ${plain(target.container)},`;
  return `pod ${plain(`${target.namespace}/${target.name}`)}${container} on ${plain(node)}`;
}

/** The rows of the table of facts that every kind of capture has. */
export const captureRows = (facts: CaptureFacts, ended: string): Array<[string, string | undefined]> => [
  ['started', `${utc(facts.startedAt)} (by the node's clock)`],
  ['duration', plain(ended)],
  ['stacks', facts.stacks && plain(chosenText(facts.stacks))],
  ['not whole', facts.cut && `cut short: ${plain(facts.cut)}`],
  [
    'processes without names',
    facts.unnamedProcesses ? `${facts.unnamedProcesses}: their files were not read` : undefined,
  ],
  ['by pod', facts.noCgroups && `not told apart: ${NO_CGROUPS[facts.noCgroups]}`],
  ['changed meanwhile', facts.targetChanges.length ? facts.targetChanges.map(plain).join('; ') : undefined],
  ['not known', facts.targetUnknown && `whether the target changed: ${plain(facts.targetUnknown)}`],
  ['node', `${plain(facts.node)}, kernel ${plain(facts.kernel)}, ${plain(facts.toolVersion)}`],
];

const NO_CGROUPS = {
  mount: 'the cgroups of the node were not seen',
  perf: 'perf is too old',
  kernel: 'the kernel does not record cgroups',
  unwinder: 'the eBPF unwinder does not record cgroups',
} as const;

/** `2026-11-23 13:37:49 UTC`. */
export const utc = (iso: string): string => `${iso.slice(0, 19).replace('T', ' ')} UTC`;
