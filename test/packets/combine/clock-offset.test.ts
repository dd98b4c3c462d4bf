import { describe, expect, it } from 'vitest';
import type { ClockOffset } from '../../../src/packets/combine/clock-offset.ts';
import type { PodInterface } from '../../../src/packets/combine/pod-interface.ts';
import { FLAG, type Framed, framed, type Link, pcap, START, tcp, udp } from '../packets.ts';
import { combined, numbers } from './combined.ts';

const CLIENT = { pod: 'client', node: 'node-a', ips: ['10.1.0.1', 'fd00::1'] };
const SERVER = { pod: 'server', node: 'node-b', ips: ['10.1.1.2', 'fd00::2'] };

interface Wire {
  /** Nanoseconds that the packet is on its way; the clock of b minus that of a at that moment. */
  readonly delay: number;
  readonly offset: number;
  readonly forward: boolean;
  readonly packet: Uint8Array;
  /** Nanoseconds after the start, by the clock of a. */
  readonly sent: number;
  /** Which side did not see it. */
  readonly missing?: 'a' | 'b';
}

/** Two captures of the same packets, each by the clock of its node. */
function bothSides(wires: readonly Wire[], link: Link = 'ethernet', nanoseconds = true) {
  const sides: { a: Framed[]; b: Framed[] } = { a: [], b: [] };
  for (const { delay, offset, forward, packet, sent, missing } of wires) {
    const frame = framed(link, packet);
    const atA = sent + (forward ? 0 : delay);
    const atB = sent + (forward ? delay : 0) + offset;
    if (missing !== 'a') sides.a.push({ frame, at: START + BigInt(atA) });
    if (missing !== 'b') sides.b.push({ frame, at: START + BigInt(atB) });
  }
  const inOrder = (side: Framed[]) => side.sort((one, other) => Number(one.at - other.at));
  return {
    a: pcap(link, inOrder(sides.a), { nanoseconds }),
    b: pcap(
      'sll2',
      inOrder(sides.b).map(({ at, frame }) => ({ at, frame: recooked(link, frame) })),
      { nanoseconds },
    ),
  };
}

/** The same packet as tcpdump sees it on `any`. */
const recooked = (link: Link, frame: Uint8Array) =>
  framed('sll2', frame.subarray(link === 'ethernet' ? 14 : 0));

const conversation = (
  count: number,
  make: (number: number) => Pick<Wire, 'delay' | 'offset'> & Partial<Wire>,
  six = false,
): Wire[] =>
  Array.from({ length: count }, (_, number) => {
    const forward = number % 2 === 0;
    const [here, there] = six ? ['fd00::1', 'fd00::2'] : ['10.1.0.1', '10.1.1.2'];
    const packet = tcp({
      ...(forward
        ? { src: here!, dst: there!, sport: 40000, dport: 6379 }
        : { src: there!, dst: here!, sport: 6379, dport: 40000 }),
      seq: 1000 + 10 * number,
      ack: 500 + 10 * number,
      flags: FLAG.ack | FLAG.psh,
      payload: `number ${number}`,
      id: 1 + number,
    });
    return { forward, packet, sent: number * 1_000_000, ...make(number) };
  });

async function offsetOf(
  { a, b }: { a: Uint8Array; b: Uint8Array },
  client: Partial<PodInterface> = CLIENT,
  server: Partial<PodInterface> = SERVER,
): Promise<ClockOffset> {
  const { offsets } = await combined([
    [client, a],
    [server, b],
  ]);
  expect(offsets).toHaveLength(1);
  return offsets[0]!;
}

describe('the offset between the clocks of two nodes', () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'is within its bound, whatever it is (%i)',
    async (seed) => {
      const random = numbers(seed * 7919 + 1);
      const scale = 10 ** (2 + random(8));
      const offset = (random(2) ? 1 : -1) * random(scale);
      const [there, back] = [10 ** (3 + random(4)), 10 ** (3 + random(4))];
      const wires = conversation(
        2 * (3 + random(60)),
        (number) => ({ delay: (number % 2 ? back : there) / 10 + random(number % 2 ? back : there), offset }),
        seed % 3 === 0,
      );
      const nanoseconds = seed % 2 === 0;
      const found = await offsetOf(bothSides(wires, 'ethernet', nanoseconds));
      expect(found.nodes).toEqual(['node-a', 'node-b']);
      expect(found.unknown).toBeUndefined();
      expect(found.matched).toEqual({ forward: wires.length / 2, back: wires.length / 2 });
      expect(Math.abs(found.offsetNs! - offset)).toBeLessThanOrEqual(found.boundNs!);
      // The bound is half of the shortest way there and back, and not a safe large number.
      const delays = (forward: boolean) =>
        wires
          .filter((each) => each.forward === forward)
          .map(({ delay }) => delay)
          .sort((one, other) => one - other);
      const few = wires.length / 2 < 10 ? 0 : 1;
      const shortest = delays(true)[few]! + delays(false)[few]!;
      expect(found.boundNs!).toBeLessThanOrEqual(shortest / 2 + (nanoseconds ? 3 : 3000));
    },
  );

  it('is exact where both ways take as long, and off by half the difference where they do not', async () => {
    const even = await offsetOf(bothSides(conversation(40, () => ({ delay: 100_000, offset: 2_500_000 }))));
    expect(even).toEqual({
      nodes: ['node-a', 'node-b'],
      offsetNs: 2_500_000,
      boundNs: 100_001,
      matched: { forward: 20, back: 20 },
    });
    const uneven = await offsetOf(
      bothSides(
        conversation(40, (number) => ({ delay: number % 2 ? 900_000 : 100_000, offset: -2_500_000 })),
      ),
    );
    expect(uneven).toMatchObject({ offsetNs: -2_900_000, boundNs: 500_001 });
  });

  it('is of the node that comes second in the alphabet, whichever pod was named first', async () => {
    const { a, b } = bothSides(conversation(20, () => ({ delay: 1000, offset: 50_000 })));
    const { offsets } = await combined([
      [SERVER, b],
      [CLIENT, a],
    ]);
    expect(offsets).toMatchObject([{ nodes: ['node-a', 'node-b'], offsetNs: 50_000 }]);
  });

  it('is found with few bytes of each packet, and without ports', async () => {
    const random = numbers(3);
    const wires = conversation(40, () => ({ delay: 5000 + random(9000), offset: 777_000 }));
    const cut = (file: Buffer, header: number) => {
      const parts = [file.subarray(0, 24)];
      for (let at = 24; at < file.length; ) {
        const size = file.readUInt32LE(at + 8);
        const record = Buffer.from(file.subarray(at, at + 16 + header + 40));
        record.writeUInt32LE(header + 40, 8);
        parts.push(record);
        at += 16 + size;
      }
      return Buffer.concat(parts);
    };
    const { a, b } = bothSides(wires);
    const found = await offsetOf({ a: cut(a, 14), b: cut(b, 20) });
    expect(found.matched).toEqual({ forward: 20, back: 20 });
    expect(Math.abs(found.offsetNs! - 777_000)).toBeLessThanOrEqual(found.boundNs!);
  });

  it('cannot be estimated without packets of both directions, and says why', async () => {
    const wires = conversation(40, () => ({ delay: 1000, offset: 50_000 }));
    const of = (some: readonly Wire[]) => offsetOf(bothSides(some));
    expect(await of(wires.filter(({ forward }) => forward))).toEqual({
      nodes: ['node-a', 'node-b'],
      matched: { forward: 20, back: 0 },
      unknown: 'one-direction',
    });
    expect(await of(wires.slice(0, 5))).toMatchObject({
      matched: { forward: 3, back: 2 },
      unknown: 'few-packets',
    });
    const onlyHere = wires.map((each): Wire => ({ ...each, missing: each.forward ? 'a' : 'b' }));
    expect(await of(onlyHere)).toMatchObject({ matched: { forward: 0, back: 0 }, unknown: 'no-packets' });
  });

  it('is not guessed where a service address stands on one side', async () => {
    const real = conversation(40, () => ({ delay: 1000, offset: 0 }));
    const { b } = bothSides(real);
    const translated = conversation(40, () => ({ delay: 1000, offset: 0 })).map((wire) => {
      const packet = Buffer.from(wire.packet);
      packet.set([10, 96, 0, 10], wire.forward ? 16 : 12);
      return { ...wire, packet };
    });
    const { a } = bothSides(translated);
    expect(await offsetOf({ a, b })).toEqual({
      nodes: ['node-a', 'node-b'],
      matched: { forward: 0, back: 0 },
      unknown: 'no-packets',
    });
  });

  it('does not believe packets that were sent twice, or that look the same', async () => {
    const wires = conversation(40, () => ({ delay: 100_000, offset: 0 }));
    // The copy that arrives left first; the one that left last was lost.
    const again = wires.slice(0, 20).flatMap((each): Wire[] => [
      { ...each, delay: 90_000_000 },
      { ...each, sent: each.sent + 89_999_000, missing: each.forward ? 'b' : 'a' },
    ]);
    const datagram = (forward: boolean, number: number): Wire => {
      const packet = udp(
        forward
          ? { src: '10.1.0.1', dst: '10.1.1.2', payload: 'again' }
          : { src: '10.1.1.2', dst: '10.1.0.1', payload: 'again' },
      );
      packet.writeUInt16BE(0, 4);
      return { forward, packet, sent: number * 1000, delay: 10, offset: 0, missing: number % 2 ? 'a' : 'b' };
    };
    const alike = Array.from({ length: 40 }, (_, number) => datagram(number % 4 < 2, number));
    const found = await offsetOf(bothSides([...wires.slice(20), ...again, ...alike]));
    expect(found.matched).toEqual({ forward: 10, back: 10 });
    expect(found.boundNs).toBe(100_001);
  });

  it('does not depend on one packet with a wrong time', async () => {
    const wires = conversation(40, (number) => ({
      delay: number === 20 ? -5_000_000 : 100_000,
      offset: 1_000_000,
    }));
    const found = await offsetOf(bothSides(wires));
    expect(found).toMatchObject({ offsetNs: 1_000_000, boundNs: 100_001 });
  });

  it('is not given for clocks that were set during the capture', async () => {
    const wires = conversation(40, (number) => ({ delay: 100_000, offset: number < 20 ? 0 : 50_000_000 }));
    expect(await offsetOf(bothSides(wires))).toMatchObject({ unknown: 'contradiction' });
  });

  it('is asked between nodes, not pods: none for one node, each pair of three', async () => {
    const { a, b } = bothSides(conversation(20, () => ({ delay: 1000, offset: 0 })));
    const one = await combined([
      [CLIENT, a],
      [{ ...SERVER, node: 'node-a' }, b],
    ]);
    expect(one.offsets).toEqual([]);
    const three = await combined([
      [CLIENT, a],
      [SERVER, b],
      [{ node: 'node-c', pod: 'other', ips: ['10.1.2.9'] }, pcap('raw', [])],
    ]);
    expect(three.offsets.map(({ nodes, unknown }) => [...nodes, unknown])).toEqual([
      ['node-a', 'node-b', undefined],
      ['node-a', 'node-c', 'no-packets'],
      ['node-b', 'node-c', 'no-packets'],
    ]);
  });
});
