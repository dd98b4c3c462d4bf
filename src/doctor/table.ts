import { styleText } from 'node:util';
import { table } from '../output/table.ts';
import { breakText } from '../text/wrap.ts';
import type { Check, CheckStatus } from './check.ts';

/** The terminal that a table is printed on. */
export interface Screen {
  /** In characters. */
  readonly columns: number;
  readonly hasColours: boolean;
}

const TITLES = ['CHECK', 'STATUS', 'FOUND', 'FIX'];
/** The least that is left for what was found, in characters. */
const LEAST_FOUND = 40;
const GAPS = 4;

/**
 * The checks as a table. Anywhere but on a terminal a check is one line. On a terminal that is too narrow, what was found is
 * broken into lines, and what to do stands on a line below: whole, so that it can be copied.
 */
export function checkTable(checks: readonly Check[], screen?: Screen): string {
  const plain = laidOut(
    TITLES,
    checks.map(({ check, status, found, fix = '' }) => [check, status, found, fix]),
  );
  if (!screen) return plain;
  const isWide = plain.split('\n').every((line) => line.length <= screen.columns);
  const text = isWide ? plain : narrow(checks, screen.columns);
  return screen.hasColours ? coloured(text) : text;
}

const laidOut = (titles: readonly string[], rows: ReadonlyArray<readonly string[]>): string =>
  table(
    titles.map((title) => ({ title })),
    rows,
  );

function narrow(checks: readonly Check[], columns: number): string {
  const widthOf = (of: (check: Check) => string, title: string) =>
    Math.max(title.length, ...checks.map((each) => of(each).length));
  const before = widthOf(({ check }) => check, 'CHECK') + widthOf(({ status }) => status, 'STATUS') + GAPS;
  const width = Math.max(LEAST_FOUND, columns - before);
  const rows = checks.flatMap(({ check, status, found, fix }) => {
    const [first = '', ...more] = breakText(found, width);
    return [
      [check, status, first],
      ...more.map((line) => ['', '', line]),
      ...(fix === undefined ? [] : [['', '→ fix', fix]]),
    ];
  });
  return laidOut(['CHECK', 'STATUS', 'FOUND, and what to do'], rows);
}

const COLOURS: Readonly<Record<CheckStatus, 'green' | 'yellow' | 'red' | 'cyan'>> = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
  unknown: 'cyan',
};

/** Colours the second word of each line if it is a status: names of checks have no blanks. */
const coloured = (text: string): string =>
  text.replaceAll(
    /^(\S+ +)(ok|warning|problem|unknown)\b/gm,
    (_, check: string, status: CheckStatus) =>
      check + styleText(COLOURS[status], status, { validateStream: false }),
  );
