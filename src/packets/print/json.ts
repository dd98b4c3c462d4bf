import type { LongResult } from '../../output/long-result.ts';
import type { Analysis } from '../analysis.ts';
import type { ReadEnd } from '../file/reader.ts';
import type { Section } from '../sections.ts';
import type { Sort } from '../sorting.ts';
import { expertFacts } from './expert.ts';
import {
  type AddressNames,
  conversations,
  ENDPOINT_KINDS,
  endpoints,
  healthFacts,
  type SynFacts,
  summaryFacts,
  synFacts,
  timelineFacts,
} from './facts.ts';
import { redisFacts } from './redis-facts.ts';

/** A file that was read, for the report. */
export interface InputFile extends Partial<ReadEnd> {
  readonly name: string;
  readonly bytes?: number;
}

/**
 * The report, whose long lists are made row by row when they are asked for. Every list is whole; times are ISO 8601 with
 * nanoseconds, durations seconds, sizes bytes.
 */
export function report(
  analysis: Analysis,
  files: readonly InputFile[],
  sections: ReadonlySet<Section>,
  names: AddressNames,
  sort: Sort = 'packets',
): LongResult {
  const deep = [...sections].some((section) => section !== 'summary');
  const kinds = [
    ['ip', 'ipv4'],
    ['ipv6', 'ipv6'],
    ['tcp', 'tcp'],
    ['udp', 'udp'],
  ] as const;
  const wanted = kinds.filter(([section]) => sections.has(section));
  return {
    kind: 'PacketAnalysis',
    version: 1,
    files,
    ...(sections.has('summary') && { summary: summaryFacts(analysis, deep) }),
    ...(wanted.length > 0 && {
      conversations: Object.fromEntries(
        wanted.map(([, kind]) => [kind, conversations(analysis, kind, names, sort)]),
      ),
    }),
    ...(sections.has('endpoints') && {
      endpoints: Object.fromEntries(ENDPOINT_KINDS.map((kind) => [kind, endpoints(analysis, kind, names)])),
    }),
    ...(sections.has('flags') && {
      tcpFlags: [...analysis.flags.byText()].map(([text, frames]) => ({ flags: text, frames })),
    }),
    ...(sections.has('syns') && { syns: syns(analysis, names) }),
    ...(sections.has('health') && { tcpHealth: healthFacts(analysis, names) ?? null }),
    ...(sections.has('expert') && { expert: expertFacts(analysis, names) }),
    ...(sections.has('redis') && { redis: redisFacts(analysis, names) ?? null }),
    ...(sections.has('timeline') && {
      timeline: { stepSeconds: analysis.timeline?.step ?? 1, steps: timelineFacts(analysis) },
    }),
  };
}

function* syns(analysis: Analysis, names: AddressNames): Generator<SynFacts> {
  for (const syn of analysis.syns.all()) yield synFacts(analysis, syn, names);
}
