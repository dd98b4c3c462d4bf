import { describe, expect, it } from 'vitest';
import { fc } from '../../properties.ts';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

const redis = (turns: readonly Turn[], choice: Parameters<typeof talk>[1] = {}) =>
  analyzed(pcap('ethernet', talk(turns, choice))).report.redis;

const calls = (report: { commands: { command: string; calls: number }[] }) =>
  Object.fromEntries(report.commands.map(({ command: name, calls: count }) => [name, count]));

describe('Redis in a capture', () => {
  it('counts commands with their bytes and latency, each from its own last byte to the first of its reply', () => {
    const set = command('SET', 'user:12', 'x'.repeat(100));
    const report = redis([
      ['>', set],
      ['<', '+OK\r\n', 3],
      ['>', command('get', 'user:12')],
      ['<', `$100\r\n${'x'.repeat(100)}\r\n`, 5],
    ]);
    expect(report.commands).toMatchObject([
      {
        command: 'SET',
        calls: 1,
        errors: 0,
        bytesIn: set.length,
        bytesOut: 5,
        latency: { maxSeconds: 0.003 },
      },
      { command: 'GET', calls: 1, bytesOut: 108, latency: { maxSeconds: 0.005 } },
    ]);
    expect(report.keys).toMatchObject([{ key: 'user:$NUMBER', calls: 2 }]);
    expect(report.clients).toMatchObject([{ client: { address: '10.0.0.1' }, calls: 2 }]);
    expect(report.missing).toEqual({
      bytes: 0,
      lostThread: 0,
      commandsWithoutReply: 0,
      repliesWithoutCommand: 0,
    });
  });

  it('pairs a pipeline in order', () => {
    const report = redis([
      ['>', command('INCR', 'a') + command('GET', 'a')],
      ['>', command('PING'), 2],
      ['<', ':1\r\n', 2],
      ['<', '$1\r\n1\r\n+PONG\r\n', 4],
    ]);
    expect(
      report.commands.map((each: { command: string; latency: { maxSeconds: number } }) => [
        each.command,
        each.latency.maxSeconds,
      ]),
    ).toEqual([
      ['INCR', 0.004],
      ['GET', 0.008],
      ['PING', 0.006],
    ]);
    expect(report.connections.deepestPipeline).toBe(3);
  });

  it.each([
    ['+OK\r\n', 5],
    ['$-1\r\n', 5],
    ['*-1\r\n', 5],
    ['*2\r\n$1\r\na\r\n*1\r\n:3\r\n', 19],
    ['*0\r\n', 4],
    ['_\r\n', 3],
    ['#t\r\n', 4],
    [',3.14\r\n', 7],
    ['(123456789012345678901234567890\r\n', 33],
    ['=7\r\ntxt:abc\r\n', 13],
    ['%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n', 23],
    ['~2\r\n:1\r\n:2\r\n', 12],
    ['|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n', 21],
    ['$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n', 25],
    ['*?\r\n:1\r\n:2\r\n.\r\n', 15],
  ])('understands the reply %j', (reply, size) => {
    const report = redis([
      ['>', command('GET', 'a')],
      ['<', reply],
      ['>', command('PING')],
      ['<', '+PONG\r\n'],
    ]);
    expect(report.commands).toMatchObject([{ command: 'GET', bytesOut: size }, { command: 'PING' }]);
    expect(report.missing.lostThread).toBe(0);
  });

  it('counts errors by kind, and where a cluster sends its clients', () => {
    const report = redis([
      [
        '>',
        command('GET', 'a') +
          command('GET', 'b') +
          command('LPUSH', 'c', 'x') +
          command('EVAL', 'return 1', '0'),
      ],
      [
        '<',
        '-MOVED 3999 10.0.0.7:6381\r\n-ASK 3999 10.0.0.8:6381\r\n-WRONGTYPE Operation against a key\r\n!11\r\nERR unknown\r\n',
      ],
    ]);
    expect(report.errors).toEqual({ MOVED: 1, ASK: 1, WRONGTYPE: 1, ERR: 1 });
    expect(report.redirects).toEqual([
      { kind: 'MOVED', to: '10.0.0.7:6381', count: 1 },
      { kind: 'ASK', to: '10.0.0.8:6381', count: 1 },
    ]);
    expect(report.commands).toMatchObject([
      { command: 'GET', calls: 2, errors: 2 },
      { command: 'LPUSH', errors: 1 },
      { command: 'EVAL', errors: 1 },
    ]);
  });

  it('counts what ran in MULTI with its EXEC, and nothing of what was discarded or refused', () => {
    const report = redis([
      ['>', command('MULTI') + command('SET', 'a', '1') + command('EXEC')],
      ['<', '+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n'],
      ['>', command('MULTI') + command('SET', 'a', '2') + command('DISCARD')],
      ['<', '+OK\r\n+QUEUED\r\n+OK\r\n'],
      ['>', command('MULTI') + command('SET', 'a', '3') + command('EXEC')],
      ['<', '+OK\r\n+QUEUED\r\n*-1\r\n'],
    ]);
    expect(calls(report)).toEqual({ MULTI: 3, SET: 1, EXEC: 2, DISCARD: 1 });
    expect(report.transactions).toEqual({ executed: 1, discarded: 1, aborted: 1, commands: 1 });
  });

  it.each([
    ['RESP2', '*3\r\n', '*3\r\n'],
    ['RESP3', '>3\r\n', '>3\r\n'],
  ])('tells messages to subscribers from replies: %s', (_, confirmation, message) => {
    const subscribed = (name: string, count: number) =>
      `${confirmation}$9\r\nsubscribe\r\n$1\r\n${name}\r\n:${count}\r\n`;
    const said = `${message}$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n`;
    const report = redis([
      ['>', command('SUBSCRIBE', 'a', 'b')],
      ['<', subscribed('a', 1) + subscribed('b', 2)],
      ['<', said + said],
      ['>', command('PING')],
      ['<', '*2\r\n$4\r\npong\r\n$0\r\n\r\n'],
    ]);
    expect(calls(report)).toEqual({ SUBSCRIBE: 1, PING: 1 });
    expect(report.pubsub).toMatchObject({ messages: 2, messageBytes: 2 * said.length, subscriptions: 2 });
    expect(report.missing.repliesWithoutCommand).toBe(0);
  });

  it.each(['', 'P', 'S'])('waits for a reply for each channel: %sSUBSCRIBE and its opposite', (kind) => {
    const replies = (word: string) =>
      ['a', 'b'].map((name) => `*3\r\n$${word.length}\r\n${word}\r\n$1\r\n${name}\r\n:1\r\n`).join('');
    const report = redis([
      ['>', command(`${kind}SUBSCRIBE`, 'a', 'b')],
      ['<', replies(`${kind.toLowerCase()}subscribe`)],
      ['>', command(`${kind}UNSUBSCRIBE`, 'a', 'b') + command('PING')],
      ['<', `${replies(`${kind.toLowerCase()}unsubscribe`)}+PONG\r\n`],
    ]);
    expect(calls(report)).toEqual({ [`${kind}SUBSCRIBE`]: 1, [`${kind}UNSUBSCRIBE`]: 1, PING: 1 });
    expect(report.commands).toContainEqual(expect.objectContaining({ command: 'PING', bytesOut: 7 }));
    expect(report.pubsub).toMatchObject({ subscriptions: 2 });
    expect(report.missing.repliesWithoutCommand).toBe(0);
  });

  it('counts what is published, and takes what MONITOR shows for no replies', () => {
    const report = redis([
      ['>', command('PUBLISH', 'a', 'hi') + command('SPUBLISH', 'b', 'hi')],
      ['<', ':1\r\n:0\r\n'],
      ['>', command('MONITOR')],
      ['<', '+OK\r\n+1.0 [0 10.0.0.1:5] "get" "a"\r\n+2.0 [0 10.0.0.1:5] "get" "a"\r\n'],
    ]);
    expect(calls(report)).toEqual({ PUBLISH: 1, SPUBLISH: 1, MONITOR: 1 });
    expect(report.pubsub).toMatchObject({ published: 2 });
    expect(report.missing.repliesWithoutCommand).toBe(0);
  });

  it('discards with RESET what was queued (networking.c of Redis, clearClientConnectionState)', () => {
    const report = redis([
      ['>', command('MULTI') + command('SET', 'a', '1') + command('RESET')],
      ['<', '+OK\r\n+QUEUED\r\n+RESET\r\n'],
    ]);
    expect(calls(report)).toEqual({ MULTI: 1, RESET: 1 });
    expect(report.transactions).toMatchObject({ executed: 0, discarded: 1 });
  });

  it('ends with RESET what a subscription or MONITOR began', () => {
    const report = redis([
      ['>', command('MONITOR')],
      ['<', '+OK\r\n'],
      ['>', command('RESET')],
      ['<', '+RESET\r\n+to nobody\r\n'],
    ]);
    expect(calls(report)).toEqual({ MONITOR: 1, RESET: 1 });
    expect(report.missing.repliesWithoutCommand).toBe(1);
  });

  it('keeps what waits by its nature out of the latency', () => {
    const report = redis([
      ['>', command('BLPOP', 'queue', '0')],
      ['<', '*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n', 900],
      ['>', command('XREAD', 'BLOCK', '0', 'STREAMS', 'events', '$')],
      ['<', '*-1\r\n', 800],
      ['>', command('XREAD', 'STREAMS', 'events', '0')],
      ['<', '*-1\r\n', 2],
    ]);
    expect(report.latency).toMatchObject({ count: 1, maxSeconds: 0.002 });
    expect(report.blocking).toMatchObject({ count: 2, maxSeconds: 0.9 });
    expect(report.keys.map(({ key }: { key: string }) => key)).toEqual(['events', 'queue']);
  });

  it('reads CLIENT REPLY OFF and SKIP, which get no replies', () => {
    const report = redis([
      ['>', command('CLIENT', 'REPLY', 'SKIP') + command('SET', 'a', '1') + command('GET', 'a')],
      ['<', '$1\r\n1\r\n'],
      ['>', command('CLIENT', 'REPLY', 'OFF') + command('SET', 'a', '2') + command('CLIENT', 'REPLY', 'ON')],
      ['<', '+OK\r\n'],
      ['>', command('PING')],
      ['<', '+PONG\r\n'],
    ]);
    expect(calls(report)).toEqual({ 'CLIENT|REPLY': 3, SET: 2, GET: 1, PING: 1 });
    expect(report.missing).toMatchObject({ commandsWithoutReply: 0, repliesWithoutCommand: 0 });
  });

  it('reads inline commands, on the port of Redis', () => {
    const report = redis([
      ['>', 'PING\r\nget user:1\r\n'],
      ['<', '+PONG\r\n$-1\r\n'],
    ]);
    expect(calls(report)).toEqual({ PING: 1, GET: 1 });
  });

  it('finds Redis on any port', () => {
    const report = redis(
      [
        ['>', command('GET', 'a')],
        ['<', '$-1\r\n'],
      ],
      { port: 12345 },
    );
    expect(calls(report)).toEqual({ GET: 1 });
  });

  it('says that TLS is TLS', () => {
    const { report, tables } = analyzed(
      pcap('ethernet', talk([['>', Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 0])]])),
    );
    expect(report.redis.tls).toEqual([
      { server: { address: '10.0.0.2', port: 6379 }, connections: 1, portOfRedis: true },
    ]);
    expect(tables).toContain("1 connection to 10.0.0.2:6379, encrypted: the commands can't be read");
    expect(tables).not.toContain('COMMAND ');
  });

  it.each([
    ['PSYNC', command('PSYNC', '?', '-1'), '+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 0\r\n'],
    ['SYNC', command('SYNC'), ''],
  ])('leaves a replica’s stream alone: %s', (name, asked, granted) => {
    const report = redis([
      ['>', command('REPLCONF', 'listening-port', '6380')],
      ['<', '+OK\r\n'],
      ['>', asked],
      ['<', `${granted}$3\r\nRDB${command('SET', 'secret', 'x')}`],
    ]);
    expect(calls(report)).toEqual({ REPLCONF: 1, [name]: 1 });
    expect(report.connections.replication).toBe(1);
  });

  it('keeps key patterns, own rules first, and shows keys only when it is asked to', () => {
    const keys = [
      'user:12:name',
      `sha:${'ab'.repeat(32)}`,
      `sha1:${'0a'.repeat(20)}`,
      `md5:${'0f'.repeat(16)}`,
      'job:123e4567-e89b-12d3-a456-426614174000:x',
      'cafe',
      'session:zoe:7',
    ];
    const capture = pcap(
      'ethernet',
      talk([
        ['>', keys.map((key) => command('GET', key)).join('')],
        ['<', '$-1\r\n'.repeat(keys.length)],
      ]),
    );
    const names = (options: object) =>
      analyzed(capture, { redis: { rules: [], showKeys: false, ...options } })
        .report.redis.keys.map(({ key }: { key: string }) => key)
        .sort();
    expect(names({})).toEqual([
      'cafe',
      'job:$UUID:x',
      'md$NUMBER:$HASH',
      'session:zoe:$NUMBER',
      'sha$NUMBER:$LONGHASH',
      'sha:$LONGHASH',
      'user:$NUMBER:name',
    ]);
    expect(names({ rules: [{ regexp: /session:[a-z]+/gu, name: 'session:$WHO' }] })).toContain(
      'session:$WHO:$NUMBER',
    );
    expect(names({ showKeys: true })).toEqual([...keys].sort());
  });

  it('finds the keys of MIGRATE behind what may be secret', () => {
    const capture = pcap(
      'ethernet',
      talk(
        [
          ['host', '6379', 'one:1', '0', '1000'],
          ['host', '6379', '', '0', '1000', 'KEYS', 'two:2', 'other'],
          ['host', '6379', '', '0', '1000', 'AUTH2', 'KEYS', 'hunter2', 'KEYS', 'three:3'],
          ['host', '6379', '', '0', '1000', 'COPY', 'AUTH', 'KEYS', 'REPLACE', 'KEYS', 'beyond-what-is-kept'],
        ].flatMap((words): Turn[] => [
          ['>', command('MIGRATE', ...words)],
          ['<', '+OK\r\n'],
        ]),
      ),
    );
    const { report } = analyzed(capture, { redis: { rules: [], showKeys: true } });
    expect(calls(report.redis)).toEqual({ MIGRATE: 4 });
    expect(report.redis.keys.map(({ key }: { key: string }) => key).sort()).toEqual(['one:1', 'two:2']);
  });

  it('never lets a secret out', () => {
    const secret = 'hunter2';
    const secrets = [
      command('AUTH', secret),
      command('AUTH', 'user', secret),
      command('HELLO', '3', 'AUTH', 'user', secret),
      command('ACL', 'SETUSER', 'bob', `>${secret}`),
      command('CONFIG', 'SET', 'requirepass', secret),
      command('CONFIG', 'GET', secret),
      command('MIGRATE', 'host', '6379', 'key', '0', '1000', 'AUTH', secret),
      command('MIGRATE', 'host', '6379', 'key', '0', '1000', 'AUTH2', 'user', secret),
      command('SENTINEL', 'SET', 'mymaster', 'auth-pass', secret),
      command('EVAL', `return '${secret}'`, '0'),
      command('SCRIPT', 'LOAD', `return '${secret}'`),
      command('FUNCTION', 'LOAD', secret),
      command('SET', 'key', secret),
      command('CLIENT', 'SETNAME', secret),
      command(`${secret}!`, secret),
      `AUTH ${secret}\r\n`,
    ];
    const capture = pcap(
      'ethernet',
      talk(
        secrets.flatMap((each): Turn[] => [
          ['>', each],
          ['<', `-ERR unknown command '${secret}', with args beginning with: '${secret}'\r\n`],
        ]),
      ),
    );
    for (const showKeys of [false, true]) {
      const { report, tables } = analyzed(capture, { redis: { rules: [], showKeys } });
      expect(JSON.stringify(report) + tables).not.toContain(secret);
      expect(calls(report.redis)).toMatchObject({
        AUTH: 3,
        'CONFIG|SET': 1,
        'SENTINEL|SET': 1,
        '(others)': 1,
      });
    }
  });
});

describe('a stream that is not whole', () => {
  const turns: Turn[] = Array.from({ length: 40 }, (_, at): Turn[] => [
    ['>', command('SET', `k${at}`, 'v'.repeat(10 + at * 7))],
    ['<', '+OK\r\n'],
    ['>', command('GET', `k${at}`)],
    ['<', `$${10 + at * 7}\r\n${'v'.repeat(10 + at * 7)}\r\n`],
  ]).flat();

  it('is taken up in the middle', () => {
    const packets = talk(turns, { segment: 100 });
    for (const from of [3, 10, 37, 80]) {
      const report = analyzed(pcap('ethernet', packets.slice(from))).report.redis;
      expect(report.connections.joinedInTheMiddle).toBe(1);
      const { SET, GET } = calls(report) as { SET: number; GET: number };
      expect(Math.abs(SET - GET)).toBeLessThanOrEqual(1);
      expect(report.missing.lostThread).toBe(0);
      expect(report.latency.maxSeconds).toBe(0.001);
    }
  });

  it('is found again behind a hole, with no latency that is not one', () => {
    const packets = talk(turns, { segment: 100 });
    for (let missing = 3; missing < packets.length - 8; missing += 1) {
      const report = analyzed(
        pcap(
          'ethernet',
          packets.filter((_, at) => at !== missing),
        ),
      ).report.redis;
      const { SET, GET } = calls(report) as { SET: number; GET: number };
      expect(SET + GET, `without packet ${missing}`).toBeGreaterThanOrEqual(77);
      expect(SET + GET).toBeLessThanOrEqual(80);
      expect(report.latency.maxSeconds, `without packet ${missing}`).toBe(0.001);
    }
  });

  it('is found again where a command and its reply are missing', () => {
    const packets = talk(turns, { segment: 1400 });
    for (let missing = 3; missing < packets.length - 60; missing += 1) {
      const left = packets.filter((_, at) => at !== missing && at !== missing + 1);
      const report = analyzed(pcap('ethernet', left)).report.redis;
      expect(report.latency.maxSeconds, `without packet ${missing}`).toBe(0.001);
      expect(report.latency.count, `without packet ${missing}`).toBeGreaterThanOrEqual(77);
    }
  });

  it('goes on behind values that were cut off by a snapshot length', () => {
    const value = 'v'.repeat(1000);
    const packets = talk([
      ['>', command('SET', 'a', value)],
      ['<', '+OK\r\n'],
      ['>', command('GET', 'a')],
      ['<', `$1000\r\n${value}\r\n`],
      ['>', command('PING')],
      ['<', '+PONG\r\n'],
    ]).map((each) => ({ ...each, frame: each.frame.subarray(0, 110), length: each.frame.length }));
    const report = analyzed(pcap('ethernet', packets)).report.redis;
    expect(report.missing.bytes).toBeGreaterThan(1000);
    expect(calls(report)).toEqual({ SET: 1, GET: 1, PING: 1 });
    expect(report.missing).toMatchObject({ lostThread: 0, commandsWithoutReply: 0 });
  });

  it('is the same in whatever order its segments come, and when some come twice', () => {
    const packets = talk(turns.slice(0, 40), { segment: 30 });
    const plain = analyzed(pcap('ethernet', packets)).report.redis;
    fc.assert(
      fc.property(fc.array(fc.nat(packets.length - 5), { maxLength: 12 }), (swaps) => {
        const mixed = [...packets];
        for (const at of swaps) {
          // What comes before the first command is nobody's yet.
          if (at < 5) continue;
          // Neighbours change places, as they do on the way; both keep the times of their places.
          const [one, other] = [mixed[at]!, mixed[at + 1]!];
          mixed[at] = { ...other, at: one.at };
          mixed[at + 1] = { ...one, at: other.at };
          mixed.splice(at + 2, 0, { ...one, at: other.at });
        }
        const report = analyzed(pcap('ethernet', mixed)).report.redis;
        expect(calls(report)).toEqual(calls(plain));
        expect(report.missing.lostThread).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
