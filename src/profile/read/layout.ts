import { isNoEvent } from './columns.ts';
import { parseEventLine, parseWho } from './event-line.ts';

/** The fields of `perf script` without which its lines are read differently. */
export interface Layout {
  /** The names of threads; their numbers. */
  readonly comm: boolean;
  readonly ids: boolean;
  /** Whether frames begin with a tab, as perf prints them; what was copied may have blanks. */
  readonly tabs: boolean;
  /** The dump of all records, `perf script -D`. */
  readonly dump: boolean;
}

export const USUAL_LAYOUT: Layout = { comm: true, ids: true, tabs: false, dump: false };

/** A line of the dump of all records, or a text with one. */
export const DUMP =
  /^0x[0-9a-f]+(?:@.*)? \[0x[0-9a-f]+\]: event: \d+$|^\. \.\.\. raw event: size \d+ bytes$/m;
const TABBED_FRAME = /^\t *[0-9a-f]+(?: |$)/;
/** perf aligns a number to five columns: a shorter distance to the name is part of a name that ends in a number. */
const ALIGNED_ID = /(?:^|\s)(?:\s*\d+\/-?\d+|(?=[\s\d-]{5,}$)\s*-?\d+)$/;
/** A number at the very beginning of the line, aligned: there is no name before it, not even an empty one. */
const NO_NAME =
  /^(?=[ \d]{5}[/ ])(?! \d{5}) {0,4}\d+(?:\/-?\d+)? |^\d{5,}(?:\/-?\d+)? |^\[-?\d+\] |^ *\d+\.\d+: /;

/** Tells from the beginning of a text which fields it has: they are the same in every line. */
export function layoutOf(text: string): Layout {
  const lines = text.split('\n');
  const counts = { aligned: 0, ids: 0, none: 0, named: 0, unnamed: 0 };
  let tabs = false;
  for (const [at, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (TABBED_FRAME.test(line)) {
      tabs = true;
      continue;
    }
    if (isNoEvent(line)) continue;
    const withIds = parseEventLine(line);
    const parsed = withIds ?? (isEvent(line, lines[at + 1]) ? parseEventLine(line, false) : undefined);
    if (!parsed) continue;
    if (!withIds) counts.none += 1;
    else if (ALIGNED_ID.test(parsed.who)) counts.aligned += 1;
    else counts.ids += 1;
    if (parseWho(parsed.who, withIds !== undefined)!.comm !== '') counts.named += 1;
    else if (NO_NAME.test(line)) counts.unnamed += 1;
  }
  const { aligned, ids, none, named, unnamed } = counts;
  return {
    comm: named > 0 || unnamed === 0,
    ids: none <= aligned || none * 10 < ids,
    tabs,
    dump: DUMP.test(text),
  };
}

/** Whether a line that names no thread by number is an event line: it has a time or a processor, or frames below. */
const isEvent = (line: string, next = ''): boolean =>
  TABBED_FRAME.test(next) || /(?:^|\s)(?:\[-?\d+\]|\d+\.\d+:)\s/.test(line);
