import { usageError } from '../errors.ts';
import { checkNamedFile, type IfThere } from '../files/new-file.ts';
import type { OutputFormat } from '../output/format.ts';
import type { Context } from './command.ts';
import type { OptionSpec, OptionTable, RawOptions } from './option-spec.ts';
import { isOutputFormat, outputFormatOf } from './output-option.ts';

const GROUP = 'Output:';

/** A block for an incident; of the verbs that record or read something. */
export const MARKDOWN: OptionTable = {
  markdown: {
    type: 'boolean',
    describe: 'The result as a block of Markdown for an incident: figures, tables, files with SHA-256',
    group: GROUP,
    notPresettable: true,
  },
};

/** Of the verbs that draw. */
export const OPEN: OptionTable = {
  open: { type: 'boolean', describe: 'Open the picture in the browser', group: GROUP },
};

/** `--output` of the verbs that make files of files: a file, or the form of the result. */
export const FILE_OR_FORMAT: OptionSpec = {
  type: 'string',
  alias: 'o',
  describe:
    'json|yaml|name|jsonpath=…: the result for programs (docs/schemas), name: the files made; anything else: the file to write, - for stdout, for one format',
  group: GROUP,
  value: 'FORM|FILE',
  notPresettable: true,
  completion: 'file',
};

/** What `--output` and `--markdown` ask for, where `--output` may name a file. */
export function fileOrFormat(raw: RawOptions): {
  readonly format: OutputFormat;
  readonly file?: string;
  readonly ifThere: NamedFileRule;
} {
  const ifThere = namedFileRule(raw);
  const given = raw.text('output');
  // Two openings of one file would write over each other.
  const output = given === '/dev/stdout' ? '-' : given;
  if (output === undefined || isOutputFormat(output)) return { format: outputFormatOf(raw), ifThere };
  if (output === '-' && raw.flag('markdown'))
    throw usageError('--markdown and --output -: only one of them fits on stdout');
  if (output !== '-') checkNamedFile(output, ifThere);
  return { format: { kind: raw.flag('markdown') ? 'markdown' : 'text' }, file: output, ifThere };
}

/** What happens to a file whose name the user gave, where it exists. */
export type NamedFileRule = Exclude<IfThere, 'number'>;

export const namedFileRule = (raw: RawOptions): NamedFileRule => (raw.flag('force') ? 'replace' : 'refuse');

/** A file that the user named, where something can be written to it. */
export function namedFile(raw: RawOptions, option: string): string | undefined {
  const path = raw.text(option);
  if (path !== undefined) checkNamedFile(path, namedFileRule(raw));
  return path;
}

/** Opens the file in the browser. A failure is only a warning, because the file exists all the same. */
export async function openResult(path: string | undefined, { open, log }: Context): Promise<void> {
  if (path === undefined) return;
  const reason = await open(path);
  if (reason === undefined) log.line(`opened ${path}`);
  else log.warn(`cannot open ${path} in the browser: ${reason}`);
}
