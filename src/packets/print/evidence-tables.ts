import { rowsOf, table, tablePieces } from '../../output/table.ts';
import { formatBytes } from '../../text/quantity.ts';
import type { Analysis } from '../analysis.ts';
import { ENDPOINT_KINDS, Endpoints, endpoints } from '../endpoints.ts';
import { type Evidence, framesText, frameText, troubleWords } from './evidence.ts';
import { countTroubled, type ExpertFacts, expertFacts } from './expert.ts';
import { type AddressNames, tableOf } from './facts.ts';
import { endText, heading, left, right } from './wording.ts';

/** The first frames of each kind of trouble; with `wide` also a filter that finds all of them. */
export function* evidenceTable(
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
export function* expertTable(analysis: Analysis, names: AddressNames, rows: number): Generator<string> {
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
export function* endpointTables(analysis: Analysis, names: AddressNames, rows: number): Generator<string> {
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
