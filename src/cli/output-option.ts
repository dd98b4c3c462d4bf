import { usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { type Json, jsonPath } from '../output/jsonpath.ts';
import { JsonPathError } from '../output/jsonpath-parse.ts';
import { printable } from '../text/printable.ts';
import type { OptionSpec, RawOptions } from './option-spec.ts';

const FORMATS = ['json', 'yaml', 'name', 'jsonpath=…'];

/** `-o`; `name` says what `-o name` prints, `wide` what `-o wide` adds. */
export function outputOption(name: string, wide?: string, group = 'Output:'): OptionSpec {
  return {
    type: 'string',
    alias: 'o',
    describe: `Print the result as ${[...(wide ? ['wide'] : []), ...FORMATS].join('|')}${
      wide ? `; wide adds ${wide}` : ''
    }; name prints ${name}`,
    group,
    value: 'FORMAT',
    words: [...(wide ? ['wide'] : []), 'json', 'yaml', 'name', 'jsonpath='],
    notPresettable: true,
  };
}

/** Whether the value of `--output` is a format, for commands where it can also name a file. */
export const isOutputFormat = (text: string): boolean =>
  /^(?:json|yaml|name|wide|markdown|jsonpath(?:=.*)?)$/s.test(text);

/** Which flag names the format, whether `wide` is allowed, and the hint for a file name in place of a format. */
export interface FormatRule {
  readonly flag?: 'o' | 'output';
  readonly wide?: boolean;
  readonly fileHint?: string;
}

/** The format that `-o` or, if the command has it, `--markdown` asks for. */
export function outputFormatOf(
  raw: RawOptions,
  { flag = 'output', wide = false, fileHint }: FormatRule = {},
): OutputFormat {
  const text = raw.text(flag);
  if (raw.flag('markdown')) {
    if (text !== undefined)
      throw usageError('--markdown and -o cannot be used together', 'leave one of them out');
    return { kind: 'markdown' };
  }
  if (text === undefined) return { kind: 'text' };
  if (text === 'json' || text === 'yaml' || text === 'name' || (text === 'wide' && wide))
    return { kind: text };
  const template = /^jsonpath(?:=(.*))?$/s.exec(text);
  if (!template) {
    const formats = [...FORMATS.slice(0, 3), ...(wide ? ['wide'] : []), FORMATS[3]!].join(', ');
    throw usageError(
      `-o: unknown format "${printable(text)}"`,
      text === 'markdown' && raw.knows('markdown')
        ? 'did you mean --markdown?'
        : `formats: ${formats}${fileHint ? `; ${fileHint}` : ''}`,
    );
  }
  if (!template[1]) throw usageError('-o jsonpath: missing template', "-o jsonpath='{.files[*].path}'");
  return { kind: 'jsonpath', print: parsed(template[1]) };
}

function parsed(template: string): (data: Json) => string {
  try {
    return jsonPath(template);
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    throw usageError(
      `-o jsonpath: ${printable(error.message)}`,
      'templates are those of kubectl: -o jsonpath=\'{range .files[*]}{.path}{"\\n"}{end}\'',
    );
  }
}
