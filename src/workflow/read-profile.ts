import type { Context } from '../cli/command.ts';
import type { ReadChoice } from '../cli/profile-options.ts';
import type { Servers } from '../debuginfod/servers.ts';
import { EXIT, GkeprofError, usageError } from '../errors.ts';
import { type Input, openInput } from '../files/input.ts';
import { readInParallel } from '../files/parallel-read.ts';
import type { PodTarget, Target } from '../plan/target.ts';
import { emptyReason } from '../profile/counters.ts';
import type { RecordedPod } from '../profile/merge-by-pod.ts';
import { isOf, type NamedPod } from '../profile/owners.ts';
import { readPicture } from '../profile/picture/read.ts';
import type { About, Profile } from '../profile/profile.ts';
import { aboutFromHeader } from '../profile/read/about.ts';
import { allLeftOutText } from '../profile/read/off-cpu.ts';
import { type Reading, type ReadOptions, readProfile } from '../profile/read/read-profile.ts';
import { type Receipt, receiptBeside } from '../session/receipt.ts';
import { printable } from '../text/printable.ts';
import { counted, formatDuration } from '../text/quantity.ts';

/** A local profile, with the pod or the node that it is of, if its receipt or its picture tells it. */
export interface FileReading extends Reading {
  readonly pod?: RecordedPod;
}

/**
 * Reads a local profile, and what its receipt or else its header says about it. With `servers`, frames without a name are
 * looked up there by the build IDs of their objects.
 */
export async function readProfileFile(
  path: string,
  choice: ReadChoice,
  context: Context,
  servers?: Servers,
): Promise<FileReading> {
  const beside = await receiptBeside(path);
  const receipt = beside?.plan.capture.collector === 'perf' ? beside : undefined;
  const target = receipt?.plan.targets[0];
  const wholeNode = target?.kind === 'node';
  const pods = target?.kind === 'pod' ? [namedTarget(target)] : receipt?.capture.pods;
  const input = await openInput(path, context.stdin);
  const name = path === '-' ? 'stdin' : (path.split(/[\\/]/).at(-1) ?? path);
  const named = servers && (await (await import('./name-frames.ts')).nameFrames(input, servers, context));
  const reading = await readProfile(
    unlessInterrupted(named?.chunks ?? input.chunks, context.interrupts.next),
    { ...choice(wholeNode), ...(pods && { pods }) },
    (header) => (receipt ? aboutFromReceipt(receipt) : aboutFromHeader(header, name)),
    readPicture,
    input.plain && !named ? (timeline, layout) => readInParallel(path, timeline, layout) : undefined,
    async (names) => (await import('../workflow/demangle.ts')).demangle(names),
  );
  warnOf(input, context);
  requireOwners(path, reading, choice(wholeNode));
  if (reading.isFlat)
    context.log.warn(`${printable(path)}: no line has a second frame: this may be a log and not a profile`);
  const whole = receipt ? countingLosses(reading) : reading;
  const pod = target ? recordedTarget(target) : podOf(reading.profile.about);
  return {
    ...whole,
    ...(named && { profile: { ...whole.profile, lookups: named.lookups } }),
    ...(pod && { pod }),
  };
}

/** Says what was looked up by build ID, and what is still unknown. */
export async function reportLookups({ lookups }: Profile, { log }: Context): Promise<void> {
  if (!lookups) return;
  const { lookupLines } = await import('./name-frames.ts');
  for (const line of lookupLines(lookups)) log.line(line);
}

/** The pod of a recording with the names by which its cgroups are recognised. */
export const namedTarget = ({ namespace, name, cgroupUids, containers }: PodTarget): NamedPod => ({
  namespace,
  name,
  uids: cgroupUids,
  containers: containers.filter(({ id }) => id !== ''),
});

/** The pod or the node that a recording is of. */
export const recordedTarget = (target: Target): RecordedPod =>
  target.kind === 'pod' ? recordedPod(target) : { name: target.node };

/** The container is that of -c, or the only one that ran. */
function recordedPod({ namespace, name, uid, container, containers }: PodTarget): RecordedPod {
  const running = containers.filter((each) => each.running);
  const only = container ?? (running.length === 1 ? running[0] : undefined);
  return { namespace, name, uid, ...(only && { container: only.name }) };
}

/** What the picture of a recording says. */
function podOf({ target, node, namespace, pod, container }: About): RecordedPod | undefined {
  if (target === WHOLE_NODE && node !== undefined) return { name: node };
  if (namespace === undefined || pod === undefined) return undefined;
  return { namespace, name: pod, ...(container !== undefined && { container }) };
}

/** What the recording of a node calls its target. */
const WHOLE_NODE = 'all CPUs';

/** What a receipt says about its recording. */
export function aboutFromReceipt({ plan, capture }: Pick<Receipt, 'plan' | 'capture'>): About {
  const target = plan.targets[0];
  const started = Date.parse(capture.startedAt);
  return {
    ...(target.kind === 'node'
      ? { target: WHOLE_NODE }
      : {
          target: `${target.namespace}/${target.name}${target.container ? `, container ${target.container.name}` : ''}`,
          namespace: target.namespace,
          pod: target.name,
          ...(target.container && { container: target.container.name }),
        }),
    node: plan.node,
    startedAt: new Date(started).toISOString(),
    seconds: (Date.parse(capture.stoppedAt) - started) / 1000,
    ...(plan.capture.collector === 'perf' &&
      !plan.capture.offCpu && { frequencyHz: plan.capture.frequencyHz }),
    ...(capture.stacks && { stacks: capture.stacks }),
    ...(capture.cpu && { cpu: capture.cpu }),
  };
}

/**
 * Adds that no samples were lost if the input mentions no losses. This is known of our own recordings alone, because they are
 * printed with --show-lost-events (collectors/perf/text.sh).
 */
export const countingLosses = (reading: Reading): Reading => ({
  ...reading,
  profile: { ...reading.profile, lost: reading.profile.lost ?? 0 },
});

/**
 * Throws where a pod is to be left out of a file that does not tell the samples of pods apart, or if pods of several namespaces
 * have its name.
 */
function requireOwners(path: string, { profile }: Reading, { except }: ReadOptions): void {
  if (!except) return;
  const owners = profile.threads.flatMap(({ owner }) => owner ?? []);
  if (owners.length === 0)
    throw usageError(
      `--except: ${printable(path)} does not tell which pod a sample is of`,
      'it needs the raw stacks of a node (.perf-script.txt.gz of flamegraph node/NODE)',
    );
  const names = new Set(owners.filter((owner) => isOf(owner, except)).map(({ name }) => name));
  if (names.size > 1)
    throw usageError(
      `--except: there are pods "${except.name}" in several namespaces: ${[...names].join(', ')}`,
      `--except ${[...names][0]}`,
    );
}

/** Warns if a compressed file ends too early or is followed by other bytes. */
function warnOf({ path, condition }: Input, { log }: Context): void {
  if (condition.cut) log.warn(`${printable(path)} is cut short: everything before the cut was read`);
  if (condition.trailing)
    log.warn(`${printable(path)}: trailing garbage after the compressed data was ignored`);
}

/** Stops the reading when a signal arrives, because nothing is made of a part of a file. */
async function* unlessInterrupted(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
  }
}

/** The error for a file of which no sample is left, with the reason as the hint; undefined if there are samples. */
export const noSamples = (path: string, reading: Reading, options: ReadOptions): GkeprofError | undefined =>
  reading.profile.samples === 0
    ? new GkeprofError(EXIT.tool, `no samples in ${printable(path)}`, whyNoSamples(reading, options))
    : undefined;

/** The same as one sentence, for results. */
export const noSamplesText = ({ message, hint }: GkeprofError): string =>
  hint === undefined ? message : `${message}: ${hint}`;

/** By the counters in the receipt of a recording; undefined if it has none. */
const emptyRecordingText = ({ pod, node, container, seconds = 0, frequencyHz = 0, cpu }: About) =>
  cpu &&
  emptyReason(pod === undefined ? `node/${node}` : `pod/${pod}`, {
    ...{ seconds, frequencyHz, cpu },
    ...(container !== undefined && { container }),
  });

/** The reason why there are no samples: the flags that left them out, or what the input is instead. */
function whyNoSamples(
  { profile, samplesBeforeFilter: seen, outside, waitsLeftOut, warnings, header, from }: Reading,
  { from: since, to, include, exclude, except, comm, tid, minWait, maxWait }: ReadOptions,
): string {
  if (seen === 0 && outside) {
    const samples = `none of its ${counted(outside.samples, 'sample')} is`;
    const lasts = `the recording lasts ${formatDuration(outside.seconds)}`;
    if (since === undefined) return `${lasts}; ${samples} earlier than --to`;
    return `${lasts}; ${samples} ${to === undefined ? 'later than --from' : 'between --from and --to'}`;
  }
  if (seen > 0) {
    const flags = [
      comm !== undefined && `--comm ${comm}`,
      tid !== undefined && `--tid ${tid}`,
      include && `--include ${include.source}`,
      exclude && `--exclude ${exclude.source}`,
      except && `--except pod/${except.name}`,
      profile.idle.leftOut && 'the filter of idle samples',
    ].filter((flag) => flag !== false && flag !== undefined);
    const threads = [...new Set(profile.threads.map((thread) => thread.comm))].slice(0, 5);
    const known = comm !== undefined && threads.length ? `; threads: ${threads.join(', ')}` : '';
    return printable(
      `none of its ${counted(seen, 'sample')} is left after ${flags.join(' and ') || 'the flags'}${known}`,
    );
  }
  if (waitsLeftOut) {
    const { why, flags: limits } = allLeftOutText(waitsLeftOut, { minWait, maxWait });
    return `${why}; change ${limits}`;
  }
  if (warnings.length) return 'give it the text that perf script prints, or folded stacks';
  if (header.size)
    return emptyRecordingText(profile.about) ?? 'it has the header of a recording but no samples';
  return from === 'perf script'
    ? 'it is empty'
    : `it is ${from === 'picture' ? 'a picture' : from} without samples`;
}
