import { describe, expect, it } from 'vitest';
import { analyzed } from '../analysis.ts';
import { pcap } from '../packets.ts';
import { command, type Turn, talk } from './redis-stream.ts';

const redis = (packets: ReturnType<typeof talk>) =>
  analyzed(pcap('ethernet', packets), { redis: { rules: [], showKeys: true } }, [], false).report.redis;

const calls = (report: { commands: { command: string; calls: number }[] } | null) =>
  Object.fromEntries((report?.commands ?? []).map(({ command: name, calls: count }) => [name, count]));

/** An append-only file: commands one after another, of a length each, so that segments begin with them. */
const one = command('LPUSH', 'inner', 'value-of-32-bytes-value-of-32-byt');
const AOF = one.repeat(200);
const AFTER: Turn[] = Array.from({ length: 5 }, (_, at): Turn[] => [
  ['>', command('INCR', `counter-${at}`)],
  ['<', `:${at}\r\n`],
]).flat();

/** The conversation from each of its packets on that carries a part of the value. */
function joined(turns: readonly Turn[], port: number) {
  // Each segment begins with a command.
  const packets = talk(turns, { port, segment: one.length });
  return Array.from({ length: 60 }, (_, at) => packets.slice(3 + 140 + at));
}

describe.each([6379, 7001])(
  'a value that holds commands, where the capture begins within it, on port %i',
  (port) => {
    const head = `*3\r\n$3\r\nSET\r\n$3\r\naof\r\n$${AOF.length}\r\n`;
    // Made as long as a segment, so that those behind it begin with commands, too.
    const set = head.padStart(one.length * Math.ceil(head.length / one.length), '\r\n');

    it('is none of them', () => {
      const turns: Turn[] = [['>', `${set}${AOF}\r\n`], ['<', '+OK\r\n'], ...AFTER];
      for (const packets of joined(turns, port)) {
        const report = redis(packets);
        expect(calls(report)).toEqual({ INCR: 5 });
        expect(report.connections).toMatchObject({ count: 1, joinedInTheMiddle: 1 });
        expect(report.missing).toMatchObject({ commandsWithoutReply: 0, repliesWithoutCommand: 0 });
      }
    });

    it('is none of them where more of its command follows, or it ends within a command', () => {
      for (const rest of ['\r\n$2\r\nEX\r\n$3\r\n100\r\n', `${one.slice(0, 20)}\r\n`]) {
        const turns: Turn[] = [['>', `${set}${AOF}${rest}`], ['<', '+OK\r\n'], ...AFTER];
        for (const packets of joined(turns, port)) expect(calls(redis(packets)).LPUSH).toBeUndefined();
      }
    });

    it('is none of them where the capture ends within it, too', () => {
      const turns: Turn[] = [
        ['>', `${set}${AOF}\r\n`],
        ['<', '+OK\r\n'],
      ];
      for (const packets of joined(turns, port).slice(0, 50)) expect(calls(redis(packets))).toEqual({});
    });

    it('is none of them where it is a reply', () => {
      const turns: Turn[] = [
        ['>', command('GET', 'aof')],
        ['<', `${`$${AOF.length}\r\n`.padStart(one.length, '+')}${AOF}\r\n`],
        ...AFTER,
      ];
      for (const packets of joined(turns, port)) expect(calls(redis(packets))).toEqual({ INCR: 5 });
    });

    it('is told from commands that are sent so, many at a time, each with its answer', () => {
      const turns: Turn[] = [['>', AOF], ['<', ':1\r\n'.repeat(200)], ...AFTER];
      for (const packets of joined(turns, port)) {
        const counted = calls(redis(packets));
        expect(counted.INCR).toBe(5);
        expect(counted.LPUSH).toBeGreaterThan(0);
      }
    });
  },
);
