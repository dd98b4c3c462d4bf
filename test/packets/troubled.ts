import { random } from './frames.ts';
import { FLAG, type Framed, framed, type Segment, START, tcp } from './packets.ts';

/** One side of a connection that things go wrong with. */
interface Side {
  readonly ends: Segment;
  next: number;
  acked: number;
  window: number;
  sent: { seq: number; length: number }[];
}

/**
 * Segments of some connections at a time, with everything that Wireshark has a word for: what is sent again, early, late or
 * never, holes, windows that are full or closed, probes, keep-alives, resets, SYNs without an answer, ports used again.
 */
export function troubled(seed: number, count: number): Framed[] {
  const below = random(seed);
  const maybe = (ofHundred: number) => below(100) < ofHundred;
  const list: Framed[] = [];
  let at = START;
  let connection = 0;
  const wait = () => {
    at += BigInt([1, 40, 900, 4_000, 30_000, 260_000][below(6)]! * (1 + below(3))) * 1000n;
  };
  const put = (side: Side, segment: Segment) => {
    wait();
    // What the capture lacks happened all the same.
    if (maybe(4)) return;
    list.push({ frame: framed('ethernet', tcp({ ...side.ends, window: side.window, ...segment })), at });
  };
  const scale = (shift: number): number[] => (maybe(70) ? [1, 3, 3, shift] : []);

  const opened = (): { sides: [Side, Side]; left: number } => {
    connection += 1;
    const client = {
      src: `10.0.0.${1 + (connection % 5)}`,
      dst: '10.1.0.1',
      sport: 40_000 + (connection % 7),
      dport: 6379,
    };
    const server = { src: client.dst, dst: client.src, sport: client.dport, dport: client.sport };
    const start = maybe(10) ? 2 ** 32 - 1 - below(3000) : below(2 ** 31) * 2;
    const sides: [Side, Side] = [
      { ends: client, next: start, acked: below(2 ** 31), window: 1000 + below(3000), sent: [] },
      { ends: server, next: 0, acked: start, window: 500 + below(3000), sent: [] },
    ];
    sides[1].next = sides[0].acked;
    if (maybe(20)) return { sides, left: 20 + below(60) };
    const syn = () =>
      put(sides[0], { seq: start - 1, flags: FLAG.syn, window: 64_000, options: scale(below(4)) });
    syn();
    if (maybe(15)) syn();
    if (maybe(8)) return { sides, left: 0 };
    if (maybe(8)) {
      put(sides[1], { seq: 0, ack: start, flags: FLAG.rst | FLAG.ack });
      return { sides, left: 0 };
    }
    put(sides[1], {
      seq: sides[1].next - 1,
      ack: start,
      flags: FLAG.syn | FLAG.ack,
      window: 64_000,
      options: scale(below(4)),
    });
    put(sides[0], { seq: start, ack: sides[1].next, flags: FLAG.ack });
    return { sides, left: 20 + below(60) };
  };

  const sack = (side: Side): number[] => {
    if (!maybe(50)) return [];
    const ranges = 1 + below(4);
    const words = Array.from({ length: 2 * ranges }, (_, edge) => {
      const value = (side.acked + 200 + 100 * edge) >>> 0;
      return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
    }).flat();
    return [1, 1, 5, 2 + 8 * ranges, ...words];
  };

  const step = ([one, other]: readonly [Side, Side]) => {
    const seq = one.next >>> 0;
    const ack = one.acked >>> 0;
    const send = (from: number, length: number, flags = FLAG.ack | FLAG.psh) =>
      put(one, { seq: from >>> 0, ack, flags, payload: 'x'.repeat(length) });
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: {
        const length = maybe(20) ? 1 : 1 + below(400);
        one.sent.push({ seq: one.next, length });
        if (one.sent.length > 8) one.sent.shift();
        one.next += length;
        send(seq, length);
        return;
      }
      case 5:
      case 6:
      case 7: {
        one.acked = maybe(70)
          ? other.next
          : (other.sent[below(Math.max(1, other.sent.length))]?.seq ?? one.acked);
        put(one, { seq, ack: one.acked >>> 0 });
        return;
      }
      case 8: {
        const again = one.sent[below(Math.max(1, one.sent.length))];
        if (again) send(again.seq, maybe(80) ? again.length : 1 + below(600));
        return;
      }
      case 9: {
        const options = sack(one);
        for (let times = 1 + below(4); times > 0; times -= 1) put(one, { seq, ack, options });
        const lost = other.sent.find(({ seq: from }) => from >>> 0 === ack);
        if (lost && maybe(60))
          put(other, { seq: ack, ack: other.acked >>> 0, flags: FLAG.ack, payload: 'x'.repeat(lost.length) });
        return;
      }
      case 10: {
        put(one, { seq, ack, window: 0 });
        one.window = 0;
        if (maybe(60)) put(other, { seq: other.next >>> 0, ack: other.acked >>> 0, payload: 'p' });
        if (maybe(60)) put(one, { seq, ack, window: 0 });
        one.window = 500 + below(3000);
        if (maybe(60)) put(one, { seq, ack });
        return;
      }
      case 11: {
        put(one, { seq: (one.next - 1) >>> 0, ack, payload: maybe(50) ? 'k' : '' });
        if (maybe(70)) put(other, { seq: other.next >>> 0, ack: other.acked >>> 0 });
        return;
      }
      case 12: {
        // Up to the edge of what the other side takes, where that is not scaled.
        const room = (other.acked + other.window - one.next) | 0;
        if (room <= 0 || room > 5000) return;
        one.next += room;
        send(seq, room);
        return;
      }
      case 13:
        if (maybe(20)) put(one, { seq, ack, flags: FLAG.rst | (maybe(50) ? FLAG.ack : 0) });
        return;
      case 14:
        if (maybe(20)) {
          send(seq, maybe(50) ? 10 : 0, FLAG.fin | FLAG.ack);
          if (maybe(40)) send(seq, 0, FLAG.fin | FLAG.ack);
        }
        return;
      default: {
        const length = 1 + below(200);
        one.next += length;
        if (maybe(50)) send(one.next, 1 + below(200));
      }
    }
  };

  const open = [opened(), opened(), opened()];
  while (list.length < count) {
    const which = below(open.length);
    const { sides, left } = open[which]!;
    if (left <= 0) {
      open[which] = opened();
      continue;
    }
    open[which]!.left -= 1;
    step(maybe(50) ? [sides[0], sides[1]] : [sides[1], sides[0]]);
  }
  return list;
}
