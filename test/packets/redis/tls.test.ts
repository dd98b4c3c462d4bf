import { describe, expect, it } from 'vitest';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

const record = (type: number, body: readonly number[]) => Buffer.from([type, 3, 3, 0, body.length, ...body]);
const HELLO = record(22, [1, 0, 0, 2, 3, 3]);
const DATA = record(23, [9, 9, 9, 9]);
const PORT_OF_REDIS = "encrypted: the commands can't be read\n";
const ANY_PORT = "encrypted: the commands can't be read, if this is Redis\n";

const handshake: Turn[] = [
  ['>', HELLO],
  ['<', record(22, [2, 0, 0, 2, 3, 3])],
  ['>', DATA],
  ['<', DATA],
];

const shown = (packets: ReturnType<typeof talk>, isRequested: boolean) => {
  const { tables, report } = analyzed(pcap('ethernet', packets), {
    redis: { rules: [], showKeys: false, isRequested },
    timeline: false,
  });
  return { text: tables.slice(tables.indexOf('\nRedis')), redis: report.redis, tables };
};

describe('TLS', () => {
  it.each([6378, 6379, 6380, 26379, 16379])('is said with the port of Redis %i, asked for or not', (port) => {
    for (const isRequested of [true, false]) {
      const packets = [1, 2, 3].flatMap((clientPort) =>
        talk(handshake, { port, clientPort: 40000 + clientPort }),
      );
      const { text } = shown(packets, isRequested);
      expect(text).toBe(`\nRedis\nTLS             3 connections to 10.0.0.2:${port}, ${PORT_OF_REDIS}`);
    }
  });

  it.each([443, 7443, 11000])('is said with any other port, %i, where Redis was asked for', (port) => {
    const packets = talk(handshake, { port });
    const { text, redis } = shown(packets, true);
    expect(text).toBe(`\nRedis: none found\nTLS             1 connection to 10.0.0.2:${port}, ${ANY_PORT}`);
    expect(redis.tls).toEqual([
      { server: { address: '10.0.0.2', port }, connections: 1, portOfRedis: false },
    ]);
    const unrequested = shown(packets, false);
    expect(unrequested.redis).toBe(null);
    expect(unrequested.tables).not.toContain('Redis');
  });

  it('is told with its server where the capture begins in the middle', () => {
    for (const turns of [handshake.slice(2), handshake.slice(3)])
      for (const port of [6378, 7443])
        expect(shown(talk(turns, { port, handshake: false }), true).redis.tls).toMatchObject([
          { server: { address: '10.0.0.2', port }, connections: 1 },
        ]);
  });

  it('stands beside what could be read', () => {
    const plain: Turn[] = [
      ['>', command('GET', 'a')],
      ['<', '$-1\r\n'],
    ];
    const { text } = shown([...talk(plain), ...talk(handshake, { port: 7443 })], true);
    expect(text).toContain('\nRedis\nTLS ');
    expect(text).toContain('GET');
    expect(text).not.toContain('none found');
  });
});

describe('a capture without Redis', () => {
  const http: Turn[] = [
    ['>', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['<', 'HTTP/1.1 200 OK\r\n\r\n'],
  ];

  it('is said where Redis was asked for, and only there', () => {
    expect(shown(talk(http, { port: 80 }), true).text).toBe('\nRedis: none found\n');
    expect(shown(talk(http, { port: 80 }), true).redis).toBe(null);
    expect(shown(talk(http, { port: 80 }), false).tables).not.toContain('Redis');
  });
});
