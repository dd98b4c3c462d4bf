import type { OptionSpec, RawOptions } from '../cli/options.ts';
import { EXIT, GkeprofError, reasonOf, usageError } from '../errors.ts';
import { printable, printableJson } from '../text/printable.ts';
import { type Json, jsonPath } from './jsonpath.ts';
import { JsonPathError } from './jsonpath-parse.ts';

/** How the result is put on stdout: for people, or as `-o` says. */
export type Form = { readonly is: 'text' | 'wide' | 'markdown' } | DataForm;

/** A form for programs. */
export type DataForm =
  | { readonly is: 'json' | 'yaml' | 'name' }
  | { readonly is: 'jsonpath'; readonly print: (data: Json) => string };

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
    perRun: true,
  };
}

/** Whether the value of an `--output` is a form, where it may be a file as well. */
export const isForm = (text: string): boolean => /^(?:json|yaml|name|jsonpath(?:=.*)?)$/s.test(text);

/** What `-o` and, where there is one, `--markdown` ask for. */
export function formOf(raw: RawOptions, allowed: { readonly wide?: boolean } = {}): Form {
  const text = raw.text('output');
  if (raw.flag('markdown')) {
    if (text !== undefined) throw usageError('--markdown and -o: only one of them');
    return { is: 'markdown' };
  }
  if (text === undefined) return { is: 'text' };
  if (text === 'json' || text === 'yaml' || text === 'name' || (text === 'wide' && allowed.wide))
    return { is: text };
  const template = /^jsonpath(?:=(.*))?$/s.exec(text);
  if (!template) {
    throw usageError(
      `-o: "${printable(text)}" is none`,
      `allowed formats are: ${[...FORMS.slice(0, 3), ...(allowed.wide ? ['wide'] : []), FORMS[3]!].join(', ')}`,
    );
  }
  if (!template[1]) throw usageError('-o jsonpath: without a template', "-o jsonpath='{.files[*].path}'");
  return { is: 'jsonpath', print: parsed(template[1]) };
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

export const isForPrograms = (form: Form): form is DataForm =>
  form.is === 'json' || form.is === 'yaml' || form.is === 'name' || form.is === 'jsonpath';

/**
 * The result in a form for programs: JSON with two blanks, YAML without folded lines, what a template makes of it, or
 * the names, one a line.
 */
export async function rendered(form: DataForm, result: object, names: readonly string[]): Promise<string> {
  switch (form.is) {
    case 'name':
      return names.map((name) => `${name}\n`).join('');
    case 'json':
      return `${printableJson(result, 2)}\n`;
    case 'yaml':
      return yaml(result);
    case 'jsonpath':
      return filled(form.print, plain(result));
  }
}

/** As a file of Kubernetes is written; nothing is left out that JSON would keep. */
export const yaml = async (value: object): Promise<string> => (await yamlDumper())(value);

/** What writes YAML like that. */
export async function yamlDumper(): Promise<(value: object) => string> {
  const { dump } = await import('js-yaml'); // Half a command's start, for what few ask for.
  return (value) => dump(plain(value), { lineWidth: -1, noRefs: true });
}

const plain = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json;

/** What a template makes of it. */
export function filled(print: (data: Json) => string, data: Json): string {
  try {
    return print(data);
  } catch (error) {
    throw new GkeprofError(
      EXIT.failed,
      `-o jsonpath: ${printable(reasonOf(error))}`,
      '-o json shows what there is',
    );
  }
}
