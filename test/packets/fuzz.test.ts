import { describe, expect, it } from 'vitest';
import { PacketReader, UnknownFormatError } from '../../src/packets/file/reader.ts';
import { Pseudonyms } from '../../src/packets/redact/pseudonyms.ts';
import { Redactor } from '../../src/packets/redact/redact.ts';
import { analyzed } from './analysis.ts';
import { Frames, random } from './frames.ts';
import { framed, ip4, pcap, pcapng, records, tcp, udp } from './packets.ts';
import { command, talk } from './redis/redis-stream.ts';

/** 10,000 with each run of the suite; 100,000 with FUZZ=100000 take two minutes. */
const INPUTS = Number(process.env.FUZZ ?? 10_000);

const packets = [
  ...talk([
    ['>', command('SET', 'user:1', 'x'.repeat(50)) + command('MULTI')],
    ['<', '+OK\r\n+OK\r\n*2\r\n$1\r\na\r\n:3\r\n'],
    ['>', 'PING\r\n'],
    ['<', '%1\r\n+a\r\n>3\r\n$7\r\nmessage\r\n$?\r\n;1\r\na\r\n;0\r\n-MOVED 1 a:1\r\n'],
  ]),
  ...records([
    framed(
      'ethernet',
      udp({
        dport: 4789,
        payload: Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 0, 7, 0]), framed('ethernet', tcp({}))]),
      }),
    ),
    framed('ethernet', ip4('10.0.0.1', '10.0.0.2', 17, udp({}).subarray(20), { fragment: 0x2000 })),
    framed('ethernet', tcp({ src: 'fd00::1', dst: 'fd00::2', flags: 2 })),
    framed(
      'ethernet',
      ip4(
        '10.0.0.9',
        '10.0.0.1',
        1,
        Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), tcp({ flags: 2 })]),
      ),
    ),
  ]),
];
const seeds = [
  pcap('ethernet', packets),
  pcap('ethernet', packets, { big: true, nanoseconds: true }),
  pcapng(packets, { faces: [{ link: 'ethernet' }], names: [['10.0.0.1', 'a']], dropped: 1 }),
  pcap(
    'sll2',
    packets.map((each) => ({ ...each, frame: framed('sll2', each.frame.subarray(14)) })),
  ),
  ...(['ethernet', 'null'] as const).map((link) => {
    const frames = new Frames(11);
    return pcap(link, records(Array.from({ length: 30 }, () => frames.next(link)).flat()));
  }),
];

function mutated(number: number): Buffer {
  const below = random(number + 1);
  const bytes = Buffer.from(seeds[number % seeds.length]!);
  for (let change = 1 + below(8); change > 0; change -= 1) {
    const at = below(bytes.length);
    const kind = below(4);
    if (kind === 0) bytes[at] = below(256);
    else if (kind === 1) bytes[at]! ^= 1 << below(8);
    else if (kind === 2) bytes[at] = [0, 255, 127, 128, 1][below(5)]!;
    else bytes.copy(bytes, at, below(bytes.length), bytes.length);
  }
  return below(10) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
}

const names = new Pseudonyms(Uint8Array.from({ length: 32 }, (_, at) => at));

function redacted(capture: Uint8Array, payload: 'cut' | 'mask'): void {
  let written = 0;
  const redactor = new Redactor(names, payload, (bytes) => {
    written += bytes.length;
  });
  new PacketReader(redactor).push(capture);
  expect(written).toBeLessThanOrEqual(2 * capture.length + 100);
}

describe('mutated captures', () => {
  it(`${INPUTS} of them end, without a crash and without growth`, () => {
    const slowest = { number: 0, millis: 0 };
    let before = 0;
    for (let number = 0; number < INPUTS; number += 1) {
      if (number === INPUTS / 4) before = process.memoryUsage().rss;
      const began = process.cpuUsage();
      try {
        // Laying out tables takes longer than all else together.
        const scope = { inner: number % 2 === 0, once: number % 3 !== 0 };
        analyzed(mutated(number), scope, [], number % 50 === 0);
        // Copies to show are made of anything, too.
        if (number % 25 === 0) redacted(mutated(number), number % 2 === 0 ? 'cut' : 'mask');
      } catch (error) {
        if (!(error instanceof UnknownFormatError)) throw new Error(`input ${number}`, { cause: error });
      }
      const { user, system } = process.cpuUsage(began);
      const millis = (user + system) / 1000;
      if (millis > slowest.millis) Object.assign(slowest, { number, millis });
    }
    // No hang. Of CPU time, because the machine may do something else meanwhile.
    expect(slowest.millis, `input ${slowest.number}`).toBeLessThan(5000);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  }, 600_000);
});
