import Table from 'cli-table3';
import { strlen } from 'cli-table3/src/utils.js';
import { printable } from '../text/printable.ts';
import { shorten } from '../text/wrap.ts';
import type { ByteSink } from './stream.ts';

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** In characters: longer cells lose their middle, so that one name can't push all others off the screen. */
  readonly longest?: number;
}

/** Up to this many rows cli-table3 lays out a table: its time grows with the square of their number. */
const LAID_OUT = 200;
/** After this many rows other work may get a turn. */
const TURN = 500;
const GAP = '  ';
/** No cell has it, because it is not printable. */
const BETWEEN = '\0';

/** A table without frames, as kubectl prints them; every cell safe for a terminal. Ends with a line feed. */
export function table(columns: readonly Column[], rows: ReadonlyArray<readonly string[]>): string {
  return [...tablePieces(columns, () => rows)].join('');
}

/** So many columns of rows are kept from the first time to the second: making them anew takes longer than all else. */
const KEPT = 1 << 24;

/**
 * The same table piece after piece, however long it is: the rows are gone through twice, for the widths of the columns and
 * for the lines, and few of them are in memory. An empty piece says that the work goes on.
 */
export function* tablePieces(
  columns: readonly Column[],
  rows: () => Iterable<readonly string[]>,
): Generator<string> {
  const head = columns.map(({ title }) => title);
  const widths = head.map(widthOf);
  const first: string[][] = [];
  // One text a row: many small ones would keep the garbage collector busy.
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

/** Rows of a table, each made when it is asked for; at most `count`. */
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

/** Cells that are safe for a terminal. */
interface SafeRow {
  readonly cells: string[];
  /** Each letter of it takes one column. */
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

/** The width of a text in columns of a terminal, as cli-table3 measures it. */
const widthOf = (text: string): number => (EACH_IS_ONE.test(text) ? text.length : strlen(text));

/**
 * ASCII and Latin-1, without © and ®, which may be emoji; and what we ourselves write beside it. All of it is printable,
 * and nearly every row has nothing else.
 */
const EACH_IS_ONE = /^[ -~\u00a1-\u00a8\u00aa-\u00ad\u00af-\u00ff\u2192\u2026]*$/;

/** A row as cli-table3 would lay it out. */
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
 * A table whose last column may be of any length, cut at the edge of the terminal as ps does; of that column as much stays
 * as makes sense. Elsewhere it is whole.
 */
export function fitLastColumn(text: string, { isTTY, columns }: Pick<ByteSink, 'isTTY' | 'columns'>): string {
  if (!isTTY || !columns) return text;
  const lines = text.split('\n');
  const last = / (?=\S+$)/.exec(lines[0]!)?.index ?? 0;
  return lines.map((line) => [...line].slice(0, Math.max(columns, last + LEAST_OF_LAST)).join('')).join('\n');
}

const LEAST_OF_LAST = 40;
