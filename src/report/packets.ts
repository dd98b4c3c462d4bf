import type { Analysis } from '../packets/analysis.ts';
import { framesText, troubleWords } from '../packets/print/evidence.ts';
import {
  type AddressNames,
  type ConversationKind,
  conversations,
  type End,
  healthFacts,
  summaryFacts,
} from '../packets/print/facts.ts';
import type { InputFile } from '../packets/print/json.ts';
import { type RedisFacts, redisFacts } from '../packets/print/redis-facts.ts';
import { durationText } from '../packets/print/wording.ts';
import type { Sort } from '../packets/sorting.ts';
import type { CaptureSummary } from '../packets/summary.ts';
import type { PacketCounts } from '../session/receipt.ts';
import { counted, formatBytes, formatRate } from '../text/quantity.ts';
import { type CaptureFacts, captureRows, targetWords, utc } from './capture.ts';
import { type FailedTarget, failedText } from './failed-target.ts';
import { type DescribedFile, fileTable } from './files.ts';
import { block, code, factTable, MARKDOWN_ROWS, markdownTable, plain } from './markdown.ts';

/** The analysis of the packets that were read. It is valid until its lists on disk are closed. */
export interface Analyzed {
  readonly analysis: Analysis;
  readonly files: readonly (InputFile & { readonly summary: CaptureSummary })[];
  readonly names: AddressNames;
  readonly sort: Sort;
  /** The path of the page with the timeline, if one was made. */
  readonly page: string | undefined;
}

/** A capture as a block for an incident, with the findings of its analysis if there was one. */
export const captureMarkdown = (
  capture: CaptureFacts,
  files: readonly DescribedFile[],
  ended: string,
  analyzed?: Analyzed,
): string =>
  block(
    `### Packets of ${targetWords(capture)}`,
    factTable([
      ...captureRows(capture, ended),
      ['scope', plain(capture.scope)],
      ['filter', capture.filter ? code(capture.filter) : 'none: every packet'],
      ['captured', capture.packets && capturedText(capture.packets)],
      ['dropped by the kernel', capture.packets && droppedText(capture.packets)],
      ...(analyzed ? analysisRows(analyzed) : []),
    ]),
    ...(analyzed ? analysisTables(analyzed) : []),
    fileTable(files),
    `Recorded with kubectl-gkeprof ${plain(capture.gkeprof)}. The capture contains payload.`,
  );

/** The captures of several pods as a block for an incident. */
export const manyCapturesMarkdown = (
  captures: readonly CaptureFacts[],
  failed: readonly FailedTarget[],
  clocks: readonly string[],
  files: readonly DescribedFile[],
  analyzed?: Analyzed,
): string =>
  block(
    `### Packets of ${counted(captures.length, captures[0]!.target.kind)}`,
    markdownTable(
      [captures[0]!.target.kind, 'captured', 'dropped by the kernel', 'from', 'to'].map((title) => ({
        title,
      })),
      captures.map((capture) => [
        targetWords(capture),
        capture.packets ? capturedText(capture.packets) : '',
        capture.packets ? droppedText(capture.packets) : '',
        utc(capture.startedAt),
        utc(capture.stoppedAt),
      ]),
    ),
    [
      ...failed.map((each) => `- not captured: ${plain(`${failedText(each)}: ${each.error}`)}`),
      ...clocks.map((line) => `- ${plain(line)}`),
    ].join('\n'),
    ...(analyzed ? [factTable(analysisRows(analyzed)), ...analysisTables(analyzed)] : []),
    fileTable(files),
    `Recorded with kubectl-gkeprof ${plain(captures[0]!.gkeprof)}. The capture contains payload.`,
  );

/** The analysis of files as a block for an incident. */
export const analysisMarkdown = (analyzed: Analyzed, files: readonly DescribedFile[]): string =>
  block(
    `### Packets: ${analyzed.files.map(({ name }) => plain(name)).join(', ')}`,
    factTable(analysisRows(analyzed)),
    ...analysisTables(analyzed),
    fileTable(files),
  );

function capturedText(counts: PacketCounts): string {
  if ('captured' in counts) return counted(counts.captured, 'packet');
  return counts.capturedAtLeast > 0 ? `at least ${counted(counts.capturedAtLeast, 'packet')}` : NOT_COUNTED;
}

function droppedText(counts: PacketCounts): string {
  const packets = 'captured' in counts ? counts.droppedByKernel : counts.droppedByKernelAtLeast;
  if (packets === 0 && !('captured' in counts)) return NOT_COUNTED;
  const least = 'captured' in counts ? '' : 'at least ';
  return `${least}${counted(packets, 'packet')}${packets ? ': the capture has holes' : ''}`;
}

const NOT_COUNTED = 'not counted: the capture container died';

function analysisRows({ analysis, names }: Analyzed): Array<[string, string | undefined]> {
  const facts = summaryFacts(analysis, true);
  const health = healthFacts(analysis, names, MARKDOWN_ROWS);
  const troubles = Object.entries(health?.evidence ?? {});
  const redis = redisFacts(analysis, names, MARKDOWN_ROWS);
  return [
    ['packets', `${facts.packets}, ${formatBytes(facts.bytes)} on the wire`],
    [
      'time',
      facts.start &&
        `${utc(facts.start)}, ${durationText(facts.durationSeconds ?? 0)}${facts.packetsPerSecond === undefined ? '' : `, ${formatRate(facts.packetsPerSecond)} packets/s`}`,
    ],
    ['lost by the capturing system', facts.lostByTheSystem ? String(facts.lostByTheSystem) : undefined],
    [
      'TCP connections',
      health &&
        `${health.connections.opened} opened, ${health.connections.refused} refused, ${health.connections.unanswered} unanswered, ${health.connections.unseen} began before the capture`,
    ],
    [
      'TCP problems',
      health &&
        (plain(
          troubles
            .map(([kind, each]) => `${troubleWords(kind)} ${each.count} (frames ${framesText(each)})`)
            .join('; '),
        ) ||
          'none'),
    ],
    ['Redis', redis ? redisText(redis) : analysis.redis?.isRequested ? 'none found' : undefined],
  ];
}

function redisText({ connections, counts, tls }: RedisFacts): string {
  const encrypted = tls.map(
    ({ server, connections: count }) => `${counted(count, 'connection')} to ${endText(server)}`,
  );
  return [
    connections.count > 0 &&
      `${counted(connections.count, 'connection')}, ${counted(counts.commands, 'kind')} of commands`,
    connections.count === 0 && !tls.some(({ portOfRedis }) => portOfRedis) && 'none found',
    encrypted.length > 0 && `encrypted by TLS, so the commands are not known: ${encrypted.join(', ')}`,
  ]
    .filter(Boolean)
    .join('; ');
}

function analysisTables({ analysis, names }: Analyzed): string[] {
  return (['tcp', 'udp'] as const)
    .map((kind) => talkers(kind, analysis, names))
    .concat(commands(analysis, names));
}

/** The conversations with the most bytes, as a table. */
function talkers(kind: ConversationKind, analysis: Analyzed['analysis'], names: Analyzed['names']): string {
  const most = [];
  for (const each of conversations(analysis, kind, names)) {
    most.push(each);
    if (most.length < 1000) continue;
    most.sort((a, b) => b.bytesAToB + b.bytesBToA - a.bytesAToB - a.bytesBToA);
    most.length = MARKDOWN_ROWS;
  }
  most.sort((a, b) => b.bytesAToB + b.bytesBToA - a.bytesAToB - a.bytesBToA);
  return markdownTable(
    [
      { title: `${kind.toUpperCase()}: from` },
      { title: 'to' },
      { title: 'packets →', right: true },
      { title: '←', right: true },
      { title: 'bytes →', right: true },
      { title: '←', right: true },
      { title: 'duration', right: true },
    ],
    most
      .slice(0, MARKDOWN_ROWS)
      .map((each) => [
        endText(each.a),
        endText(each.b),
        String(each.framesAToB),
        String(each.framesBToA),
        String(each.bytesAToB),
        String(each.bytesBToA),
        durationText(each.durationSeconds),
      ]),
  );
}

function commands(analysis: Analyzed['analysis'], names: Analyzed['names']): string {
  const redis = redisFacts(analysis, names, MARKDOWN_ROWS);
  const milliseconds = (seconds: number | undefined) => {
    if (seconds === undefined) return '';
    // Three decimal places, or more if all of them would be 0.
    const text = (seconds * 1000).toFixed(3);
    return Number(text) === 0 ? String(Number((seconds * 1000).toPrecision(1))) : text;
  };
  return markdownTable(
    [
      { title: 'Redis command' },
      { title: 'calls', right: true },
      { title: 'errors', right: true },
      { title: 'ms, median', right: true },
      { title: 'p99', right: true },
      { title: 'longest', right: true },
    ],
    (redis?.commands ?? []).map((each) => [
      code(each.command),
      String(each.calls),
      String(each.errors),
      milliseconds(each.latency?.p50Seconds),
      milliseconds(each.latency?.p99Seconds),
      milliseconds(each.latency?.maxSeconds),
    ]),
  );
}

const endText = ({ address, port, name }: End): string =>
  `${code(address.includes(':') && port !== undefined ? `[${address}]:${port}` : port === undefined ? address : `${address}:${port}`)}${name ? ` ${plain(name)}` : ''}`;
