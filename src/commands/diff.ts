import { EXIT, GkeprofError, usageError } from '../errors.ts';
import { browserHalf, type Format } from '../formats.ts';
import { recentFile } from '../input.ts';
import { FORCE, type OptionTable, OUTPUT_DIR, VERBOSE, writableFolder } from '../options.ts';
import type { Form } from '../output/form.ts';
import { deliver } from '../output/result.ts';
import { printable } from '../printable.ts';
import { compare } from '../profile/compare.ts';
import { foldedComparison } from '../profile/folded-comparison.ts';
import { drawComparison } from '../profile/picture/svg.ts';
import type { Comparison, Profile } from '../profile/profile.ts';
import { counted, formatDuration } from '../quantity.ts';
import type { Command, Context } from './command.ts';
import { baseFor, makeFile } from './drawing.ts';
import { fileFacts, type MadeFile, sweepFolder } from './outcome.ts';
import { READ_OPTIONS, type ReadChoice, readChoice } from './reading.ts';
import { readFile } from './render.ts';
import {
  FILE_OR_FORM,
  fileOrForm,
  MARKDOWN,
  type NamedFileRule,
  OPEN,
  openResult,
} from './result-options.ts';

interface DiffOptions {
  /** One where it is a comparison itself, with two counts a line. */
  readonly files: readonly [before: string, after: string] | readonly [both: string];
  readonly folder: string;
  readonly formats: readonly DiffFormat[];
  readonly output?: string;
  readonly ifThere?: NamedFileRule;
  readonly form: Form;
  readonly open: boolean;
  readonly choice: ReadChoice;
}

const FORMATS = {
  svg: { ending: '.diff.svg', label: 'Comparison' },
  folded: { ending: '.diff.folded', label: 'Folded stacks' },
  top: { ending: '.diff.txt', label: 'Movers', reading: true },
} as const satisfies Readonly<Record<string, Omit<Format, 'pieces'>>>;

type DiffFormat = keyof typeof FORMATS;

export const isDiffFormat = (name: string): name is DiffFormat => Object.hasOwn(FORMATS, name);

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
    ['difffolded.pl a.folded b.folded | kubectl gkeprof diff -', 'two counts a line'],
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
    return {
      files: after === undefined ? [before] : [before, after],
      folder: writableFolder(raw.text('output-dir') ?? '.'),
      formats: formats as DiffFormat[],
      ...(output !== undefined && { output }),
      ifThere,
      form,
      open,
      choice: readChoice(raw),
    };
  },

  async run({ files, folder, choice, ...options }, context) {
    await sweepFolder(folder, context);
    const paths: string[] = [];
    const profiles: Profile[] = [];
    for (const file of files) {
      const path = await recentFile(file, folder, ['.perf-script.txt.gz'], 'raw stacks');
      const { profile, before } = await readFile(path, choice, context);
      if (before ? files.length > 1 : files.length === 1)
        throw usageError(
          before
            ? `diff: ${printable(path)} is a comparison itself: it has two counts a line`
            : 'diff: takes two files, got 1',
          before ? `kubectl gkeprof diff ${printable(path)}` : 'kubectl gkeprof diff BEFORE AFTER',
        );
      if (before) {
        paths.push(path);
        profiles.push(before);
      } else if (profile.samples === 0) throw new GkeprofError(EXIT.tool, `no samples in ${printable(path)}`);
      paths.push(path);
      profiles.push(profile);
    }
    await presentComparison(compare(profiles[0]!, profiles[1]!), paths, folder, options, context);
    return EXIT.done;
  },
};

/** Draws a comparison of files, and puts its result on stdout. */
export async function presentComparison(
  comparison: Comparison,
  paths: readonly string[],
  folder: string,
  options: Pick<DiffOptions, 'formats' | 'output' | 'ifThere' | 'form' | 'open'>,
  context: Context,
): Promise<void> {
  const made = await drawComparisons(comparison, options, baseFor(paths[1]!, folder), context);
  if (options.form.is !== 'text') {
    const { facts, names, markdown } = await comparisonOutcome(comparison, made);
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

/** Makes the files of a comparison; the movers are for people in any case. */
export async function drawComparisons(
  comparison: Comparison,
  { formats, ...options }: Pick<DiffOptions, 'formats' | 'output' | 'ifThere' | 'form'>,
  base: string,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<MadeFile[]> {
  const { moversOf, printMovers } = await import('../profile/movers.ts');
  const movers = printMovers(comparison, moversOf(comparison));
  const made: MadeFile[] = [];
  for (const name of formats) {
    const pieces =
      name === 'top'
        ? [movers]
        : name === 'folded'
          ? foldedComparison(comparison)
          : drawComparison(comparison, { ...caption(comparison), ...browserHalf() });
    made.push(...(await makeFile(name, pieces, FORMATS[name], options, base, stdout)));
  }
  if (!formats.includes('top')) log.line(movers.trimEnd());
  return made;
}

/** What a comparison is as a result. */
export async function comparisonOutcome(comparison: Comparison, made: readonly MadeFile[]) {
  const [{ moversOf }, { comparisonFacts, comparisonMarkdown }, files] = await Promise.all([
    import('../profile/movers.ts'),
    import('./profile-outcome.ts'),
    fileFacts(made),
  ]);
  const facts = comparisonFacts(comparison, moversOf(comparison));
  return {
    facts: { comparison: facts, files },
    names: files.map(({ path }) => path),
    markdown: () => comparisonMarkdown(facts, files),
  };
}

function caption({
  before,
  after,
  event,
  unit,
  normalizedBy,
  beforeFactor,
  beforeSamples,
  afterSamples,
}: Comparison) {
  const side = (word: string, { target, node, startedAt, seconds }: typeof before, samples: number) =>
    [
      `${word}: ${node ? `${target} on ${node}` : target}`,
      startedAt && `${startedAt.slice(0, 19).replace('T', ' ')} UTC`,
      seconds && formatDuration(seconds),
      counted(samples, 'sample'),
    ]
      .filter(Boolean)
      .join(' · ');
  const width = unit === 'nanoseconds' ? 'CPU time' : unit === 'events' ? event : 'samples';
  return {
    title: `${after.target}: before and after`,
    subtitle: [
      side('before', before, beforeSamples),
      side('after', after, afterSamples),
      `${event === 'samples' ? '' : `${event} · `}width: ${width} before and after together, before × ${Number(beforeFactor.toPrecision(3))} (made comparable by ${normalizedBy}) · orange + more, blue \u2212 less`,
    ],
  };
}
