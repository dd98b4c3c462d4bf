import { rowsOf, table, tablePieces } from '../../output/table.ts';
import { printable } from '../../text/printable.ts';
import { counted, formatBytes, formatRate } from '../../text/quantity.ts';
import type { Analysis } from '../analysis.ts';
import { isKnownLink } from '../decode/link.ts';
import { Endpoints } from '../endpoints.ts';
import type { Section } from '../sections.ts';
import type { Sort } from '../sorting.ts';
import { clockOf, toTheSecond } from '../times.ts';
import { type Evidence, framesText, frameText, troubleWords } from './evidence.ts';
import { countTroubled, type ExpertFacts, expertFacts } from './expert.ts';
import {
  type AddressNames,
  type ConversationFacts,
  type ConversationKind,
  conversations,
  ENDPOINT_KINDS,
  endpoints,
  type HealthFacts,
  healthFacts,
  type RoundTripFacts,
  summaryFacts,
  synFacts,
  tableOf,
  timelineFacts,
} from './facts.ts';
import { redisFacts } from './redis-facts.ts';
import { NONE_FOUND, redisTables } from './redis-tables.ts';
import { durationText, endText, heading, latencyText, left, quantileText, right } from './wording.ts';

/** What the tables show. */
export interface TableChoice {
  readonly sections: ReadonlySet<Section>;
  /** Rows of a table; Infinity for all. */
  readonly rows: number;
  readonly names: AddressNames;
  readonly sort: Sort;
  /** With round trips and filters. */
  readonly wide: boolean;
}

/** Prints the tables piece by piece; a table without rows is left out. */
export function* printTables(analysis: Analysis, choice: TableChoice): Generator<string> {
  const { sections, names } = choice;
  if (sections.has('summary')) yield* summaryText(analysis);
  const kinds = [
    ['ip', 'ipv4', 'IPv4 conversations'],
    ['ipv6', 'ipv6', 'IPv6 conversations'],
    ['tcp', 'tcp', 'TCP conversations'],
    ['udp', 'udp', 'UDP conversations'],
  ] as const;
  for (const [section, kind, title] of kinds)
    if (sections.has(section)) yield* conversationTable(analysis, kind, title, choice);
  if (sections.has('endpoints')) yield* endpointTables(analysis, names, choice.rows);
  if (sections.has('flags')) yield* flagTable(analysis);
  if (sections.has('syns')) yield* synTable(analysis, choice);
  if (sections.has('health')) {
    const health = healthFacts(analysis, names, choice.rows);
    if (health && analysis.tcp.rows > 0) yield* healthText(health, choice.wide);
  }
  if (sections.has('expert')) yield* expertTable(analysis, names, choice.rows);
  if (sections.has('redis')) {
    const redis = redisFacts(analysis, names, choice.rows);
    if (redis) yield* redisTables(redis, choice.rows);
    else if (analysis.redis?.isRequested) yield NONE_FOUND;
  }
  if (sections.has('timeline')) yield* timelineTable(analysis, choice);
}

function* summaryText(analysis: Analysis): Generator<string> {
  const facts = summaryFacts(analysis, true);
  const line = (label: string, text: string) => `${label.padEnd(12)}${text}\n`;
  const cut = facts.cutPackets ? `, ${facts.cutPackets} truncated` : '';
  yield line('Packets', `${facts.packets} (${formatBytes(facts.bytes)} on the wire${cut})`);
  if (facts.start && facts.end && facts.durationSeconds !== undefined) {
    const rate =
      facts.packetsPerSecond === undefined ? '' : `, ${formatRate(facts.packetsPerSecond)} packets/s`;
    yield line('Time', `${facts.start} to ${facts.end}, ${durationText(facts.durationSeconds)}${rate}`);
  }
  const protocols = Object.entries(facts.protocols ?? {}).filter(([, count]) => count > 0);
  if (protocols.length)
    yield line('Protocols', protocols.map(([name, count]) => `${PROTOCOL_NAMES[name]} ${count}`).join(', '));
  if (facts.repeats)
    yield line(
      'Repeats',
      `${counted(facts.repeats, 'packet was', 'packets were')} seen on another interface before: counted once`,
    );
  if (facts.mirrorCopies)
    yield line(
      'Mirror',
      `${counted(facts.mirrorCopies, 'packet is an exact copy', 'packets are exact copies')} of one just before on the same interface, as a mirror port sends them: counted once`,
    );
  if (facts.lostByTheSystem)
    yield line(
      'Lost',
      `${counted(facts.lostByTheSystem, 'packet')} dropped by the capturing system: the capture has gaps`,
    );
  if (facts.outOfOrderPackets)
    yield line(
      'Order',
      `${counted(facts.outOfOrderPackets, 'packet is', 'packets are')} earlier than one before`,
    );
  const strange = [...analysis.summary.linkTypes].filter(([type]) => !isKnownLink(type));
  for (const [type, count] of strange)
    yield line('Unknown', `${counted(count, 'packet')} of link type ${type}, which is not decoded`);
}

const PROTOCOL_NAMES: Readonly<Record<string, string>> = {
  tcp: 'TCP',
  udp: 'UDP',
  icmp: 'ICMP',
  arp: 'ARP',
  fragments: 'fragments',
  otherIp: 'other over IP',
  other: 'other',
};

function* conversationTable(
  analysis: Analysis,
  kind: ConversationKind,
  title: string,
  { rows, names, sort, wide }: TableChoice,
): Generator<string> {
  const measured = wide && kind === 'tcp';
  const total = countOf(analysis, kind);
  if (total === 0) return;
  const shown = Math.min(rows, total);
  yield heading(title, shown, total);
  yield* tablePieces(
    [
      left('A'),
      left('B'),
      right('A→B'),
      right('BYTES'),
      right('B→A'),
      right('BYTES'),
      left('START'),
      right('DURATION'),
      ...(measured ? ROUND_TRIP_COLUMNS : []),
      ...(kind === 'tcp' ? [left('TROUBLE')] : []),
      left('WIRESHARK FILTER'),
    ],
    () =>
      rowsOf(
        conversations(analysis, kind, names, sort),
        (each) => [
          endText(each.a),
          endText(each.b),
          String(each.framesAToB),
          formatBytes(each.bytesAToB),
          String(each.framesBToA),
          formatBytes(each.bytesBToA),
          clockOf(each.start, 15),
          durationText(each.durationSeconds),
          ...(measured ? roundTripCells(each) : []),
          ...(kind === 'tcp' ? [healthWords(each)] : []),
          each.filter,
        ],
        shown,
      ),
  );
}

function countOf(analysis: Analysis, kind: ConversationKind): number {
  const all = tableOf(analysis, kind);
  if (kind === 'tcp' || kind === 'udp') return all.rows;
  let six = 0;
  for (let row = 0; row < all.rows; row += 1) if (all.isSix(row)) six += 1;
  return kind === 'ipv6' ? six : all.rows - six;
}

const ROUND_TRIP_COLUMNS = [
  right('FIRST RTT'),
  left('RTT A→B, LEAST/MEDIAN/MOST'),
  left('RTT B→A'),
  right('IN FLIGHT A→B'),
  right('B→A'),
];

/** How long segments of each side took to be acknowledged, and the most bytes on their way. */
function roundTripCells({ roundTrip }: ConversationFacts): string[] {
  const times = (of: RoundTripFacts | undefined) =>
    of?.minSeconds === undefined
      ? ''
      : [of.minSeconds, of.medianSeconds!, of.maxSeconds!].map(latencyText).join(' / ');
  const inFlight = (of: RoundTripFacts | undefined) => (of ? formatBytes(of.maxBytesInFlight) : '');
  const { initialSeconds, aToB, bToA } = roundTrip ?? {};
  return [
    initialSeconds === undefined ? '' : latencyText(initialSeconds),
    times(aToB),
    times(bToA),
    inFlight(aToB),
    inFlight(bToA),
  ];
}

/** The problems of each side. A keep-alive is not a problem. */
function healthWords({ health }: ConversationFacts): string {
  if (!health) return '';
  const opening = health.opening === 'refused' || health.opening === 'unanswered' ? [health.opening] : [];
  const side = (word: string, counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .filter(([trouble]) => trouble !== 'keepAlives')
      .map(([trouble, count]) => `${word} ${count} ${troubleWords(trouble)}`);
  const first = health.firstFrame ? [`first: frame ${frameText(health.firstFrame)}`] : [];
  return [...opening, ...side('A', health.a), ...side('B', health.b), ...first].join(', ');
}

function* flagTable(analysis: Analysis): Generator<string> {
  const counts = [...analysis.flags.byText()].sort(([, one], [, other]) => other - one);
  if (analysis.protocols.tcp === 0) return;
  yield '\nTCP flags\n';
  yield table(
    [right('FRAMES'), left('FLAGS')],
    counts.map(([text, count]) => [String(count), text === '' ? '(no TCP)' : text]),
  );
}

function* synTable(analysis: Analysis, { rows, names }: TableChoice): Generator<string> {
  const { syns } = analysis;
  if (syns.count === 0) return;
  yield heading('SYNs', Math.min(rows, syns.count), syns.count);
  yield* tablePieces(
    [right('FRAME'), left('TIME'), left('FLAGS'), left('FROM'), left('TO'), left('WIRESHARK FILTER')],
    () =>
      rowsOf(
        syns.all(),
        (syn) => {
          const each = synFacts(analysis, syn, names);
          return [
            frameText(each),
            each.time ?? '',
            each.flags,
            endText(each.source),
            endText(each.destination),
            each.filter,
          ];
        },
        rows,
      ),
  );
}

function* healthText(facts: HealthFacts, wide: boolean): Generator<string> {
  yield '\nTCP health\n';
  const line = (label: string, text: string) => `${label.padEnd(16)}${text}\n`;
  const { opened, refused, unanswered, unseen } = facts.connections;
  yield line(
    'Connections',
    `${opened} opened, ${refused} refused, ${unanswered} without an answer, ${unseen} from before the capture`,
  );
  const wrong = Object.entries(facts.totals).filter(([, count]) => count > 0);
  yield line(
    'Segments',
    wrong.map(([name, count]) => `${count} ${troubleWords(name)}`).join(', ') || 'nothing wrong',
  );
  if (facts.handshake) yield line('Handshake', quantileText(facts.handshake));
  if (facts.firstResponse) yield line('First response', quantileText(facts.firstResponse));
  if (facts.resetsBySender.length)
    yield line(
      'Resets by',
      facts.resetsBySender
        .slice(0, 5)
        .map((each) => `${printable(endText(each))} ${each.count}`)
        .join(', '),
    );
  yield* evidenceTable(facts.evidence, wide);
  if (facts.synsByClient.length === 0) return;
  const shown = facts.synsByClient;
  yield heading('New connections', shown.length, facts.clients);
  yield* tablePieces([left('CLIENT'), left('SERVER'), right('SYNS'), right('PER SECOND')], () =>
    rowsOf(shown, ({ client, server, count, perSecond }) => [
      endText(client),
      endText(server),
      String(count),
      perSecond === undefined ? '' : perSecond.toPrecision(3),
    ]),
  );
}

/** The first frames of each kind of trouble; with `wide` also a filter that finds all of them. */
function* evidenceTable(
  found: Readonly<Record<string, Evidence | undefined>>,
  wide: boolean,
): Generator<string> {
  const rows = Object.entries(found).flatMap(([kind, each]) =>
    each
      ? [[troubleWords(kind), String(each.count), framesText(each), ...(wide ? [each.filter ?? ''] : [])]]
      : [],
  );
  if (rows.length === 0) return;
  yield '\nFirst frames of each kind (--show expert lists them all)\n';
  yield table(
    [left('TROUBLE'), right('COUNT'), left('FRAMES'), ...(wide ? [left('WIRESHARK FILTER')] : [])],
    rows,
  );
}

/** The packets with a problem, one on each line. */
function* expertTable(analysis: Analysis, names: AddressNames, rows: number): Generator<string> {
  const count = countTroubled(analysis);
  if (count === 0) return;
  yield heading('Packets with problems', Math.min(rows, count), count);
  yield* tablePieces([right('FRAME'), right('TIME'), left('WHAT'), left('FROM'), left('TO')], () =>
    rowsOf(
      expertFacts(analysis, names),
      (each) => [
        frameText(each),
        each.relativeSeconds?.toFixed(9) ?? '',
        whatText(each),
        endText(each.source),
        endText(each.destination),
      ],
      rows,
    ),
  );
}

/** `Dup ACK 12#1, Zero Window`: a duplicate ACK has the frame that it repeats and the number of the repetition, as in Wireshark. */
const whatText = ({ what, duplicateOf, duplicateNumber }: ExpertFacts): string =>
  what.map((name) => (name === 'Dup ACK' ? `Dup ACK ${duplicateOf}#${duplicateNumber}` : name)).join(', ');

/** The endpoints, with what each sent and received. */
function* endpointTables(analysis: Analysis, names: AddressNames, rows: number): Generator<string> {
  const titles = {
    ipv4: 'IPv4 endpoints',
    ipv6: 'IPv6 endpoints',
    tcp: 'TCP endpoints',
    udp: 'UDP endpoints',
  };
  for (const kind of ENDPOINT_KINDS) {
    const six = kind === 'ipv4' ? false : kind === 'ipv6' ? true : undefined;
    const count = new Endpoints(tableOf(analysis, kind)).count(six);
    if (count === 0) continue;
    yield heading(titles[kind], Math.min(rows, count), count);
    yield* tablePieces(
      [
        left('ENDPOINT'),
        right('PACKETS'),
        right('BYTES'),
        right('SENT'),
        right('BYTES'),
        right('RECEIVED'),
        right('BYTES'),
        left('WIRESHARK FILTER'),
      ],
      () =>
        rowsOf(
          endpoints(analysis, kind, names),
          (each) => [
            endText(each),
            String(each.packets),
            formatBytes(each.bytes),
            String(each.sentPackets),
            formatBytes(each.sentBytes),
            String(each.receivedPackets),
            formatBytes(each.receivedBytes),
            each.filter,
          ],
          rows,
        ),
    );
  }
}

function* timelineTable(analysis: Analysis, { rows }: TableChoice): Generator<string> {
  const all = [...timelineFacts(analysis)];
  if (all.length === 0) return;
  const shown = all.slice(0, Math.max(rows, 60));
  const jumps = analysis.timeline!.jumps();
  const short = toTheSecond(all.map(({ time }) => time));
  yield heading(
    `Timeline, ${analysis.timeline!.step === 1 ? 'second by second' : `in steps of ${analysis.timeline!.step} s`}`,
    shown.length,
    all.length,
  );
  yield table(
    [
      left('TIME'),
      right('PACKETS'),
      right('BYTES'),
      right('RETRANSMITTED'),
      right('COMMANDS'),
      right('P50'),
      right('P99'),
      right('MAX'),
    ],
    shown.flatMap(({ time, packets, bytes, retransmissions, commands, latency }, at) => [
      ...(jumps.has(at) ? [['…', '', '', '', '', '', '', '']] : []),
      [
        short(time),
        String(packets),
        formatBytes(bytes),
        String(retransmissions),
        String(commands),
        ...(latency
          ? [latency.p50Seconds, latency.p99Seconds, latency.maxSeconds].map(latencyText)
          : ['', '', '']),
      ],
    ]),
  );
}
