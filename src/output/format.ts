import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { printable, printableJson } from '../text/printable.ts';
import type { Json } from './jsonpath.ts';
/** How the result is put on stdout: for people, or as `-o` says. */
export type OutputFormat = { readonly kind: 'text' | 'wide' | 'markdown' } | DataFormat;

/** A format for programs. */
export type DataFormat =
  | { readonly kind: 'json' | 'yaml' | 'name' }
  | { readonly kind: 'jsonpath'; readonly print: (data: Json) => string };
export const isForPrograms = (format: OutputFormat): format is DataFormat =>
  format.kind === 'json' || format.kind === 'yaml' || format.kind === 'name' || format.kind === 'jsonpath';

/**
 * The result in a format for programs: JSON with two blanks, YAML without folded lines, what a template makes of it, or
 * the names, one a line.
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
