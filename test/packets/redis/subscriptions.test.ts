import { describe, expect, it } from 'vitest';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

const redis = (turns: readonly Turn[], segment = 1400) =>
  analyzed(pcap('ethernet', talk(turns, { segment })), {}, [], false).report.redis;

const calls = (report: { commands: { command: string; calls: number }[] }) =>
  Object.fromEntries(report.commands.map(({ command: name, calls: count }) => [name, count]));

const PONG: Turn[] = [
  ['>', command('PING')],
  ['<', '+PONG\r\n'],
];

/** Every reply has the command that it is of, and PING its own seven bytes. */
function expectPaired(report: ReturnType<typeof redis>, pongs = 1) {
  expect(report.missing).toEqual({
    bytes: 0,
    lostThread: 0,
    commandsWithoutReply: 0,
    repliesWithoutCommand: 0,
  });
  expect(report.commands).toContainEqual(
    expect.objectContaining({ command: 'PING', calls: pongs, bytesOut: 7 * pongs }),
  );
}

describe.each([
  ['RESP2', '*'],
  ['RESP3', '>'],
])('of %s', (protocol, type) => {
  const hello: Turn[] =
    protocol === 'RESP3'
      ? [
          ['>', command('HELLO', '3')],
          ['<', '%1\r\n$5\r\nproto\r\n:3\r\n'],
        ]
      : [];
  const said = (word: string, name: string | undefined, count: number) =>
    `${type}3\r\n$${word.length}\r\n${word}\r\n${name === undefined ? (protocol === 'RESP3' ? '_' : '$-1') : `$${name.length}\r\n${name}`}\r\n:${count}\r\n`;

  it.each(['', 'P', 'S'])(
    '%sUNSUBSCRIBE without channels is answered once for each, or once for none',
    (kind) => {
      const [on, off] = [`${kind}subscribe`.toLowerCase(), `${kind}unsubscribe`.toLowerCase()];
      const report = redis([
        ...hello,
        ['>', command(`${kind}UNSUBSCRIBE`)],
        ['<', said(off, undefined, 0)],
        ...PONG,
        ['>', command(`${kind}SUBSCRIBE`, 'a', 'b', 'c', 'a')],
        ['<', said(on, 'a', 1) + said(on, 'b', 2) + said(on, 'c', 3) + said(on, 'a', 3)],
        ['>', command(`${kind}UNSUBSCRIBE`, 'b')],
        ['<', said(off, 'b', 2)],
        ['>', command(`${kind}UNSUBSCRIBE`) + command('PING')],
        ['<', said(off, 'c', 1)],
        ['<', `${said(off, 'a', 0)}+PONG\r\n`],
      ]);
      expectPaired(report, 2);
      expect(calls(report)).toMatchObject({ [`${kind}UNSUBSCRIBE`]: 3, [`${kind}SUBSCRIBE`]: 1 });
    },
  );

  it('knows channels from patterns and shards, whose numbers Redis gives together', () => {
    const report = redis([
      ...hello,
      ['>', command('SUBSCRIBE', 'a', 'b') + command('PSUBSCRIBE', 'p*', 'q*') + command('SSUBSCRIBE', 's')],
      [
        '<',
        said('subscribe', 'a', 1) +
          said('subscribe', 'b', 2) +
          said('psubscribe', 'p*', 3) +
          said('psubscribe', 'q*', 4) +
          said('ssubscribe', 's', 1),
      ],
      ['>', command('UNSUBSCRIBE') + command('PUNSUBSCRIBE') + command('SUNSUBSCRIBE') + command('PING')],
      [
        '<',
        `${said('unsubscribe', 'a', 3)}${said('unsubscribe', 'b', 2)}${said('punsubscribe', 'p*', 1)}${said('punsubscribe', 'q*', 0)}${said('sunsubscribe', 's', 0)}+PONG\r\n`,
      ],
      ['>', command('LRANGE', 'l', '0', '-1')],
      ['<', '*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n'],
    ]);
    expectPaired(report);
    // What is no subscriber any more gets no messages.
    expect(report.pubsub.messages).toBe(0);
  });

  it('goes on where a subscription follows at once', () => {
    const report = redis([
      ...hello,
      ['>', command('SUBSCRIBE', 'a') + command('UNSUBSCRIBE') + command('SUBSCRIBE', 'b')],
      ['<', said('subscribe', 'a', 1) + said('unsubscribe', 'a', 0) + said('subscribe', 'b', 1)],
      ['<', `${type}3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$1\r\nx\r\n`],
      ['>', command('UNSUBSCRIBE')],
      ['<', said('unsubscribe', 'b', 0)],
      ...PONG,
    ]);
    expectPaired(report);
    expect(report.pubsub).toMatchObject({ messages: 1, subscriptions: 2 });
  });

  it('takes a channel of a shard that moved away for no reply', () => {
    const report = redis([
      ...hello,
      ['>', command('SSUBSCRIBE', 'a')],
      ['<', said('ssubscribe', 'a', 1)],
      ['<', said('sunsubscribe', 'a', 0)],
      ...PONG,
    ]);
    expectPaired(report);
  });
});

it.each([
  ['an error', '-NOPERM no\r\n'],
  ['QUEUED', '+QUEUED\r\n'],
])('ends with %s what would have been answered for each channel', (_, reply) => {
  expectPaired(redis([['>', command('SUBSCRIBE', 'a', 'b')], ['<', reply], ...PONG]));
});

it('takes what MONITOR shows for no reply, and RESET ends it', () => {
  const line = '+1700000000.123456 [0 10.0.0.1:5] "get" "a"\r\n';
  const report = redis([
    ['>', command('MONITOR')],
    ['<', `+OK\r\n${line}`],
    ['>', command('RESET')],
    ['<', `${line}${line}+RESET\r\n`],
    ...PONG,
  ]);
  expectPaired(report);
  expect(report.commands).toContainEqual(expect.objectContaining({ command: 'RESET', bytesOut: 8 }));
});

it('keeps MONITOR apart from the end of a subscription that was asked for just before', () => {
  const report = redis([
    ['>', command('HELLO', '3')],
    ['<', '%1\r\n+proto\r\n:3\r\n'],
    ['>', command('SUBSCRIBE', 'a') + command('UNSUBSCRIBE') + command('MONITOR')],
    ['<', '>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n+OK\r\n'],
    ['<', '+1700000000.123456 [0 10.0.0.1:5] "get" "a"\r\n'],
    ...PONG,
  ]);
  expectPaired(report);
});

it('takes what CLIENT TRACKING pushes for no reply, also before one', () => {
  const push = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n';
  const report = redis([
    ['>', command('HELLO', '3')],
    ['<', '%1\r\n+proto\r\n:3\r\n'],
    ['>', command('CLIENT', 'TRACKING', 'ON')],
    ['<', '+OK\r\n'],
    ['<', push],
    ['>', command('PING')],
    ['<', `${push}${push}+PONG\r\n${push}`],
  ]);
  expectPaired(report);
});
