/**
 * What the documentation shows as typed and printed: its fenced blocks.
 *
 * - `console`: lines behind `$ ` are typed (a `\` at the end goes on with the next line), the others are what they print.
 *   A line of `…` stands for any lines, `…` within a line for any characters.
 * - `sh`: lines that are typed; they have to succeed.
 *
 * Behind the language may stand `exit=3`: how the block's last command ends; and `vary=LOOK`: lines of which every run has others.
 * LOOK is a name of `LOOKS`, or a regular expression without blanks (`\s`). Lines of this look that follow each other may also be
 * more or fewer than the page shows, but not none.
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

/** Names for the looks of lines that several blocks have. */
const LOOKS: Readonly<Record<string, RegExp>> = {
  /** Of a profile: its quality, the kernel's counters, and the hottest functions, of which a short recording may have few. */
  profile: /^(?: +[\d.]+ (?:%|samples?) |the innermost |by the kernel's counters, )/,
  /** The same of a recording of waits, and in which states threads were off the CPU. */
  waits:
    /^(?: +[\d.]+ (?:%|waits?) |the innermost |[\d.]+ % of the |by the kernel's counters, |time off the CPU: |waits that began before )/,
};

/** Lines whose text is wrapped: where, and into how many lines, follows from the length of its figures. */
const IS_WRAPPED = /^(?:by the kernel's counters, |time off the CPU: |waits that began before |note: )/;

/**
 * Lines that are there or not by chance: what a debug pod waits for, if its start takes longer than four seconds; the limits of a
 * profile's quality, which follow from its samples; the idle time of a node, which has none when it is busy; and work of some
 * microseconds now and then, of which few recordings have a sample: Redis's helper threads, and the kernel's own.
 */
const BY_CHANCE =
  /^(?:waiting for the debug pod on |note: |\d+ samples? (?:is|are) of idle processors| +[\d.]+ +[\d.]+ % {2}kernel$| {2}(?:bio_\w+|jemalloc_bg_thd|io_thd_\d+), thread \d+: )/;

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
      const look = vary && (LOOKS[vary] ?? new RegExp(vary));
      const commands =
        language === 'console' ? typedAndPrinted(lines, at + 1, close) : typedOnly(lines, at + 1, close);
      if (commands.length === 0) throw new Error(`line ${at + 1}: nothing is typed in this block`);
      found.push({
        kind: language,
        line: at + 1,
        ...(look && { vary: look }),
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
      // It is printed where another of the busiest threads has the same name.
      .replace(/(, main thread) of pid \d+/g, '$1')
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
  const want = comparable(expected, vary).map((line) => line.trim());
  const have = comparable(printed, vary).map(masked);
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

const ALIKE = '(of this look)';

/** Lines without those that are there by chance, wrapped ones whole, and one line for all of one look that follow each other. */
function comparable(lines: readonly string[], vary?: RegExp): string[] {
  const whole: string[] = [];
  for (const line of trimmed(lines)) {
    if (/^ {2}\S/.test(line) && IS_WRAPPED.test(whole.at(-1) ?? ''))
      whole.push(`${whole.pop()} ${line.trim()}`);
    else whole.push(line);
  }
  return whole
    .filter((line) => !BY_CHANCE.test(line))
    .map((line) => (vary?.test(line) ? ALIKE : line))
    .filter((line, at, all) => line !== ALIKE || all[at - 1] !== ALIKE);
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
