import { usageError } from '../errors.ts';
import { checkNamedFile, type IfThere } from '../files/new-file.ts';
import type { OutputFormat } from '../output/format.ts';
import { printable } from '../text/printable.ts';
import type { Context } from './command.ts';
import type { OptionTable, RawOptions } from './option-spec.ts';
import { isOutputFormat, outputFormatOf } from './output-option.ts';

const GROUP = 'Output:';

/** Of the verbs that record or read something. */
export const MARKDOWN: OptionTable = {
  markdown: {
    type: 'boolean',
    describe: 'Print the result as Markdown for an incident: figures, tables, files with SHA-256',
    group: GROUP,
    notPresettable: true,
  },
};

/** Of the verbs that draw. */
export const OPEN: OptionTable = {
  open: { type: 'boolean', describe: 'Open the picture in the browser', group: GROUP },
};

/**
 * Of the verbs that make files from files: `-o` is the format of the result and nothing else, and `--output` names the
 * file. `--output json` is a format too, as in kubectl; a file of that name can be written as `./json`.
 */
export const FILE_AND_FORMAT: OptionTable = {
  output: {
    type: 'string',
    describe: 'Write the file under this name; - writes it to stdout. Only with one --format',
    group: GROUP,
    value: 'FILE',
    notPresettable: true,
    completion: 'file',
  },
  o: {
    type: 'string',
    describe: 'Print the result as json|yaml|name|jsonpath=…; name prints the files that were made',
    group: GROUP,
    value: 'FORMAT',
    words: ['json', 'yaml', 'name', 'jsonpath='],
    notPresettable: true,
  },
};

/** What `-o`, `--output` and `--markdown` ask for. */
export function fileAndFormat(raw: RawOptions): {
  readonly format: OutputFormat;
  readonly file?: string;
  readonly ifThere: NamedFileRule;
} {
  const ifThere = namedFileRule(raw);
  const given = raw.text('output');
  const short = raw.text('o');
  if (given !== undefined && isOutputFormat(given)) {
    if (short !== undefined)
      throw usageError(
        `-o ${printable(short)} and --output ${printable(given)} both name a format`,
        `to write a file of that name: --output ./${printable(given)}`,
      );
    const fileHint = `to write a file of that name: --output ./${printable(given)}`;
    return { format: outputFormatOf(raw, { fileHint }), ifThere };
  }
  const path = `${isOutputFormat(short ?? '') ? './' : ''}${printable(short ?? '')}`;
  const fileHint = `to name the file: --output ${path}`;
  const format = outputFormatOf(raw, { flag: 'o', fileHint });
  // If /dev/stdout were opened a second time, the two would overwrite each other.
  const file = given === '/dev/stdout' ? '-' : given;
  if (file === undefined) return { format, ifThere };
  if (file === '-' && format.kind !== 'text')
    throw usageError(
      `${format.kind === 'markdown' ? '--markdown' : '-o'} and --output - both write to stdout`,
      '--output FILE',
    );
  if (file !== '-') checkNamedFile(file, ifThere);
  return { format, file, ifThere };
}

/** What happens if a file that the user named exists. */
export type NamedFileRule = Exclude<IfThere, 'number'>;

export const namedFileRule = (raw: RawOptions): NamedFileRule => (raw.flag('force') ? 'replace' : 'refuse');

/** The file that a flag names. Throws a usage error if it cannot be written. */
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
