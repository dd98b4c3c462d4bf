import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { CAPTURE_OPTIONS, type CaptureOptions, captureOptions, TARGET_NODE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { ANALYZE_OPTIONS, type AnalyzeChoice, analyzeChoice } from '../cli/packet-options.ts';
import { MARKDOWN } from '../cli/result-options.ts';
import { MANY_OPTIONS, type ManyOptions, manyOptions, targetFlags } from '../cli/target-options.ts';
import { parseTcpdumpWords, type TcpdumpWords } from '../cli/tcpdump-args.ts';
import { filterText, tcpdump } from '../collectors/tcpdump/tcpdump.ts';
import { clusterError, EXIT, type ExitCode, reasonOf, usageError } from '../errors.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { NodeTask, Plan, TcpdumpTask } from '../plan/plan.ts';
import { parseTargets, type Target, type TargetRefs } from '../plan/target.ts';
import { captureFacts } from '../report/capture.ts';
import { type DescribedFile, describeFiles } from '../report/files.ts';
import type { Analyzed } from '../report/packets.ts';
import { makeReceipt, type Receipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/result.ts';
import {
  counted,
  formatBytes,
  formatDuration,
  parseCount,
  parseDuration,
  parseSize,
} from '../text/quantity.ts';
import { deleteLine, quoteFor } from '../text/shell-quote.ts';
import { analysisData, analyzeFiles, withAnalysis } from '../workflow/analyze-packets.ts';
import { checkDetach } from '../workflow/detach.ts';
import { packetsMany } from '../workflow/packets-many.ts';
import { namesOf } from '../workflow/pod-addresses.ts';
import {
  endedText,
  finishCapture,
  missingText,
  planCapture,
  type Recorded,
  runCapture,
  sessionCode,
} from '../workflow/run-capture.ts';
import { type CaptureTargets, findCapture, manyText, planMany } from '../workflow/run-many.ts';

interface PcapOptions {
  readonly capture: CaptureOptions;
  readonly refs: TargetRefs;
  readonly many: ManyOptions;
  readonly scope?: TcpdumpTask['scope'];
  readonly words: TcpdumpWords;
  readonly durationSeconds: number;
  readonly maxBytes: number;
  readonly count: number;
  readonly analysis?: AnalyzeChoice;
  /** Of the result on stdout. */
  readonly format: OutputFormat;
}

const GROUP = 'Capture:';

const OPTIONS: OptionTable = {
  port: {
    type: 'array',
    describe: 'Capture only packets from or to this TCP or UDP port',
    group: GROUP,
    value: 'N',
    notPresettable: true,
  },
  filter: {
    type: 'string',
    describe: 'Capture only packets that match this pcap filter, and --port if given',
    group: GROUP,
    value: 'EXPR',
    notPresettable: true,
  },
  scope: {
    type: 'string',
    describe:
      "Where to capture. netns: in the pod's network namespace, with loopback; iface: at the node's end of the pod's interface; node: on all interfaces of the node",
    group: GROUP,
    choices: ['netns', 'iface', 'node'],
    defaultText: 'netns; node for a node',
  },
  duration: {
    type: 'string',
    alias: 't',
    describe: 'Stop after this time',
    group: GROUP,
    value: 'TIME',
    defaultText: '60s',
  },
  count: { type: 'string', describe: 'Stop after this many packets', group: GROUP, value: 'N' },
  'max-size': {
    type: 'string',
    describe: 'Stop at this size of the file on the node',
    group: GROUP,
    value: 'SIZE',
    defaultText: '1Gi',
  },
  analyze: {
    type: 'boolean',
    describe: 'Also analyze the capture and print the result',
    group: 'Analysis:',
  },
  ...Object.fromEntries(
    Object.entries(ANALYZE_OPTIONS).map(([name, option]) => [name, { ...option, group: 'Analysis:' }]),
  ),
  output: outputOption('the files that were written'),
  ...MARKDOWN,
  ...MANY_OPTIONS,
  ...CAPTURE_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

export const pcap: Command<PcapOptions> = {
  name: 'pcap',
  describe: 'Capture the packets of pods or nodes with tcpdump',
  usage: 'TARGET…|-l LABELS [flags] [-- TCPDUMP-ARGS]',
  args: {
    noun: 'target',
    min: 0,
    rest: 'separate',
    tooMany: 'put the filter and the options of tcpdump after --',
  },
  examples: [
    ['kubectl gkeprof pcap pod/redis-0 --port 6379', 'Capture for 60 seconds, until 1 GiB or Ctrl-C'],
    ['kubectl gkeprof pcap pod/redis-0 --port 6379 --analyze', 'Capture, and analyze the packets'],
    [
      'kubectl gkeprof pcap pod/redis-0 --duration 10s -- dst port 6379',
      'Capture requests only, by a filter of tcpdump',
    ],
    [
      'kubectl gkeprof pcap pod/redis-0 --scope iface --count 10000',
      'Capture 10000 packets without loopback',
    ],
    [
      'kubectl gkeprof pcap deploy/web pod/redis-0 --port 6379',
      'Capture several pods into one file, with an interface for each',
    ],
    [
      'kubectl gkeprof pcap nodes NODE-A NODE-B --port 6379',
      'Capture several nodes into one file, with an interface for each',
    ],
    [
      'kubectl gkeprof pcap node/NODE --duration 10s -- -i default port 6379',
      'Capture on the main interface of a node',
    ],
  ],
  options: OPTIONS,
  completion: ['target'],
  repeats: true,

  validate(raw) {
    refuseFilter(raw.positionals);
    const refs = parseTargets(raw.positionals, targetFlags(raw));
    const words = parseTcpdumpWords(raw.rest);
    const ports = raw
      .list('port')
      .flatMap((text, at) => [
        ...(at ? ['or'] : []),
        'port',
        String(parseCount(text, '--port', 1, 65535, 6379)),
      ]);
    const clauses = [
      ...(ports.length ? [ports] : []),
      ...(raw.text('filter') === undefined ? [] : [[filterExpression(raw.text('filter')!)]]),
      ...(words.filter.length ? [words.filter] : []),
    ];
    const filter =
      clauses.length < 2
        ? (clauses[0] ?? [])
        : clauses.flatMap((clause, at) => [...(at ? ['and'] : []), '(', ...clause, ')']);
    const scope = raw.text('scope') as TcpdumpTask['scope'] | undefined;
    if (refs.refs[0]?.kind === 'node' && scope !== undefined && scope !== 'node') {
      throw usageError(`--scope ${scope} cannot be used with a node`, 'name a pod, or leave --scope out');
    }
    checkDetach(raw, ['analyze', 'markdown', 'split']);
    const count = raw.text('count');
    return {
      capture: captureOptions(raw),
      refs,
      many: manyOptions(raw),
      ...(scope && { scope }),
      words: { ...words, filter },
      durationSeconds: parseDuration(raw.text('duration') ?? '60s', '--duration'),
      maxBytes: parseSize(raw.text('max-size') ?? '1Gi', '--max-size'),
      count: count === undefined ? 0 : parseCount(count, '--count', 1, 2_000_000_000, 10_000),
      ...(wantsAnalysis(raw) && { analysis: analyzeChoice(raw) }),
      format: outputFormatOf(raw),
    };
  },

  async run(options, context) {
    const { capture, refs, many, durationSeconds, maxBytes } = options;
    const found = await findCapture({ options: capture, refs, many }, context);
    if (!found) return EXIT.done;
    if ('targets' in found) return captureMany(options, found, context);
    const plan = planCapture(found, taskFor(found.target, options), { durationSeconds, maxBytes });
    const recorded = await runCapture(found, plan, tcpdump, opening(plan, options), context);
    if (!recorded) return EXIT.done;
    return finishCapture(recorded, presentCapture(recorded, options, context), context);
  },
};

/** Words of a filter that stand where targets belong, before `--`. */
const OF_FILTER = /^(port|portrange|host|net|tcp|udp|icmp|src|dst|and|or|not)$/;

function refuseFilter(words: readonly string[]): void {
  const word = words.slice(1).find((each) => OF_FILTER.test(each));
  if (word !== undefined)
    throw usageError(
      `"${word}" is no target: it looks like a part of a filter`,
      'put the filter and the options of tcpdump after --',
    );
}

/** Captures several pods, one debug pod on each of their nodes, or several nodes. */
function captureMany(options: PcapOptions, found: CaptureTargets, context: Context): Promise<ExitCode> {
  const { durationSeconds, maxBytes, analysis, format, many } = options;
  const plans = planMany(found, (target) => taskFor(target, options), { durationSeconds, maxBytes });
  const [first] = plans.flat();
  const opening = [
    manyText(found.targets, plans),
    scopeText(first!.capture as TcpdumpTask),
    `${limitsText(options)} for each ${first!.target.kind}${options.capture.detach ? '' : ', or press Ctrl-C'}`,
    ...found.targets.flatMap((target) =>
      target.kind === 'pod' && target.hostNetwork && first!.capture.scope === 'netns'
        ? [`note: pod ${target.name} has hostNetwork, so the capture contains the traffic of its node`]
        : [],
    ),
  ];
  return packetsMany(
    found,
    plans,
    opening,
    { ...(analysis && { analysis }), format, split: many.split },
    context,
  );
}

/** Its flags alone would do nothing. */
function wantsAnalysis(raw: RawOptions): boolean {
  if (raw.flag('analyze')) return true;
  const idle = Object.keys(ANALYZE_OPTIONS).find((name) => raw.isTyped(name));
  if (idle) throw usageError(`--${idle} needs --analyze`, 'add --analyze');
  return false;
}

function filterExpression(text: string): string {
  if (text.trim() === '') throw usageError('--filter: is empty', 'leave it out to capture every packet');
  if (text.startsWith('-'))
    throw usageError('--filter: looks like an option', 'put options of tcpdump after --');
  return text;
}

function taskFor(target: Target, options: PcapOptions): NodeTask {
  const scope = options.scope ?? (target.kind === 'node' ? 'node' : 'netns');
  if (scope === 'iface' && target.kind === 'pod' && target.hostNetwork) {
    throw clusterError(
      `pod "${target.name}" uses the node's network (hostNetwork): it has no interface of its own`,
      'use --scope netns, which captures the whole node, and add --port',
    );
  }
  if (scope === 'iface' && options.words.interface) {
    throw usageError(
      '-i cannot be used with --scope iface, which finds the interface',
      'leave one of the two out',
    );
  }
  const { words, count } = options;
  return {
    collector: 'tcpdump',
    scope,
    ...(words.interface && { interface: words.interface }),
    ...(words.linkType && { linkType: words.linkType }),
    count,
    options: words.options,
    filter: words.filter,
  };
}

/** What is captured, and when it stops. */
function opening(plan: Plan, options: PcapOptions): string[] {
  const { target } = plan;
  const task = plan.capture as TcpdumpTask;
  const who =
    target.kind === 'node'
      ? `node ${target.node}`
      : `pod ${target.name} (${target.ips.join(', ') || 'no address'}) on ${target.node}`;
  return [
    who,
    scopeText(task),
    `${limitsText(options)}${options.capture.detach ? '' : ', or press Ctrl-C'}`,
    ...(target.kind === 'pod' && target.hostNetwork && task.scope === 'netns'
      ? ['note: the pod has hostNetwork, so the capture contains the traffic of the node']
      : []),
  ];
}

const scopeText = (task: TcpdumpTask): string => `scope ${task.scope}; ${filterText(task, 'filter ')}`;

/** When a capture stops by itself. */
function limitsText({ durationSeconds, maxBytes, count }: PcapOptions): string {
  const limits = [
    formatDuration(durationSeconds),
    formatBytes(maxBytes),
    ...(count ? [counted(count, 'packet')] : []),
  ];
  return `stops after ${limits.slice(0, -1).join(', ')} or ${limits.at(-1)}`;
}

/** Writes the receipt of a verified capture, and prints what was captured. */
async function presentCapture(
  { plan, result }: Recorded,
  { analysis, format }: PcapOptions,
  context: Context,
): Promise<number> {
  const { log, stdout } = context;
  const { artifact, last } = result;
  const captured = last?.packets ?? 0;
  const isEmpty = captured === 0 && result.ended !== 'lost' && !result.cut;
  const receipt = makeReceipt(plan, result, {});
  const receiptPath = await writeReceipt(artifact.base, receipt);
  log.end();
  for (const line of countLines(result)) log.line(line);
  for (const line of missingText(result)) log.warn(line);
  log.line(endedText(result));
  if (isEmpty) {
    const { scope, filter } = plan.capture as TcpdumpTask;
    log.warn(filter.length ? `no packet matched in scope ${scope}` : `there was no packet in scope ${scope}`);
    log.line(filter.length ? `  check the filter: ${filter.join(' ')}` : '  check that there is traffic');
  }
  log.line('');
  log.line('Results:');
  const quote = quoteFor(context.windows);
  if (format.kind === 'text') stdout.write(`Packets: ${artifact.path}\nReceipt: ${receiptPath}\n`);
  log.line(
    `${formatBytes(artifact.bytes)}, verified; the file contains payload, delete it after the analysis`,
  );
  if (!isEmpty) log.line(`open it:   wireshark -r ${quote(artifact.path)}${displayFilter(plan, quote)}`);
  log.line(`delete it: ${deleteLine(artifact.path, context.windows)}`);
  const code = sessionCode(result);
  const kept = isEmpty && code === EXIT.done ? EXIT.tool : code;
  if (format.kind === 'text') {
    if (!analysis || isEmpty) return kept;
    stdout.write('\n');
    const names = namesOf(receipt);
    const isDone = await tried(log, () =>
      analyzeFiles([artifact.path], { ...analysis, format }, names, context),
    );
    return isDone ? kept : EXIT.incomplete;
  }
  const made = [
    { role: 'packets', path: artifact.path, sha256: artifact.sha256 },
    { role: 'receipt', path: receiptPath },
  ];
  const capture = { receipt, files: await describeFiles(made), ended: endedText(result) };
  if (!analysis || isEmpty) {
    await printCapture(capture, undefined, format, context);
    return kept;
  }
  let isPrinted = false;
  const isDone = await tried(log, () =>
    withAnalysis([artifact.path], { ...analysis, format }, namesOf(receipt), context, async (analyzed) => {
      isPrinted = true;
      await printCapture(capture, { analyzed, sections: analysis.sections }, format, context);
    }),
  );
  if (!isPrinted) await printCapture(capture, undefined, format, context);
  return isDone ? kept : EXIT.incomplete;
}

/** The largest buffer, in KiB: the node's script takes at most six digits for tcpdump's -B. */
const MOST_BUFFER_KIB = 999_999;

/** What was counted, for people. A container that died has not counted to the end, so its figures are the least there can be. */
export function countLines({ ended, last }: Pick<SessionResult, 'ended' | 'last'>): string[] {
  const { packets = 0, dropped = 0, buffer = 0 } = last ?? {};
  if (ended === 'lost')
    return [
      packets > 0
        ? `at least ${counted(packets, 'packet')} captured: the capture container died before it had counted all of them`
        : 'the packets are not counted, because the capture container died: kubectl gkeprof analyze counts them',
    ];
  return [
    `${counted(packets, 'packet')} captured`,
    // What the filter received is in the receipt alone: on loopback the kernel counts each packet twice.
    `${counted(dropped, 'packet')} dropped by the kernel${dropped ? ': the capture has holes' : ''}`,
    ...(dropped ? [`  ${againstDrops(buffer)}`] : []),
  ];
}

const againstDrops = (buffer: number): string =>
  buffer < MOST_BUFFER_KIB
    ? `narrow the filter, or use a larger buffer than ${formatBytes(buffer * 1024)}: -- -B ${Math.min(4 * buffer, MOST_BUFFER_KIB)}`
    : 'narrow the filter';

/** Analyzes a capture that is kept even if that fails. Returns whether it succeeded. */
async function tried(log: Context['log'], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    log.warn(`the capture is kept, but its analysis failed: ${reasonOf(error)}`);
    return false;
  }
}

/** Wireshark's display filter for the packets of the pod, if the file contains others too. */
function displayFilter({ target, capture }: Plan, quote: (word: string) => string): string {
  if (target.kind === 'node' || target.hostNetwork || capture.scope !== 'node') return '';
  const addresses = target.ips.map((ip) => `${ip.includes(':') ? 'ipv6' : 'ip'}.addr == ${ip}`);
  return addresses.length ? ` -Y ${quote(addresses.join(' || '))}` : '';
}

interface Outcome {
  readonly receipt: Receipt;
  readonly files: readonly DescribedFile[];
  readonly ended: string;
}

/** Prints the capture as a result, with its analysis if there is one. */
async function printCapture(
  { receipt, files, ended }: Outcome,
  found: { readonly analyzed: Analyzed; readonly sections: AnalyzeChoice['sections'] } | undefined,
  format: OutputFormat,
  context: Context,
): Promise<void> {
  const { captureMarkdown } = await import('../report/packets.ts');
  const capture = captureFacts(receipt);
  const analysis =
    found && isForPrograms(format) && (await analysisData(found.analyzed, found.sections, context));
  await printResult(
    context,
    format,
    () => ({
      ...{ kind: 'PacketCapture', version: 1, ...capture, files },
      ...(analysis && { analysis }),
    }),
    files.map(({ path }) => path),
    () => captureMarkdown(capture, files, ended, found?.analyzed),
  );
}
