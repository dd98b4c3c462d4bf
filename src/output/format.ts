import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { printable, printableJson } from '../text/printable.ts';
import type { Json } from './jsonpath.ts';

/** How the result is printed on stdout: for people, or in the format of `-o`. */
export type OutputFormat = { readonly kind: 'text' | 'wide' | 'markdown' } | DataFormat;

/** The formats for programs. */
export type DataFormat =
  | { readonly kind: 'json' | 'yaml' | 'name' }
  | { readonly kind: 'jsonpath'; readonly print: (data: Json) => string };

export const isForPrograms = (format: OutputFormat): format is DataFormat =>
  format.kind === 'json' || format.kind === 'yaml' || format.kind === 'name' || format.kind === 'jsonpath';

/**
 * The result in a format for programs: JSON indented by two spaces, YAML without folded lines, the output of a template, or
 * one name per line.
 */
export async function rendered(
  format: DataFormat,
  result: object,
  names: readonly string[],
): Promise<string> {
  switch (format.kind) {
    case 'name':
      return names.map((name) => `${name}\n`).join('');
    case 'json':
      return `${printableJson(result, 2)}\n`;
    case 'yaml':
      return yaml(result);
    case 'jsonpath':
      return filled(format.print, plain(result));
  }
}

/** A value as YAML, in the style of Kubernetes, with everything that JSON would contain. */
export const yaml = async (value: object): Promise<string> => (await yamlDumper())(value);

/** The function that writes such YAML, for callers that write many values. */
export async function yamlDumper(): Promise<(value: object) => string> {
  const { dump } = await import('js-yaml'); // Loaded on first use, because it takes half as long as the start of a command.
  return (value) => dump(plain(value), { lineWidth: -1, noRefs: true });
}

const plain = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json;

/** The output of a jsonpath template for the data. */
export function filled(print: (data: Json) => string, data: Json): string {
  try {
    return print(data);
  } catch (error) {
    throw new GkeprofError(
      EXIT.failed,
      `-o jsonpath: ${printable(reasonOf(error))}`,
      '-o json shows all fields',
    );
  }
}
