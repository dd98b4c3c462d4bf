import { CALL_GRAPH, parseCallGraph } from '../cli/call-graph.ts';
import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import { checkOffCpu, OFF_CPU_OPTION } from '../cli/off-cpu.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { CAPTURE_OPTIONS, type CaptureOptions, captureOptions, TARGET_NODE } from '../cli/options.ts';
import { outputOption } from '../cli/output-option.ts';
import {
  DRAW_OPTIONS,
  type DrawOptions,
  drawOptions,
  READ_OPTIONS,
  type ReadChoice,
  readChoice,
} from '../cli/profile-options.ts';
import { MARKDOWN, OPEN, openResult } from '../cli/result-options.ts';
import { MANY_OPTIONS, type ManyOptions, manyOptions, targetFlags } from '../cli/target-options.ts';
import { typedLine } from '../cli/typed-line.ts';
import { perf } from '../collectors/perf/perf.ts';
import { EXIT, type ExitCode, GkeprofError, usageError } from '../errors.ts';
import { isForPrograms } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { PerfTask } from '../plan/plan.ts';
import {
  onlyRef,
  parseTarget,
  parseTargets,
  type Target,
  type TargetRef,
  type TargetRefs,
} from '../plan/target.ts';
import type { ExceptedPod } from '../profile/owners.ts';
import { betterWay, summaryLines } from '../profile/summary.ts';
import { StacksAgreement } from '../session/stacks-agreement.ts';
import { formatDuration, parseCount, parseDuration } from '../text/quantity.ts';
import {
  compareRecordings,
  outcomeOf,
  pictureOf,
  printNotCompared,
  type RecordedProfile,
} from '../workflow/compare-recordings.ts';
import { checkDetach } from '../workflow/detach.ts';
import { draw } from '../workflow/draw-profile.ts';
import { checkDwarfRoom } from '../workflow/dwarf-room.ts';
import { findExcepted, NodePods } from '../workflow/node-pods.ts';
import { profileMany } from '../workflow/profile-many.ts';
import { readRecording } from '../workflow/read-recording.ts';
import { containerOfPid } from '../workflow/resolve-id.ts';
import {
  type CaptureTarget,
  endedText,
  findCaptureTarget,
  finishCapture,
  missingText,
  planCapture,
  type Recorded,
  runCapture,
} from '../workflow/run-capture.ts';
import { type CaptureTargets, findCapture, manyText, planMany } from '../workflow/run-many.ts';

interface FlamegraphOptions {
  readonly capture: CaptureOptions;
  readonly refs: TargetRefs;
  readonly many: ManyOptions;
  /** The baseline of a comparison. */
  readonly vs?: TargetRef;
  readonly container?: string;
  /** The container of this process of the node. */
  readonly pid?: number;
  readonly durationSeconds: number;
  readonly frequencyHz: number;
  readonly callGraph: Pick<PerfTask, 'stacks' | 'stackBytes'>;
  readonly offCpu: boolean;
  /** The command line that finds the callers in another way. */
  readonly again: (callGraph: string) => string;
  readonly draw: DrawOptions;
  readonly choice: ReadChoice;
}

const GROUP = 'Profile:';

const OPTIONS: OptionTable = {
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Profile only this container of the pod',
    group: GROUP,
    value: 'NAME',
    notPresettable: true,
    completion: 'container',
  },
  pid: {
    type: 'string',
    describe: 'With node/NODE: profile only the container that runs this host PID',
    group: GROUP,
    value: 'PID',
    notPresettable: true,
  },
  duration: {
    type: 'string',
    alias: 't',
    describe: 'How long to record',
    group: GROUP,
    value: 'TIME',
    defaultText: '60s',
  },
  vs: {
    type: 'string',
    describe: 'Record this second target at the same time, and show how the first differs from it',
    group: GROUP,
    value: 'TARGET',
    notPresettable: true,
    completion: 'target',
  },
  frequency: {
    type: 'string',
    describe: 'Samples per second per CPU',
    group: GROUP,
    value: 'HZ',
    defaultText: '99',
  },
  'off-cpu': OFF_CPU_OPTION,
  'call-graph': CALL_GRAPH,
  format: DRAW_OPTIONS.format!,
  output: outputOption('the files that were written'),
  ...MARKDOWN,
  ...OPEN,
  ...MANY_OPTIONS,
  'min-wait': READ_OPTIONS['min-wait']!,
  'max-wait': READ_OPTIONS['max-wait']!,
  except: READ_OPTIONS.except!,
  idle: READ_OPTIONS.idle!,
  'no-idle': READ_OPTIONS['no-idle']!,
  'merge-threads': READ_OPTIONS['merge-threads']!,
  ...CAPTURE_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

/** The size limit of perf.data in bytes: an hour at 99 Hz on a node with 64 cores takes about half of it. */
const MAX_BYTES = 8 * 2 ** 30;

/** The same for waits: about 1.3 million of them, which perf script prints within two minutes. */
const MAX_WAIT_BYTES = 2 ** 29;

export const flamegraph: Command<FlamegraphOptions> = {
  name: 'flamegraph',
  describe: 'Record a CPU flame graph of pods, a container or nodes with perf',
  usage: 'TARGET…|-l LABELS [flags]',
  args: { noun: 'target', min: 0 },
  examples: [
    ['kubectl gkeprof flamegraph pod/redis-0', 'Record 60 seconds; write an SVG and the raw stacks'],
    [
      'kubectl gkeprof flamegraph pod/redis-0 -c redis --duration 10s',
      'Profile one container for 10 seconds',
    ],
    ['kubectl gkeprof flamegraph deploy/web', 'Profile all pods of a deployment, and show which one differs'],
    ['kubectl gkeprof flamegraph node/NODE', 'Profile everything that runs on a node, by pod'],
    ['kubectl gkeprof flamegraph nodes NODE-A NODE-B', 'Profile two nodes, and show in what they differ'],
    [
      'kubectl gkeprof flamegraph node/NODE --except pod/redis-0',
      'Profile the neighbours of a pod on its node',
    ],
    ['kubectl gkeprof flamegraph node/NODE --pid 7154', 'Profile the container of a process'],
    ['kubectl gkeprof flamegraph pod/redis-0 --vs pod/redis-1', 'Record two pods at once and compare them'],
    [
      'kubectl gkeprof flamegraph pod/redis-0 --off-cpu --max-wait 1s',
      'Show where threads wait, without waits of more than a second',
    ],
  ],
  options: OPTIONS,
  completion: ['target'],
  repeats: true,

  validate(raw) {
    const refs = parseTargets(raw.positionals, targetFlags(raw));
    const ofNode = refs.refs[0]?.kind === 'node';
    const vs = raw.text('vs') === undefined ? undefined : parseTarget(raw.text('vs')!);
    const container = raw.text('container');
    if (vs && refs.refs.length !== 1)
      throw usageError('--vs compares one target with another', 'name one target before --vs');
    if (container !== undefined && ofNode)
      throw usageError('-c cannot be used with a node', 'name a pod, or use --pid');
    const pid = raw.text('pid');
    if (pid !== undefined && !ofNode)
      throw usageError('--pid needs a node as target', 'kubectl gkeprof flamegraph node/NAME --pid PID');
    const isOnlyNode = ofNode && refs.refs.length === 1;
    if (pid !== undefined && !isOnlyNode)
      throw usageError(
        '--pid needs its node as the only target',
        'kubectl gkeprof flamegraph node/NAME --pid PID',
      );
    if (raw.text('except') !== undefined && (!isOnlyNode || pid !== undefined || vs))
      throw usageError(
        '--except needs a whole node as its only target',
        'kubectl gkeprof flamegraph node/NAME --except pod/NAME',
      );
    checkDetach(raw, ['vs', 'format', 'open', 'markdown', 'split']);
    const callGraph = parseCallGraph(raw.text('call-graph') ?? 'auto');
    // It would have to read the files of every process that it may meet, and its text does not say whose they are.
    if (callGraph.stacks === 'ebpf' && ofNode && pid === undefined)
      throw usageError(
        '--call-graph ebpf cannot be used with a whole node',
        'name a pod, or use --call-graph dwarf',
      );
    const offCpu = raw.flag('off-cpu');
    checkOffCpu(raw, offCpu, ofNode && pid === undefined, callGraph.stacks);
    if (pid !== undefined && vs)
      throw usageError('--pid and --vs cannot be used together', 'leave one of them out');
    return {
      capture: captureOptions(raw),
      refs,
      many: manyOptions(raw),
      ...(pid !== undefined && { pid: parseCount(pid, '--pid', 1, 2 ** 22, 7154) }),
      ...(vs && { vs }),
      ...(container !== undefined && { container }),
      durationSeconds: parseDuration(raw.text('duration') ?? '60s', '--duration'),
      frequencyHz: parseCount(raw.text('frequency') ?? '99', '--frequency', 1, 10_000, 99),
      // The node must not choose another way: a copy of the stack at each switch would be too much.
      callGraph: offCpu ? { ...callGraph, stacks: 'fp' } : callGraph,
      offCpu,
      again: (callGraph) => typedLine('flamegraph', raw, OPTIONS, { 'call-graph': callGraph }),
      draw: drawOptions(raw),
      choice: readChoice(raw),
    };
  },

  async run(options, context) {
    const { format, open } = options.draw;
    if (options.vs) return recordBoth(options, options.vs, context);
    const refs = await withoutPid(options, context);
    if (!refs) return EXIT.done;
    const container = options.pid === undefined ? options.container : undefined;
    const found = await findCapture(
      { options: options.capture, refs, many: options.many, ...(container !== undefined && { container }) },
      context,
    );
    if (!found) return EXIT.done;
    if ('targets' in found) return recordMany(options, found, context);
    const recording = await record(options, found, context);
    if (!recording) return EXIT.done;
    if (format.kind !== 'text') {
      const { facts, markdown } = await outcomeOf(recording);
      await printResult(
        context,
        format,
        () => facts,
        facts.files.map(({ path }) => path),
        markdown,
      );
    }
    if (open) await openResult(pictureOf(recording.made), context);
    return recording.code;
  },
};

const maxBytes = ({ offCpu }: FlamegraphOptions): number => (offCpu ? MAX_WAIT_BYTES : MAX_BYTES);

/** The targets; of a process of a node its container. Undefined after a preview, which asks no node. */
async function withoutPid(
  { refs, pid, capture }: FlamegraphOptions,
  context: Context,
): Promise<TargetRefs | undefined> {
  if (pid === undefined || capture.explain) return refs;
  const container = await containerOfPid(refs.refs[0]!, pid, capture, context);
  return container && onlyRef(container);
}

/** Records several pods, one debug pod on each of their nodes, or several nodes. */
async function recordMany(
  options: FlamegraphOptions,
  found: CaptureTargets,
  context: Context,
): Promise<ExitCode> {
  const { durationSeconds, draw: drawing, choice, many, capture, again } = options;
  const limits = { durationSeconds, maxBytes: maxBytes(options) };
  const plans = planMany(found, (target, debugPods) => taskOfMany(target, options, debugPods), limits);
  const rooms = capture.explain
    ? []
    : await Promise.all(plans.flat().map((plan) => checkDwarfRoom(found, plan)));
  const opening = [
    manyText(found.targets, plans),
    `stops after ${formatDuration(durationSeconds)}${capture.detach ? '' : ', or press Ctrl-C'}`,
    ...new Set(rooms.flat()),
  ];
  return profileMany(found, plans, opening, { draw: drawing, choice, split: many.split, again }, context);
}

/** One session, with its files. Undefined after a preview of its debug pod. */
async function record(
  options: FlamegraphOptions,
  found: CaptureTarget,
  context: Context,
): Promise<RecordedProfile | undefined> {
  const { durationSeconds } = options;
  const { node } = found.target;
  const { except: named } = options.choice(false);
  const except = named && (await findExcepted(named, node, found.cluster));
  const task = taskFor(found.target, options, found.stacks !== undefined);
  const plan = planCapture(found, task, {
    durationSeconds,
    maxBytes: maxBytes(options),
  });
  const room = options.capture.explain ? [] : await checkDwarfRoom(found, plan);
  const ends = `on ${plan.node}; stops after ${formatDuration(durationSeconds)}${options.capture.detach ? '' : ', or press Ctrl-C'}`;
  const isNode = plan.target.kind === 'node';
  const isPreview = options.capture.explain || options.capture.dryRun !== undefined;
  const pods = isNode && !isPreview ? new NodePods(found.cluster, node) : undefined;
  const recorded = await runCapture(found, plan, perf, [perf.describe(plan), ends, ...room], context);
  return (
    recorded && finishCapture(recorded, drawRecording(recorded, options, context, pods, except), context)
  );
}

/** Runs two sessions at the same time, and compares their profiles: `vs` is the baseline. */
async function recordBoth(options: FlamegraphOptions, vs: TargetRef, context: Context): Promise<number> {
  const stacks = options.callGraph.stacks === 'auto' ? new StacksAgreement(2, context.log) : undefined;
  const recordOne = async (ref: TargetRef, container: string | undefined) => {
    const request = { options: options.capture, ref, ...(container !== undefined && { container }) };
    const found = await findCaptureTarget(request, context);
    return found && record(options, { ...found, ...(stacks && { stacks }) }, context);
  };
  const orWithout = (error: unknown) => {
    stacks?.without();
    throw error;
  };
  const both = await Promise.allSettled([
    recordOne(vs, undefined).catch(orWithout),
    recordOne(options.refs.refs[0]!, options.container).catch(orWithout),
  ]);
  const [one, other] = both.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
  const failed = both.find((each) => each.status === 'rejected');
  if (failed) {
    if (!one && !other) throw failed.reason;
    const { message, hint } = failed.reason as GkeprofError;
    const why = `only one of the two recordings succeeded: ${message}`;
    if (isForPrograms(options.draw.format))
      await printNotCompared({ before: one, after: other }, why, options.draw.format, context);
    throw new GkeprofError(EXIT.incomplete, why, hint);
  }
  return one && other ? compareRecordings(one, other, options.draw, context) : EXIT.done;
}

/** `isOneOfSeveral`: other debug pods of the command record too. */
function taskFor(
  target: Target,
  { frequencyHz, callGraph, pid, offCpu }: FlamegraphOptions,
  isOneOfSeveral: boolean,
): PerfTask {
  const scope = target.kind === 'node' ? 'node' : target.container ? 'container' : 'pod';
  return {
    collector: 'perf',
    scope,
    frequencyHz,
    ...callGraph,
    ...(pid !== undefined && { pid }),
    ...(offCpu && { offCpu: true }),
    ...(isOneOfSeveral && callGraph.stacks === 'auto' && { agree: true }),
  };
}

/** The task for one of several pods: its samples tell of which container they are, if it has several. */
function taskOfMany(target: Target, options: FlamegraphOptions, debugPods: number): PerfTask {
  const isMixed =
    target.kind === 'pod' &&
    !target.container &&
    target.containers.filter(({ running }) => running).length > 1;
  return { ...taskFor(target, options, debugPods > 1), ...(isMixed && { byContainer: true }) };
}

/** Makes the files of a verified recording, and prints what was found in it. */
async function drawRecording(
  { plan, result }: Recorded,
  { draw: drawing, choice, again }: FlamegraphOptions,
  context: Context,
  nodePods?: NodePods,
  except?: ExceptedPod,
): Promise<RecordedProfile> {
  const { log, stdout } = context;
  const { artifact } = result;
  const read = await readRecording({ plan, result }, { choice, nodePods, except }, context);
  const { reading, summary, receipt } = read;
  log.end();
  log.line('');
  log.line('Results:');
  const drawn = await draw(reading, drawing, artifact.base, summary, context);
  if (drawing.format.kind === 'text')
    stdout.write(`Raw stack traces: ${artifact.path}\nReceipt:          ${read.receiptPath}\n`);
  const made = [...drawn, ...read.made];
  for (const line of summaryLines(summary)) log.line(line);
  const better = betterWay(summary);
  if (better !== undefined) log.hint(`to see the missing callers: ${again(better)}`);
  for (const line of missingText(result)) log.warn(line);
  if (result.ended !== 'time') log.line(endedText(result));
  if (read.whyEmpty !== undefined) log.warn(read.whyEmpty);
  return {
    profile: reading.profile,
    summary,
    receipt,
    base: artifact.base,
    made,
    ended: endedText(result),
    code: read.code,
  };
}
