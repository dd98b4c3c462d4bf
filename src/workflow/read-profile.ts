import type { Context } from '../cli/command.ts';
import type { ReadChoice } from '../cli/profile-options.ts';
import { EXIT, GkeprofError } from '../errors.ts';
import { type Input, openInput } from '../files/input.ts';
import { readInParallel } from '../files/parallel-read.ts';
import { readPicture } from '../profile/picture/read.ts';
import type { About } from '../profile/profile.ts';
import { aboutFromHeader } from '../profile/read/about.ts';
import { type Reading, type ReadOptions, readProfile } from '../profile/read/read-profile.ts';
import { type Receipt, receiptBeside } from '../session/receipt.ts';
import { printable } from '../text/printable.ts';
import { counted, formatDuration } from '../text/quantity.ts';

/** Reads a local profile, and what its receipt or else its header says about it. */
export async function readProfileFile(path: string, choice: ReadChoice, context: Context): Promise<Reading> {
  const beside = await receiptBeside(path);
  const receipt = beside?.plan.capture.collector === 'perf' ? beside : undefined;
  const wholeNode = receipt?.plan.targets[0].kind === 'node';
  const input = await openInput(path, context.stdin);
  const name = path === '-' ? 'stdin' : (path.split(/[\\/]/).at(-1) ?? path);
  const reading = await readProfile(
    unlessInterrupted(input.chunks, context.interrupts.next),
    choice(wholeNode),
    (header) => (receipt ? aboutFromReceipt(receipt) : aboutFromHeader(header, name)),
    readPicture,
    input.plain ? (timeline, layout) => readInParallel(path, timeline, layout) : undefined,
    async (names) => (await import('../workflow/demangle.ts')).demangle(names),
  );
  warnOf(input, context);
  if (reading.isFlat)
    context.log.warn(`${printable(path)}: no line has a second frame: this may be a log and not a profile`);
  return receipt ? countingLosses(reading) : reading;
}

/** What a receipt says about its recording. */
export function aboutFromReceipt({ plan, capture }: Pick<Receipt, 'plan' | 'capture'>): About {
  const target = plan.targets[0];
  const started = Date.parse(capture.startedAt);
  return {
    ...(target.kind === 'node'
      ? { target: 'all CPUs' }
      : {
          target: `${target.namespace}/${target.name}${target.container ? `, container ${target.container.name}` : ''}`,
          namespace: target.namespace,
          pod: target.name,
          ...(target.container && { container: target.container.name }),
        }),
    node: plan.node,
    startedAt: new Date(started).toISOString(),
    seconds: (Date.parse(capture.stoppedAt) - started) / 1000,
    ...(plan.capture.collector === 'perf' && { frequencyHz: plan.capture.frequencyHz }),
    ...(capture.stacks && { stacks: capture.stacks }),
    ...(capture.cpu && { cpu: capture.cpu }),
  };
}

/**
 * Adds that no samples were lost if the input mentions no losses. This is known of our own recordings alone, because they are
 * printed with --show-lost-events (collectors/perf/perf.sh).
 */
export const countingLosses = (reading: Reading): Reading => ({
  ...reading,
  profile: { ...reading.profile, lost: reading.profile.lost ?? 0 },
});

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

/** Throws if no sample of the file is left, with the reason as the hint. */
export function requireSamples(path: string, reading: Reading, options: ReadOptions): void {
  if (reading.profile.samples === 0)
    throw new GkeprofError(EXIT.tool, `no samples in ${printable(path)}`, whyNoSamples(reading, options));
}

/** The reason why there are no samples: the flags that left them out, or what the input is instead. */
function whyNoSamples(
  { profile, samplesBeforeFilter: seen, outside, warnings, header, from }: Reading,
  { from: since, to, include, exclude, comm, tid }: ReadOptions,
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
      profile.idle.leftOut && 'the filter of idle samples',
    ].filter((flag) => flag !== false && flag !== undefined);
    const threads = [...new Set(profile.threads.map((thread) => thread.comm))].slice(0, 5);
    const known = comm !== undefined && threads.length ? `; threads: ${threads.join(', ')}` : '';
    return printable(
      `none of its ${counted(seen, 'sample')} is left after ${flags.join(' and ') || 'the flags'}${known}`,
    );
  }
  if (warnings.length) return 'give it the text that perf script prints, or folded stacks';
  if (header.size) return 'it has the header of a recording but no samples';
  return from === 'perf script'
    ? 'it is empty'
    : `it is ${from === 'picture' ? 'a picture' : from} without samples`;
}
