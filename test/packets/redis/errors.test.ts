import { describe, expect, it } from 'vitest';
import { fc } from '../../properties.ts';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

const redis = (turns: readonly Turn[], segment = 1400) =>
  analyzed(pcap('ethernet', talk(turns, { segment })), {}, [], false).report.redis;

interface Row {
  readonly command: string;
  readonly calls: number;
  readonly errors: number;
}

const failures = (report: { commands: Row[] }) =>
  Object.fromEntries(
    report.commands.filter(({ errors }) => errors > 0).map(({ command: name, errors }) => [name, errors]),
  );

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, each) => all + each, 0);

/** MULTI … EXEC around these commands, with what EXEC replies. */
const transaction = (commands: readonly string[], reply: string): Turn[] => [
  ['>', command('MULTI') + commands.join('') + command('EXEC')],
  ['<', `+OK\r\n${'+QUEUED\r\n'.repeat(commands.length)}${reply}`],
];

const LATER: Turn[] = [
  ['>', command('PING')],
  ['<', '+PONG\r\n'],
];

describe('errors in the reply to EXEC', () => {
  it('are of the commands that it ran', () => {
    const report = redis([
      ...transaction(
        [command('SET', 'a', 'b'), command('INCR', 'a'), command('LPUSH', 'a', '1'), command('GET', 'a')],
        '*4\r\n+OK\r\n-ERR value is not an integer\r\n-WRONGTYPE Operation against a key\r\n$1\r\nb\r\n',
      ),
      ...LATER,
    ]);
    expect(failures(report)).toEqual({ INCR: 1, LPUSH: 1 });
    expect(report.errors).toEqual({ ERR: 1, WRONGTYPE: 1 });
    expect(report.keys).toMatchObject([{ key: 'a', calls: 4, errors: 2 }]);
    expect(report.clients).toMatchObject([{ calls: 7, errors: 2 }]);
    expect(report.commands).toContainEqual(expect.objectContaining({ command: 'PING', calls: 1 }));
  });

  it.each([
    ['behind nested arrays', '*2\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n-ERR no\r\n'],
    ['behind an empty array', '*2\r\n*0\r\n-ERR no\r\n'],
    ['behind a null array', '*2\r\n*-1\r\n-ERR no\r\n'],
    ['behind a map', '*2\r\n%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n!5\r\nERR n\r\n'],
    ['behind an array of unknown length', '*2\r\n*?\r\n:1\r\n*?\r\n.\r\n.\r\n-ERR no\r\n'],
    ['behind an attribute', '*2\r\n|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n-ERR no\r\n'],
    ['behind a string in chunks', '*2\r\n$?\r\n;4\r\nHell\r\n;0\r\n-ERR no\r\n'],
    ['as bulk string', '*2\r\n_\r\n!6\r\nERR no\r\n'],
    ['within what a script returned', '*2\r\n$1\r\nx\r\n*2\r\n:1\r\n*1\r\n-ERR no\r\n'],
  ])('are told by their place: %s', (_, reply) => {
    for (const segment of [1400, 7, 1]) {
      const report = redis(
        [...transaction([command('GET', 'a'), command('EVAL', 'return 1', '0')], reply), ...LATER],
        segment,
      );
      expect(failures(report)).toEqual({ EVAL: 1 });
      expect(report.errors).toEqual({ ERR: 1 });
    }
  });

  it('are of nobody where MULTI is not in the capture', () => {
    const report = redis([
      ['>', command('EXEC')],
      ['<', '*2\r\n+OK\r\n-ERR no\r\n'],
    ]);
    expect([failures(report), report.errors]).toEqual([{}, {}]);
  });

  it('leave EXEC its own: EXECABORT, and EXEC without MULTI', () => {
    const report = redis([
      ['>', command('MULTI') + command('GET', 'a') + command('GET') + command('EXEC') + command('EXEC')],
      [
        '<',
        '+OK\r\n+QUEUED\r\n-ERR wrong number of arguments\r\n-EXECABORT Transaction discarded\r\n-ERR EXEC without MULTI\r\n',
      ],
    ]);
    expect(failures(report)).toEqual({ GET: 1, EXEC: 2 });
    expect(report.errors).toEqual({ ERR: 2, EXECABORT: 1 });
    expect(report.transactions).toMatchObject({ executed: 0, aborted: 1 });
  });
});

it('counts a script whose reply holds errors as failed once, as Redis does', () => {
  const report = redis([
    ['>', command('EVAL', 'return {1, redis.error_reply("A x"), redis.error_reply("B y")}', '0')],
    ['<', '*3\r\n:1\r\n-AB x\r\n-CD y\r\n'],
    ...LATER,
  ]);
  expect(failures(report)).toEqual({ EVAL: 1 });
  expect(sum(report.errors)).toBe(1);
});

it('counts as many errors by kind as by command', () => {
  const error = fc.constantFrom('-ERR no\r\n', '-WRONGTYPE no\r\n', '!6\r\nOOM no\r\n', '-MOVED 1 a:1\r\n');
  const value: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(
        '+OK\r\n',
        ':1\r\n',
        '$3\r\nabc\r\n',
        '$-1\r\n',
        '*0\r\n',
        '_\r\n',
        '*?\r\n:1\r\n.\r\n',
      ),
      error,
      fc.array(tie('value'), { maxLength: 3 }).map((all) => `*${all.length}\r\n${all.join('')}`),
    ),
  })).value;
  const plain = value.map((reply): { turns: Turn[]; failed: number } => ({
    turns: [
      ['>', command('EVAL', '', '0')],
      ['<', reply],
    ],
    failed: /[-!][A-Z\d]/.test(reply.replace(/[$*]-1/g, '')) ? 1 : 0,
  }));
  const together = fc.array(value, { maxLength: 4 }).map((replies) => ({
    turns: transaction(
      replies.map(() => command('EVAL', '', '0')),
      `*${replies.length}\r\n${replies.join('')}`,
    ),
    failed: replies.filter((reply) => /[-!][A-Z\d]/.test(reply.replace(/[$*]-1/g, ''))).length,
  }));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(plain, together), { maxLength: 6 }),
      fc.integer({ min: 1, max: 40 }),
      (all, segment) => {
        const report = redis([...all.flatMap(({ turns }) => turns), ...LATER], segment);
        const expected = all.reduce((count, { failed }) => count + failed, 0);
        expect(sum(failures(report))).toBe(expected);
        expect(sum(report.errors)).toBe(expected);
        expect(report.missing).toMatchObject({ commandsWithoutReply: 0, repliesWithoutCommand: 0 });
      },
    ),
    { numRuns: 60 },
  );
});
