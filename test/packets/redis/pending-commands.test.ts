import { describe, expect, it } from 'vitest';
import { fc } from '../../properties.ts';
import { analyzed } from '../analysis.ts';
import { FLAG, framed, pcap, START, tcp } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

interface Key {
  readonly key: string;
  readonly calls: number;
  readonly bytesOut: number;
  readonly latency: { readonly count: number; readonly maxSeconds: number };
}

const name = (at: number) => `key-${String.fromCharCode(97 + (at % 26), 97 + (Math.floor(at / 26) % 26))}`;
const asking = (at: number) => command('GET', name(at));
/** Of another length for each, so that a reply given to another command shows. */
const answer = (at: number) => `$${at + 10}\r\n${'v'.repeat(at + 10)}\r\n`;

/** `count` commands, `each` at a time; the first of their replies comes a millisecond after the first of them. */
function together(count: number, each: number): Turn[] {
  const turns: Turn[] = [];
  for (let from = 0; from < count; from += each) {
    for (let at = from; at < from + each; at += 1) turns.push(['>', asking(at), 0.01]);
    for (let at = from; at < from + each; at += 1)
      turns.push(['<', answer(at), at === from ? 1 - 0.01 * (each - 1) : 0.01]);
  }
  return turns;
}

/** Everything of a conversation of which packets are missing, behind the first so many. */
function without(turns: readonly Turn[], missing: (at: number) => boolean, first: number) {
  const packets = talk(turns);
  const left = packets.filter((_, at) => at < 3 + first || !missing(at));
  const scope = { redis: { rules: [], showKeys: true } };
  const { report } = analyzed(pcap('ethernet', left), scope, [], false);
  return { redis: report.redis, gone: packets.length - left.length, keys: report.redis.keys as Key[] };
}

/** How many keys have the bytes of a reply that is not theirs. */
const wrong = (keys: readonly Key[]): string[] =>
  keys
    .filter(({ key, bytesOut, calls }) => {
      const at = 26 * (key.charCodeAt(5) - 97) + key.charCodeAt(4) - 97;
      return calls !== 1 || (bytesOut !== 0 && bytesOut !== answer(at).length);
    })
    .map(({ key }) => key);

const timed = (keys: readonly Key[]) => keys.filter(({ latency }) => latency?.count).length;

/** Some of many packets, one in so many. */
const some = fc.record({ among: fc.integer({ min: 3, max: 60 }), seed: fc.nat(1e6) }).map(
  ({ among, seed }) =>
    (at: number) =>
      ((at + 1) * 2654435761 + seed * 40503) % 4294967296 < 2 ** 32 / among,
);

describe('whose a reply is, where packets are missing', () => {
  it('of a client that asks one at a time: each packet costs the command that it is of, and no other', () => {
    fc.assert(
      fc.property(some, (missing) => {
        const { redis, gone, keys } = without(together(120, 1), missing, 2);
        expect(wrong(keys)).toEqual([]);
        const touched = 120 - timed(keys);
        expect(touched).toBeLessThanOrEqual(gone);
        expect(redis.missing.commandsWithoutReply + redis.missing.repliesWithoutCommand).toBeLessThanOrEqual(
          gone,
        );
        if (timed(keys) > 0) expect(redis.latency.maxSeconds).toBeCloseTo(0.001, 6);
      }),
      { numRuns: 60 },
    );
  });

  it('of a client that sends several at a time: it costs those that were sent together with it', () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 2, max: 6 }), (missing, each) => {
        const { gone, keys } = without(together(120, each), missing, 4 * each);
        expect(wrong(keys)).toEqual([]);
        expect(120 - timed(keys)).toBeLessThanOrEqual(gone * each * 2);
      }),
      { numRuns: 60 },
    );
  });

  it('of a client that asks on while replies are on their way: what cannot be told is not told', () => {
    // The reply to each comes behind the next command, but for pauses.
    const overlapping = (count: number, pause: number): Turn[] => {
      const turns: Turn[] = [];
      for (let at = 0; at < count; at += 1) {
        const rests = at % pause === 0;
        turns.push(['>', asking(at), rests ? 30 : 0.5]);
        if (at > 0 && !rests) turns.push(['<', answer(at - 1), 0.1]);
        if ((at + 1) % pause === 0 || at === count - 1) turns.push(['<', answer(at), 0.3]);
      }
      return turns;
    };
    fc.assert(
      fc.property(
        some,
        fc.integer({ min: 3, max: 20 }),
        fc.integer({ min: 4, max: 60 }),
        (missing, pause, first) => {
          const whole = without(overlapping(120, pause), () => false, 0);
          expect([timed(whole.keys), wrong(whole.keys)]).toEqual([120, []]);
          const { gone, keys } = without(overlapping(120, pause), missing, first);
          expect(wrong(keys)).toEqual([]);
          if (first >= 6 * pause) expect(120 - timed(keys)).toBeLessThanOrEqual(3 * gone * pause);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('counts what was asked where the reply is not known, and every missing byte, the last ones too', () => {
    const turns = together(20, 1);
    const packets = talk(turns);
    // The reply to the last command but one, and the one to the last, which only the client's closing shows.
    const last = talk([...turns, ['>', command('QUIT')], ['<', '+OK\r\n'], ['>', command('PING')]]);
    const left = last.filter((_, at) => at !== packets.length - 1 && at !== packets.length + 1);
    const { redis } = analyzed(pcap('ethernet', left), {}, [], false).report;
    expect(redis.missing).toEqual({
      bytes: answer(19).length + 5,
      lostThread: 1,
      commandsWithoutReply: 3,
      repliesWithoutCommand: 0,
    });
    const counted = Object.fromEntries(
      redis.commands.map((each: { command: string; calls: number }) => [each.command, each.calls]),
    );
    expect(counted).toEqual({ GET: 20, QUIT: 1, PING: 1 });
  });

  it('takes no acknowledgment from a reset that has none', () => {
    const there = { sport: 40000, dport: 6379 };
    const back = { src: '10.0.0.2', dst: '10.0.0.1', sport: 6379, dport: 40000 };
    // The server's numbers end just before 2^32, where 0 would be 500 bytes further.
    const answers = 2 ** 32 - 500;
    const asked = command('PING');
    const segments = [
      tcp({ ...there, flags: FLAG.syn, seq: 1000 }),
      tcp({ ...back, flags: FLAG.syn | FLAG.ack, seq: answers - 1, ack: 1001 }),
      tcp({ ...there, seq: 1001, ack: answers, payload: asked }),
      tcp({ ...back, seq: answers, ack: 1001 + asked.length, payload: '+PONG\r\n' }),
      tcp({ ...there, flags: FLAG.rst, seq: 1001 + asked.length, ack: 0 }),
    ];
    const packets = segments.map((each, at) => ({
      frame: framed('ethernet', each),
      at: START + BigInt(at) * 1_000_000n,
    }));
    const { redis } = analyzed(pcap('ethernet', packets), {}, [], false).report;
    expect(redis.missing).toMatchObject({ bytes: 0, lostThread: 0 });
    expect(redis.commands).toMatchObject([{ command: 'PING', calls: 1 }]);
  });

  it('is the same where packets were cut off behind the name of the command', () => {
    const value = (at: number) => 'v'.repeat((at * 37) % 3000);
    const turns = Array.from({ length: 60 }, (_, at): Turn[] => [
      ['>', command('SET', name(at), value(at)), 1 + (at % 7) / 10],
      ['<', '+OK\r\n', 0.3],
      ['>', command('LRANGE', name(at), '0', '-1'), 0.1],
      ['<', `*3\r\n$1\r\na\r\n$${value(at).length}\r\n${value(at)}\r\n:5\r\n`, 0.2 + (at % 5) / 10],
      ['>', command('INCR', name(at)), 0.2],
      ['<', '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n', 0.1],
    ]).flat();
    const packets = talk(turns);
    const facts = (snap: number) => {
      const cut = packets.map(({ frame, at }) => ({
        frame: frame.subarray(0, snap),
        length: frame.length,
        at,
      }));
      const { redis } = analyzed(pcap('ethernet', cut), {}, [], false).report;
      expect(redis.missing).toMatchObject({ commandsWithoutReply: 0, repliesWithoutCommand: 0 });
      return [redis.commands, redis.clients, redis.errors, redis.slowest.length];
    };
    const whole = facts(65535);
    // Ethernet, IPv4 and TCP are 54 bytes.
    for (let snap = 54 + '*4\r\n$6\r\nLRANGE\r\n'.length; snap < 400; snap += 1) {
      expect(facts(snap), `-s ${snap}`).toEqual(whole);
    }
  });

  it('knows a subcommand by its beginning and length where the packet was cut off within it', () => {
    const packets = talk([
      ['>', command('PING')],
      ['<', '+PONG\r\n'],
      ['>', command('CONFIG', 'GET', 'maxmemory')],
      ['<', '*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n'],
      ['>', command('PING')],
      ['<', '+PONG\r\n'],
    ]);
    const known = '*3\r\n$6\r\nCONFIG\r\n'.length;
    for (let left = known; left < 50; left += 1) {
      const cut = packets.map(({ frame, at }) => ({
        frame: frame.subarray(0, 54 + left),
        length: frame.length,
        at,
      }));
      const { redis } = analyzed(pcap('ethernet', cut), {}, [], false).report;
      const names = redis.commands.map((each: { command: string; calls: number }) => [
        each.command,
        each.calls,
      ]);
      // SET is as long as GET: its first letter tells.
      const isTold = left > known + '$3\r\n'.length;
      expect(names, `${left} bytes`).toEqual([
        ['PING', 2],
        [isTold ? 'CONFIG|GET' : 'CONFIG', 1],
      ]);
      expect(redis.missing).toMatchObject({ commandsWithoutReply: 0, repliesWithoutCommand: 0 });
    }
  });

  it('says that a packet was cut off before more commands, and gives the first its own bytes', () => {
    const first = command('CONFIG', 'GET', 'save');
    const packets = talk([
      ['>', first + command('CONFIG', 'GET', 'appendonly')],
      ['<', '*2\r\n$4\r\nsave\r\n$0\r\n\r\n*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n'],
    ]).map(({ frame, at }) => ({ frame: frame.subarray(0, 54 + 30), length: frame.length, at }));
    const { report, tables } = analyzed(pcap('ethernet', packets));
    expect(report.redis.commands).toMatchObject([{ command: 'CONFIG|GET', calls: 1, bytesIn: first.length }]);
    expect(report.redis.missing.packetsCutBeforeCommands).toBe(1);
    expect(tables).toContain('1 packet truncated before the last of several commands');
  });

  it('times no command by the reply to another one, cut off or missing, of whatever kind', () => {
    const reply = (at: number) =>
      [answer(at), '+OK\r\n', '-ERR nothing of the kind that was expected here\r\n'][at % 3]!;
    // Those of a batch in a packet each, or all in one; no two wait equally long.
    const batches = (each: number, joined: boolean): Turn[] =>
      Array.from({ length: 120 / each }, (_, batch) => {
        const all = Array.from({ length: each }, (_each, at) => batch * each + at);
        const first = 1 + batch / 1000;
        if (joined)
          return [
            ['>', all.map(asking).join(''), 0.5] as const,
            ['<', all.map(reply).join(''), first] as const,
          ];
        return [
          ...all.map((at) => ['>', asking(at), 0.01] as const),
          ...all.map((at) => ['<', reply(at), at === all[0] ? first : 0.013] as const),
        ];
      }).flat();
    const latencies = (packets: ReturnType<typeof talk>) => {
      const scope = { redis: { rules: [], showKeys: true } };
      const { redis } = analyzed(pcap('ethernet', packets), scope, [], false).report;
      const timedKeys = (redis.keys as Key[]).filter(({ latency }) => latency?.count === 1);
      return Object.fromEntries(timedKeys.map(({ key, latency }) => [key, latency.maxSeconds]));
    };
    const each = fc.constantFrom(1, 2, 3, 4, 5, 6);
    let compared = 0;
    fc.assert(
      fc.property(
        each,
        fc.boolean(),
        fc.integer({ min: 72, max: 500 }),
        some,
        (count, joined, snap, missing) => {
          const packets = talk(batches(count, joined));
          const left = packets
            .filter((_, at) => at < 3 + 4 * count || !missing(at))
            .map(({ frame, at }) => ({ frame: frame.subarray(0, snap), length: frame.length, at }));
          const [whole, rest] = [latencies(packets), latencies(left)];
          expect(Object.keys(whole)).toHaveLength(120);
          expect(whole).toMatchObject(rest);
          compared += Object.keys(rest).length;
        },
      ),
      { numRuns: 100 },
    );
    expect(compared).toBeGreaterThan(1000);
  });
});
