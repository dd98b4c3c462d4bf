import type { Analysis } from '../analysis.ts';
import type { FrameOf } from '../frame-numbers.ts';
import type { Health } from '../tcp/health.ts';
import { TROUBLES, type Trouble } from '../tcp/troubles.ts';

/** The evidence for a count: it leads to the packets that were counted. */
export interface Evidence {
  readonly count: number;
  readonly first: readonly FrameOf[];
  /** How many there are beyond the first. */
  readonly leftOff: number;
  /** For Wireshark and tshark -Y; absent where no filter finds them. */
  readonly filter?: string;
}

/** Wireshark calls the fast and the spurious ones retransmissions as well. */
const FILTERS: Readonly<Record<Trouble, string>> = {
  retransmissions:
    'tcp.analysis.retransmission && !tcp.analysis.fast_retransmission && !tcp.analysis.spurious_retransmission',
  fastRetransmissions: 'tcp.analysis.fast_retransmission',
  spuriousRetransmissions: 'tcp.analysis.spurious_retransmission',
  outOfOrder: 'tcp.analysis.out_of_order',
  duplicateAcks: 'tcp.analysis.duplicate_ack',
  zeroWindows: 'tcp.analysis.zero_window',
  lostSegments: 'tcp.analysis.lost_segment',
  keepAlives: 'tcp.analysis.keep_alive',
  resets: 'tcp.flags.reset == 1',
  windowFull: 'tcp.analysis.window_full',
  ackedUnseenSegments: 'tcp.analysis.ack_lost_segment',
};

/** The evidence of every kind that there is, and of connections that were not opened. */
export function evidence(
  { frames }: Analysis,
  health: Health,
  counts: Readonly<Record<'refused' | 'unanswered', number>>,
  asked: Readonly<Record<'refused' | 'unanswered', readonly number[]>>,
): Partial<Record<Trouble | 'refused' | 'unanswered', Evidence>> {
  const found: Partial<Record<Trouble | 'refused' | 'unanswered', Evidence>> = {};
  const add = (
    kind: Trouble | 'refused' | 'unanswered',
    count: number,
    first: readonly number[],
    filter?: string,
  ) => {
    if (count === 0) return;
    found[kind] = {
      count,
      first: first.map((frame) => frames.of(frame)),
      leftOff: count - first.length,
      ...(filter !== undefined && { filter }),
    };
  };
  for (const kind of ['refused', 'unanswered'] as const) {
    // Wireshark has no field for the outcome of a SYN, so the filter lists frame numbers, as long as there are few.
    const listed = asked[kind].map((frame) => frames.of(frame));
    const isWhole = listed.length === counts[kind] && listed.every(({ file }) => file === undefined);
    const numbers = listed.map(({ frame }) => frame).join(', ');
    add(kind, counts[kind], asked[kind], isWhole ? `frame.number in {${numbers}}` : undefined);
  }
  TROUBLES.forEach((kind, at) => {
    add(kind, health.totals[at]!, health.firstFrames(kind), FILTERS[kind]);
  });
  return found;
}

/** `12`; with its file where several were read. */
export const frameText = ({ frame, file }: FrameOf): string =>
  file === undefined ? String(frame) : `${file.split(/[\\/]/).at(-1)}:${frame}`;

/** `12, 40 and 3 more`. */
export const framesText = ({ first, leftOff }: Evidence): string =>
  first.map(frameText).join(', ') + (leftOff > 0 ? ` and ${leftOff} more` : '');

const TROUBLE_WORDS: Readonly<Record<string, string>> = {
  retransmissions: 'retransmissions',
  fastRetransmissions: 'fast retransmissions',
  spuriousRetransmissions: 'spurious retransmissions',
  outOfOrder: 'out of order',
  duplicateAcks: 'duplicate ACKs',
  zeroWindows: 'zero windows',
  lostSegments: 'segments not captured before',
  keepAlives: 'keep-alives',
  resets: 'resets',
  windowFull: 'window full',
  ackedUnseenSegments: 'ACKs of segments not captured',
  refused: 'connections refused',
  unanswered: 'connections without an answer',
};

/** A kind of trouble in words. */
export const troubleWords = (kind: string): string => TROUBLE_WORDS[kind] ?? kind;
