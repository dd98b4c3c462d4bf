import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { printable, printableJson } from '../text/printable.ts';
import type { Json } from './jsonpath.ts';
/** How the result is put on stdout: for people, or as `-o` says. */
export type OutputFormat = { readonly is: 'text' | 'wide' | 'markdown' } | DataFormat;

/** A form for programs. */
export type DataFormat =
  | { readonly is: 'json' | 'yaml' | 'name' }
  | { readonly is: 'jsonpath'; readonly print: (data: Json) => string };
export const isForPrograms = (form: OutputFormat): form is DataFormat =>
  form.is === 'json' || form.is === 'yaml' || form.is === 'name' || form.is === 'jsonpath';

/**
 * The result in a form for programs: JSON with two blanks, YAML without folded lines, what a template makes of it, or
 * the names, one a line.
 */
export async function rendered(form: DataFormat, result: object, names: readonly string[]): Promise<string> {
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
