import { describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { analyzed } from './analysis.ts';
import { Frames, random } from './frames.ts';
import { fileOf, theirs } from './judge.ts';
import { type Framed, framed, ip4, pcap, records, START, tcp, udp } from './packets.ts';
import { troubled } from './troubled.ts';

/** Another seed makes other frames. */
const SEED = Number(process.env.SEED ?? 1);

/** What tshark prints of each kind when it is asked for that one alone. */
async function expectAsTshark(path: string): Promise<void> {
  const kinds = ['ip', 'ipv6', 'tcp', 'udp'];
  const wanted = await Promise.all(
    kinds.map((kind) => theirs(`tshark -n -r "$1" -q -z endpoints,${kind}`, path, 'UTC')),
  );
  const run = await gkeprof(['analyze', path, '--format', 'tshark', '--show', 'endpoints']);
  expect(run.stderr).toBe('');
  expect(run.stdout.toString()).toBe(wanted.join(''));
}

function generated(seed: number): Framed[] {
  const frames = new Frames(seed);
  const below = random(seed + 1);
  const list: Framed[] = [];
  let at = START;
  while (list.length < 2000)
    for (const frame of frames.next('ethernet')) {
      at += BigInt(below(3)) * 1000n;
      list.push({ frame, at });
    }
  return list;
}

describe('endpoints', () => {
  it.each([
    ['of connections whose ports are used again', () => troubled(SEED, 2000)],
    ['of frames of every kind', () => generated(SEED)],
    [
      'of an address that talks to itself',
      () =>
        records(
          [
            tcp({ src: '127.0.0.1', dst: '127.0.0.1' }),
            tcp({ src: '127.0.0.1', dst: '127.0.0.1', sport: 7, dport: 7 }),
            udp({ src: '127.0.0.1', dst: '127.0.0.1', sport: 9999, dport: 9998 }),
            udp({ src: 'fd00::1', dst: 'fd00::1', sport: 9999, dport: 9999 }),
            ip4('10.0.0.1', '10.0.0.1', 1, Buffer.from([8, 0, 0, 0, 0, 1, 0, 1])),
          ].map((packet) => framed('ethernet', packet)),
        ),
    ],
    ['of nothing that has one', () => records([Buffer.alloc(60)])],
  ])('are what tshark prints %s', async (_, frames) => {
    await expectAsTshark(fileOf(pcap('ethernet', frames())));
  });

  it('are told with names, and a filter that finds their packets', () => {
    const frames = [tcp({}), tcp({}), tcp({ sport: 40001 })].map((packet) => framed('ethernet', packet));
    const { report, tables } = analyzed(pcap('ethernet', records(frames)));
    const length = frames[0]!.length;
    expect(report.endpoints.tcp).toEqual([
      {
        address: '10.0.0.2',
        port: 6379,
        packets: 3,
        bytes: 3 * length,
        sentPackets: 0,
        sentBytes: 0,
        receivedPackets: 3,
        receivedBytes: 3 * length,
        filter: 'ip.addr == 10.0.0.2 && tcp.port == 6379',
      },
      expect.objectContaining({ port: 40000, packets: 2, sentBytes: 2 * length }),
      expect.objectContaining({ port: 40001, packets: 1 }),
    ]);
    expect(report.endpoints.ipv4).toHaveLength(2);
    expect(report.endpoints.ipv6).toEqual([]);
    expect(tables).toContain('TCP endpoints\n');
    expect(tables).not.toContain('IPv6 endpoints');
  });
});
