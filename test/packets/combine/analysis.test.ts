// biome-ignore-all lint/suspicious/noExplicitAny: a report as its reader gets it.
import { describe, expect, it } from 'vitest';
import { allNames } from '../../../src/packets/print/facts.ts';
import { printTables } from '../../../src/packets/print/tables.ts';
import { SECTIONS } from '../../../src/packets/sections.ts';
import { analyzed } from '../analysis.ts';
import { FLAG, type Framed, framed, type Link, pcap, START, tcp, udp } from '../packets.ts';
import { combined } from './combined.ts';

const CLIENT = { pod: 'web-0', node: 'node-a', ips: ['10.1.0.1', 'fd00::1'] };
const SERVER = { pod: 'redis-0', namespace: 'db', node: 'node-b', ips: ['10.1.1.2', 'fd00::2'] };

interface Sent {
  readonly fromClient: boolean;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload?: string;
  /** Milliseconds after the start. */
  readonly at: number;
  readonly isLost?: boolean;
}

/** Connections to Redis: commands, values of many segments, a retransmission, a reset. */
function conversation(six: boolean): { sport: number; segments: Sent[] }[] {
  const connection = (sport: number, begin: number) => {
    const segments: Sent[] = [];
    let [client, server, at] = [1000, 5000, begin];
    const send = (fromClient: boolean, flags: number, payload = '', more: Partial<Sent> = {}) => {
      at += 3;
      const [seq, ack] = fromClient ? [client, server] : [server, client];
      segments.push({ fromClient, seq, ack: flags & FLAG.ack ? ack : 0, flags, payload, at, ...more });
      const next = payload.length + (flags & (FLAG.syn | FLAG.fin) ? 1 : 0);
      if (fromClient) client += next;
      else server += next;
    };
    send(true, FLAG.syn);
    send(false, FLAG.syn | FLAG.ack);
    send(true, FLAG.ack);
    for (let number = 0; number < 20; number += 1) {
      const key = `key:${number}`;
      const value = 'v'.repeat(number % 5 === 0 ? 9000 : 10);
      const command = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
      const data = FLAG.ack | FLAG.psh;
      if (number === 7) {
        const [seq, ack] = [client, server];
        send(true, data, command, { isLost: true });
        at += 200;
        segments.push({ fromClient: true, seq, ack, flags: data, payload: command, at });
      } else send(true, data, command);
      send(false, data, '+OK\r\n');
      send(true, data, `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`);
      send(false, data, `$${value.length}\r\n${value}\r\n`);
      send(true, FLAG.ack);
    }
    if (sport === 40001) send(false, FLAG.rst | FLAG.ack);
    else {
      send(true, FLAG.fin | FLAG.ack);
      send(false, FLAG.fin | FLAG.ack);
      send(true, FLAG.ack);
    }
    return { sport, segments };
  };
  return [connection(40000, 0), connection(40001, 40), connection(40002, six ? 300 : 2500)];
}

interface Network {
  /** Nanoseconds. */
  readonly offset: number;
  readonly delay: number;
  readonly six?: boolean;
  readonly links?: readonly [Link, Link];
  /** The card of the sender cuts what it sends, and that of the receiver joins some of it: bytes of a segment there. */
  readonly mss?: number;
}

/** What tcpdump writes in both pods. */
function bothCaptures({ offset, delay, six = false, links = ['sll2', 'sll2'], mss }: Network) {
  const sides: [Framed[], Framed[]] = [[], []];
  const [here, there] = six ? ['fd00::1', 'fd00::2'] : ['10.1.0.1', '10.1.1.2'];
  let id = 0;
  for (const { sport, segments } of conversation(six))
    for (const { fromClient, payload = '', seq, at, isLost, ...rest } of segments) {
      const sent = START + BigInt(Math.round(at * 1e6)) + BigInt(fromClient ? 0 : offset);
      const arrived = sent + BigInt(delay) + BigInt(fromClient ? offset : -offset);
      const packet = (part: string, from: number) => {
        id += 1;
        const ports = fromClient
          ? { src: here!, dst: there!, sport, dport: 6379 }
          : { src: there!, dst: here!, sport: 6379, dport: sport };
        return tcp({ ...ports, ...rest, seq: seq + from, payload: part, id: id & 0xffff });
      };
      const whole = packet(payload, 0);
      const [sender, receiver] = fromClient ? ([0, 1] as const) : ([1, 0] as const);
      sides[sender].push({ frame: framed(links[sender], whole), at: sent });
      if (isLost) continue;
      if (mss === undefined || payload.length <= mss) {
        sides[receiver].push({ frame: framed(links[receiver], whole), at: arrived });
        continue;
      }
      for (let from = 0; from < payload.length; from += mss)
        sides[receiver].push({
          frame: framed(links[receiver], packet(payload.slice(from, from + mss), from)),
          at: arrived + BigInt(from),
        });
    }
  const inOrder = (side: Framed[]) => side.sort((one, other) => Number(one.at - other.at));
  return sides.map((side, at) => pcap(links[at]!, inOrder(side), { nanoseconds: true })) as [Buffer, Buffer];
}

/** What must not depend on how many captures there are. Frames have other numbers in the combined file. */
function substance(capture: Uint8Array) {
  const { report } = analyzed(capture, {}, [], false);
  const withoutFrames = JSON.stringify(
    {
      conversations: {
        tcp: report.conversations.tcp,
        ipv4: report.conversations.ipv4,
        ipv6: report.conversations.ipv6,
      },
      endpoints: report.endpoints,
      health: { ...report.tcpHealth, evidence: undefined },
      evidence: Object.fromEntries(
        Object.entries(report.tcpHealth.evidence).map(([kind, { count }]: any) => [kind, count]),
      ),
      redis: report.redis,
      flags: report.tcpFlags,
      protocols: report.summary.protocols,
    },
    (key, value) =>
      key === 'perSecond' ||
      key === 'firstFrame' ||
      key === 'frame' ||
      (key === 'frames' && typeof value !== 'number')
        ? undefined
        : value,
  );
  return JSON.parse(withoutFrames);
}

const ms = 1_000_000;

describe('the analysis of a combined file', () => {
  it.each<readonly [string, Network, 0 | 1]>([
    ['clocks that agree', { offset: 0, delay: 0.2 * ms }, 0],
    ['a clock ahead', { offset: 7 * ms, delay: 0.2 * ms }, 0],
    ['a clock behind', { offset: -7 * ms, delay: 0.2 * ms }, 1],
    ['a clock far behind', { offset: -900 * ms, delay: 0.2 * ms }, 1],
    ['a clock far ahead', { offset: 900 * ms, delay: 2 * ms }, 0],
    ['IPv6', { offset: 1 * ms, delay: 0.2 * ms, six: true }, 0],
    ['other link types', { offset: -3 * ms, delay: 0.2 * ms, links: ['ethernet', 'sll2'] }, 1],
    ['segments that cards cut', { offset: 0, delay: 0.2 * ms, mss: 1448 }, 0],
    ['segments that cards cut, a clock behind', { offset: -7 * ms, delay: 0.2 * ms, mss: 1448 }, 1],
    ['segments that cards cut, a clock ahead', { offset: 40 * ms, delay: 0.2 * ms, mss: 1448, six: true }, 0],
  ])('is that of the capture which sees a connection first: %s', async (_name, network, first) => {
    const captures = bothCaptures(network);
    const { file, packets } = await combined([
      [CLIENT, captures[0]],
      [SERVER, captures[1]],
    ]);
    const of = substance(captures[first]);
    expect(of.redis.commands.map((each: any) => [each.command, each.calls ?? each.count])).toBeTruthy();
    expect(of.conversations.tcp).toHaveLength(3);
    expect(substance(file)).toEqual(of);
    const both = analyzed(file).report;
    expect(both.summary.packets).toBe(packets);
    expect(both.summary.repeats).toBe(
      packets -
        of.conversations.tcp.reduce((sum: number, each: any) => sum + each.framesAToB + each.framesBToA, 0),
    );
  });

  it.each([
    ['the client sees it first', 0, '10.96.0.10', undefined],
    ['the server sees it first', -7 * ms, '10.1.1.2', undefined],
    ['cards cut segments', 0, '10.96.0.10', 1448],
    ['from before the capture', 0, '10.96.0.10', undefined],
    ['from before the capture, the server sees it first', -7 * ms, '10.1.1.2', 1448],
  ] as const)(
    'has a connection to a Service once, with the name of the pod: %s',
    async (name, offset, address, mss) => {
      const [client, server] = bothCaptures({ offset, delay: 0.2 * ms, ...(mss && { mss }) });
      const service = Buffer.from(client);
      for (let at = 24; at < service.length; at += 16 + service.readUInt32LE(at + 8)) {
        const ip = at + 16 + 20;
        for (const place of [ip + 12, ip + 16])
          if (service.readUInt32BE(place) === 0x0a010102) service.writeUInt32BE(0x0a60000a, place);
      }
      const later = (file: Buffer) => {
        if (!name.startsWith('from before')) return file;
        const parts = [file.subarray(0, 24)];
        for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) {
          const payload = file.readUInt32LE(at + 8) > 60;
          if (payload || parts.length > 1) parts.push(file.subarray(at, at + 16 + file.readUInt32LE(at + 8)));
        }
        return Buffer.concat(parts);
      };
      const { file } = await combined([
        [CLIENT, later(service)],
        [SERVER, later(server)],
      ]);
      const alone = substance(later(address === '10.1.1.2' ? server : service));
      expect(substance(file)).toEqual(alone);
      const { analysis } = analyzed(file);
      expect(allNames(analysis, new Map()).get(address)).toBe('redis-0');
      expect(alone.conversations.tcp.map((each: any) => each.b.address)).toEqual([address, address, address]);
    },
  );

  it('keeps two connections of one port apart, unless their numbers are the same', async () => {
    const of = (dst: string, seq: number, at: number) =>
      [0, 1, 2].map(
        (number): Framed => ({
          frame: framed(
            'sll2',
            tcp({
              src: '10.1.0.1',
              dst,
              sport: 40000,
              seq: seq + number,
              ack: seq,
              payload: 'x',
              id: at + number,
            }),
          ),
          at: START + BigInt((at + number) * ms),
        }),
      );
    const conversations = async (seq: number) => {
      const { file } = await combined([
        [CLIENT, pcap('sll2', of('10.96.0.10', 1000, 0))],
        [SERVER, pcap('sll2', [...of('10.1.1.2', seq, 1)])],
        [{ pod: 'idle', ips: ['10.1.9.9'] }, pcap('sll2', of('10.1.9.9', 5, 40))],
      ]);
      return analyzed(file).report.conversations.tcp.length;
    };
    expect(await conversations(1001)).toBe(2);
    expect(await conversations(900_000_000)).toBe(3);
  });

  it('goes on with the other capture where one ends', async () => {
    const [client, server] = bothCaptures({ offset: 0, delay: 0.2 * ms });
    const half = client.subarray(0, Math.floor(client.length / 2));
    const { file } = await combined([
      [CLIENT, half],
      [SERVER, server],
    ]);
    const of = substance(client);
    const found = substance(file);
    expect(found.redis.commands.map((each: any) => [each.command, each.calls])).toEqual(
      of.redis.commands.map((each: any) => [each.command, each.calls]),
    );
    const frames = (facts: any) =>
      facts.conversations.tcp.map((each: any) => [each.a, each.b, each.framesBToA, each.bytesBToA]).sort();
    expect(frames(found)).toEqual(frames(of));
  });

  it('counts both directions of captures that have one each', async () => {
    const [client, server] = bothCaptures({ offset: 0, delay: 0.2 * ms });
    const arriving = (capture: Buffer, address: string) => {
      const parts = [capture.subarray(0, 24)];
      for (let at = 24; at < capture.length; ) {
        const next = at + 16 + capture.readUInt32LE(at + 8);
        if ([...capture.subarray(at + 16 + 20 + 16, at + 16 + 20 + 20)].join('.') === address)
          parts.push(capture.subarray(at, next));
        at = next;
      }
      return Buffer.concat(parts);
    };
    const { file } = await combined([
      [{ ...CLIENT, direction: 'in' }, arriving(client, '10.1.0.1')],
      [{ ...SERVER, direction: 'in' }, arriving(server, '10.1.1.2')],
    ]);
    const of = substance(server);
    const found = substance(file);
    const counts = (facts: any) =>
      facts.conversations.tcp.map((each: any) => [each.a, each.b, each.framesAToB, each.framesBToA]).sort();
    expect(counts(found)).toEqual(counts(of));
  });

  it('keeps apart what happens in each pod: loopback, and interfaces of one number', async () => {
    const at = (frames: readonly Uint8Array[]): Framed[] =>
      frames.map((frame, number) => ({ frame, at: START + BigInt(number * ms) }));
    const local = (seq: number) =>
      framed('sll2', tcp({ src: '127.0.0.1', dst: '127.0.0.1', seq, payload: `${seq}`, id: seq }), 1);
    const { file } = await combined([
      [CLIENT, pcap('sll2', at([local(1), local(2)]))],
      [SERVER, pcap('sll2', at([local(3), local(4)]))],
    ]);
    const { report } = analyzed(file);
    expect(report.conversations.tcp).toMatchObject([{ framesAToB: 4 }]);
    const same = framed('sll2', udp({ src: '10.1.0.1', dst: '10.1.1.2', payload: 'x' }), 2);
    const twice = await combined([
      [CLIENT, pcap('sll2', at([same]))],
      [SERVER, pcap('sll2', at([same]))],
    ]);
    expect(analyzed(twice.file).report.conversations.udp).toMatchObject([{ framesAToB: 1 }]);
  });

  it('names the pods of both ends, with the namespace where two have the same name', async () => {
    const captures = bothCaptures({ offset: 0, delay: 1000 });
    const tables = async (server: object) => {
      const { file } = await combined([
        [CLIENT, captures[0]],
        [{ ...SERVER, ...server }, captures[1]],
      ]);
      const { analysis } = analyzed(file);
      const names = allNames(analysis, new Map());
      return [
        ...printTables(analysis, {
          sections: new Set(SECTIONS),
          names,
          rows: 20,
          sort: 'packets',
          wide: true,
        }),
      ].join('');
    };
    expect(await tables({})).toMatch(/web-0 \(10.1.0.1:40000\) .*redis-0 \(10.1.1.2:6379\)/);
    const both = await tables({ pod: 'web-0' });
    expect(both).toMatch(/shop\/web-0 \(10.1.0.1:40000\) .*db\/web-0 \(10.1.1.2:6379\)/);
  });
});
