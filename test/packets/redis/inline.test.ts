import { describe, expect, it } from 'vitest';
import { fc } from '../../properties.ts';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

type Packets = ReturnType<typeof talk>;
const redis = (packets: Packets, showKeys = true) =>
  analyzed(pcap('ethernet', packets), { redis: { rules: [], showKeys } }, [], false).report.redis;

const calls = (report: { commands: { command: string; calls: number }[] }) =>
  Object.fromEntries(report.commands.map(({ command: name, calls: count }) => [name, count]));

const PING: Turn[] = [
  ['>', 'PING\r\n'],
  ['<', '+PONG\r\n'],
];
const GET: Turn[] = [
  ['>', command('GET', 'a')],
  ['<', '$1\r\nb\r\n'],
];

describe('commands that are typed', () => {
  it.each([
    ['get "b c"', 'b c'],
    ['get b\\ c', 'b\\'],
    [String.raw`get "\x41\n\r\t\b\a\"\\\q"`, 'A\n\r\t\b\x07"\\q'],
    [String.raw`get '\x41\'b'`, String.raw`\x41'b`],
    ['get a"b c"', 'ab c'],
    ['  get\ta\t', 'a'],
    ['\v get \va\vb', 'a\vb'],
    ['get "\\x4g"', 'x4g'],
    ['get ""', ''],
    ['get "ü"', 'ü'],
  ])('are split as Redis splits them: %j', (line, key) => {
    for (const end of ['\r\n', '\n']) {
      const report = redis(talk([['>', `${line}${end}`], ['<', '$-1\r\n'], ...GET]));
      expect(report.keys.map((each: { key: string }) => each.key)).toContain(key);
      expect(report.commands).toMatchObject([{ command: 'GET', calls: 2 }]);
      expect(report.connections.joinedInTheMiddle).toBe(0);
    }
  });

  it.each([
    ['on their own, by the answer', [], [...PING, ...GET]],
    ['beside RESP on the same server, before it', [GET], PING],
    [
      'in a packet each, or cut',
      [],
      [
        ['>', 'PI'],
        ['>', 'NG\r'],
        ['>', '\n'],
        ['<', '+PONG\r\n'],
      ] as Turn[],
    ],
    [
      'two before an answer',
      [],
      [
        ['>', 'SET a b\r\n'],
        ['>', 'INCR a\r\n'],
        ['<', '+OK\r\n:1\r\n'],
      ] as Turn[],
    ],
    [
      'behind an empty line',
      [],
      [
        ['>', '\r\nPING\r\n'],
        ['<', '+PONG\r\n'],
      ] as Turn[],
    ],
  ])('are found on any port: %s', (_, others, turns) => {
    const first = others.flatMap((each, at) => talk(each, { port: 7001, clientPort: 41000 + at }));
    for (const packets of [
      [...first, ...talk(turns, { port: 7001 })],
      [...talk(turns, { port: 7001 }), ...first],
    ]) {
      const report = redis(packets);
      const asked = [...turns, ...others.flat()]
        .filter(([way]) => way === '<')
        .map(([, text]) => text)
        .join('');
      expect(report.commands.reduce((sum: number, each: { calls: number }) => sum + each.calls, 0)).toBe(
        asked.match(/[+:$]/g)!.length,
      );
      expect(report.connections).toMatchObject({ count: 1 + others.length, joinedInTheMiddle: 0 });
      expect(report.missing).toMatchObject({
        commandsWithoutReply: 0,
        repliesWithoutCommand: 0,
        lostThread: 0,
      });
    }
  });

  it('are found without an answer where another connection shows what the server is, before or behind', () => {
    const lonely = talk([['>', 'PING\r\n']], { port: 7001 });
    const other = talk(GET, { port: 7001, clientPort: 41000 });
    for (const packets of [
      [...lonely, ...other],
      [...other, ...lonely],
    ])
      expect(calls(redis(packets))).toEqual({ PING: 1, GET: 1 });
    expect(redis(lonely)).toBe(null);
  });

  it('are not what other protocols say with the same words', () => {
    const others: Turn[][] = [
      [
        ['>', 'GET /keys HTTP/1.1\r\nHost: x\r\n\r\n'],
        ['<', '+OK\r\n'],
      ],
      [
        ['>', 'get a\r\n'],
        ['<', 'VALUE a 0 1\r\nb\r\nEND\r\n'],
      ],
      [
        ['>', 'watch tube\r\n'],
        ['<', 'WATCHING 2\r\n'],
      ],
      [
        ['<', '+OK POP3 ready\r\n'],
        ['>', 'AUTH\r\n'],
        ['<', '+OK\r\n'],
      ],
      [
        ['>', 'PING 1\r\n'],
        ['<', ':irc.example.org PONG 1\r\n'],
      ],
    ];
    for (const turns of others) expect(redis(talk(turns, { port: 7001 }))).toBe(null);
  });

  it('are the same wherever their segments are cut', () => {
    const lines = fc.array(fc.constantFrom('PING', 'get a', 'SET "a b" \'c d\'', 'incr x', ''), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(lines, fc.integer({ min: 1, max: 30 }), (all, segment) => {
        const replies = all.filter(Boolean).map(() => '+OK\r\n');
        const turns: Turn[] = [
          ['>', `PING\r\n${all.map((line) => `${line}\r\n`).join('')}`],
          ['<', `+PONG\r\n${replies.join('')}`],
        ];
        const report = redis(talk(turns, { port: 7001, segment }));
        const count = report.commands.reduce((sum: number, each: { calls: number }) => sum + each.calls, 0);
        expect(count).toBe(1 + replies.length);
        expect(report.connections.joinedInTheMiddle).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

it('counts a typed word that Redis does not know with all others, and goes on behind it', () => {
  const report = redis(
    talk([
      ['>', 'PING\r\nhunter2 is my password\r\nget a\r\n'],
      ['<', "+PONG\r\n-ERR unknown command 'hunter2'\r\n$-1\r\n"],
    ]),
  );
  expect(calls(report)).toEqual({ PING: 1, '(others)': 1, GET: 1 });
  expect(report.errors).toEqual({ ERR: 1 });
  expect(report.missing.lostThread).toBe(0);
});

describe('a typed word that Redis does not know, as the first of a connection', () => {
  const typed: Turn[] = [
    ['>', 'hunter2 is my password\r\n'],
    ['<', "-ERR unknown command 'hunter2', with args beginning with: 'is'\r\n"],
  ];

  it.each([6379, 7001])('counts with all others, and the connection is read on: port %i', (port) => {
    for (const refused of [typed[1]!, ['<', '-NOAUTH Authentication required.\r\n'] as Turn]) {
      const report = redis(talk([typed[0]!, refused, ...PING, ...GET], { port }));
      expect(calls(report)).toEqual({ '(others)': 1, PING: 1, GET: 1 });
      expect(report.connections).toMatchObject({ count: 1, joinedInTheMiddle: 0 });
      expect(report.missing.lostThread).toBe(0);
    }
  });

  it.each([6379, 7001])('is none where a proxy says whom it speaks for: port %i', (port) => {
    const report = redis(
      talk([['>', 'PROXY TCP4 192.0.2.1 10.0.0.2 1 2\r\n'], ...GET, ...PING, ...GET], { port }),
    );
    expect(calls(report)).toEqual({ GET: 2, PING: 1 });
    expect(report.missing.commandsWithoutReply).toBe(0);
  });

  it('counts on the port of a server that another connection shows, before or behind', () => {
    const first = talk(typed, { port: 7001 });
    const other = talk(GET, { port: 7001, clientPort: 41000 });
    for (const packets of [
      [...first, ...other],
      [...other, ...first],
    ])
      expect(calls(redis(packets))).toEqual({ '(others)': 1, GET: 1 });
  });

  it('is none where the bytes are no text, or the answer is of another protocol', () => {
    for (const [asked, answer] of [
      ['\x00\x01\x02hunter2\r\n', '-ERR unknown command\r\n'],
      ['EHLO example.org\r\n', '250 ok\r\n'],
      ['USER me\r\n', '-ERR no such user\r\n'],
      ['POST / HTTP/1.1\r\nHost: x\r\n\r\n', '-ERR unknown command\r\n'],
    ] as const)
      expect(
        redis(
          talk(
            [
              ['>', asked],
              ['<', answer],
            ],
            { port: 7001 },
          ),
        ),
      ).toBe(null);
  });
});

it('has none from before the capture where the first command came in pieces', () => {
  for (const segment of [1, 2, 3, 5, 11]) {
    const report = redis(talk([...GET, ...GET], { port: 7001, segment }));
    expect(calls(report)).toEqual({ GET: 2 });
    expect(report.connections).toMatchObject({ count: 1, joinedInTheMiddle: 0 });
    expect(report.missing.lostThread).toBe(0);
  }
});
