import { type Frame, parseFrameLine } from '../frame.ts';

/**
 * What `perf script` prints beside and below frames when it is asked for more fields (`-F +data_src`, `+iregs`, `+insn` …): Linux
 * tools/perf/builtin-script.c, process_event, has the order of it all. None of it is a frame.
 */

const REGISTERS = String.raw` ABI:\d+ (?: *\w+:0x[0-9a-f]+ )*`;
/** `from/to/P/-/-/0/CALL/-`: whether it was predicted, in a transaction, aborted; its cycles. */
const BRANCH_FLAGS = String.raw`/[PMN-]{1,2}/[X-]/[A-]/\d+`;
const INSTRUCTION = String.raw`(?: ilen: \d+)?(?: insn:(?: [0-9a-f]{2})+)?`;
const PAGE_SIZES = String.raw`(?: (?:N/A|\d+[KMGTPEZY]?)){0,2}`;
const CYCLES = String.raw`(?: \t IPC: \d.*)?`;
const BEHIND = String.raw`(?:${REGISTERS}){0,2}(?:.*${BRANCH_FLAGS}.*?)?${INSTRUCTION}(?: *[0-9a-f]{1,16})?${PAGE_SIZES}${CYCLES}\s*`;

const BELOW = new RegExp(`^${BEHIND}$`);
/** `-F +srcline` below a frame, `file.c:12` or `libc.so.6[27b25]`: Linux tools/perf/util/map.c. More may stand behind it. */
const SOURCE_LINE = new RegExp(String.raw`^ {2}(?! ).*(?::\d+|\[[0-9a-f]+\])(?: \(inlined\))?${BEHIND}$`);
const BARE_NUMBER = /^ *[0-9a-f]+\s*$/;
/** `-F +brstackinsn`: an instruction has a tab behind its address where a frame has a blank, a symbol a colon. */
const CODE =
  /^\t(?:[0-9a-f]{16}\t|\S.*\+\d+:(?:\t.*)?$|(?![0-9a-f]+\s)\S.*:$|mismatch of LBR data|\.\.\. not reaching sample)/;
/** `-F +bpf-output`, `+srccode`, `+metric`. */
const OTHER =
  /^ +BPF (?:output|string):|^ {17} [0-9a-f]{4}:(?: [0-9a-f]{2}| {3})+|^\|(?=.{8} )\d+ |\tmetric: [^:]*$/;

/** Whether a line is code, or what a program or a counter said: such a line may look like an event line. */
export const isNoEvent = (line: string): boolean => CODE.test(line) || OTHER.test(line);

/**
 * Whether a line holds such columns and no frame. Where frames begin with a tab, `tabs`, a bare number without one is an
 * address of data (`-F +phys_addr`).
 */
export function isColumns(line: string, tabs: boolean): boolean {
  if (isNoEvent(line)) return true;
  if (line.startsWith('\t')) return false;
  return BARE_NUMBER.test(line) ? tabs : BELOW.test(line) || SOURCE_LINE.test(line);
}

/** Of an address that perf aligns to the right. */
const WIDTH = 16;

/**
 * The frames of a sample that has them on its event line, out of `text`, what stands behind the event's name. The address of
 * the instruction is the last one that perf aligned, and behind it is its symbol; before it may stand an address of
 * data with a symbol of its own, and numbers. None where there is no such address.
 */
export function framesBeside(text: string, isTracepoint: boolean): readonly Frame[] {
  const [from] = text.split(/ => +(?=[0-9a-f]+(?:\s|$))/, 1);
  const until = withoutBehind(from!);
  const start = addressAt(until);
  // A tracepoint's text may hold anything; its frame names its object.
  if (start < 0 || (isTracepoint && !until.endsWith(')'))) return [];
  const line = until.slice(start);
  return /^[0-9a-f]+\s+\S/.test(line) ? (parseFrameLine(line) ?? []) : [];
}

function addressAt(text: string): number {
  let last = -1;
  for (const { index, 0: token } of text.matchAll(/(?<=^|\s)[0-9a-f]+(?=\s+\S)/g)) {
    let blanks = index;
    while (text[blanks - 1] === ' ') blanks -= 1;
    // One blank stands before the aligned address.
    if (token.length + index - blanks - 1 >= WIDTH && text[index + token.length + 1] !== ' ') last = index;
  }
  if (last >= 0) return last;
  // What was copied is not aligned any more.
  const first = /^\s*(?=[0-9a-f]+\s+\S)(?![0-9a-f]+\s+\|)/.exec(text);
  return first ? first[0].length : -1;
}

const ENDINGS = [
  / \t IPC: \d.*$/,
  / (?:ABI:\d+ | ?ilen: \d| ?insn: [0-9a-f]{2}|0x[0-9a-f]+(?:\([^()]*\))?\/0x[0-9a-f]).*$/,
  new RegExp(String.raw`(?<=\))[^()\s]+(?:\([^()]*\))?/[^()\s]+(?:\([^()]*\))?${BRANCH_FLAGS}.*$`),
  /(?: (?:N\/A|\d+[KMGTPEZY]?)){1,2}$/,
  /(?<=\S)(?=.{16}$) *[0-9a-f]+$/,
] as const;

/** What stands beside an event without what stands behind its frame. */
function withoutBehind(line: string): string {
  let left = line.trimEnd();
  if (/^ *[0-9a-f]+ \S*\+0x[0-9a-f]+ \([^() ]*\)$/.test(left)) return left;
  for (const ending of ENDINGS) left = left.replace(ending, '').trimEnd();
  return left;
}
