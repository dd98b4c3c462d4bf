import type { Command, Context } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { EXPLAIN, NEW_FILE, VERBOSE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import {
  ANALYZE_OPTIONS,
  type AnalyzeOptions,
  analyzeChoice,
  type RedactChoice,
  SHOW,
} from '../cli/packet-options.ts';
import { MARKDOWN, namedFile, namedFileRule } from '../cli/result-options.ts';
import { EXIT, usageError } from '../errors.ts';
import { storedKey } from '../files/key-file.ts';
import { NewFile } from '../files/new-file.ts';
import { recentFile } from '../files/recent-file.ts';
import { Packet } from '../packets/file/packet.ts';
import { Pseudonyms } from '../packets/redact/pseudonyms.ts';
import { Redactor } from '../packets/redact/redact.ts';
import { TSHARK_SECTIONS } from '../packets/sections.ts';
import { parseConversation } from '../packets/select.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import { analyzeFiles } from '../workflow/analyze-packets.ts';
import { namesBeside } from '../workflow/pod-addresses.ts';
import { readInto } from '../workflow/read-packets.ts';

const CUT = 'One conversation:';
const REDACT = 'Redaction:';
const OPTIONS: OptionTable = {
  ...ANALYZE_OPTIONS,
  format: {
    type: 'string',
    describe: 'tshark prints byte for byte what capinfos and tshark print',
    group: 'Output:',
    choices: ['table', 'tshark'],
    defaultText: 'table',
  },
  output: outputOption('the files that were read', 'round-trip times, bytes in flight and more filters'),
  ...MARKDOWN,
  open: { type: 'boolean', describe: 'Open the page of --html in the browser', group: SHOW },
  conversation: {
    type: 'string',
    describe: 'Read only this conversation',
    group: CUT,
    value: 'A-B',
    notPresettable: true,
  },
  write: {
    ...NEW_FILE,
    describe: 'Write the packets of --conversation unchanged into this new file',
    group: CUT,
  },
  redact: {
    ...NEW_FILE,
    describe: 'Write a copy with other addresses and without payload into this new file',
    group: REDACT,
  },
  'redact-payload': {
    type: 'string',
    describe:
      'cut removes the payload; mask keeps the types, lengths and command names of Redis and overwrites the rest',
    group: REDACT,
    choices: ['cut', 'mask'],
    defaultText: 'cut',
  },
  'redact-key': {
    type: 'string',
    describe:
      'File with the key: copies with the same key have the same addresses. It is created if it does not exist; keep it secret',
    group: REDACT,
    value: 'FILE',
    defaultText: 'a key that is not saved',
    completion: 'file',
  },
  explain: EXPLAIN,
  ...VERBOSE,
};
export const analyze: Command<AnalyzeOptions> = {
  name: 'analyze',
  describe: 'Analyze packets: conversations, TCP, Redis. Needs no cluster',
  usage: 'FILE…|@last|- [flags]',
  args: { noun: 'file', min: 1 },
  examples: [
    ['kubectl gkeprof analyze @last', 'Analyze the newest capture in this folder'],
    ['kubectl gkeprof analyze a.pcap.gz --format tshark', 'Print what capinfos and tshark print'],
    [
      'kubectl gkeprof analyze a.pcap --conversation 10.0.0.1:40000-10.0.0.2:6379 --write one.pcap',
      'Cut one conversation out',
    ],
    [
      'tcpdump -i any -w - port 6379 | kubectl gkeprof analyze - --show redis',
      'Analyze packets while they arrive, until Ctrl-C',
    ],
  ],
  options: OPTIONS,
  completion: ['capture'],
  repeats: true,

  validate(raw) {
    if (raw.positionals.includes('-') && raw.positionals.length > 1)
      throw usageError('analyze: stdin (-) cannot be combined with files', 'analyze it alone');
    const format = outputFormatOf(raw, { wide: true });
    if (format.kind !== 'text' && raw.isTyped('format'))
      throw usageError(
        `--format and ${format.kind === 'markdown' ? '--markdown' : '-o'} cannot be used together`,
        'leave one of them out',
      );
    const asTshark = format.kind === 'text' && raw.text('format') === 'tshark';
    const open = raw.flag('open');
    if (open && raw.text('html') === undefined)
      throw usageError('--open needs --html, whose page it opens', '--html FILE --open');
    const write = namedFile(raw, 'write');
    const conversation = raw.text('conversation');
    if (write !== undefined && conversation === undefined)
      throw usageError('--write needs --conversation', '--conversation A-B');
    const redact = redactChoice(raw);
    if (redact && (raw.positionals.length > 1 || conversation !== undefined))
      throw usageError(
        '--redact takes one whole file',
        'to redact one conversation, cut it out first with --write',
      );
    if (write !== undefined && raw.positionals.length > 1)
      throw usageError('--write takes one file', 'merge several files with mergecap first');
    const choice = analyzeChoice(raw, asTshark);
    const foreign = [...choice.sections].find((section) => !TSHARK_SECTIONS.includes(section as never));
    if (asTshark && foreign)
      throw usageError(`--show ${foreign} cannot be used with --format tshark`, 'leave --format out');
    return {
      ...choice,
      files: raw.positionals,
      format,
      asTshark,
      open,
      explain: raw.flag('explain'),
      ...(conversation !== undefined && { selection: parseConversation(conversation) }),
      ...(write !== undefined && { write }),
      ...(redact && { redact }),
    };
  },

  async run(options, context) {
    const files = await Promise.all(
      options.files.map((name) =>
        recentFile(name, '.', ['.pcap.gz', '.pcap', '.pcapng', '.pcapng.gz'], 'packets'),
      ),
    );
    if (options.explain) {
      const { packetLines } = await import('../collectors/by-hand/files.ts');
      const lines = files.flatMap((file) => packetLines(file, options.sections));
      context.stdout.write(lines.map((line) => `${line}\n`).join(''));
      return EXIT.done;
    }
    if (options.redact) return await redactFile(files[0]!, options.redact, context);
    return await analyzeFiles(files, options, await namesBeside(files), context);
  },
};

/** Flags of an analysis, which --redact does not make. */
const NOT_WITH_REDACT: readonly string[] = [
  ...Object.keys(ANALYZE_OPTIONS).filter((name) => name !== 'force'),
  ...['format', 'output', 'markdown', 'open', 'explain'],
];

function redactChoice(raw: RawOptions): RedactChoice | undefined {
  const file = namedFile(raw, 'redact');
  const key = raw.text('redact-key');
  const payload = raw.text('redact-payload');
  if (file !== undefined) {
    const other = NOT_WITH_REDACT.find((name) => raw.isTyped(name));
    if (other !== undefined)
      throw usageError(
        `--redact and ${OPTIONS[other]!.alias ? `-${OPTIONS[other]!.alias}` : `--${other}`} cannot be used together: --redact makes a copy and prints no analysis`,
        'redact first, then analyze the copy',
      );
    return {
      file,
      ifThere: namedFileRule(raw),
      payload: payload === 'mask' ? 'mask' : 'cut',
      ...(key !== undefined && { key }),
    };
  }
  const idle = ['redact-key', 'redact-payload'].find((name) => raw.isTyped(name));
  if (idle !== undefined) throw usageError(`--${idle} needs --redact`, '--redact FILE');
  return undefined;
}

async function redactFile(
  path: string,
  { file, ifThere, payload, key }: RedactChoice,
  context: Context,
): Promise<number> {
  const names = new Pseudonyms(storedKey(key));
  const copy = new NewFile(file, ifThere);
  try {
    const redactor = new Redactor(names, payload, (bytes) => copy.write(bytes));
    await readInto(path, redactor, new Packet(), context);
    copy.close();
    context.stdout.write(`Redacted: ${copy.path}\n`);
    context.log.line(
      `${counted(redactor.packets, 'packet')} with other addresses, whose prefixes still match`,
    );
    context.log.line(
      payload === 'cut'
        ? 'the payload is removed'
        : 'values in the payload of Redis are masked, and all other payload is removed',
    );
    context.log.line(
      key === undefined
        ? 'the key was not stored: another copy gets other addresses'
        : `the key is in ${printable(key)}: keep it secret`,
    );
    return EXIT.done;
  } catch (error) {
    copy.discard();
    throw error;
  }
}
