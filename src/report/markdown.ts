import { printable } from '../text/printable.ts';

/** Escapes one line of text, so that nothing in it is Markdown. */
export const plain = (text: string): string => printable(text).replaceAll(/[\\`*_[\]<>|#~]/g, '\\$&');

/** A text as inline code, in a line or a cell. */
export const code = (text: string): string =>
  `\`${printable(text).replaceAll('`', 'ˋ').replaceAll('|', '\\|')}\``;

/** A share of 0 to 1. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Rows of a table: a block is read in a chat or an incident. The result for programs has more. */
export const MARKDOWN_ROWS = 10;

export interface MarkdownColumn {
  readonly title: string;
  readonly right?: boolean;
}

/** A table whose cells are Markdown already. It is empty if there are no rows. */
export function markdownTable(
  columns: readonly MarkdownColumn[],
  rows: ReadonlyArray<readonly string[]>,
): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ right }) => (right ? '---:' : '---'))),
    ...rows.map(line),
  ].join('\n');
}

/** A table of facts in two columns. Facts without a value are left out. */
export const factTable = (facts: ReadonlyArray<readonly [string, string | undefined]>): string =>
  markdownTable(
    [{ title: 'fact' }, { title: 'value' }],
    facts.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

/** Joins the parts by empty lines. Empty parts are left out. */
export const block = (...parts: readonly string[]): string => `${parts.filter(Boolean).join('\n\n')}\n`;
