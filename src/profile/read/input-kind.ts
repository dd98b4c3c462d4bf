import { EXIT, GkeprofError, toolError } from '../../errors.ts';
import { foreignFile } from '../../text/file-signature.ts';
import { parseEventLine } from './event-line.ts';
import { DUMP } from './layout.ts';
import { pprofFields } from './pprof-fields.ts';

/** What is read as a profile. `two columns` is a comparison, as difffolded.pl of FlameGraph writes it. */
export type Kind = 'perf script' | 'folded stacks' | 'two columns' | 'svg' | 'pprof' | 'speedscope';

/** This much of an input is examined to recognise its kind. */
export const SNIFFED = 1 << 16;
/** At most this many of its lines are examined that are neither blank nor a comment. */
const LINES = 400;

/**
 * Recognises the kind of an input by its beginning, in UTF-8; `whole` means that there is no more. Many lines are examined,
 * because folded stacks may come after anything that bpftrace or a shell printed. Throws if the input is surely not a
 * profile, and says what it is. An unknown text is left to the reader of perf script, which counts the lines that it
 * does not understand.
 */
export function inputKindOf(head: Uint8Array, whole: boolean): Kind {
  const foreign = foreignFile(head);
  if (foreign?.what === 'perf.data')
    throw new GkeprofError(
      EXIT.failed,
      'this is perf.data, which only perf itself can read',
      'run perf script on the machine that recorded it, and give its output',
    );
  if (foreign)
    throw new GkeprofError(EXIT.failed, `this is ${foreign.what}, not a profile`, foreign.hint ?? WANTED);
  if (pprofFields(head).arePprof) return 'pprof';
  const text = new TextDecoder().decode(head);
  if (MARKUP.test(text)) return markupKind(text);
  if (DUMP.test(text)) return 'perf script';
  if (/^waits \d+(?: \S+)?\n/.test(text))
    throw new GkeprofError(
      EXIT.failed,
      'this is a recording of waits, not a profile',
      'give it under its own name, which ends with .waits.txt.gz: kubectl gkeprof render FILE.waits.txt.gz',
    );
  const lines = linesOf(text, whole);
  const kind = byLines(lines);
  if (kind) return kind;
  if (/^\s*(?:\{\s*["}]|\[\s*[{["\]])/.test(text)) return jsonKind(text);
  if (isBinary(head))
    throw new GkeprofError(EXIT.failed, 'this is a binary file of an unknown kind, not a profile', WANTED);
  const what = textKind(text, lines);
  if (what) throw toolError(`no samples: this is ${what.what}, not a profile`, what.hint ?? WANTED);
  return 'perf script';
}

/**
 * Of XML and HTML. `<module> (a.py:3);main` of py-spy, `<main>;x` of Ruby and `<34>Nov 29 …` of syslog (RFC 3164, 4.1.1)
 * begin with a `<` too, but nothing like that ends in a count.
 */
const MARKUP = /^\s*<(?![^\n]*[ \t]\d+(?:\.\d+)?[ \t]*\r?(?:\n|$))(?!\d{1,3}>)/;
const WANTED =
  'give what perf script prints, folded stacks, a flame graph (SVG), or a profile of pprof or speedscope';

/** Lines that are neither blank nor a comment; a last one without its line feed only where it is whole. */
function linesOf(text: string, whole: boolean): string[] {
  const all = text.split(/\r?\n/);
  if (!whole && all.length > 1) all.pop();
  // The name of a thread may look like a comment.
  return all
    .filter((line) => line.trim() !== '' && !(line.startsWith('#') && !isEvent(line)))
    .slice(0, LINES);
}

/** A stack and its count; the stack of two columns ends in the first of them. */
const STACK = /^[ \t]*(\S.*?)[ \t]+(\d+(?:\.\d+)?)[ \t]*$/;
const TWO_COLUMNS = /^[ \t]*\S.*?[ \t]+\d+(?:\.\d+)?[ \t]+\d+(?:\.\d+)?[ \t]*$/;
/** A frame of `perf script`: an address behind blanks, and a symbol. */
const FRAME = /^[ \t]+[0-9a-f]+[ \t]+\S/;

/** Undefined where the lines are neither of perf script nor folded stacks. */
function byLines(lines: readonly string[]): Kind | undefined {
  let events = 0;
  let frames = 0;
  /** Lines with a count: of a stack of several frames, and of one frame alone. */
  let stacks = 0;
  let single = 0;
  let twoColumns = 0;
  /** Other lines: those before the first stack, which the tool may have printed, and those after it. */
  let before = 0;
  let others = 0;
  for (const line of lines) {
    if (isEvent(line)) {
      if (events + frames + stacks + single + others + before === 0) return 'perf script';
      events += 1;
      continue;
    }
    if (FRAME.test(line)) {
      frames += 1;
      continue;
    }
    const stack = isDated(line) ? undefined : STACK.exec(line)?.[1];
    const of = stack === undefined ? 'other' : stackForm(stack);
    // Where lines are indented, one word and a number are a row of a table.
    const form = of === 'one' && /^\s/.test(line) ? 'other' : of;
    if (form === 'other' && stacks === 0) before += 1;
    else if (form === 'other') others += 1;
    else if (form === 'several') stacks += 1;
    else single += 1;
    if (form !== 'other' && TWO_COLUMNS.test(line)) twoColumns += 1;
  }
  const counted = stacks + single;
  if (events > 0 && events >= stacks) return 'perf script';
  if (frames > counted) return 'perf script';
  // A stack so deep that its line does not end here.
  if (counted === 0 && lines.length === 1 && (lines[0]!.match(/;/g)?.length ?? 0) > 100)
    return 'folded stacks';
  // Many lines may have a single frame, but not if other lines are not stacks.
  const isFolded =
    stacks > 0 ? others <= 2 + 2 * counted && before <= 20 + counted : single > before + others;
  if (!isFolded) return undefined;
  return twoColumns === counted ? 'two columns' : 'folded stacks';
}

const isEvent = (line: string): boolean => {
  // Only a processor or a time makes one here, and most lines have neither.
  if (!/\[-?\d+\]\s|\d\.\d+:/.test(line)) return false;
  const event = parseEventLine(line);
  return event !== undefined && !(Number.isNaN(event.time) && event.cpu < 0);
};

/** A name of a thread or a function may have blanks, but a sentence or a line of a log has more. */
function stackForm(stack: string): 'several' | 'one' | 'other' {
  const end = stack.indexOf(';');
  const first = end < 0 ? stack : stack.slice(0, end);
  const blanks = first.match(/\s+/g)?.length ?? 0;
  if (end < 0) return blanks <= 1 ? 'one' : 'other';
  // `; ` is punctuation: in a list, in what a browser calls itself.
  // The first one may be empty, as a thread's name may; `; x` begins a comment.
  if (blanks > 4 || /;\s/.test(stack)) return 'other';
  return 'several';
}

const DATES = [
  /^\S+ \S+ .{0,80}?\[\d{1,2}\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d/,
  /^\W{0,2}\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d/,
  /^\W?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d /,
  /^[IWEF]\d{4} \d\d:\d\d:\d\d/,
  /^\[\s*\d+\.\d{6}\] /,
  /^(?:time|ts|level|timestamp)=/,
  // The time of day, or seconds since 1970, among the first words: `INFO 12:00:01 x`, `1732881600.123 x`.
  /^[^;]{0,40}?(?<![\d:])\d{1,2}:\d\d:\d\d(?![\d:])/,
  /^\d{10}\.\d{3,6} /,
  // RFC 3164, 4.1.1; and what was asked of a web server, whose paths may have a `;jsessionid=`.
  /^<\d{1,3}>/,
  /^"?(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|CONNECT|TRACE) (?:\/|\w+:\/\/)/,
] as const;

/** Whether a line begins as those of logs do, mostly with its time. */
const isDated = (line: string): boolean => DATES.some((date) => date.test(line));

interface Named {
  readonly what: string;
  readonly hint?: string;
}

/** The kind of a text without stacks. */
function textKind(text: string, lines: readonly string[]): Named | undefined {
  const most = (is: (line: string) => boolean): boolean => 2 * lines.filter(is).length > lines.length;
  if (lines.length === 0) return undefined;
  if (most((line) => DATES[0].test(line))) return { what: 'the access log of a web server' };
  if (most(isDated)) return { what: 'a log' };
  if (most((line) => /^\s+\d+\.\d\d%\s+\S/.test(line)))
    return { what: 'what perf report prints', hint: 'give what perf script prints' };
  if (lines.some((line) => /^@\w*\[\s*$/.test(line)))
    return {
      what: 'stacks as bpftrace prints them, not folded',
      hint: 'fold them first: stackcollapse-bpftrace.pl',
    };
  if (lines.some((line) => /^"[^"]+".* tid=0x[0-9a-f]+/.test(line)))
    return { what: 'a thread dump of Java', hint: 'fold it first: stackcollapse-jstack.pl' };
  if (/^# callgrind format/m.test(text)) return { what: 'a file of Callgrind', hint: CALLGRIND };
  if (isMarkdown(text) && lines.some((line) => !line.startsWith('#'))) return { what: 'a text in Markdown' };
  if (lines.some((line) => /^(?:```|\|.*\|$)/.test(line))) return { what: 'a text in Markdown' };
  // A stack cut off its count, or with something else in its place.
  if (isTable(lines, ';') || (most((line) => /^[^\s;]+;\S/.test(line)) && !isTable(lines, ',')))
    return {
      what: 'a table (CSV), or stacks without a count at the end of the line',
      hint: 'a line of folded stacks is the stack, its frames with ; between them, a blank and a count',
    };
  if (isTable(lines, ',') || isTable(lines, '\t')) return { what: 'a table (CSV)' };
  if (most((line) => /^\s*(?:- )?[\w.-]+:(?: |$)/.test(line))) return { what: 'YAML' };
  if (most((line) => (line.match(/(?<!\S)\(?[A-Za-z]{2,}/g)?.length ?? 0) >= 4))
    return { what: 'a plain text' };
  return undefined;
}

const CALLGRIND = 'callgrind_annotate and kcachegrind read it';

/** A heading is followed by a blank line, or is not the first level, which comments look like. */
const isMarkdown = (text: string): boolean => /^(?:#{2,6} \S|# \S.*\r?\n\r?\n)/m.test(text);

/** Whether all lines have as many columns, two at least. */
function isTable(lines: readonly string[], separator: string): boolean {
  const columns = lines.map((line) => line.split(separator).length);
  return (
    lines.length > 1 &&
    columns[0]! > 1 &&
    // A `;` with a blank behind it is punctuation.
    !(separator === ';' && lines.some((line) => /;\s/.test(line))) &&
    !lines.some((line) => /^\s/.test(line)) &&
    columns.every((count) => count === columns[0])
  );
}

function markupKind(text: string): Kind {
  if (/<svg[\s>]/.test(text)) return 'svg';
  if (/^\s*<(?:!doctype html|html)/i.test(text))
    throw toolError(
      'no samples: this is an HTML page, not a profile',
      'for async-profiler, give what it writes with -o collapsed',
    );
  // An SVG may begin with a long comment.
  if (/^\s*(?:<\?xml|<!--|<!DOCTYPE svg)/.test(text) && !/<(?!svg|!|\?)[a-zA-Z]/.test(text)) return 'svg';
  throw toolError('no samples: this is XML, not a profile', WANTED);
}

function jsonKind(text: string): Kind {
  if (/speedscope\.app\/file-format-schema/.test(text)) return 'speedscope';
  if (
    /"shared"\s*:\s*\{\s*"frames"/.test(text) ||
    /"profiles"\s*:\s*\[\s*\{\s*"(?:type|name|unit)"/.test(text)
  )
    return 'speedscope';
  const viewer = 'https://www.speedscope.app opens it, and can export a file that gkeprof reads';
  const named: Named = /"traceEvents"|"ph"\s*:\s*"/.test(text)
    ? { what: 'a trace of Chrome', hint: viewer }
    : /"nodes"\s*:\s*\[\s*\{\s*"id"|"callFrame"/.test(text)
      ? { what: 'a CPU profile of Chrome or Node.js', hint: viewer }
      : /"meta"\s*:\s*\{.*"(?:interval|startTime)"/s.test(text)
        ? { what: 'a profile of Firefox', hint: viewer }
        : /^\s*\{"version":1,"about":/.test(text)
          ? {
              what: 'JSON of kubectl gkeprof, which is for programs',
              hint: 'give the file that it was made from',
            }
          : { what: 'JSON' };
  throw toolError(
    `no samples: this is ${named.what}, not a profile that gkeprof can read`,
    named.hint ?? WANTED,
  );
}

/** Whether it is binary, by the share of bytes that a text does not have. */
function isBinary(head: Uint8Array): boolean {
  const looked = head.subarray(0, 4096);
  let strange = 0;
  for (const byte of looked)
    if (byte === 0 || byte === 127 || (byte < 32 && (byte < 8 || (byte > 13 && byte !== 27)))) strange += 1;
  return strange > looked.length / 20;
}
