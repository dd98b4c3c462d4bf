import type { Command, Context } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { FORCE, OUTPUT_DIR, VERBOSE, writableFolder } from '../cli/options.ts';
import {
  DEBUGINFOD,
  debuginfodServers,
  READ_OPTIONS,
  type ReadChoice,
  readChoice,
} from '../cli/profile-options.ts';
import { FILE_AND_FORMAT, fileAndFormat, MARKDOWN, OPEN } from '../cli/result-options.ts';
import { EXIT, type GkeprofError, usageError } from '../errors.ts';
import { recentFile } from '../files/recent-file.ts';
import { isForPrograms } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { StatedWeights } from '../profile/compare/folded-weights.ts';
import type { Profile } from '../profile/profile.ts';
import { printable } from '../text/printable.ts';
import { parseCount } from '../text/quantity.ts';
import {
  COMPARISON_FORMATS,
  type ComparisonFormat,
  type ComparisonOutput,
  type ComparisonRule,
  compareStated,
  presentComparison,
} from '../workflow/compare-profiles.ts';
import { prepareFolder } from '../workflow/output-folder.ts';
import { noSamples, noSamplesText, readProfileFile, reportLookups } from '../workflow/read-profile.ts';

interface DiffOptions extends ComparisonRule, ComparisonOutput {
  /** Only one file if it is already a comparison, with two counts on each line. */
  readonly files: readonly [before: string, after: string] | readonly [both: string];
  readonly folder: string;
  readonly choice: ReadChoice;
  readonly servers: ReturnType<typeof debuginfodServers>;
}

const GROUP = 'Comparison:';

const OPTIONS: OptionTable = {
  format: {
    type: 'string',
    describe: `Formats to write: ${Object.keys(COMPARISON_FORMATS).join(', ')}`,
    group: 'Output:',
    value: 'NAME,…',
    defaultText: 'svg',
    words: Object.keys(COMPARISON_FORMATS),
  },
  ...FILE_AND_FORMAT,
  ...FORCE,
  ...MARKDOWN,
  ...OPEN,
  ...OUTPUT_DIR,
  rows: {
    type: 'string',
    describe: 'Print this many rows of each table of functions, even if nothing changed',
    group: 'Output:',
    value: 'N',
    defaultText: '20; no table if nothing changed',
  },
  by: {
    type: 'string',
    describe: 'Compare the samples per second (time), or the shares of the total (share)',
    group: GROUP,
    choices: ['time', 'share'],
    defaultText: 'time if both durations are known, else share',
  },
  seconds: {
    type: 'string',
    describe: 'Duration of each recording in seconds, if no receipt or header contains it',
    group: GROUP,
    value: 'BEFORE[,AFTER]',
    notPresettable: true,
  },
  unit: {
    type: 'string',
    describe: 'Weight of one sample in folded stacks; 1 if the numbers are samples',
    group: GROUP,
    value: 'BEFORE[,AFTER]',
    defaultText: 'detected from the numbers',
    notPresettable: true,
  },
  ...READ_OPTIONS,
  ...DEBUGINFOD,
  ...VERBOSE,
};

export const diff: Command<DiffOptions> = {
  name: 'diff',
  describe: 'Compare two profiles by a picture and tables. Needs no cluster',
  usage: 'BEFORE AFTER|BOTH [flags]',
  args: { noun: 'file', min: 1, max: 2 },
  examples: [
    ['kubectl gkeprof diff @2 @last', 'Compare the two newest recordings in this folder'],
    [
      'kubectl gkeprof diff before.svg after.svg --format top',
      'Compare two pictures, which embed their stacks, as tables',
    ],
    ['difffolded.pl a.folded b.folded | kubectl gkeprof diff -', 'Read a file with two counts on each line'],
  ],
  options: OPTIONS,
  completion: ['profile', 'profile'],

  validate(raw) {
    const [before, after] = raw.positionals;
    if (raw.positionals.every((file) => file === '-') && after !== undefined)
      throw usageError('diff: only one of the two files can be stdin (-)');
    const formats = [...new Set((raw.text('format') ?? 'svg').split(',').map((name) => name.trim()))];
    const unknown = formats.find((name) => !Object.hasOwn(COMPARISON_FORMATS, name));
    if (unknown !== undefined)
      throw usageError(
        `--format: unknown format "${printable(unknown)}"`,
        `formats: ${Object.keys(COMPARISON_FORMATS).join(', ')}`,
      );
    const { format, file: output, ifThere } = fileAndFormat(raw);
    if (output !== undefined && formats.length > 1)
      throw usageError('--output names one file, so it needs one --format', `--format ${formats[0]}`);
    const open = raw.flag('open');
    if (open && (!formats.includes('svg') || output === '-'))
      throw usageError('--open: no picture is written that could be opened', '--format svg');
    const seconds = pairOf(raw, 'seconds', '60,30');
    const units = pairOf(raw, 'unit', '10101010');
    const stated = (unit: number | undefined): StatedWeights =>
      unit !== undefined
        ? { unit }
        : !raw.isTyped('weight')
          ? {}
          : raw.text('weight') === 'period'
            ? { periods: true }
            : { unit: 1 };
    const rows = raw.text('rows');
    // A typed flag overrides a preset of the other flag.
    const by = raw.text('by') === 'share' && (!seconds || raw.isTyped('by')) ? 'share' : 'time';
    if (seconds && by === 'share')
      throw usageError('--seconds cannot be used with --by share', 'leave --by share out');
    const choice = readChoice(raw);
    return {
      files: after === undefined ? [before!] : [before!, after],
      folder: writableFolder(raw.text('output-dir') ?? '.'),
      formats: formats as ComparisonFormat[],
      ...(output !== undefined && { output }),
      ifThere,
      format,
      open,
      servers: debuginfodServers(raw),
      choice: (wholeNode) => ({ ...choice(wholeNode), foldedPeriods: true }),
      by,
      ...(seconds && { seconds }),
      weights: [stated(units?.[0]), stated(units?.[1])],
      ...(rows !== undefined && { rows: parseCount(rows, '--rows', 1, 1_000_000, 20) }),
    };
  },

  async run({ files, folder, choice, servers, by, seconds, weights, ...options }, context) {
    const asked = servers(context.env);
    await prepareFolder(folder, context);
    const paths: string[] = [];
    const profiles: Profile[] = [];
    const problems: GkeprofError[] = [];
    for (const file of files) {
      const path = await recentFile(file, folder, ['.perf-script.txt.gz'], 'raw stacks');
      const reading = await readProfileFile(path, choice, context, asked);
      const { profile, before } = reading;
      if (before ? files.length > 1 : files.length === 1)
        throw usageError(
          before
            ? `diff: ${printable(path)} is already a comparison: it has two counts on each line`
            : 'diff: takes 2 files, got 1',
          before ? `kubectl gkeprof diff ${printable(path)}` : 'kubectl gkeprof diff BEFORE AFTER',
        );
      if (before) {
        paths.push(path);
        profiles.push(before);
      } else {
        const problem = noSamples(path, reading, choice(false));
        if (problem) problems.push(problem);
      }
      await reportLookups(profile, context);
      paths.push(path);
      profiles.push(profile);
    }
    if (problems[0]) {
      if (isForPrograms(options.format)) await printNotCompared(profiles, paths, problems, options, context);
      throw problems[0];
    }
    const comparison = compareStated(profiles as [Profile, Profile], {
      by,
      weights,
      ...(seconds && { seconds }),
    });
    const lookups = asked && profiles.flatMap((profile) => profile.lookups ?? []);
    await presentComparison(comparison, paths, folder, { ...options, ...(lookups && { lookups }) }, context);
    return EXIT.done;
  },
};

/** Prints what is known of two files of which one has no samples, or both, and why they are not compared. */
async function printNotCompared(
  profiles: readonly Profile[],
  [before, after]: readonly string[],
  problems: readonly GkeprofError[],
  { format }: Pick<DiffOptions, 'format'>,
  context: Context,
): Promise<void> {
  const [one, other] = profiles.map(({ about, samples }) => ({ about, samples }));
  await printResult(
    context,
    format,
    () => ({
      ...{ kind: 'ProfileComparison', version: 1, input: { before, after }, before: one, after: other },
      ...{ notCompared: problems.map(noSamplesText).join('; '), files: [] },
    }),
    [],
    () => '',
  );
}

/** Parses two numbers above zero, or one number for both files. */
function pairOf(raw: RawOptions, name: string, example: string): readonly [number, number] | undefined {
  const text = raw.text(name);
  if (text === undefined) return undefined;
  const numbers = text.split(',').map((each) => each.trim().replace(name === 'seconds' ? /s$/ : '', ''));
  if (numbers.length > 2 || !numbers.every((each) => /^\d+(?:\.\d+)?$/.test(each) && Number(each) > 0))
    throw usageError(
      `--${name}: "${printable(text)}" is neither one number nor two numbers`,
      `--${name} ${example}: one for each file, or one for both`,
    );
  return [Number(numbers[0]), Number(numbers[1] ?? numbers[0])];
}
