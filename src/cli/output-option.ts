import { usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { type Json, jsonPath } from '../output/jsonpath.ts';
import { JsonPathError } from '../output/jsonpath-parse.ts';
import { printable } from '../text/printable.ts';
import type { OptionSpec, RawOptions } from './option-spec.ts';

const FORMS = ['json', 'yaml', 'name', 'jsonpath=…'];

/** `-o`; `name` says what `-o name` gives, `wide` what `-o wide` adds. */
export function outputOption(name: string, wide?: string, group = 'Output:'): OptionSpec {
  return {
    type: 'string',
    alias: 'o',
    describe: `${[...(wide ? ['wide'] : []), ...FORMS].join('|')}: the result for programs (docs/schemas)${
      wide ? `; wide: ${wide}` : ''
    }; name: ${name}`,
    group,
    value: 'FORM',
    words: [...(wide ? ['wide'] : []), 'json', 'yaml', 'name', 'jsonpath='],
    notPresettable: true,
  };
}

/** Whether the value of an `--output` is a form, where it may be a file as well. */
export const isOutputFormat = (text: string): boolean => /^(?:json|yaml|name|jsonpath(?:=.*)?)$/s.test(text);

/** What `-o` and, where there is one, `--markdown` ask for. */
export function outputFormatOf(raw: RawOptions, allowed: { readonly wide?: boolean } = {}): OutputFormat {
  const text = raw.text('output');
  if (raw.flag('markdown')) {
    if (text !== undefined) throw usageError('--markdown and -o: only one of them');
    return { kind: 'markdown' };
  }
  if (text === undefined) return { kind: 'text' };
  if (text === 'json' || text === 'yaml' || text === 'name' || (text === 'wide' && allowed.wide))
    return { kind: text };
  const template = /^jsonpath(?:=(.*))?$/s.exec(text);
  if (!template) {
    throw usageError(
      `-o: "${printable(text)}" is none`,
      `allowed formats are: ${[...FORMS.slice(0, 3), ...(allowed.wide ? ['wide'] : []), FORMS[3]!].join(', ')}`,
    );
  }
  if (!template[1]) throw usageError('-o jsonpath: without a template', "-o jsonpath='{.files[*].path}'");
  return { kind: 'jsonpath', print: parsed(template[1]) };
}

function parsed(template: string): (data: Json) => string {
  try {
    return jsonPath(template);
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
    throw usageError(
      `-o jsonpath: ${printable(error.message)}`,
      "as kubectl's: -o jsonpath='{range .files[*]}{.path}{\"\\n\"}{end}'",
    );
  }
}
