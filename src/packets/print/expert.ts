import type { Analysis } from '../analysis.ts';
import type { FrameOf } from '../frame-numbers.ts';
import type { Health } from '../tcp/health.ts';
import type { TroubledPacket } from '../tcp/trouble-list.ts';
import { isoTime } from '../times.ts';
import { type AddressNames, type End, endOf } from './facts.ts';
import { secondsSince } from './tshark.ts';

/** A packet with a problem, as it is reported. */
export interface ExpertFacts extends FrameOf {
  /** Absent where the file has no times. */
  readonly time?: string;
  /** Since the first packet, as Wireshark's `frame.time_relative`. */
  readonly relativeSeconds?: number;
  /** The problem, in Wireshark's words. */
  readonly what: readonly string[];
  readonly source: End;
  readonly destination: End;
  /** Of a duplicate ACK: the frame whose acknowledgment it repeats, and which repetition it is, counted from 1. */
  readonly duplicateOf?: number;
  readonly duplicateNumber?: number;
}

/** Whether the packet has a problem; for a SYN that is known only at the end. */
const outcomeOf = (health: Health, { isClientSyn, row }: TroubledPacket): string | undefined => {
  if (!isClientSyn) return undefined;
  const opening = health.opening(row);
  return opening === 'unanswered' ? 'SYN unanswered' : opening === 'refused' ? 'SYN refused' : undefined;
};

/** How many packets `expert` lists. */
export function countTroubled({ troubles, health }: Analysis): number {
  let count = 0;
  if (!troubles || !health) return 0;
  for (const each of troubles.all()) if (each.names.length > 0 || outcomeOf(health, each)) count += 1;
  return count;
}

/** The packets with a problem, in the order of the capture. */
export function* expertFacts(analysis: Analysis, names: AddressNames): Generator<ExpertFacts> {
  const { troubles, health, tcp, addresses, frames, summary } = analysis;
  if (!troubles || !health) return;
  for (const each of troubles.all()) {
    const outcome = outcomeOf(health, each);
    const what = outcome === undefined ? each.names : [...each.names, outcome];
    if (what.length === 0) continue;
    const { a, b, aPort, bPort, six } = tcp.read(each.row);
    const ends = [
      endOf(addresses.text(a, six), aPort, names),
      endOf(addresses.text(b, six), bPort, names),
    ] as const;
    yield {
      ...frames.of(each.frame),
      ...(each.timed && {
        time: isoTime([each.seconds, each.nanos]),
        relativeSeconds: Number(
          secondsSince([summary.zeroSeconds, summary.zeroNanos], [each.seconds, each.nanos]).toFixed(9),
        ),
      }),
      what,
      source: ends[each.fromA ? 0 : 1],
      destination: ends[each.fromA ? 1 : 0],
      ...(each.duplicate && {
        duplicateOf: frames.of(each.duplicate.of).frame,
        duplicateNumber: each.duplicate.number,
      }),
    };
  }
}
