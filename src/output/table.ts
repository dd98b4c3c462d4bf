import Table from 'cli-table3';
import { printable } from '../printable.ts';
import type { ByteSink } from './stream.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** In characters: longer cells lose their middle, so that one name can't push all others off the screen. */
  readonly longest?: number;
}

/** A table without frames, as kubectl prints them; every cell safe for a terminal. Ends with a line feed. */
export function table(columns: readonly Column[], rows: ReadonlyArray<readonly string[]>): string {
  const plain = new Table({
    head: columns.map(({ title }) => title),
    colAligns: columns.map(({ right }) => (right ? 'right' : 'left')),
    chars: Object.fromEntries(
      [
        'top',
        'top-mid',
        'top-left',
        'top-right',
        'bottom',
        'bottom-mid',
        'bottom-left',
        'bottom-right',
        'left',
        'left-mid',
        'mid',
        'mid-mid',
        'right',
        'right-mid',
      ]
        .map((name) => [name, ''])
        .concat([['middle', '  ']]),
    ),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  for (const row of rows) plain.push(row.map((cell, at) => shortened(printable(cell), columns[at]?.longest)));
  return `${plain
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/**
 * A table whose last column may be of any length, cut at the edge of the terminal as ps does; of that column as much stays
 * as makes sense. Elsewhere it is whole.
 */
export function fitted(text: string, { isTTY, columns }: Pick<ByteSink, 'isTTY' | 'columns'>): string {
  if (!isTTY || !columns) return text;
  const lines = text.split('\n');
  const last = / (?=\S+$)/.exec(lines[0]!)?.index ?? 0;
  return lines.map((line) => [...line].slice(0, Math.max(columns, last + LEAST_OF_LAST)).join('')).join('\n');
}

const LEAST_OF_LAST = 40;

function shortened(text: string, longest = Number.POSITIVE_INFINITY): string {
  if (text.length <= longest) return text;
  const characters = [...text];
  if (characters.length <= longest) return text;
  const head = Math.ceil((longest - 1) / 2);
  return `${characters.slice(0, head).join('')}…${characters.slice(head + 1 - longest).join('')}`;
}
