import { EXIT, GkeprofError, usageError } from '../errors.ts';
import { openInput, recentFile } from '../input.ts';
import { EXPLAIN, type OptionTable, OUTPUT_DIR, VERBOSE, writableFolder } from '../options.ts';
import type { Form } from '../output/form.ts';
import { deliver } from '../output/result.ts';
import { printable } from '../printable.ts';
import { aboutFromHeader } from '../profile/about.ts';
import { readPicture } from '../profile/picture/read.ts';
import type { Profile } from '../profile/profile.ts';
import { type Reading, readProfile } from '../profile/read.ts';
import { type Summary, summarize, summaryLines } from '../profile/summary.ts';
import { counted } from '../quantity.ts';
import { readSecondHalf } from '../second-half.ts';
import type { Command, Context } from './command.ts';
import {
  aboutFromReceipt,
  baseFor,
  DRAW_OPTIONS,
  type DrawOptions,
  draw,
  drawOptions,
  receiptBeside,
} from './drawing.ts';
import { fileFacts, type MadeFile, sweepFolder } from './outcome.ts';
import { READ_OPTIONS, type ReadChoice, readChoice } from './reading.ts';
import { MARKDOWN, OPEN, openResult } from './result-options.ts';

interface RenderOptions {
  readonly file: string;
  readonly folder: string;
  readonly draw: DrawOptions;
  readonly choice: ReadChoice;
  readonly explain: boolean;
}

const OPTIONS: OptionTable = {
  ...DRAW_OPTIONS,
  ...MARKDOWN,
  ...OPEN,
  ...OUTPUT_DIR,
  ...READ_OPTIONS,
  explain: EXPLAIN,
  ...VERBOSE,
};

export const render: Command<RenderOptions> = {
  name: 'render',
  describe: 'Draw or export a profile from raw or folded stacks. No cluster needed',
  usage: 'FILE|@last|- [flags]',
  examples: [
    ['kubectl gkeprof render @last --format top', 'the newest recording of this folder, as tables'],
    ['kubectl gkeprof render raw.perf-script.txt.gz --comm redis-server --from 10 --to 20', 'a part of it'],
    ['perf script | kubectl gkeprof render - --format folded --output -', 'as stackcollapse-perf.pl'],
  ],
  options: OPTIONS,
  completes: ['profile'],

  validate(raw) {
    const [file, ...more] = raw.positionals;
    if (file === undefined) throw usageError('render: a file is missing', 'kubectl gkeprof render @last');
    if (more.length) throw usageError(`render: one file at a time, got ${more.length + 1}`);
    if (raw.rest.length) throw usageError('render: takes nothing behind --');
    return {
      file,
      folder: writableFolder(raw.text('output-dir') ?? '.'),
      draw: drawOptions(raw),
      choice: readChoice(raw),
      explain: raw.flag('explain'),
    };
  },

  async run({ file, folder, draw: drawing, choice, explain }, context) {
    if (explain) {
      const { flameGraphLine } = await import('../explain/files.ts');
      const given = await recentFile(file, folder, ['.perf-script.txt.gz'], 'raw stacks');
      context.stdout.write(`${flameGraphLine(given, `${baseFor(given, folder)}.flamegraph.svg`)}\n`);
      return EXIT.done;
    }
    await sweepFolder(folder, context);
    const path = await recentFile(file, folder, ['.perf-script.txt.gz'], 'raw stacks');
    const reading = await readFile(path, choice, context);
    if (reading.profile.samples === 0)
      throw new GkeprofError(EXIT.tool, `no samples in ${printable(path)}`, nothingSeen(reading));
    const summary = summarize(reading.profile);
    const made = await draw(reading, drawing, baseFor(path, folder), summary, context);
    for (const line of summaryLines(summary)) context.log.line(line);
    if (drawing.form.is !== 'text')
      await putReport(path, reading.profile, summary, made, drawing.form, context);
    if (drawing.open) await openResult(made.find(({ role }) => role === 'svg')?.path, context);
    return EXIT.done;
  },
};

/** The profile of a file as a result: what it is of, its figures, the files that were made. */
async function putReport(
  path: string,
  profile: Profile,
  summary: Summary,
  made: readonly MadeFile[],
  form: Form,
  context: Context,
): Promise<void> {
  const { profileFacts, profileMarkdown } = await import('./profile-outcome.ts');
  const files = await fileFacts(made);
  const facts = profileFacts(profile, summary);
  const { about } = profile;
  await deliver(
    context,
    form,
    () => ({
      kind: 'ProfileReport',
      version: 1,
      input: path === '-' ? 'stdin' : path,
      about,
      profile: facts,
      files,
    }),
    files.map((file) => file.path),
    () => profileMarkdown(about, facts, files),
  );
}

/** Reads a local profile with what its receipt, or its header, tells about it. */
export async function readFile(path: string, choice: ReadChoice, context: Context): Promise<Reading> {
  const receipt = await receiptBeside(path);
  const wholeNode = receipt?.plan.targets[0].kind === 'node';
  const input = await openInput(path, context.stdin);
  const name = path === '-' ? 'stdin' : (path.split(/[\\/]/).at(-1) ?? path);
  const reading = await readProfile(
    unlessInterrupted(input.chunks, context.interrupts.next),
    choice(wholeNode),
    (header) => (receipt ? aboutFromReceipt(receipt) : aboutFromHeader(header, name)),
    readPicture,
    input.plain ? (timeline, layout) => readSecondHalf(path, timeline, layout) : undefined,
    async (names) => (await import('./demangle.ts')).demangle(names),
  );
  if (input.cut()) context.log.warn(`${printable(path)} is cut short: this is what is there`);
  return reading;
}

/** Ends a long reading between two chunks: nothing is made of a part of a file. */
async function* unlessInterrupted(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
  }
}

const nothingSeen = (reading: Reading): string => {
  const all = [...reading.events.values()].reduce((sum, samples) => sum + samples, 0);
  if (all > 0) return `none of its ${counted(all, 'sample')} is wanted: see the flags`;
  return reading.oddities.length
    ? 'give it the text that perf script prints, or folded stacks'
    : 'it is empty';
};
