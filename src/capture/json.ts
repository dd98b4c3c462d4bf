import { printableJson } from '../printable.ts';
import type { Analysis } from './analysis.ts';
import { ENDPOINT_KINDS, endpoints } from './endpoints.ts';
import { expertFacts } from './expert.ts';
import { conversations, healthFacts, type Names, summaryFacts, synFacts, timelineFacts } from './facts.ts';
import type { ReadEnd } from './reader.ts';
import { redisFacts } from './redis/facts.ts';
import type { Section } from './sections.ts';
import type { Sort } from './sorting.ts';

/** A file that was read, for the report. */
export interface FileFacts extends Partial<ReadEnd> {
  readonly name: string;
  readonly bytes?: number;
}

/**
 * The report as JSON, one piece after the other: long lists are never in memory as text. Every list is whole; times
 * are ISO 8601 with nanoseconds, durations seconds, sizes bytes.
 */
export function* jsonPieces(
  analysis: Analysis,
  files: readonly FileFacts[],
  sections: ReadonlySet<Section>,
  names: Names,
  sort: Sort = 'packets',
): Generator<string> {
  const deep = [...sections].some((section) => section !== 'summary');
  yield `{"kind":"PacketAnalysis","version":1,"files":${printableJson(files)}`;
  if (sections.has('summary')) yield `,"summary":${printableJson(summaryFacts(analysis, deep))}`;
  const kinds = [
    ['ip', 'ipv4'],
    ['ipv6', 'ipv6'],
    ['tcp', 'tcp'],
    ['udp', 'udp'],
  ] as const;
  const wanted = kinds.filter(([section]) => sections.has(section));
  if (wanted.length) {
    yield ',"conversations":{';
    for (const [at, [, kind]] of wanted.entries()) {
      yield `${at ? ',' : ''}"${kind}":`;
      yield* list(conversations(analysis, kind, names, sort));
    }
    yield '}';
  }
  if (sections.has('endpoints')) {
    yield ',"endpoints":{';
    for (const [at, kind] of ENDPOINT_KINDS.entries()) {
      yield `${at ? ',' : ''}"${kind}":`;
      yield* list(endpoints(analysis, kind, names));
    }
    yield '}';
  }
  if (sections.has('flags')) {
    const counts = [...analysis.flags.byText()].map(([text, frames]) => ({ flags: text, frames }));
    yield `,"tcpFlags":${printableJson(counts)}`;
  }
  if (sections.has('syns')) {
    yield ',"syns":';
    yield* list(
      (function* () {
        for (const syn of analysis.syns.all()) yield synFacts(analysis, syn, names);
      })(),
    );
  }
  if (sections.has('health')) yield `,"tcpHealth":${printableJson(healthFacts(analysis, names) ?? null)}`;
  if (sections.has('expert')) {
    yield ',"expert":';
    yield* list(expertFacts(analysis, names));
  }
  if (sections.has('redis')) yield `,"redis":${printableJson(redisFacts(analysis, names) ?? null)}`;
  if (sections.has('timeline')) {
    yield `,"timeline":{"stepSeconds":${analysis.timeline?.step ?? 1},"steps":`;
    yield* list(timelineFacts(analysis));
    yield '}';
  }
  yield '}\n';
}

function* list(rows: Iterable<unknown>): Generator<string> {
  let piece = '[';
  let first = true;
  for (const row of rows) {
    piece += `${first ? '' : ','}${printableJson(row)}`;
    first = false;
    if (piece.length < 65_536) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]`;
}
