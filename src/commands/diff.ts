import type { Command, Context } from '../cli/command.ts';
import {
  FORCE,
  type OptionTable,
  OUTPUT_DIR,
  type RawOptions,
  VERBOSE,
  writableFolder,
} from '../cli/options.ts';
import { READ_OPTIONS, type ReadChoice, readChoice } from '../cli/profile-options.ts';
import {
  FILE_OR_FORM,
  fileOrForm,
  MARKDOWN,
  type NamedFileRule,
  OPEN,
  openResult,
} from '../cli/result-options.ts';
import { EXIT, GkeprofError, usageError } from '../errors.ts';
import { recentFile } from '../files/input.ts';
import type { Form } from '../output/form.ts';
import { deliver } from '../output/result.ts';
import type { Movers } from '../profile/compare/changes.ts';
import { compare } from '../profile/compare/compare.ts';
import { isFoldedText, type StatedWeights, weighed } from '../profile/compare/folded-weights.ts';
import { foldedComparison } from '../profile/export/folded-comparison.ts';
import { browserHalf, type Format } from '../profile/export/formats.ts';
import { drawComparison } from '../profile/picture/svg.ts';
import type { Comparison, Profile } from '../profile/profile.ts';
import { fileFacts, type MadeFile, sweepFolder } from '../report/capture.ts';
import { printable } from '../text/printable.ts';
import { counted, formatDuration, parseCount } from '../text/quantity.ts';
import { baseFor, makeFile } from '../workflow/draw-profile.ts';
import { nothingSeen, readFile } from './render.ts';

interface DiffOptions {
  /** One file if it is already a comparison, with two counts on each line. */
  readonly files: readonly [before: string, after: string] | readonly [both: string];
  readonly folder: string;
  readonly formats: readonly DiffFormat[];
  readonly output?: string;
  readonly ifThere?: NamedFileRule;
  readonly form: Form;
  readonly open: boolean;
  readonly choice: ReadChoice;
  readonly by: 'time' | 'share';
  /** How long each was recorded, in seconds. */
  readonly seconds?: readonly [before: number, after: number];
  readonly weights: readonly [before: StatedWeights, after: StatedWeights];
  /** Rows of a table; undefined if the user did not ask for them. */
  readonly rows?: number;
}

const FORMATS = {
  svg: { ending: '.diff.svg', label: 'Comparison' },
  folded: { ending: '.diff.folded', label: 'Folded stacks' },
  top: { ending: '.diff.txt', label: 'Movers', reading: true },
} as const satisfies Readonly<Record<string, Omit<Format, 'pieces'>>>;

type DiffFormat = keyof typeof FORMATS;

export const isDiffFormat = (name: string): name is DiffFormat => Object.hasOwn(FORMATS, name);
const GROUP = 'Comparison:';

const OPTIONS: OptionTable = {
  format: {
    type: 'string',
    describe: `What to make: ${Object.keys(FORMATS).join(', ')}`,
    group: 'Output:',
    value: 'NAME,…',
    defaultText: 'svg',
    words: Object.keys(FORMATS),
  },
  output: FILE_OR_FORM,
  ...FORCE,
  ...MARKDOWN,
  ...OPEN,
  ...OUTPUT_DIR,
  rows: {
    type: 'string',
    describe: 'Rows of each table of functions; the tables are then printed even if nothing changed',
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
    perRun: true,
  },
  unit: {
    type: 'string',
    describe: 'Weight of one sample in folded stacks; 1 if the numbers are samples',
    group: GROUP,
    value: 'BEFORE[,AFTER]',
    defaultText: 'detected from the numbers',
    perRun: true,
  },
  ...READ_OPTIONS,
  ...VERBOSE,
};

export const diff: Command<DiffOptions> = {
  name: 'diff',
  describe: 'Compare two profiles: one picture, and the functions that changed. No cluster needed',
  usage: 'BEFORE AFTER|BOTH [flags]',
  examples: [
    ['kubectl gkeprof diff @2 @last', 'the two newest recordings of this folder'],
    ['kubectl gkeprof diff before.svg after.svg --format top', 'pictures carry their stacks'],
    ['difffolded.pl a.folded b.folded | kubectl gkeprof diff -', 'two counts on each line'],
  ],
  options: OPTIONS,
  completes: ['profile', 'profile'],

  validate(raw) {
    const [before, after, ...more] = raw.positionals;
    if (before === undefined || more.length)
      throw usageError(
        `diff: takes two files, got ${raw.positionals.length}`,
        'kubectl gkeprof diff BEFORE AFTER',
      );
    if (raw.rest.length) throw usageError('diff: takes nothing behind --');
    if (raw.positionals.every((file) => file === '-') && after !== undefined)
      throw usageError('diff: only one of the two can be stdin');
    const formats = [...new Set((raw.text('format') ?? 'svg').split(',').map((name) => name.trim()))];
    const unknown = formats.find((name) => !Object.hasOwn(FORMATS, name));
    if (unknown !== undefined)
      throw usageError(
        `--format: "${printable(unknown)}" is none`,
        `formats: ${Object.keys(FORMATS).join(', ')}`,
      );
    const { form, file: output, ifThere } = fileOrForm(raw);
    if (output !== undefined && formats.length > 1)
      throw usageError('--output: takes one format', `--format ${formats[0]}`);
    const open = raw.flag('open');
    if (open && (!formats.includes('svg') || output === '-'))
      throw usageError('--open: opens a picture, and none is made', '--format svg');
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
      files: after === undefined ? [before] : [before, after],
      folder: writableFolder(raw.text('output-dir') ?? '.'),
      formats: formats as DiffFormat[],
      ...(output !== undefined && { output }),
      ifThere,
      form,
      open,
      choice: (wholeNode) => ({ ...choice(wholeNode), foldedPeriods: true }),
      by,
      ...(seconds && { seconds }),
      weights: [stated(units?.[0]), stated(units?.[1])],
      ...(rows !== undefined && { rows: parseCount(rows, '--rows', 1, 1_000_000, 20) }),
    };
  },

  async run({ files, folder, choice, by, seconds, weights, ...options }, context) {
    await sweepFolder(folder, context);
    const paths: string[] = [];
    const profiles: Profile[] = [];
    for (const file of files) {
      const path = await recentFile(file, folder, ['.perf-script.txt.gz'], 'raw stacks');
      const reading = await readFile(path, choice, context);
      const { profile, before } = reading;
      if (before ? files.length > 1 : files.length === 1)
        throw usageError(
          before
            ? `diff: ${printable(path)} is already a comparison: it has two counts on each line`
            : 'diff: takes two files, got 1',
          before ? `kubectl gkeprof diff ${printable(path)}` : 'kubectl gkeprof diff BEFORE AFTER',
        );
      if (before) {
        paths.push(path);
        profiles.push(before);
      } else if (profile.samples === 0)
        throw new GkeprofError(
          EXIT.tool,
          `no samples in ${printable(path)}`,
          nothingSeen(reading, choice(false)),
        );
      paths.push(path);
      profiles.push(profile);
    }
    const comparison = compareStated(profiles as [Profile, Profile], {
      by,
      weights,
      ...(seconds && { seconds }),
    });
    await presentComparison(comparison, paths, folder, options, context);
    return EXIT.done;
  },
};

/** Draws a comparison of files, and puts its result on stdout. */
export async function presentComparison(
  comparison: Comparison,
  paths: readonly string[],
  folder: string,
  options: Pick<DiffOptions, 'formats' | 'output' | 'ifThere' | 'form' | 'open' | 'rows'>,
  context: Context,
): Promise<void> {
  const made = await drawComparisons(comparison, options, baseFor(paths[1]!, folder), context);
  if (options.form.is !== 'text') {
    const { facts, names, markdown } = await comparisonOutcome(comparison, made, options.rows);
    const [before, after] = paths;
    await deliver(
      context,
      options.form,
      () => ({ kind: 'ProfileComparison', version: 1, input: { before, after }, ...facts }),
      names,
      markdown,
    );
  }
  if (options.open) await openResult(made.find(({ role }) => role === 'svg')?.path, context);
}

/** Two numbers above zero, or one for both. */
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

/** Compares two profiles with what the user states about them; the comparison contains the assumptions. */
export function compareStated(
  profiles: readonly [before: Profile, after: Profile],
  { by, seconds, weights }: Pick<DiffOptions, 'by' | 'seconds' | 'weights'>,
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
    assumptions: [...new Set(sides.flatMap(({ assumption }) => assumption ?? []))],
  });
}

/**
 * Makes the files of a comparison. The changes are always printed for people: on stdout, unless a file or the result for
 * programs is written there.
 */
export async function drawComparisons(
  comparison: Comparison,
  { formats, rows, ...options }: Pick<DiffOptions, 'formats' | 'output' | 'ifThere' | 'form' | 'rows'>,
  base: string,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<MadeFile[]> {
  const { moversOf, printMovers } = await import('../profile/compare/changes.ts');
  const movers = moversOf(comparison);
  const tables = printMovers(comparison, movers, rows);
  const made: MadeFile[] = [];
  for (const name of formats) {
    const pieces =
      name === 'top'
        ? [tables]
        : name === 'folded'
          ? foldedComparison(comparison)
          : drawComparison(
              comparison,
              { ...caption(comparison, movers), ...browserHalf() },
              movers.knowsTimes === undefined ? undefined : movers.changed,
            );
    made.push(...(await makeFile(name, pieces, FORMATS[name], options, base, stdout)));
  }
  if (formats.includes('top')) return made;
  if (options.output === '-' || options.form.is !== 'text') log.line(tables.trimEnd());
  else stdout.write(tables);
  return made;
}

/** What a comparison is as a result. */
export async function comparisonOutcome(comparison: Comparison, made: readonly MadeFile[], rows?: number) {
  const [{ moversOf }, { comparisonFacts, comparisonMarkdown }, files] = await Promise.all([
    import('../profile/compare/changes.ts'),
    import('../report/profile.ts'),
    fileFacts(made),
  ]);
  const facts = comparisonFacts(comparison, moversOf(comparison), rows);
  return {
    facts: { comparison: facts, files },
    names: files.map(({ path }) => path),
    markdown: () => comparisonMarkdown(facts, files),
  };
}

function caption(comparison: Comparison, { knowsTimes }: Movers) {
  const { before, after, event, unit, normalizedBy, beforeFactor, beforeSamples, afterSamples } = comparison;
  const side = (word: string, about: typeof before, samples?: number) => {
    const { target, node, startedAt, seconds, betweenSamples } = about;
    return [
      `${word}: ${node ? `${target} on ${node}` : target}`,
      startedAt && `${startedAt.slice(0, 19).replace('T', ' ')} UTC`,
      seconds && !betweenSamples && formatDuration(seconds),
      samples !== undefined && counted(samples, 'sample'),
    ]
      .filter(Boolean)
      .join(' · ');
  };
  const width = unit === 'nanoseconds' ? 'CPU time' : unit === 'events' ? event : 'samples';
  return {
    title: `${after.target}: before and after`,
    subtitle: [
      side('before', before, beforeSamples),
      side('after', after, afterSamples),
      `${event === 'samples' ? '' : `${event} · `}width: ${width} before and after together, before × ${Number(beforeFactor.toPrecision(3))} (made comparable by ${normalizedBy}) · orange + more, blue \u2212 less, grey = ${knowsTimes === undefined ? 'equal' : 'no more than chance'}`,
      ...comparison.assumptions,
    ],
  };
}
