import type { Context } from '../cli/command.ts';
import type { DrawOptions } from '../cli/profile-options.ts';
import { openResult } from '../cli/result-options.ts';
import type { ExitCode } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { targetText } from '../plan/plan.ts';
import { compare } from '../profile/compare/compare.ts';
import type { Profile } from '../profile/profile.ts';
import type { ProfileSummary } from '../profile/summary.ts';
import { captureFacts } from '../report/capture.ts';
import { describeFiles, type MadeFile } from '../report/files.ts';
import { plain } from '../report/markdown.ts';
import type { Receipt } from '../session/receipt.ts';
import { comparisonResult, drawComparisons } from './compare-profiles.ts';

/** A profile that was recorded, with its files. */
export interface RecordedProfile {
  readonly profile: Profile;
  readonly summary: ProfileSummary;
  readonly receipt: Receipt;
  readonly base: string;
  readonly made: readonly MadeFile[];
  /** How it ended, for people. */
  readonly ended: string;
  readonly code: ExitCode;
}

export const pictureOf = (made: readonly MadeFile[]): string | undefined =>
  made.find(({ role }) => role === 'svg')?.path;

/** The recording as a result for programs and in Markdown. */
export async function outcomeOf({ profile, summary, receipt, made, ended }: RecordedProfile) {
  const { profileFacts, recordingMarkdown } = await import('../report/profile.ts');
  const capture = captureFacts(receipt);
  const files = await describeFiles(made);
  const figures = profileFacts(profile, summary);
  return {
    facts: { kind: 'FlameGraph', version: 1, ...capture, profile: figures, files },
    markdown: () => recordingMarkdown(capture, figures, files, ended),
  };
}

/**
 * Draws and prints what differs between two recordings, `before` being the baseline. If one of them has no samples, there is
 * nothing to compare: then the result has both, and the reason. Returns the exit code.
 */
export async function compareRecordings(
  before: RecordedProfile,
  after: RecordedProfile,
  { format, open }: Pick<DrawOptions, 'format' | 'open'>,
  context: Context,
): Promise<number> {
  const code = Math.max(before.code, after.code);
  const empty = [before, after].filter(({ profile }) => profile.samples === 0);
  if (empty.length > 0) {
    const names = empty.map(({ receipt }) => targetText(receipt.plan.targets[0]));
    const why = `the two recordings are not compared: ${names.join(' and ')} ${names.length === 1 ? 'has' : 'have'} no samples`;
    context.log.warn(why);
    if (format.kind !== 'text') await printNotCompared({ before, after }, why, format, context);
    return code;
  }
  const comparison = compare(before.profile, after.profile);
  context.log.line('');
  const made = await drawComparisons(comparison, { formats: ['svg'], format }, after.base, context);
  if (format.kind !== 'text') {
    const both = await Promise.all([outcomeOf(before), outcomeOf(after)]);
    const { facts, names, markdown } = await comparisonResult(comparison, made);
    const [one, other] = both.map((each) => each.facts);
    await printResult(
      context,
      format,
      () => ({ ...COMPARISON, before: one, after: other, ...facts }),
      both.flatMap((each) => each.facts.files.map(({ path }) => path)).concat(names),
      () => [markdown(), ...both.map((each) => each.markdown())].join('\n'),
    );
  }
  if (open) await openResult(pictureOf(made), context);
  return code;
}

const COMPARISON = { kind: 'FlameGraphComparison', version: 1 } as const;

/** Prints the recordings that there are, and why they are not compared. */
export async function printNotCompared(
  recordings: {
    readonly before: RecordedProfile | undefined;
    readonly after: RecordedProfile | undefined;
  },
  why: string,
  format: OutputFormat,
  context: Context,
): Promise<void> {
  const [before, after] = await Promise.all(
    [recordings.before, recordings.after].map((each) => each && outcomeOf(each)),
  );
  const there = [before, after].filter((each) => each !== undefined);
  await printResult(
    context,
    format,
    () => ({
      ...COMPARISON,
      ...(before && { before: before.facts }),
      ...(after && { after: after.facts }),
      notCompared: why,
      files: [],
    }),
    there.flatMap(({ facts }) => facts.files.map(({ path }) => path)),
    () => [`${plain(why)}\n`, ...there.map(({ markdown }) => markdown())].join('\n'),
  );
}
