import type { Command, Context } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { EXPLAIN, OUTPUT_DIR, VERBOSE, writableFolder } from '../cli/options.ts';
import {
  DEBUGINFOD,
  DRAW_OPTIONS,
  type DrawOptions,
  debuginfodServers,
  drawOptions,
  READ_OPTIONS,
  type ReadChoice,
  readChoice,
} from '../cli/profile-options.ts';
import { MARKDOWN, OPEN, openResult } from '../cli/result-options.ts';
import { EXIT, type GkeprofError, usageError } from '../errors.ts';
import { recentFile } from '../files/recent-file.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { mergeByPod, recordedName } from '../profile/merge-by-pod.ts';
import { mergeProfiles } from '../profile/merge-profiles.ts';
import type { Profile } from '../profile/profile.ts';
import type { Reading } from '../profile/read/read-profile.ts';
import { type ProfileSummary, summarize, summaryLines } from '../profile/summary.ts';
import { describeFiles, type MadeFile } from '../report/files.ts';
import { printable } from '../text/printable.ts';
import { baseFor, draw } from '../workflow/draw-profile.ts';
import { prepareFolder } from '../workflow/output-folder.ts';
import {
  type FileReading,
  noSamples,
  noSamplesText,
  readProfileFile,
  reportLookups,
} from '../workflow/read-profile.ts';
import { isWaitsName, renderWaits } from '../workflow/render-waits.ts';

interface RenderOptions {
  /** A recording of waits, which is read instead of profiles. */
  readonly waits?: string;
  readonly files: readonly string[];
  readonly folder: string;
  readonly draw: DrawOptions;
  readonly choice: ReadChoice;
  readonly servers: ReturnType<typeof debuginfodServers>;
  readonly explain: boolean;
}

const OPTIONS: OptionTable = {
  ...DRAW_OPTIONS,
  ...MARKDOWN,
  ...OPEN,
  ...OUTPUT_DIR,
  ...READ_OPTIONS,
  ...DEBUGINFOD,
  explain: EXPLAIN,
  ...VERBOSE,
};

export const render: Command<RenderOptions> = {
  name: 'render',
  describe: 'Draw or export a recorded or imported profile. Needs no cluster',
  details: [
    'The input can be raw stacks (the output of perf script), folded stacks, a flame graph (SVG), pprof or speedscope.',
    'Of a recording of waits (FILE.waits.txt.gz) the tables are printed and the page is written again, with the names in the receipt beside it.',
  ],
  usage: 'FILE…|@last|- [flags]',
  args: { noun: 'file', min: 1 },
  examples: [
    ['kubectl gkeprof render @last --format top', 'Print the newest recording in this folder as tables'],
    [
      'kubectl gkeprof render raw.perf-script.txt.gz --comm redis-server --from 10 --to 20',
      'Draw one thread, from second 10 to 20',
    ],
    ['kubectl gkeprof render a.folded b.pb.gz', 'Draw several files as one profile'],
    [
      'perf script | kubectl gkeprof render - --format folded --weight period --output -',
      'Print folded stacks, as stackcollapse-perf.pl does',
    ],
  ],
  options: OPTIONS,
  completion: ['profile'],
  repeats: true,

  validate(raw) {
    const files = raw.positionals;
    if (files.filter((file) => file === '-').length > 1)
      throw usageError('render: only one of the files can be stdin (-)');
    const waits = files.find(isWaitsName);
    if (waits !== undefined) checkOnlyWaits(files, raw);
    return {
      ...(waits !== undefined && { waits }),
      files,
      folder: writableFolder(raw.text('output-dir') ?? '.'),
      draw: drawOptions(raw),
      choice: readChoice(raw),
      servers: debuginfodServers(raw),
      explain: raw.flag('explain'),
    };
  },

  async run({ waits, files, folder, draw: drawing, choice, servers, explain }, context) {
    if (waits !== undefined) {
      await prepareFolder(folder, context);
      return renderWaits(waits, folder, drawing, context);
    }
    const ending = ['.perf-script.txt.gz'];
    if (explain) {
      const { flameGraphLine } = await import('../collectors/by-hand/files.ts');
      for (const file of files) {
        const given = await recentFile(file, folder, ending, 'raw stacks');
        context.stdout.write(`${flameGraphLine(given, `${baseFor(given, folder)}.flamegraph.svg`)}\n`);
      }
      return EXIT.done;
    }
    const asked = servers(context.env);
    await prepareFolder(folder, context);
    const paths: string[] = [];
    const readings: FileReading[] = [];
    for (const file of files) {
      const path = await recentFile(file, folder, ending, 'raw stacks');
      const reading = await readProfileFile(path, choice, context, asked);
      if (reading.before) {
        if (files.length > 1)
          throw usageError(`${printable(path)} is a comparison: it cannot be added to other files`);
        return await drawTwoColumns(path, reading.before, reading.profile, folder, drawing, context);
      }
      const problem = noSamples(path, reading, choice(false));
      if (problem) {
        if (isForPrograms(drawing.format)) {
          const { profile } = reading;
          await printReport(path, profile, summarize(profile), [], drawing.format, context, problem);
        }
        throw problem;
      }
      paths.push(path);
      readings.push(reading);
    }
    const reading: Reading = readings.length === 1 ? readings[0]! : mergeReadings(readings, context);
    const path = paths.join(' + ');
    const base = `${baseFor(paths[0]!, folder)}${readings.length === 1 ? '' : '.merged'}`;
    const summary = summarize(reading.profile);
    const made = await draw(reading, drawing, base, summary, context);
    for (const line of summaryLines(summary)) context.log.line(line);
    await reportLookups(reading.profile, context);
    if (drawing.format.kind !== 'text')
      await printReport(path, reading.profile, summary, made, drawing.format, context);
    if (drawing.open) await openResult(made.find(({ role }) => role === 'svg')?.path, context);
    return EXIT.done;
  },
};

/** Flags that mean something for a recording of waits. */
const OF_WAITS = new Set(['o', 'output', 'open', ...Object.keys({ ...MARKDOWN, ...OUTPUT_DIR, ...VERBOSE })]);

/** A recording of waits is read alone, and nothing of it can be chosen. */
function checkOnlyWaits(files: readonly string[], raw: RawOptions): void {
  if (files.length > 1)
    throw usageError('render: a recording of waits is read alone', 'give one file at a time');
  const flag = Object.keys(OPTIONS).find((name) => raw.isTyped(name) && !OF_WAITS.has(name));
  if (flag !== undefined)
    throw usageError(`--${flag} cannot be used with a recording of waits`, 'leave it out');
  if (drawOptions(raw).output !== undefined)
    throw usageError(
      '--output cannot name the page of a recording of waits',
      'to choose where it is written: --output-dir DIR',
    );
}

/**
 * Prints the profile as a result: where it is from, its figures, and the files that were made; of a profile without samples the
 * problem.
 */
async function printReport(
  path: string,
  profile: Profile,
  summary: ProfileSummary,
  made: readonly MadeFile[],
  format: OutputFormat,
  context: Context,
  problem?: GkeprofError,
): Promise<void> {
  const { profileFacts, profileMarkdown } = await import('../report/profile.ts');
  const files = await describeFiles(made);
  const facts = profileFacts(profile, summary);
  const { about } = profile;
  await printResult(
    context,
    format,
    () => ({
      kind: 'ProfileReport',
      version: 1,
      input: path === '-' ? 'stdin' : path,
      about,
      profile: facts,
      ...(problem && { empty: noSamplesText(problem) }),
      files,
    }),
    files.map((file) => file.path),
    () => profileMarkdown(about, facts, files),
  );
}

/**
 * Several files as one profile: with the pods or the nodes as outermost frames if they are recordings of different pods, or of
 * different nodes.
 */
function mergeReadings(readings: readonly FileReading[], { log }: Context): Reading {
  const parts = readings.flatMap(({ pod, profile }) => (pod ? [{ pod, profile }] : []));
  const names = new Set(parts.map(({ pod }) => recordedName(pod)));
  const kinds = new Set(parts.map(({ pod }) => (pod.namespace === undefined ? 'node' : 'pod')));
  const isByPod = parts.length === readings.length && names.size > 1 && kinds.size === 1;
  const profile = isByPod ? mergeByPod(parts) : mergeProfiles(readings.map((reading) => reading.profile));
  if (readings.some((reading) => reading.profile.timeline))
    log.warn('the recordings have no common clock, so there is no heat map and no flame chart');
  const events = new Map<string, number>();
  for (const [event, samples] of readings.flatMap((reading) => [...reading.events]))
    events.set(event, (events.get(event) ?? 0) + samples);
  return {
    ...readings[0]!,
    profile,
    events,
    warnings: readings.flatMap(({ warnings }) => warnings),
    timelineGivenUp: false,
  };
}

/** Draws a file with two counts on each line as `diff` draws two files. */
async function drawTwoColumns(
  path: string,
  before: Profile,
  after: Profile,
  folder: string,
  { formats, ...drawing }: DrawOptions,
  context: Context,
): Promise<number> {
  const { compareStated, isComparisonFormat, presentComparison } = await import(
    '../workflow/compare-profiles.ts'
  );
  const other = formats.find((format) => !isComparisonFormat(format));
  if (other !== undefined)
    throw usageError(
      `--format ${other}: ${printable(path)} is a comparison: it has two counts on each line`,
      'formats: svg, folded, top',
    );
  const options = { ...drawing, formats: formats.filter(isComparisonFormat) };
  const comparison = compareStated([before, after], { by: 'time', weights: [{}, {}] });
  await presentComparison(comparison, [path, path], folder, options, context);
  return EXIT.done;
}
