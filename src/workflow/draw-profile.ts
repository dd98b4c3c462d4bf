import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Context } from '../cli/command.ts';
import { FORCE, type OptionTable, type RawOptions } from '../cli/options.ts';
import { FILE_OR_FORM, fileOrForm, type NamedFileRule } from '../cli/result-options.ts';
import { usageError } from '../errors.ts';
import { type IfThere, NewFile } from '../files/new-file.ts';
import type { Form } from '../output/form.ts';
import { writeAll } from '../output/stream.ts';
import { caption } from '../profile/caption.ts';
import { FORMATS, type Format, type FormatName, parseFormats } from '../profile/export/formats.ts';
import type { About } from '../profile/profile.ts';
import type { Reading } from '../profile/read/read-profile.ts';
import type { Summary } from '../profile/summary.ts';
import type { MadeFile } from '../report/capture.ts';
import type { Receipt } from '../session/receipt.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';

const GROUP = 'Output:';

/** Which files are made of a profile: shared by the verbs that make some. */
export const DRAW_OPTIONS: OptionTable = {
  format: {
    type: 'string',
    describe: `What to make: ${Object.keys(FORMATS).join(', ')}`,
    group: GROUP,
    value: 'NAME,…',
    defaultText: 'svg',
    words: Object.keys(FORMATS),
  },
  output: FILE_OR_FORM,
  ...FORCE,
  annotate: {
    type: 'boolean',
    describe: 'Folded: FlameGraph’s _[k] _[j] _[i] behind names',
    group: GROUP,
  },
};

export interface DrawOptions {
  readonly formats: readonly FormatName[];
  readonly output?: string;
  /** What happens if the file that the user named exists; by default it is refused. */
  readonly ifThere?: NamedFileRule;
  readonly annotate: boolean;
  /** Of the result on stdout. */
  readonly form: Form;
  readonly open: boolean;
}

export function drawOptions(raw: RawOptions): DrawOptions {
  const formats = parseFormats(raw.text('format') ?? 'svg');
  const { form, file, ifThere } = fileOrForm(raw);
  if (file !== undefined && formats.length > 1)
    throw usageError('--output: takes one format', `--format ${formats[0]}`);
  const open = raw.flag('open');
  if (open && (!formats.includes('svg') || file === '-'))
    throw usageError('--open: opens a picture, and none is made', '--format svg');
  return {
    formats,
    ...(file !== undefined && { output: file }),
    ifThere,
    annotate: raw.flag('annotate'),
    form,
    open,
  };
}

/** Makes the files, and says their names on stdout where the result is for people. */
export async function draw(
  reading: Reading,
  options: DrawOptions,
  base: string,
  summary: Summary,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<MadeFile[]> {
  const { profile } = reading;
  for (const odd of reading.oddities)
    log.warn(
      `${counted(odd.count, 'line was', 'lines were')} not understood (${odd.kind}), the first: ${printable(odd.line)}`,
    );
  if (reading.events.size > 1) {
    const others = [...reading.events].filter(([name]) => name !== profile.event);
    log.warn(
      `events are never mixed: this is ${profile.event}; ${others.map(([name, samples]) => `--event ${printable(name)} has ${counted(samples, 'sample')}`).join(', ')}`,
    );
  }
  if (profile.eventNote !== undefined)
    log.warn(`${printable(profile.event)}: ${printable(profile.eventNote)}; --event chooses one of them`);
  if (reading.timelineGivenUp) log.warn('the input has no usable times: no heat map, no flame chart');
  const drawing = { ...caption(profile, summary), annotate: options.annotate };
  const made: MadeFile[] = [];
  for (const name of options.formats) {
    const format: Format = FORMATS[name];
    const pieces = await format.pieces(profile, drawing);
    made.push(...(await makeFile(name, pieces, format, options, base, stdout)));
  }
  return made;
}

/**
 * Writes what is for reading to stdout, where the result is for people; anything else to a file, whose name is said there
 * then. Returns the file.
 */
export async function makeFile(
  role: string,
  pieces: Iterable<string | Uint8Array>,
  { ending, label, reading }: Pick<Format, 'ending' | 'label' | 'reading'>,
  { output, ifThere = 'refuse', form }: Pick<DrawOptions, 'output' | 'ifThere' | 'form'>,
  base: string,
  stdout: Context['stdout'],
): Promise<MadeFile[]> {
  const isText = form.is === 'text';
  if (output === '-' || (output === undefined && reading)) {
    if (isText) await writeAll(stdout, pieces); // Else it is in the result.
    return [];
  }
  const path = writeNew(output ?? `${base}${ending}`, pieces, output === undefined ? 'number' : ifThere);
  if (isText) stdout.write(`${`${label}:`.padEnd(17)} ${path}\n`);
  return [{ role, path }];
}

/** Writes a file, whole or not at all, and returns its path. */
function writeNew(path: string, pieces: Iterable<string | Uint8Array>, ifThere: IfThere): string {
  const file = new NewFile(path, ifThere);
  try {
    for (const piece of pieces) file.write(typeof piece === 'string' ? Buffer.from(piece) : piece);
    file.close();
  } catch (error) {
    file.discard();
    throw error;
  }
  return file.path;
}

const RAW_ENDING =
  /(?:(?:\.perf-script)?\.txt|\.(?:flamegraph\.)?svg|(?:\.diff)?\.folded|\.(?:pb|pprof)|(?:\.speedscope)?\.json)?(?:\.gz|\.zst|\.xz)?$/;

/** Where the files of an input go: beside nothing else, in the folder for files, under its name without its ending. */
export const baseFor = (path: string, folder: string): string =>
  join(folder, path === '-' ? 'stdin' : basename(path).replace(RAW_ENDING, '') || 'profile');

/** What the receipt beside a raw file of ours says; undefined where there is none. */
export async function receiptBeside(path: string): Promise<Receipt | undefined> {
  if (!/\.perf-script\.txt\.gz$/.test(path)) return undefined;
  const text = await readFile(path.replace(/\.perf-script\.txt\.gz$/, '.receipt.json'), 'utf8').catch(
    () => '',
  );
  try {
    const receipt = JSON.parse(text) as Receipt;
    return receipt.receiptVersion === 1 && receipt.plan.capture.collector === 'perf' ? receipt : undefined;
  } catch {
    return undefined;
  }
}

/** Raw stacks of ours are made with --show-lost-events (collectors/perf/perf.sh): so if they mention no losses, there were none. */
export const countingLosses = (reading: Reading): Reading => ({
  ...reading,
  profile: { ...reading.profile, lost: reading.profile.lost ?? 0 },
});

/** What a receipt tells about its recording. */
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
    ...(capture.cpu && { cpu: capture.cpu }),
  };
}
