import { isObjectName } from '../cluster/cluster.ts';
import { type Servers, serversOf } from '../debuginfod/servers.ts';
import { usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { resourceOf } from '../plan/target.ts';
import { FORMATS, type FormatName, parseFormats } from '../profile/export/formats.ts';
import type { ExceptedPod } from '../profile/owners.ts';
import type { ReadOptions } from '../profile/read/read-profile.ts';
import { printable } from '../text/printable.ts';
import { parseCount, parseDuration } from '../text/quantity.ts';
import type { OptionTable, RawOptions } from './option-spec.ts';
import { FORCE } from './options.ts';
import { outputFormatOf } from './output-option.ts';
import { regularExpression } from './regexp.ts';
import { FILE_AND_FORMAT, fileAndFormat, type NamedFileRule, namedFileRule } from './result-options.ts';

const GROUP = 'Samples:';
const OUTPUT = 'Output:';

/** Which part of a profile is shown: shared by the verbs that read one. */
export const READ_OPTIONS: OptionTable = {
  event: {
    type: 'string',
    describe: 'Event to show, if the input has several; different events are never mixed',
    group: GROUP,
    value: 'NAME',
    defaultText: 'the first event of the input',
    notPresettable: true,
  },
  weight: {
    type: 'string',
    describe:
      'Count each sample as one (samples), or by its period: the cycles since the last sample, or the CPU time for clock events',
    group: GROUP,
    choices: ['samples', 'period'],
    defaultText: 'period for events whose periods vary, else samples',
  },
  include: {
    type: 'string',
    describe: 'Keep only stacks in which the name of a frame or the thread matches',
    group: GROUP,
    value: 'REGEXP',
    notPresettable: true,
  },
  exclude: {
    type: 'string',
    describe: 'Leave out stacks in which the name of a frame or the thread matches',
    group: GROUP,
    value: 'REGEXP',
    notPresettable: true,
  },
  except: {
    type: 'string',
    describe: 'With a recording of a node: leave out the samples of this pod (pod/NAME or NAMESPACE/NAME)',
    group: GROUP,
    value: 'POD',
    notPresettable: true,
  },
  comm: {
    type: 'string',
    describe: 'Keep only threads with this name',
    group: GROUP,
    value: 'NAME',
    notPresettable: true,
  },
  tid: {
    type: 'string',
    describe: 'Keep only the thread with this ID',
    group: GROUP,
    value: 'N',
    notPresettable: true,
  },
  from: {
    type: 'string',
    describe: 'Keep only samples from this time on, in seconds after the first sample',
    group: GROUP,
    value: 'SECONDS',
    notPresettable: true,
  },
  to: {
    type: 'string',
    describe: 'Keep only samples before this time, in seconds after the first sample',
    group: GROUP,
    value: 'SECONDS',
    notPresettable: true,
  },
  'min-wait': {
    type: 'string',
    describe: 'Of waits (--off-cpu): leave out those that are shorter than this',
    group: GROUP,
    value: 'TIME',
    notPresettable: true,
  },
  'max-wait': {
    type: 'string',
    describe: 'Of waits (--off-cpu): leave out those that are longer than this, as idle waits are',
    group: GROUP,
    value: 'TIME',
    notPresettable: true,
  },
  'no-idle': {
    type: 'boolean',
    describe: 'Leave out idle CPUs (the default for a whole node)',
    group: GROUP,
  },
  idle: { type: 'boolean', describe: 'Include idle CPUs', group: GROUP },
  'merge-threads': {
    type: 'boolean',
    describe: 'Show the threads of a pool, whose names differ only in numbers, as one thread',
    group: GROUP,
  },
  'no-time': {
    type: 'boolean',
    describe: 'Drop the times of the samples; the picture then has no heat map and no flame chart',
    group: GROUP,
  },
};

/** Stands for the servers of the environment, if the flag has no value. */
const FROM_ENVIRONMENT = '$DEBUGINFOD_URLS';

/** Where names are looked up that perf did not find: shared by the verbs that read files. */
export const DEBUGINFOD: OptionTable = {
  debuginfod: {
    type: 'array',
    describe:
      'Look up functions without a name at this debuginfod server, by the build IDs of their files, which are sent to it',
    group: GROUP,
    value: '[URL]',
    defaultText: 'none; without URL, the servers of DEBUGINFOD_URLS',
    valueIfOmitted: FROM_ENVIRONMENT,
    valuePattern: /^https?:/i,
    notPresettable: true,
  },
};

/** The servers of `--debuginfod`; undefined without the flag. */
export const debuginfodServers =
  (raw: RawOptions) =>
  (env: Readonly<Record<string, string | undefined>>): Servers | undefined =>
    raw.isTyped('debuginfod')
      ? serversOf(
          raw.list('debuginfod').filter((url) => url !== FROM_ENVIRONMENT),
          env,
        )
      : undefined;

/** `wholeNode` decides whether idle CPUs are left out if neither flag is given. */
export type ReadChoice = (wholeNode: boolean) => ReadOptions;

export function readChoice(raw: RawOptions): ReadChoice {
  if (raw.isTyped('idle') && raw.isTyped('no-idle'))
    throw usageError('--idle and --no-idle cannot be used together', 'leave one of them out');
  // A typed flag overrides a preset of the other flag.
  const idle = raw.flag('idle') && !raw.isTyped('no-idle');
  const noIdle = raw.flag('no-idle') && !raw.isTyped('idle');
  const event = raw.text('event');
  const weight = raw.text('weight') as ReadOptions['weight'];
  const comm = raw.text('comm');
  const include = regexp(raw, 'include');
  const exclude = regexp(raw, 'exclude');
  const except = raw.text('except') === undefined ? undefined : parseExcepted(raw.text('except')!);
  const from = seconds(raw, 'from');
  const to = seconds(raw, 'to');
  if (to !== undefined && to <= (from ?? 0))
    throw usageError('--to: must be later than --from', 'both are seconds after the first sample');
  const minWait = microseconds(raw, 'min-wait');
  const maxWait = microseconds(raw, 'max-wait');
  if (minWait !== undefined && maxWait !== undefined && maxWait < minWait)
    throw usageError('--max-wait: must not be shorter than --min-wait', '--min-wait 1ms --max-wait 500ms');
  const tid = raw.text('tid');
  const tidNumber = tid === undefined ? undefined : parseCount(tid, '--tid', 0, 2 ** 31 - 1);
  return (wholeNode) => ({
    ...(event !== undefined && { event }),
    ...(weight !== undefined && { weight }),
    ...(include && { include }),
    ...(exclude && { exclude }),
    ...(except && { except }),
    ...(comm !== undefined && { comm }),
    ...(tidNumber !== undefined && { tid: tidNumber }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(minWait !== undefined && { minWait }),
    ...(maxWait !== undefined && { maxWait }),
    noIdle: noIdle || (wholeNode && !idle),
    timeline: !raw.flag('no-time'),
    mergeThreads: raw.flag('merge-threads'),
  });
}

/** A pod of `--except`: `pod/NAME`, `NAME` or `NAMESPACE/NAME`. */
function parseExcepted(text: string): ExceptedPod {
  const [first, name, ...more] = text.split('/');
  const isQualified = name !== undefined && resourceOf(first!) === undefined;
  const wrong = usageError(`--except: "${printable(text)}" is not a pod`, 'type pod/NAME, or NAMESPACE/NAME');
  if (name !== undefined && !isQualified && resourceOf(first!) !== 'pods') throw wrong;
  if (more.length > 0 || !isObjectName(name ?? first!) || (isQualified && !isObjectName(first!))) throw wrong;
  return { name: name ?? first!, ...(isQualified && { namespace: first! }) };
}

function regexp(raw: RawOptions, name: string): RegExp | undefined {
  const text = raw.text(name);
  return text === undefined ? undefined : regularExpression(text, `--${name}`);
}

function microseconds(raw: RawOptions, name: string): number | undefined {
  const text = raw.text(name);
  return text === undefined ? undefined : parseDuration(text, `--${name}`) * 1e6;
}

function seconds(raw: RawOptions, name: string): number | undefined {
  const text = raw.text(name);
  if (text === undefined) return undefined;
  if (!/^\d+(?:\.\d+)?s?$/.test(text))
    throw usageError(`--${name}: "${printable(text)}" is not a number of seconds`, `--${name} 12.5`);
  return Number.parseFloat(text);
}
/** Which files are made of a profile: shared by the verbs that write files. */
export const DRAW_OPTIONS: OptionTable = {
  format: {
    type: 'string',
    describe: `Formats to write: ${Object.keys(FORMATS).join(', ')}`,
    group: OUTPUT,
    value: 'NAME,…',
    defaultText: 'svg',
    words: Object.keys(FORMATS),
  },
  ...FILE_AND_FORMAT,
  ...FORCE,
  annotate: {
    type: 'boolean',
    describe:
      'In folded stacks, mark kernel, JIT and inlined functions with _[k], _[j] and _[i], as FlameGraph does',
    group: OUTPUT,
  },
};

export interface DrawOptions {
  readonly formats: readonly FormatName[];
  readonly output?: string;
  /** What happens if the file that the user named exists; by default it is refused. */
  readonly ifThere?: NamedFileRule;
  readonly annotate: boolean;
  /** The format of the result on stdout. */
  readonly format: OutputFormat;
  readonly open: boolean;
}

export function drawOptions(raw: RawOptions): DrawOptions {
  const formats = parseFormats(raw.text('format') ?? 'svg');
  // Commands that record name their files after the target.
  const { format, file, ifThere } = raw.knows('o')
    ? fileAndFormat(raw)
    : { format: outputFormatOf(raw), file: undefined, ifThere: namedFileRule(raw) };
  if (file !== undefined && formats.length > 1)
    throw usageError('--output names one file, so it needs one --format', `--format ${formats[0]}`);
  const open = raw.flag('open');
  if (open && (!formats.includes('svg') || file === '-'))
    throw usageError('--open: no picture is written that could be opened', '--format svg');
  return {
    formats,
    ...(file !== undefined && { output: file }),
    ifThere,
    annotate: raw.flag('annotate'),
    format,
    open,
  };
}
