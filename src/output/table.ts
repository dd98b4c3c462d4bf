import Table from 'cli-table3';
import { printable } from '../printable.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean;
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
  plain.push(...rows.map((row) => row.map(printable)));
  return `${plain
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}
