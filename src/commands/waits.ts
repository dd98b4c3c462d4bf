import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { CAPTURE_OPTIONS, type CaptureOptions, captureOptions, TARGET_NODE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { MARKDOWN, OPEN } from '../cli/result-options.ts';
import { MANY_OPTIONS, type ManyOptions, manyOptions, targetFlags } from '../cli/target-options.ts';
import { waits } from '../collectors/waits/waits.ts';
import { EXIT, usageError } from '../errors.ts';
import type { WaitsTask } from '../plan/plan.ts';
import { parseTargets, type Target, type TargetRefs } from '../plan/target.ts';
import { formatDuration, parseDuration } from '../text/quantity.ts';
import { checkDetach } from '../workflow/detach.ts';
import { presentWaits, type WaitsChoice } from '../workflow/present-waits.ts';
import { finishCapture, planCapture, runCapture } from '../workflow/run-capture.ts';
import { findCapture, manyText, planMany } from '../workflow/run-many.ts';
import { waitsMany } from '../workflow/waits-many.ts';

interface WaitsOptions {
  readonly capture: CaptureOptions;
  readonly refs: TargetRefs;
  readonly many: ManyOptions;
  readonly container?: string;
  readonly durationSeconds: number;
  readonly choice: WaitsChoice;
}

const GROUP = 'Waits:';

/** Each target has its own tables and its own page anyway. */
const { split: _, ...CHOOSE_MANY } = MANY_OPTIONS;

const OPTIONS: OptionTable = {
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Look only at the threads of this container of the pod',
    group: GROUP,
    value: 'NAME',
    notPresettable: true,
    completion: 'container',
  },
  duration: {
    type: 'string',
    alias: 't',
    describe: 'How long to record',
    group: GROUP,
    value: 'TIME',
    defaultText: '30s',
  },
  output: outputOption('the files that were written'),
  ...MARKDOWN,
  ...OPEN,
  ...CHOOSE_MANY,
  'max-targets': {
    ...CHOOSE_MANY['max-targets']!,
    describe:
      'Allow up to this many pods; without it, more than 10 pods, or pods on more than 5 nodes, are listed and refused',
  },
  ...CAPTURE_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

/** Looks per second. The node lowers it by itself if the looks would cost more than about 1 % of a core. */
const RATE_HZ = 50;

/** The size limit of the text on the node: an hour of a pod with hundreds of busy threads takes about half of it. */
const MAX_BYTES = 2 ** 30;

export const waitsVerb: Command<WaitsOptions> = {
  name: 'waits',
  describe: 'Show what the threads of pods wait for: CPU limit, queue, network peer, lock, disk',
  details: [
    'A sampler in the debug pod looks at the threads 50 times a second, through /proc, and reads the counters of the kernel. It attaches to no process, traces nothing, and loads nothing into the kernel. The times on a CPU and in its queue are exact; the sleeps are divided by what the looks saw.',
    'The table has one row for threads whose names differ in numbers only, and the shares of their time: running; throttled by a CPU limit; queued while another thread had the CPU; waiting for the network, by peer; for a lock; for a signal of another thread (condition); for the disk; sleeping by their own choice; idle, which means that no request of their own is outstanding.',
  ],
  usage: 'TARGET…|-l LABELS [flags]',
  args: { noun: 'target', min: 0 },
  examples: [
    ['kubectl gkeprof waits pod/web-0', 'Look for 30 seconds; print tables and write a page'],
    ['kubectl gkeprof waits pod/web-0 -c app --duration 2m', 'Look at one container for two minutes'],
    ['kubectl gkeprof waits deploy/web', 'Look at all pods of a deployment, and print tables of each'],
    ["kubectl gkeprof waits pod/web-0 -o jsonpath='{.waits.finding}'", 'Print only what stands out'],
  ],
  options: OPTIONS,
  completion: ['target'],
  repeats: true,

  validate(raw) {
    const refs = parseTargets(raw.positionals, targetFlags(raw));
    if (refs.refs[0]?.kind === 'node')
      throw usageError(
        'waits cannot be recorded of a whole node',
        'name a pod, or all pods of a workload: kubectl gkeprof waits pod/NAME',
      );
    checkDetach(raw, ['open', 'markdown']);
    const container = raw.text('container');
    return {
      capture: captureOptions(raw),
      refs,
      many: manyOptions(raw),
      ...(container !== undefined && { container }),
      durationSeconds: parseDuration(raw.text('duration') ?? '30s', '--duration'),
      choice: { format: outputFormatOf(raw), open: raw.flag('open') },
    };
  },

  async run({ capture, refs, many, container, durationSeconds, choice }, context) {
    const found = await findCapture(
      { options: capture, refs, many, ...(container !== undefined && { container }) },
      context,
    );
    if (!found) return EXIT.done;
    const limits = { durationSeconds, maxBytes: MAX_BYTES };
    const ends = `stops after ${formatDuration(durationSeconds)}${capture.detach ? '' : ', or press Ctrl-C'}`;
    if ('targets' in found) {
      const plans = planMany(found, taskFor, limits);
      return waitsMany(found, plans, [manyText(found.targets, plans), ends], choice, context);
    }
    const plan = planCapture(found, taskFor(found.target), limits);
    const opening = [waits.describe(plan), `on ${plan.node}; ${ends}`];
    const recorded = await runCapture(found, plan, waits, opening, context);
    if (!recorded) return EXIT.done;
    return finishCapture(recorded, presentWaits(recorded, found.cluster, choice, context), context);
  },
};

const taskFor = (target: Target): WaitsTask => ({
  collector: 'waits',
  scope: target.kind === 'pod' && target.container ? 'container' : 'pod',
  rateHz: RATE_HZ,
});
