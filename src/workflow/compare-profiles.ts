import type { Context } from '../cli/command.ts';
import { type NamedFileRule, openResult } from '../cli/result-options.ts';
import { usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { Changes } from '../profile/compare/changes.ts';
import { compare } from '../profile/compare/compare.ts';
import { isFoldedText, type StatedWeights, weighed } from '../profile/compare/folded-weights.ts';
import { countersText } from '../profile/counters.ts';
import { foldedComparison } from '../profile/export/folded-comparison.ts';
import { browserHalf, type Format } from '../profile/export/formats.ts';
import { drawComparison } from '../profile/picture/svg.ts';
import type { Comparison, Profile, SymbolLookup } from '../profile/profile.ts';
import { stacksText } from '../profile/unwinding.ts';
import { sampleWord } from '../profile/weighing.ts';
import { describeFiles, type MadeFile } from '../report/files.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { baseFor, makeFile } from './draw-profile.ts';

/** What the widths of a comparison are, by the unit; events have a name. */
const WIDTHS = { samples: 'samples', nanoseconds: 'CPU time', microseconds: 'time off the CPU' } as const;

/** The formats of a comparison, by the names of `--format`. */
export const COMPARISON_FORMATS = {
  svg: { ending: '.diff.svg', label: 'Comparison' },
  folded: { ending: '.diff.folded', label: 'Folded stacks' },
  top: { ending: '.diff.txt', label: 'Changes', reading: true },
} as const satisfies Readonly<Record<string, Omit<Format, 'pieces'>>>;

export type ComparisonFormat = keyof typeof COMPARISON_FORMATS;

export const isComparisonFormat = (name: string): name is ComparisonFormat =>
  Object.hasOwn(COMPARISON_FORMATS, name);

/** How two profiles are compared. */
export interface ComparisonRule {
  readonly by: 'time' | 'share';
  /** The duration of each recording, in seconds. */
  readonly seconds?: readonly [before: number, after: number];
  readonly weights: readonly [before: StatedWeights, after: StatedWeights];
}

/** The formats of a comparison, and where they go. */
export interface ComparisonOutput {
  readonly formats: readonly ComparisonFormat[];
  readonly output?: string;
  readonly ifThere?: NamedFileRule;
  readonly format: OutputFormat;
  readonly open: boolean;
  /** Rows of a table; undefined if the user did not ask for them. */
  readonly rows?: number;
  /** What was looked up by build ID in both files; undefined if the user did not ask for it. */
  readonly lookups?: readonly SymbolLookup[];
}

/** Makes the files of a comparison and prints its result on stdout. */
export async function presentComparison(
  comparison: Comparison,
  paths: readonly string[],
  folder: string,
  options: ComparisonOutput,
  context: Context,
): Promise<void> {
  const made = await drawComparisons(comparison, options, baseFor(paths[1]!, folder), context);
  if (options.format.kind !== 'text') {
    const { facts, names, markdown } = await comparisonResult(comparison, made, options.rows);
    const [before, after] = paths;
    await printResult(
      context,
      options.format,
      () => ({
        ...{ kind: 'ProfileComparison', version: 1, input: { before, after } },
        ...facts,
        ...(options.lookups && { debuginfod: options.lookups }),
      }),
      names,
      markdown,
    );
  }
  if (options.open) await openResult(made.find(({ role }) => role === 'svg')?.path, context);
}

/** Compares two profiles by what the user states about them. The comparison contains the assumptions that were made. */
export function compareStated(
  profiles: readonly [before: Profile, after: Profile],
  { by, seconds, weights }: ComparisonRule,
): Comparison {
  if (weights.some(({ unit }) => unit !== undefined && unit !== 1) && !profiles.some(isFoldedText))
    throw usageError(
      '--unit: neither file has folded stacks',
      'files of other kinds contain the weight of their samples',
    );
  const sides = weighed(profiles, weights);
  const samplesKnown = sides.every((side) => side.samplesKnown);
  const [before, after] = sides.map(({ profile }, side): Profile => {
    const { betweenSamples, ...about } = profile.about;
    const timed = seconds ? { ...profile, about: { ...about, seconds: seconds[side]! } } : profile;
    return samplesKnown ? timed : { ...timed, event: 'weight', unit: 'events' };
  });
  return compare(before!, after!, {
    by: samplesKnown ? by : 'share',
    samplesKnown,
    assumptions: [
      ...new Set(sides.flatMap(({ assumption }) => assumption ?? [])),
      ...waysOf(before!, after!),
    ],
  });
}

/** A change of the way in which callers were found changes which functions have names. */
function waysOf({ about: { stacks: from } }: Profile, { about: { stacks: to } }: Profile): string[] {
  if (!from || !to || from.way === to.way) return [];
  return [
    `Callers were found by ${stacksText(from)} before and by ${stacksText(to)} after: functions can appear or vanish for that reason alone`,
  ];
}

/**
 * Makes the files of a comparison, and prints the tables of what changed: on stdout, or on stderr if stdout gets a file.
 * Where the result is data or Markdown, it contains the changes itself.
 */
export async function drawComparisons(
  comparison: Comparison,
  { formats, rows, ...options }: Omit<ComparisonOutput, 'open'>,
  base: string,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<MadeFile[]> {
  const { changesOf, printChanges } = await import('../profile/compare/changes.ts');
  const changes = changesOf(comparison);
  const tables = printChanges(comparison, changes, rows);
  const made: MadeFile[] = [];
  for (const name of formats) {
    const pieces =
      name === 'top'
        ? [tables]
        : name === 'folded'
          ? foldedComparison(comparison)
          : drawComparison(
              comparison,
              { ...comparisonCaption(comparison, changes), ...browserHalf() },
              changes.knowsTimes === undefined ? undefined : changes.changed,
            );
    made.push(...(await makeFile(name, pieces, COMPARISON_FORMATS[name], options, base, stdout)));
  }
  if (formats.includes('top') || options.format.kind !== 'text') return made;
  if (options.output === '-') log.line(tables.trimEnd());
  else stdout.write(tables);
  return made;
}

/** A comparison as a result: data for programs, names of files, and Markdown. */
export async function comparisonResult(comparison: Comparison, made: readonly MadeFile[], rows?: number) {
  const [{ changesOf }, { comparisonFacts, comparisonMarkdown }, files] = await Promise.all([
    import('../profile/compare/changes.ts'),
    import('../report/comparison.ts'),
    describeFiles(made),
  ]);
  const facts = comparisonFacts(comparison, changesOf(comparison), rows);
  return {
    facts: { comparison: facts, files },
    names: files.map(({ path }) => path),
    markdown: () => comparisonMarkdown(facts, files),
  };
}

function comparisonCaption(comparison: Comparison, { knowsTimes }: Changes) {
  const { before, after, event, unit, normalizedBy, beforeFactor, beforeSamples, afterSamples } = comparison;
  const side = (word: string, about: typeof before, samples?: number) => {
    const { target, node, startedAt, seconds, betweenSamples, cpu } = about;
    const counters = cpu && countersText(cpu, seconds ?? 0);
    const recording = [
      `${word}: ${node ? `${target} on ${node}` : target}`,
      startedAt && `${startedAt.slice(0, 19).replace('T', ' ')} UTC`,
      seconds && !betweenSamples && formatDuration(seconds),
      samples !== undefined && counted(samples, sampleWord(event)),
    ];
    return [
      recording.filter(Boolean).join(' · '),
      ...(counters ? [`${word}, by the kernel's counters, ${counters}`] : []),
    ];
  };
  const width = unit === 'events' ? event : WIDTHS[unit];
  return {
    title: `${after.target}: before and after`,
    subtitle: [
      ...side('before', before, beforeSamples),
      ...side('after', after, afterSamples),
      `${event === 'samples' ? '' : `${event} · `}width: ${width} before and after together, before × ${Number(beforeFactor.toPrecision(3))} (compared by ${normalizedBy}) · orange + more, blue \u2212 less, grey = ${knowsTimes === undefined ? 'equal' : 'not significant'}`,
      ...comparison.assumptions,
    ],
  };
}
