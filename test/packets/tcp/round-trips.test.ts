import { describe, expect, it } from 'vitest';
import { analyzed } from '../analysis.ts';
import { fieldsOf, fileOf } from '../judge.ts';
import { type Framed, framed, pcap, START, tcp } from '../packets.ts';
import { troubled } from '../troubled.ts';

/** Another seed makes other segments. */
const SEED = Number(process.env.SEED ?? 1);

interface Side {
  readonly roundTrips: number[];
  mostInFlight: number;
}

/** What Wireshark measures of each stream: the first round trip, and of what each port sent. */
async function wireshark(path: string): Promise<{ initial: number; sides: Record<string, Side> }[]> {
  const streams: { initial: number; sides: Record<string, Side> }[] = [];
  const fields = ['initial_rtt', 'ack_rtt', 'bytes_in_flight'].map((name) => `tcp.analysis.${name}`);
  for (const row of await fieldsOf(path, ['tcp.stream', 'tcp.srcport', 'tcp.dstport', ...fields])) {
    const [number, source, destination, initial, roundTrip, inFlight] = row as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    streams[Number(number)] ??= { initial: 0, sides: {} };
    const stream = streams[Number(number)]!;
    const side = (port: string) => {
      stream.sides[port] ??= { roundTrips: [], mostInFlight: 0 };
      return stream.sides[port];
    };
    if (initial) stream.initial = Number(initial);
    if (roundTrip) side(destination).roundTrips.push(Number(roundTrip));
    if (inFlight) side(source).mostInFlight = Math.max(side(source).mostInFlight, Number(inFlight));
  }
  return streams;
}

/** Quantiles are exact up to 16, else right to 0.8 %. */
const near = (seconds: number, exactly: boolean) =>
  exactly
    ? expect.closeTo(seconds, 9)
    : expect.toSatisfy((ours: number) => Math.abs(ours / seconds - 1) < 0.008);

async function expectAsWireshark(frames: readonly Framed[]): Promise<void> {
  const capture = pcap('ethernet', frames);
  const theirs = await wireshark(fileOf(capture));
  const { analysis, report } = analyzed(capture);
  expect(analysis.tcp.rows).toBe(theirs.length);
  const order = [...analysis.tcp.byFrames()];
  const wrong = theirs.map(({ initial, sides }, row) => {
    const ours = report.conversations.tcp[order.indexOf(row)];
    const of = (port: number) => {
      const { roundTrips, mostInFlight } = sides[port] ?? { roundTrips: [], mostInFlight: 0 };
      const sorted = roundTrips.toSorted((one, other) => one - other);
      const count = sorted.length;
      if (count === 0 && mostInFlight === 0) return undefined;
      return {
        count,
        ...(count > 0 && {
          minSeconds: near(sorted[0]!, true),
          medianSeconds: near(sorted[Math.ceil(count / 2) - 1]!, count <= 16),
          maxSeconds: near(sorted[count - 1]!, true),
        }),
        maxBytesInFlight: mostInFlight,
      };
    };
    const { initialSeconds, aToB, bToA } = ours.roundTrip;
    expect({ row, initialSeconds: initialSeconds ?? 0, aToB, bToA }).toEqual({
      row,
      initialSeconds: near(initial, true),
      aToB: of(ours.a.port),
      bToA: of(ours.b.port),
    });
    return row;
  });
  expect(wrong).toHaveLength(theirs.length);
}

describe('round trips and bytes in flight of each conversation', () => {
  it.each([0, 1, 2, 3])('are what Wireshark measures, whatever goes wrong (%i)', async (more) => {
    await expectAsWireshark(troubled(SEED + more, 3000));
  });

  it('are what Wireshark measures of many, in order and sent again', async () => {
    const frames: Framed[] = [];
    let at = START;
    const put = (packet: Buffer) => {
      at += 150_000n + BigInt(frames.length % 7) * 10_000n;
      frames.push({ frame: framed('ethernet', packet), at });
    };
    const back = { src: '10.0.0.2', dst: '10.0.0.1', sport: 6379, dport: 40000 };
    put(tcp({ seq: 999, flags: 2 }));
    put(tcp({ ...back, seq: 4999, ack: 1000, flags: 18 }));
    put(tcp({ seq: 1000, ack: 5000 }));
    for (let round = 0; round < 30; round += 1) {
      const from = 1000 + 3000 * round;
      for (let each = 0; each < 30; each += 1)
        put(tcp({ seq: from + 100 * each, ack: 5000, payload: 'x'.repeat(100) }));
      if (round % 5 === 0) put(tcp({ seq: from + 500, ack: 5000, payload: 'x'.repeat(100) }));
      for (let each = 2; each <= 30; each += 2) put(tcp({ ...back, seq: 5000, ack: from + 100 * each }));
    }
    await expectAsWireshark(frames);
  });
});
