import type { Context } from '../cli/command.ts';
import type { ReadChoice } from '../cli/profile-options.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { openInput } from '../files/input.ts';
import { type Plan, targetText } from '../plan/plan.ts';
import { isClock } from '../profile/cores.ts';
import { emptyReason } from '../profile/counters.ts';
import { type ExceptedPod, sampledPods } from '../profile/owners.ts';
import { readPicture } from '../profile/picture/read.ts';
import { allLeftOutText } from '../profile/read/off-cpu.ts';
import { type Reading, type ReadOptions, readProfile } from '../profile/read/read-profile.ts';
import { type ProfileSummary, summarize } from '../profile/summary.ts';
import type { MadeFile } from '../report/files.ts';
import { makeReceipt, type Receipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/result.ts';
import { formatDuration } from '../text/quantity.ts';
import type { NodePods } from './node-pods.ts';
import { partialProfileError } from './partial-profile.ts';
import { aboutFromReceipt, countingLosses, namedTarget } from './read-profile.ts';
import { type Recorded, sessionCode } from './run-capture.ts';

/** A recording that was verified and read. */
export interface ReadRecording {
  readonly plan: Plan;
  readonly result: SessionResult;
  readonly reading: Reading;
  readonly summary: ProfileSummary;
  readonly receipt: Receipt;
  readonly receiptPath: string;
  /** The raw text and the receipt. */
  readonly made: readonly MadeFile[];
  /** Why it has no samples; undefined if it has some. */
  readonly whyEmpty?: string;
  readonly code: ExitCode;
}

/** How a recording is read. */
export interface RecordingChoice {
  readonly choice: ReadChoice;
  /** Of a node: the names of its pods. */
  readonly nodePods?: NodePods | undefined;
  readonly except?: ExceptedPod | undefined;
  /**
   * It is one of several that become one profile: so the events of a counter count by their periods, also where there are
   * too few samples to see that periods vary.
   */
  readonly isOneOfMany?: boolean;
}

/**
 * Reads the profile of a recording, and writes the receipt beside it. Throws if the node could not turn the samples into
 * stacks; then the raw samples and a receipt are kept.
 */
export async function readRecording(
  { plan, result }: Pick<Recorded, 'plan' | 'result'>,
  { choice, nodePods, except, isOneOfMany = false }: RecordingChoice,
  context: Pick<Context, 'log' | 'stdin'>,
): Promise<ReadRecording> {
  const { artifact } = result;
  const { target } = plan;
  if (result.isRaw) throw await partialProfileError(plan, result);
  const planned = makeReceipt(plan, result, {});
  const about = aboutFromReceipt(planned);
  const pods = target.kind === 'pod' ? [namedTarget(target)] : await nodePods?.names(context.log);
  const options: ReadOptions = {
    ...choice(target.kind === 'node'),
    ...(pods && { pods }),
    ...(except && { except }),
  };
  const read = async (more: Partial<ReadOptions> = {}) => {
    const { chunks } = await openInput(artifact.path, context.stdin);
    return countingLosses(await readProfile(chunks, { ...options, ...more }, () => about, readPicture));
  };
  const first = await read();
  const isCountedAlike =
    !isOneOfMany ||
    first.profile.unit !== 'samples' ||
    options.weight !== undefined ||
    isClock(first.profile.event);
  const reading =
    isCountedAlike || first.profile.samples === 0
      ? first
      : await read({ weight: 'period' }).catch(() => first);
  const summary = summarize(reading.profile);
  const sampled = nodePods && pods ? sampledPods(reading.profile, pods) : [];
  const receipt: Receipt = {
    ...planned,
    capture: { ...planned.capture, ...(sampled.length > 0 && { pods: sampled }) },
    findings: { ...summary, odd: reading.warnings },
  };
  const receiptPath = await writeReceipt(artifact.base, receipt);
  const isEmpty = summary.samples === 0 && summary.idle === 0;
  return {
    ...{ plan, result, reading, summary, receipt, receiptPath },
    made: [
      { role: 'stacks', path: artifact.path, sha256: artifact.sha256 },
      { role: 'receipt', path: receiptPath },
    ],
    ...(isEmpty && { whyEmpty: whyEmpty(plan, result, summary, reading, options) }),
    code: isEmpty ? emptyCode(result) : sessionCode(result),
  };
}

function whyEmpty(
  { target, capture }: Plan,
  { ended }: SessionResult,
  summary: ProfileSummary,
  { waitsLeftOut, samplesBeforeFilter }: Reading,
  { minWait, maxWait }: ReadOptions,
): string {
  const name = targetText(target);
  if (waitsLeftOut && samplesBeforeFilter === 0) {
    const { why, flags } = allLeftOutText(waitsLeftOut, { minWait, maxWait });
    return `0 waits of ${name}: ${why}; the raw stacks have them all, and "render" draws them with another ${flags}`;
  }
  if (capture.collector === 'perf' && capture.offCpu && ended !== 'target-gone')
    return `0 waits: no thread of ${name} waited within ${formatDuration(summary.seconds)}${summary.eventNote === undefined ? '' : ` (${summary.eventNote})`}; record for longer, or while it works`;
  return `0 samples: ${emptyReason(name, {
    ...summary,
    ...(target.kind === 'pod' && target.container && { container: target.container.name }),
    hasEnded: ended === 'target-gone',
  })}`;
}

/** There was nothing to see, also if that is because the target ended. A recording that is cut is incomplete all the same. */
const emptyCode = (result: SessionResult): ExitCode =>
  result.cut || result.ended === 'lost' || result.ended === 'tool-ended' ? sessionCode(result) : EXIT.tool;
