import Table from 'cli-table3';
import { strlen } from 'cli-table3/src/utils.js';
import { printable } from '../text/printable.ts';
import { shorten } from '../text/wrap.ts';
import type { ByteSink } from './stream.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** In characters: a longer cell loses its middle, so that one long name does not push the other columns off the screen. */
  readonly longest?: number;
}

/** Longer tables are not laid out by cli-table3, whose time grows with the square of the number of rows. */
const LAID_OUT = 200;
/** After this many rows an empty piece lets other work run. */
const TURN = 500;
const GAP = '  ';
/** Separates cells in a kept row. No cell contains it, because it is not printable. */
const BETWEEN = '\0';

/** A table without borders, as kubectl prints them. Every cell is made safe for a terminal. Ends with a line feed. */
export function table(columns: readonly Column[], rows: ReadonlyArray<readonly string[]>): string {
  return [...tablePieces(columns, () => rows)].join('');
}

/** In characters: so much of the rows is kept for the second pass, because making the rows again is the slowest part. */
const KEPT = 1 << 24;

/**
 * The same table in pieces, however long it is. The rows are read twice, first for the widths of the columns and then for the
 * lines, so that a very long table is not kept in memory. Pieces may be empty: they let other work run in between.
 */
export function* tablePieces(
  columns: readonly Column[],
  rows: () => Iterable<readonly string[]>,
): Generator<string> {
  const head = columns.map(({ title }) => title);
  const widths = head.map(widthOf);
  const first: string[][] = [];
  // One string for each row, because many small strings would keep the garbage collector busy.
  let kept: string[] | undefined = [];
  const notPlain = new Set<number>();
  let size = 0;
  let count = 0;
  for (const row of rows()) {
    const { cells, isPlain } = safeRow(row, columns);
    for (let at = 0; at < cells.length; at += 1) {
      const width = isPlain ? cells[at]!.length : widthOf(cells[at]!);
      if (!(width <= widths[at]!)) widths[at] = width;
      size += width;
    }
    if (count < LAID_OUT) first.push(cells);
    if (size > KEPT) kept = undefined;
    if (kept && !isPlain) notPlain.add(count);
    kept?.push(cells.join(BETWEEN));
    count += 1;
    if (count % TURN === 0) yield '';
  }
  if (count <= LAID_OUT) {
    yield laidOut(columns, first);
    return;
  }
  let lines = lineOf({ cells: head, isPlain: false }, columns, widths);
  count = 0;
  for (const row of kept ?? rows()) {
    const safe =
      typeof row === 'string'
        ? { cells: row.split(BETWEEN), isPlain: !notPlain.has(count) }
        : safeRow(row, columns);
    lines += lineOf(safe, columns, widths);
    count += 1;
    if (count % TURN !== 0) continue;
    yield lines;
    lines = '';
  }
  yield lines;
}

/** The rows of a table, each of which is made when it is read; at most `count`. */
export function* rowsOf<Each>(
  all: Iterable<Each>,
  row: (each: Each) => string[],
  count = Number.POSITIVE_INFINITY,
): Generator<string[]> {
  let left = count;
  if (left === 0) return;
  for (const each of all) {
    yield row(each);
    left -= 1;
    if (left === 0) return;
  }
}

/** A row whose cells are safe for a terminal. */
interface SafeRow {
  readonly cells: string[];
  /** Each character takes one column of the terminal. */
  readonly isPlain: boolean;
}

function safeRow(row: readonly string[], columns: readonly Column[]): SafeRow {
  const isPlain = EACH_IS_ONE.test(row.join(' '));
  return {
    cells: row.map((cell, at) =>
      shorten(isPlain ? cell : printable(cell), columns[at]?.longest ?? Number.POSITIVE_INFINITY),
    ),
    isPlain,
  };
}

/** The width of a text in columns of the terminal, as cli-table3 measures it. */
const widthOf = (text: string): number => (EACH_IS_ONE.test(text) ? text.length : strlen(text));

/**
 * Printable characters of one column, which nearly all rows consist of: ASCII, Latin-1 without © and ®, which may be shown as
 * emoji, and the arrow and the ellipsis of our own tables.
 */
const EACH_IS_ONE = /^[ -~\u00a1-\u00a8\u00aa-\u00ad\u00af-\u00ff\u2192\u2026]*$/;

/** A row, the same as cli-table3 would lay it out. */
function lineOf({ cells, isPlain }: SafeRow, columns: readonly Column[], widths: readonly number[]): string {
  let line = '';
  for (let at = 0; at < cells.length; at += 1) {
    const cell = cells[at]!;
    const blanks = ' '.repeat(widths[at]! - (isPlain ? cell.length : widthOf(cell)));
    if (at > 0) line += GAP;
    line += columns[at]?.right ? blanks + cell : cell + blanks;
  }
  return `${line.trimEnd()}\n`;
}

function laidOut(columns: readonly Column[], rows: ReadonlyArray<readonly string[]>): string {
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
        .concat([['middle', GAP]]),
    ),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  for (const row of rows) plain.push([...row]);
  return `${plain
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/**
 * Cuts the lines of a table at the edge of the terminal, as ps does, but leaves at least 40 characters for the last column,
 * which may have any length. If it is not a terminal, nothing is cut.
 */
export function fitLastColumn(text: string, { isTTY, columns }: Pick<ByteSink, 'isTTY' | 'columns'>): string {
  if (!isTTY || !columns) return text;
  const lines = text.split('\n');
  const last = / (?=\S+$)/.exec(lines[0]!)?.index ?? 0;
  return lines.map((line) => [...line].slice(0, Math.max(columns, last + LEAST_OF_LAST)).join('')).join('\n');
}

const LEAST_OF_LAST = 40;
