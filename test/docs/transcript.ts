/**
 * What the documentation shows as typed and printed: its fenced blocks.
 *
 * - `console`: lines behind `$ ` are typed (a `\` at the end goes on with the next line), the others are what they print.
 *   A line of `…` stands for any lines, `…` within a line for any characters.
 * - `sh`: lines that are typed; they have to succeed.
 *
 * Behind the language may stand `exit=3`: how the block's last command ends; and `vary=REGEXP` (without blanks; `\s`): lines of
 * which every run has others, of this look.
 */
export interface Block {
  readonly kind: 'console' | 'sh';
  readonly commands: readonly Command[];
  /** The look of lines that are others with every run. */
  readonly vary?: RegExp;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

export interface Command {
  readonly typed: string;
  /** The lines below it; none are expected of `sh`. */
  readonly printed: readonly string[];
  readonly exit: number;
  /** Where the lines below it begin and end in the page, from 0, the end not included. */
  readonly span: readonly [number, number];
}

/** The blocks of a page, in order. Throws on one that is not closed, or that types nothing. */
export function blocksOf(page: string): Block[] {
  const lines = page.split('\n');
  const found: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const fence = /^```(\w*)(.*)$/.exec(lines[at]!);
    if (!fence) continue;
    const close = lines.indexOf('```', at + 1);
    if (close < 0) throw new Error(`line ${at + 1}: the block is not closed`);
    const [, language, words] = fence;
    if (language === 'console' || language === 'sh') {
      const exit = Number(/\bexit=(\d+)/.exec(words!)?.[1] ?? 0);
      const vary = /\bvary=(\S+)/.exec(words!)?.[1];
      const commands =
        language === 'console' ? typedAndPrinted(lines, at + 1, close) : typedOnly(lines, at + 1, close);
      if (commands.length === 0) throw new Error(`line ${at + 1}: nothing is typed in this block`);
      found.push({
        kind: language,
        line: at + 1,
        ...(vary && { vary: new RegExp(vary) }),
        commands: commands.map((each, index) => (index === commands.length - 1 ? { ...each, exit } : each)),
      });
    }
    at = close;
  }
  return found;
}

function typedAndPrinted(lines: readonly string[], from: number, to: number): Command[] {
  const commands: Command[] = [];
  let at = from;
  while (at < to) {
    if (!lines[at]!.startsWith('$ ')) throw new Error(`line ${at + 1}: printed by nothing`);
    const typed = [lines[at]!.slice(2)];
    while (typed.at(-1)!.endsWith('\\')) typed.push(lines[++at]!);
    const begin = at + 1;
    let end = begin;
    while (end < to && !lines[end]!.startsWith('$ ')) end += 1;
    commands.push({ typed: typed.join('\n'), printed: lines.slice(begin, end), exit: 0, span: [begin, end] });
    at = end;
  }
  return commands;
}

function typedOnly(lines: readonly string[], from: number, to: number): Command[] {
  const text = lines.slice(from, to);
  return text
    .join('\n')
    .split(/(?<!\\)\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((typed) => ({ typed, printed: [], exit: 0, span: [from, from] as const }));
}

/**
 * A line without what differs from run to run: numbers, ids, times, which of the two nodes, the endings of a Deployment's pods,
 * and the widths of columns that follow from them. Words and their order stay.
 */
export function masked(line: string): string {
  return (
    line
      // A debug pod's name ends in the name of whoever typed it.
      .replace(/\b(gkeprof-[a-z]+-[0-9a-f]{10})-[a-z0-9-]+/g, '$1')
      .replace(/-[bcdfghjklmnpqrstvwxz2-9]{8,10}-[bcdfghjklmnpqrstvwxz2-9]{5}\b/g, '-#')
      .replace(/\bnode-[ab]\b/g, 'node-#')
      .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b/g, '#')
      // START of a process that runs since another day (ps(1)): a run that goes past midnight has such.
      .replace(/\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\d\d\b/g, '#')
      .replace(/\d+(?:[.,:]\d+)*/g, '#')
      .replace(/#(?:[-_TZ:]+#)+/g, '#')
      .replace(/# ?(?:[KMG]i?B|[kMG]B|B|bytes|ns|µs|ms|s|min|h|d|m)(?![\w])/g, '#')
      .replace(/(?:#[hms]? ?)+(?=#)/g, '')
      .replace(/[─━┄-]{3,}/g, '---')
      .replace(/\s+/g, ' ')
      .trim()
  );
}

/**
 * The first line of the page that what was printed does not have where it should, but for what `masked` takes away and `…`
 * leaves open; `end` where there was more than the page shows; undefined where both agree.
 */
export function disagreement(
  expected: readonly string[],
  printed: readonly string[],
  vary?: RegExp,
): string | undefined {
  const alike = (line: string) => (vary?.test(line) ? '(of this look)' : line);
  const want = trimmed(expected).map((line) => alike(line).trim());
  const have = trimmed(printed).map((line) => masked(alike(line)));
  let furthest = 0;
  const fits = (from: number, at: number): boolean => {
    furthest = Math.max(furthest, from);
    if (from === want.length) return at === have.length;
    if (want[from] === '…') {
      for (let skip = at; skip <= have.length; skip += 1) if (fits(from + 1, skip)) return true;
      return false;
    }
    return at < have.length && pattern(want[from]!).test(have[at]!) && fits(from + 1, at + 1);
  };
  return fits(0, 0) ? undefined : (want[furthest] ?? 'end');
}

const pattern = (line: string): RegExp =>
  new RegExp(
    `^${line
      .split('…')
      .map((part) => escaped(masked(part)))
      .join('.*')}$`,
  );

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function trimmed(lines: readonly string[]): readonly string[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1]!.trim() === '') end -= 1;
  return lines.slice(0, end);
}

/** The page with what was printed in place of what stood there, for commands whose `printed` is given. */
export function rewritten(page: string, runs: ReadonlyArray<readonly [Command, readonly string[]]>): string {
  const lines = page.split('\n');
  for (const [command, printed] of [...runs].sort(([a], [b]) => b.span[0] - a.span[0])) {
    lines.splice(command.span[0], command.span[1] - command.span[0], ...trimmed(printed));
  }
  return lines.join('\n');
}
