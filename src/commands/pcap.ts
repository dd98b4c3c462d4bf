import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { CAPTURE_OPTIONS, type CaptureOptions, captureOptions, TARGET_NODE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { ANALYZE_OPTIONS, type AnalyzeChoice, analyzeChoice } from '../cli/packet-options.ts';
import { MARKDOWN } from '../cli/result-options.ts';
import { parseTcpdumpWords, type TcpdumpWords } from '../cli/tcpdump-args.ts';
import { filterText, tcpdump } from '../collectors/tcpdump/tcpdump.ts';
import { clusterError, EXIT, reasonOf, usageError } from '../errors.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { NodeTask, Plan, TcpdumpTask } from '../plan/plan.ts';
import { parseTarget, type Target, type TargetRef } from '../plan/target.ts';
import { captureFacts, type DescribedFile, describeFiles } from '../report/capture.ts';
import type { Analyzed } from '../report/packets.ts';
import { makeReceipt, type Receipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/session.ts';
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
import { namesOf } from '../workflow/pod-addresses.ts';
import { endedText, runCapture, sessionCode } from '../workflow/run-capture.ts';

interface PcapOptions {
  readonly capture: CaptureOptions;
  readonly ref: TargetRef;
  readonly container?: string;
  readonly scope?: TcpdumpTask['scope'];
  readonly words: TcpdumpWords;
  readonly durationSeconds: number;
  readonly maxBytes: number;
  readonly count: number;
  readonly analysis?: AnalyzeChoice;
  /** Of the result on stdout. */
  readonly form: OutputFormat;
}

const GROUP = 'Capture:';

const OPTIONS: OptionTable = {
  port: {
    type: 'string',
    describe: 'Only this TCP or UDP port',
    group: GROUP,
    value: 'N',
    notPresettable: true,
  },
  filter: {
    type: 'string',
    describe: 'A pcap filter; with --port both must hold',
    group: GROUP,
    value: 'EXPR',
    notPresettable: true,
  },
  scope: {
    type: 'string',
    describe:
      "netns: the pod's network namespace, with loopback; iface: the node's end of its interface; node: every interface of the node",
    group: GROUP,
    choices: ['netns', 'iface', 'node'],
    defaultText: 'netns, or node for a node',
  },
  duration: {
    type: 'string',
    describe: 'Ends after this time',
    group: GROUP,
    value: 'TIME',
    defaultText: '60s',
  },
  count: { type: 'string', describe: 'Ends after so many packets', group: GROUP, value: 'N' },
  'max-size': {
    type: 'string',
    describe: 'Ends at this size on the node',
    group: GROUP,
    value: 'SIZE',
    defaultText: '1Gi',
  },
  analyze: {
    type: 'boolean',
    describe: 'Then print what analyze prints of the file',
    group: 'Analysis:',
  },
  ...Object.fromEntries(
    Object.entries(ANALYZE_OPTIONS).map(([name, option]) => [name, { ...option, group: 'Analysis:' }]),
  ),
  output: outputOption('the files'),
  ...MARKDOWN,
  ...CAPTURE_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

export const pcap: Command<PcapOptions> = {
  name: 'pcap',
  describe: 'Capture the packets of a pod or node with tcpdump',
  usage: 'TARGET [flags] [-- TCPDUMP-ARGS]',
  examples: [
    ['kubectl gkeprof pcap pod/redis-0 --port 6379', 'until Ctrl-C, 60 s or 1 GiB'],
    ['kubectl gkeprof pcap pod/redis-0 --port 6379 --analyze', 'and what analyze prints of it'],
    ['kubectl gkeprof pcap pod/redis-0 --duration 10s -- dst port 6379', 'requests only'],
    ['kubectl gkeprof pcap pod/redis-0 --scope iface --count 10000', 'without loopback'],
    ['kubectl gkeprof pcap node/NODE --duration 10s -- -i default port 6379', "the node's main interface"],
  ],
  options: OPTIONS,
  completion: ['target'],

  validate(raw) {
    const [target, ...more] = raw.positionals;
    if (target === undefined) throw usageError('pcap: a target is missing', 'kubectl gkeprof pcap pod/NAME');
    if (more.length)
      throw usageError(`pcap: one target at a time, got ${more.length + 1}`, 'filter words go behind --');
    const ref = parseTarget(target, raw.text('node'));
    const words = parseTcpdumpWords(raw.rest);
    const port = raw.text('port');
    const clauses = [
      ...(port === undefined ? [] : [['port', String(parseCount(port, '--port', 1, 65535, 6379))]]),
      ...(raw.text('filter') === undefined ? [] : [[filterExpression(raw.text('filter')!)]]),
      ...(words.filter.length ? [words.filter] : []),
    ];
    const filter =
      clauses.length < 2
        ? (clauses[0] ?? [])
        : clauses.flatMap((clause, at) => [...(at ? ['and'] : []), '(', ...clause, ')']);
    const scope = raw.text('scope') as TcpdumpTask['scope'] | undefined;
    if (ref.kind === 'node' && scope !== undefined && scope !== 'node') {
      throw usageError(`--scope ${scope}: a node has no ${scope}`, 'name a pod, or leave --scope out');
    }
    const count = raw.text('count');
    return {
      capture: captureOptions(raw),
      ref,
      ...(scope && { scope }),
      words: { ...words, filter },
      durationSeconds: parseDuration(raw.text('duration') ?? '60s', '--duration'),
      maxBytes: parseSize(raw.text('max-size') ?? '1Gi', '--max-size'),
      count: count === undefined ? 0 : parseCount(count, '--count', 1, 2_000_000_000, 10_000),
      ...(wantsAnalysis(raw) && { analysis: analyzeChoice(raw) }),
      form: outputFormatOf(raw),
    };
  },

  run(options, context) {
    const { capture, ref, durationSeconds, maxBytes } = options;
    return runCapture(
      {
        options: capture,
        ref,
        collector: tcpdump,
        again: 'analyze',
        limits: { durationSeconds, maxBytes },
        decide: (target) => decide(options, target),
        opening: (plan) => opening(plan, options),
        finish: (plan, result) => finish(plan, result, options, context),
      },
      context,
    );
  },
};

/** Its flags alone would do nothing. */
function wantsAnalysis(raw: RawOptions): boolean {
  if (raw.flag('analyze')) return true;
  const idle = Object.keys(ANALYZE_OPTIONS).find((name) => raw.isTyped(name));
  if (idle) throw usageError(`--${idle}: is of the analysis`, 'add --analyze');
  return false;
}

function filterExpression(text: string): string {
  if (text.trim() === '') throw usageError('--filter: is empty', 'leave it out to capture every packet');
  if (text.startsWith('-'))
    throw usageError('--filter: looks like an option', 'options of tcpdump go behind --');
  return text;
}

function decide(options: PcapOptions, target: Target): NodeTask {
  const scope = options.scope ?? (target.kind === 'node' ? 'node' : 'netns');
  if (scope === 'iface' && target.kind === 'pod' && target.hostNetwork) {
    throw clusterError(
      `pod "${target.name}" uses the node's network (hostNetwork): it has no interface of its own`,
      '--scope netns captures the whole node; add --port',
    );
  }
  if (scope === 'iface' && options.words.interface) {
    throw usageError('-i: the interface is what --scope iface finds', 'leave one of the two out');
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

/** The first line: addresses, scope, filter, and when it ends. */
function opening(plan: Plan, options: PcapOptions): string[] {
  const target = plan.targets[0];
  const capture = plan.capture as TcpdumpTask;
  const ends = [
    'Ctrl-C',
    formatDuration(options.durationSeconds),
    formatBytes(options.maxBytes),
    ...(options.count ? [counted(options.count, 'packet')] : []),
  ];
  const who =
    target.kind === 'node'
      ? `node ${target.node}`
      : `pod ${target.name} (${target.ips.join(', ') || 'no address'}) on ${target.node}`;
  const lines = [
    `${who}; scope ${capture.scope}; filter ${filterText(capture)}; ends at ${ends.join(', ')}, whichever comes first`,
  ];
  if (target.kind === 'pod' && target.hostNetwork && capture.scope === 'netns') {
    lines.push(
      "note: the pod uses the node's network (hostNetwork), so its network namespace is the node's: this sees every pod's traffic",
    );
  }
  return lines;
}

async function finish(
  plan: Plan,
  result: SessionResult,
  { analysis, form }: PcapOptions,
  context: Context,
): Promise<number> {
  const { log, stdout } = context;
  const { artifact, last } = result;
  const captured = last?.packets ?? 0;
  const dropped = last?.dropped ?? 0;
  const receipt = makeReceipt(plan, result, {});
  const receiptPath = await writeReceipt(artifact.base, receipt);
  log.end();
  log.line(`${counted(captured, 'packet')} captured`);
  // What the filter received is in the receipt alone: on loopback the kernel counts each packet twice.
  log.line(
    `${counted(dropped, 'packet')} dropped by the kernel${dropped ? `: the capture has holes; ${againstDrops(last?.buffer ?? 0)}` : ''}`,
  );
  log.line(
    `ended because ${endedText(result)}, after ${formatDuration((result.stoppedAt - result.startedAt) / 1000)}`,
  );
  if (captured === 0) {
    log.warn(
      `no packet matched: the filter was "${filterText(plan.capture as TcpdumpTask)}" in scope ${plan.capture.scope}; is the port right, is there traffic?`,
    );
  }
  log.line('');
  log.line('Results:');
  const quote = quoteFor(context.windows);
  if (form.is === 'text') stdout.write(`Packets: ${artifact.path}\n`);
  log.line(
    `${formatBytes(artifact.bytes)}, verified; it holds payload: delete after analysis: ${deleteLine(artifact.path, context.windows)}`,
  );
  if (captured > 0)
    log.line(`look into it: wireshark -r ${quote(artifact.path)}${displayFilter(plan, quote)}`);
  const code = sessionCode(result);
  const kept = captured === 0 && code === EXIT.done ? EXIT.tool : code;
  if (form.is === 'text') {
    if (!analysis || captured === 0) return kept;
    stdout.write('\n');
    const names = namesOf(receipt);
    const isDone = await tried(log, () =>
      analyzeFiles([artifact.path], { ...analysis, form }, names, context),
    );
    return isDone ? kept : EXIT.incomplete;
  }
  const made = [
    { role: 'packets', path: artifact.path },
    { role: 'receipt', path: receiptPath },
  ];
  const outcome = { receipt, files: await describeFiles(made), ended: endedText(result) };
  if (!analysis || captured === 0) {
    await put(outcome, undefined, form, context);
    return kept;
  }
  let isPut = false;
  const isDone = await tried(log, () =>
    withAnalysis([artifact.path], { ...analysis, form }, namesOf(receipt), context, async (analyzed) => {
      isPut = true;
      await put(outcome, { analyzed, sections: analysis.sections }, form, context);
    }),
  );
  if (!isPut) await put(outcome, undefined, form, context);
  return isDone ? kept : EXIT.incomplete;
}

/** tcpdump's -B takes up to six digits here. */
const MOST_BUFFER_KIB = 999_999;

const againstDrops = (buffer: number): string =>
  buffer < MOST_BUFFER_KIB
    ? `narrow the filter, or take a larger buffer than ${formatBytes(buffer * 1024)}: -- -B ${Math.min(4 * buffer, MOST_BUFFER_KIB)}`
    : 'narrow the filter';

/** What comes after a capture may fail without taking it along. */
async function tried(log: Context['log'], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    log.warn(`the capture is kept, its analysis failed: ${reasonOf(error)}`);
    return false;
  }
}

/** The display filter that shows the pod's packets alone, where others are in the file. */
function displayFilter({ targets: [target], capture }: Plan, quote: (word: string) => string): string {
  if (target.kind === 'node' || target.hostNetwork || capture.scope !== 'node') return '';
  const addresses = target.ips.map((ip) => `${ip.includes(':') ? 'ipv6' : 'ip'}.addr == ${ip}`);
  return addresses.length ? ` -Y ${quote(addresses.join(' || '))}` : '';
}

interface Outcome {
  readonly receipt: Receipt;
  readonly files: readonly DescribedFile[];
  readonly ended: string;
}

/** The capture as a result, with what was found in it. */
async function put(
  { receipt, files, ended }: Outcome,
  found: { readonly analyzed: Analyzed; readonly sections: AnalyzeChoice['sections'] } | undefined,
  form: OutputFormat,
  context: Context,
): Promise<void> {
  const { captureMarkdown } = await import('../report/packets.ts');
  const capture = captureFacts(receipt);
  const analysis =
    found && isForPrograms(form) && (await analysisData(found.analyzed, found.sections, context));
  await printResult(
    context,
    form,
    () => ({
      ...{ kind: 'PacketCapture', version: 1, ...capture, files },
      ...(analysis && { analysis }),
    }),
    files.map(({ path }) => path),
    () => captureMarkdown(capture, files, ended, found?.analyzed),
  );
}
