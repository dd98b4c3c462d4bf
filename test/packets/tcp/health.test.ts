import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { analyzed } from '../analysis.ts';
import { fileOf } from '../judge.ts';
import { FLAG, type Framed, framed, pcap, type Segment, START, tcp } from '../packets.ts';

/** Names of Wireshark's fields, and ours. */
const FIELDS = {
  retransmission: 'retransmissions',
  fast_retransmission: 'fastRetransmissions',
  spurious_retransmission: 'spuriousRetransmissions',
  out_of_order: 'outOfOrder',
  duplicate_ack: 'duplicateAcks',
  zero_window: 'zeroWindows',
  lost_segment: 'lostSegments',
  keep_alive: 'keepAlives',
  window_full: 'windowFull',
  ack_lost_segment: 'ackedUnseenSegments',
} as const;

async function wireshark(capture: Buffer): Promise<Record<string, number>> {
  const names = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
  const words = names.flatMap((name) => ['-e', `tcp.analysis.${name}`]);
  const { stdout } = await execa('tshark', ['-n', '-r', fileOf(capture), '-T', 'fields', ...words]);
  const counts: Record<string, number> = Object.fromEntries(Object.values(FIELDS).map((name) => [name, 0]));
  for (const line of stdout.split('\n')) {
    const there = line.split('\t').map((each) => each !== '');
    // Wireshark calls the fast and the spurious ones retransmissions as well.
    if (there[1] || there[2]) there[0] = false;
    names.forEach((name, at) => {
      if (there[at]) counts[FIELDS[name]]! += 1;
    });
  }
  return counts;
}

const there = (segment: Segment) => tcp({ sport: 40000, dport: 6379, ...segment });
const back = (segment: Segment) =>
  tcp({ src: '10.0.0.2', dst: '10.0.0.1', sport: 6379, dport: 40000, ...segment });

const HANDSHAKE = [
  [0, there({ flags: FLAG.syn, seq: 99 })],
  [10, back({ flags: FLAG.syn | FLAG.ack, seq: 499, ack: 100 })],
  [20, there({ seq: 100, ack: 500 })],
] as const;

/** Packets at milliseconds from the start. */
const at = (...packets: readonly (readonly [number, Buffer])[]): Buffer =>
  pcap(
    'ethernet',
    packets.map(
      ([millis, packet]): Framed => ({
        frame: framed('ethernet', packet),
        at: START + BigInt(Math.round(millis * 1e6)),
      }),
    ),
  );

const data = (seq: number, payload = 'x'.repeat(100), more: Segment = {}) =>
  there({ seq, ack: 500, flags: 24, payload, ...more });

describe('TCP health is what Wireshark says', () => {
  it.each([
    ['nothing wrong', at(...HANDSHAKE, [30, data(100)], [40, back({ seq: 500, ack: 200 })])],
    ['a SYN again', at([0, there({ flags: FLAG.syn, seq: 9 })], [1000, there({ flags: FLAG.syn, seq: 9 })])],
    [
      'a SYN again at once',
      at([0, there({ flags: FLAG.syn, seq: 9 })], [1, there({ flags: FLAG.syn, seq: 9 })]),
    ],
    ['a segment again, late', at(...HANDSHAKE, [30, data(100)], [240, data(100)])],
    [
      'a segment again that was acknowledged',
      at(...HANDSHAKE, [30, data(100)], [40, back({ seq: 500, ack: 200 })], [50, data(100)]),
    ],
    [
      'a fast one',
      at(
        ...HANDSHAKE,
        [30, data(100)],
        [31, data(300)],
        [35, back({ seq: 500, ack: 200 })],
        [36, back({ seq: 500, ack: 200 })],
        [37, back({ seq: 500, ack: 200 })],
        [38, back({ seq: 500, ack: 200 })],
        [60, data(200)],
      ),
    ],
    ['out of order', at(...HANDSHAKE, [30, data(200)], [31, data(100)])],
    [
      'zero windows and a probe',
      at(
        ...HANDSHAKE,
        [30, data(100)],
        [40, back({ seq: 500, ack: 200, window: 0 })],
        [50, data(200, 'y')],
        [60, back({ seq: 500, ack: 200, window: 0 })],
        [70, back({ seq: 500, ack: 200, window: 100 })],
      ),
    ],
    [
      'keep-alives',
      at(
        ...HANDSHAKE,
        [30, data(100)],
        [40, back({ seq: 500, ack: 200 })],
        [1000, there({ seq: 199, ack: 500 })],
        [1010, back({ seq: 500, ack: 200 })],
        [2000, there({ seq: 199, ack: 500, payload: 'x' })],
        [2010, back({ seq: 500, ack: 200 })],
      ),
    ],
    [
      'a window that is full, and scaled',
      at(
        [0, there({ flags: FLAG.syn, seq: 99, options: [1, 3, 3, 2] })],
        [10, back({ flags: FLAG.syn | FLAG.ack, seq: 499, ack: 100, options: [1, 3, 3, 1] })],
        [20, there({ seq: 100, ack: 500 })],
        [25, back({ seq: 500, ack: 100, window: 50 })],
        [30, data(100)],
      ),
    ],
    [
      'an ACK of what was not captured',
      at(...HANDSHAKE, [30, data(100)], [40, back({ seq: 500, ack: 900 })]),
    ],
    ['a hole', at(...HANDSHAKE, [30, data(300)], [40, data(400)])],
    [
      'numbers that wrap',
      at(
        [0, there({ flags: FLAG.syn, seq: 0xffffffff - 20 })],
        [10, data(0xffffffff - 19)],
        [20, data(80)],
        [300, data(0xffffffff - 19)],
      ),
    ],
    [
      'the middle of a stream',
      at([0, data(5000)], [1, data(5100)], [2, back({ seq: 1, ack: 5200 })], [3, data(5100)]),
    ],
  ])('of %s', async (_, capture) => {
    const { totals } = analyzed(capture).report.tcpHealth;
    const { resets: _resets, ...ours } = totals;
    expect(ours).toEqual(await wireshark(capture));
  });

  it('and who sent resets, how handshakes went, who asks for connections', () => {
    const refused = tcp({
      src: '10.0.0.2',
      dst: '10.0.0.1',
      sport: 81,
      dport: 7,
      flags: FLAG.rst | FLAG.ack,
      ack: 10,
    });
    const { report, tables } = analyzed(
      at(
        ...HANDSHAKE,
        [30, data(100, 'question')],
        [45, back({ seq: 500, ack: 108, flags: 24, payload: 'answer' })],
        [50, there({ seq: 108, ack: 506, flags: FLAG.rst })],
        [60, tcp({ sport: 7, dport: 81, flags: FLAG.syn, seq: 9 })],
        [61, refused],
        [62, tcp({ sport: 8, dport: 82, flags: FLAG.syn, seq: 9 })],
        [1062, tcp({ src: '10.0.0.5', sport: 1, dport: 2, seq: 9 })],
      ),
    );
    const { connections, handshake, firstResponse, resetsBySender, synsByClient } = report.tcpHealth;
    expect(connections).toEqual({ opened: 1, refused: 1, unanswered: 1, unseen: 1 });
    expect(handshake).toMatchObject({ count: 1, maxSeconds: 0.02 });
    expect(firstResponse).toMatchObject({ count: 1, maxSeconds: 0.015 });
    expect(resetsBySender).toEqual([
      { address: '10.0.0.1', count: 1 },
      { address: '10.0.0.2', count: 1 },
    ]);
    expect(synsByClient).toHaveLength(3);
    expect(synsByClient[0]).toEqual({
      client: { address: '10.0.0.1' },
      server: { address: '10.0.0.2', port: 6379 },
      count: 1,
      perSecond: 1 / 1.062,
    });
    expect(tables).toContain('1 opened, 1 refused, 1 without an answer, 1 from before the capture');
    expect(tables).toContain('A 1 resets');
  });
});
