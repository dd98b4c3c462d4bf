import type { Analysis } from './analysis.ts';
import { type ConversationTable, mostFirst } from './conversations.ts';
import { TROUBLES } from './tcp/troubles.ts';

/** What conversations can be sorted by. */
export const SORTS = ['packets', 'bytes', 'start', 'duration', 'rtt', 'retransmissions', 'troubles'] as const;
export type Sort = (typeof SORTS)[number];

/**
 * The rows of a table in an order: the largest first, but for `start` the earliest first. A value that is not known counts as
 * the smallest. Only TCP has round trips and troubles, so other conversations stay sorted by packets.
 */
export function sorted(table: ConversationTable, sort: Sort, { tcp, health }: Analysis): Uint32Array {
  if (sort === 'packets') return table.byFrames();
  if (sort === 'bytes' || sort === 'start' || sort === 'duration') {
    const origin = table.rows > 0 ? table.read(0).start[0] : 0;
    return mostFirst(table.rows, (row) => {
      const { bytesToA, bytesToB, start, stop } = table.read(row);
      if (sort === 'bytes') return bytesToA + bytesToB;
      if (sort === 'start') return (origin - start[0]) * 1e9 - start[1];
      return (stop[0] - start[0]) * 1e9 + (stop[1] - start[1]);
    });
  }
  if (!health || table !== tcp) return table.byFrames();
  if (sort === 'rtt') return mostFirst(table.rows, (row) => health.roundTrip(row) ?? 0);
  const kinds =
    sort === 'troubles'
      ? TROUBLES.filter((trouble) => trouble !== 'keepAlives')
      : (['retransmissions', 'fastRetransmissions', 'spuriousRetransmissions'] as const);
  return mostFirst(table.rows, (row) =>
    kinds.reduce((sum, kind) => sum + health.count(row, true, kind) + health.count(row, false, kind), 0),
  );
}
