import { usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import type { PayloadChoice } from '../packets/redact/redact.ts';
import type { PatternRule } from '../packets/redis/pattern.ts';
import { SECTIONS, type Section, USUAL_SECTIONS } from '../packets/sections.ts';
import type { Selection } from '../packets/select.ts';
import { SORTS, type Sort } from '../packets/sorting.ts';
import { printable } from '../text/printable.ts';
import type { OptionTable, RawOptions } from './option-spec.ts';
import { FORCE, NEW_FILE } from './options.ts';
import { type NamedFileRule, namedFile, namedFileRule } from './result-options.ts';
export const SHOW = 'Analysis:';

export const ANALYZE_OPTIONS: OptionTable = {
  show: {
    type: 'string',
    describe: `Parts to print: ${SECTIONS.join(', ')}`,
    group: SHOW,
    value: 'PART,…',
    defaultText: 'all except endpoints, expert and timeline',
    words: SECTIONS,
  },
  sort: {
    type: 'string',
    describe: 'Sort the conversations by this value, largest first (start: earliest first)',
    group: SHOW,
    choices: SORTS,
    defaultText: 'packets',
  },
  all: { type: 'boolean', describe: 'Print all rows of the tables', group: SHOW },
  timeline: { type: 'boolean', describe: 'Print packets, commands and latency for each second', group: SHOW },
  ...FORCE,
  html: { ...NEW_FILE, describe: 'Write the timeline with plots as an HTML page', group: SHOW },
  inner: {
    type: 'boolean',
    describe: 'Decode the inner packets of tunnels (VXLAN, Geneve, GRE, IP-in-IP), one level deep',
    group: SHOW,
  },
  pattern: {
    type: 'array',
    describe: 'Group Redis keys: the part that matches is replaced by NAME',
    group: SHOW,
    value: 'REGEXP=NAME',
  },
  'show-keys': {
    type: 'boolean',
    describe: 'Print Redis keys unchanged; they may be confidential',
    group: SHOW,
  },
};

/** What to print about packets; shared with `pcap --analyze`. */
export interface AnalyzeChoice {
  readonly sections: ReadonlySet<Section>;
  readonly all: boolean;
  readonly sort: Sort;
  readonly inner: boolean;
  readonly rules: readonly PatternRule[];
  readonly showKeys: boolean;
  /** Whether the user asked for Redis. If so, the output says when none was found. */
  readonly asksRedis: boolean;
  /** The path of the HTML page with the timeline. */
  readonly html?: string;
  /** What happens if a file that the user named exists. */
  readonly ifThere: NamedFileRule;
}

export interface AnalyzeOptions extends AnalyzeChoice {
  readonly files: readonly string[];
  readonly format: OutputFormat;
  /** Whether to print what capinfos and tshark print. */
  readonly asTshark: boolean;
  readonly open: boolean;
  readonly explain: boolean;
  readonly selection?: Selection;
  readonly write?: string;
  readonly redact?: RedactChoice;
}

export interface RedactChoice {
  readonly file: string;
  readonly ifThere: NamedFileRule;
  readonly payload: PayloadChoice;
  readonly key?: string;
}

export function analyzeChoice(raw: RawOptions, asTshark = false): AnalyzeChoice {
  const given = raw.text('show');
  const sections: string[] = given
    ? given.split(',').map((name) => name.trim())
    : asTshark
      ? ['summary', 'ip', 'tcp', 'flags', 'syns']
      : [...USUAL_SECTIONS];
  if (raw.flag('timeline')) sections.push('timeline');
  const html = namedFile(raw, 'html');
  if (html !== undefined && asTshark)
    throw usageError('--html cannot be used with --format tshark', 'leave --format out');
  const unknown = sections.find((name) => !SECTIONS.includes(name as Section));
  if (unknown !== undefined)
    throw usageError(`--show: unknown part "${printable(unknown)}"`, `parts: ${SECTIONS.join(', ')}`);
  if (asTshark && raw.isTyped('sort'))
    throw usageError(
      '--sort cannot be used with --format tshark, which has its own order',
      'leave --format out',
    );
  return {
    sections: new Set(sections as Section[]),
    all: raw.flag('all'),
    sort: (raw.text('sort') as Sort | undefined) ?? 'packets',
    inner: raw.flag('inner'),
    rules: raw.list('pattern').map(parseRule),
    showKeys: raw.flag('show-keys'),
    asksRedis: given !== undefined && sections.includes('redis'),
    ...(html !== undefined && { html }),
    ifThere: namedFileRule(raw),
  };
}

/** `session:[a-z]+=session:$ID`: what follows the last `=` replaces what matches. */
function parseRule(text: string): PatternRule {
  const at = text.lastIndexOf('=');
  if (at < 1 || at === text.length - 1)
    throw usageError(
      `--pattern: "${printable(text)}" is not REGEXP=NAME`,
      "--pattern 'session:[a-z]+=session:$ID'",
    );
  try {
    return { regexp: new RegExp(text.slice(0, at), 'gu'), name: text.slice(at + 1) };
  } catch (error) {
    throw usageError(
      `--pattern: ${printable((error as Error).message)}`,
      'regular expressions are those of JavaScript',
    );
  }
}
