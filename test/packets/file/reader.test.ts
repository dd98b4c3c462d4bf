import { describe, expect, it } from 'vitest';
import { UnknownFormatError } from '../../../src/packets/file/reader.ts';
import { needing } from '../../needing.ts';
import { fc } from '../../properties.ts';
import { faults } from '../../schemas.ts';
import { analyzed } from '../analysis.ts';
import { expectAsTshark, fileOf } from '../judge.ts';
import {
  type Framed,
  framed,
  ip4,
  LINK,
  type Link,
  pcap,
  pcapng,
  records,
  START,
  tcp,
  udp,
  vlan,
} from '../packets.ts';
import { command, talk } from '../redis/redis-stream.ts';

const conversation = talk([
  ['>', command('SET', 'a', 'x'.repeat(3000))],
  ['<', '+OK\r\n'],
  ['>', command('GET', 'a')],
  ['<', `$3000\r\n${'x'.repeat(3000)}\r\n`],
]);
const captures: Readonly<Record<string, Buffer>> = {
  pcap: pcap('ethernet', conversation),
  'big-endian pcap with nanoseconds': pcap('ethernet', conversation, { big: true, nanoseconds: true }),
  pcapng: pcapng(conversation, {
    faces: [{ link: 'ethernet' }],
    names: [['10.0.0.2', 'redis-0']],
    dropped: 3,
  }),
  'big-endian pcapng': pcapng(conversation, { faces: [{ link: 'ethernet', resolution: 9 }], big: true }),
};

describe('a capture file', () => {
  it.each(Object.entries(captures))('%s: any cut of its bytes gives the same', (_, capture) => {
    const { report, tables } = analyzed(capture);
    expect(report.redis.commands.map((each: { command: string }) => each.command)).toEqual(['SET', 'GET']);
    fc.assert(
      fc.property(fc.array(fc.nat(capture.length), { maxLength: 40 }), (cuts) => {
        const cut = analyzed(capture, {}, cuts);
        expect(cut.report).toEqual(report);
        expect(cut.tables).toBe(tables);
      }),
      { numRuns: 40 },
    );
    expect(
      analyzed(
        capture,
        {},
        Array.from({ length: 600 }, (_each, at) => at),
      ).report,
    ).toEqual(report);
  });

  it('has the same packets in every form', () => {
    const [first, ...others] = Object.values(captures).map((capture) => {
      const { report } = analyzed(capture);
      return { ...report, summary: { ...report.summary, lostByTheSystem: 0 } };
    });
    for (const other of others) expect(other).toEqual({ ...first });
  });

  it.each(Object.entries(captures))('%s: cut short, everything up to the cut is there', (_, capture) => {
    const whole = analyzed(capture);
    for (let length = capture.length - 1; length > capture.length - 200; length -= 7) {
      const { end, analysis } = analyzed(capture.subarray(0, length));
      expect(analysis.summary.packets).toBeLessThanOrEqual(whole.analysis.summary.packets);
      expect(analysis.summary.packets).toBeGreaterThanOrEqual(whole.analysis.summary.packets - 1);
      if (analysis.summary.packets < whole.analysis.summary.packets && length > 0)
        expect(end.cut || end.damage === undefined).toBe(true);
    }
  });

  it('keeps what stands before damage, and says what it is', () => {
    const damaged = Buffer.from(captures.pcap!);
    const third = 24 + 3 * 16 + 3 * 54;
    damaged.writeUInt32LE(9_000_000, third + 8);
    const { end, analysis } = analyzed(damaged);
    expect(analysis.summary.packets).toBe(3);
    expect(end.damage).toBe('a packet of 9000000 bytes; a packet has at most 262144');
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'it is empty'],
    ['three bytes', Buffer.from('abc'), 'shorter than the header'],
    ['text', Buffer.from('hello, this is text\n'), 'neither pcap nor pcapng'],
  ])('%s is none', (_, bytes, words) => {
    expect(() => analyzed(bytes)).toThrow(UnknownFormatError);
    expect(() => analyzed(bytes)).toThrow(words);
  });

  it('tells names and losses of pcapng', () => {
    const { report, analysis } = analyzed(captures.pcapng!);
    expect(report.summary.lostByTheSystem).toBe(3);
    expect([...analysis.names.values()]).toEqual(['redis-0']);
  });

  it('knows each link, and says of others that they are not looked into', () => {
    for (const link of Object.keys(LINK) as Link[]) {
      const packet = link === 'ipv6' ? tcp({ src: 'fd00::1', dst: 'fd00::2' }) : tcp({});
      expect(analyzed(pcap(link, records([framed(link, packet)]))).report.summary.protocols.tcp, link).toBe(
        1,
      );
    }
    const { tables } = analyzed(pcap(147, records([Buffer.from('whatever')])));
    expect(tables).toContain('1 packet of link type 147, which is not decoded');
  });

  it('looks behind tags and labels, and into tunnels when it is asked to', () => {
    const inside = tcp({ src: '10.9.0.1', dst: '10.9.0.2' });
    const frame = framed('ethernet', inside);
    const mpls = Buffer.concat([
      frame.subarray(0, 12),
      Buffer.from([0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]),
      inside,
    ]);
    const tagged = vlan(inside);
    const twice = Buffer.concat([
      tagged.subarray(0, 12),
      Buffer.from([0x88, 0xa8, 0, 9]),
      tagged.subarray(12),
    ]);
    for (const each of [tagged, twice, mpls])
      expect(analyzed(pcap('ethernet', records([each]))).report.conversations.tcp).toHaveLength(1);
    const vxlan = udp({
      dport: 4789,
      payload: Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 0, 7, 0]), frame]),
    });
    const geneve = udp({
      dport: 6081,
      payload: Buffer.concat([Buffer.from([1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 4]), frame]),
    });
    const gre = ip4(
      '10.0.0.1',
      '10.0.0.2',
      47,
      Buffer.concat([Buffer.from([0x20, 0, 8, 0, 0, 0, 0, 5]), inside]),
    );
    const ipip = ip4('10.0.0.1', '10.0.0.2', 4, inside);
    for (const [name, packet] of Object.entries({ vxlan, geneve, gre, ipip })) {
      const capture = pcap('raw', records([packet]));
      expect(analyzed(capture).report.conversations.tcp, name).toEqual([]);
      expect(analyzed(capture, { inner: true }).report.conversations.ipv4, name).toMatchObject([
        { a: { address: '10.9.0.1' } },
      ]);
    }
  });

  it('takes super-packets and unfinished checksums for what they are', () => {
    const big = tcp({ payload: 'x'.repeat(60_000), flags: 24 });
    big.writeUInt16BE(0, 2);
    big.writeUInt16BE(0x1234, 36);
    const { report } = analyzed(pcap('raw', records([big, tcp({ seq: 61_000 })])));
    expect(report.tcpHealth.totals).toMatchObject({ lostSegments: 0, retransmissions: 0 });
  });
});

describe('a capture of several interfaces', () => {
  const packet = (seq: number, id: number) => tcp({ seq, id, payload: 'hello', flags: 24 });

  it.each(['sll2', 'sll'] as const)('counts a packet once that passes several: link %s', (link) => {
    const frames = [2, 3, 4].map((face) => framed(link, packet(1, 7), face));
    const again = [2, 3].map((face) => framed(link, packet(1, 8), face));
    const { report, tables } = analyzed(pcap(link, records([...frames, ...again], 10_000n)));
    expect(report.conversations.tcp).toMatchObject([{ framesAToB: 2 }]);
    expect(report.summary).toMatchObject({ packets: 5, repeats: 3 });
    expect(tables).toContain('3 packets were seen on another interface before: counted once');
    // The second was sent again: that is no repeat.
    expect(report.tcpHealth.totals.retransmissions + report.tcpHealth.totals.outOfOrder).toBe(1);
  });

  it('counts a short packet once, whatever stands behind it in the file', () => {
    const echo = ip4('10.0.0.1', '10.0.0.2', 1, Buffer.from([8, 0, 0, 0, 0, 1, 0, 1]));
    const frames = [2, 3, 4].map((face) => framed('sll2', echo, face));
    expect(analyzed(pcap('sll2', records(frames, 1_234_567n))).report.summary.repeats).toBe(2);
  });

  it('takes the same packet on the same interface for another one, and a late one, too', () => {
    const same = [2, 2].map((face) => framed('sll2', packet(1, 7), face));
    expect(analyzed(pcap('sll2', records(same, 10_000n))).report.summary.repeats).toBe(0);
    const late = [2, 3].map((face, at) => ({
      frame: framed('sll2', packet(1, 7), face),
      at: START + BigInt(at) * 60_000_000n,
    }));
    expect(analyzed(pcap('sll2', late)).report.summary.repeats).toBe(0);
  });
});

describe('a capture at a mirror port', () => {
  /** A talk of so many turns, with a segment that is sent again, late. */
  const turns = (count: number, ends: { client?: string; server?: string } = {}) => {
    const packets = talk(
      Array.from({ length: count }, (_, at) =>
        at % 2 ? ['<', '$5\r\nhello\r\n'] : ['>', command('GET', `user:${at}`)],
      ),
      ends,
    );
    const again = packets.at(-2)!;
    return [...packets, { ...again, at: packets.at(-1)!.at + 300_000_000n }];
  };
  /** Each packet again and again, some microseconds later. */
  const mirrored = (
    packets: readonly Framed[],
    times: number,
    change = (frame: Uint8Array): Uint8Array => frame,
  ): Framed[] =>
    packets.flatMap((packet) =>
      Array.from({ length: times }, (_, at) => ({
        frame: at ? change(packet.frame) : packet.frame,
        at: packet.at + BigInt(at) * 7_000n,
      })),
    );
  /** The report without what copies change; a frame's number is that of the first of so many copies. */
  const without = ({ report }: ReturnType<typeof analyzed>, times = 1) => {
    const text = JSON.stringify(comparable(report), (key, value) =>
      key === 'frame' ? (value - 1) / times + 1 : value,
    );
    return JSON.parse(text);
  };
  const comparable = (report: ReturnType<typeof analyzed>['report']) => ({
    ...report,
    summary: report.summary.protocols,
    timeline: report.timeline.steps.length,
    // The last copy is a little later than the last packet.
    tcpHealth: { ...report.tcpHealth, synsByClient: report.tcpHealth.synsByClient.length },
  });

  it.each([
    ['twice', turns(40), 2],
    ['twice, longer than what is held back', turns(1500), 2],
    ['three times', turns(40), 3],
    ['twice, over IPv6', turns(40, { client: 'fd00::1', server: 'fd00::2' }), 2],
  ])('that sends each packet %s is counted once', (_, packets, times) => {
    const own = analyzed(pcap('ethernet', packets));
    const copies = analyzed(pcap('ethernet', mirrored(packets, times)));
    expect(without(copies, times)).toEqual(without(own));
    expect(copies.report.summary).toMatchObject({
      packets: times * packets.length,
      repeats: 0,
      mirrorCopies: (times - 1) * packets.length,
    });
    const { retransmissions, spuriousRetransmissions } = copies.report.tcpHealth.totals;
    expect(retransmissions + spuriousRetransmissions).toBe(1);
    const count = (times - 1) * packets.length;
    expect(copies.tables).toContain(
      `Mirror      ${count} packets are exact copies of one just before on the same interface, as a mirror port sends them: counted once`,
    );
    expect(faults('analyze', { ...copies.report, files: [] })).toEqual([]);
  });

  it('is one too where routers change the copy', () => {
    const packets = turns(40);
    const routed = (frame: Uint8Array) => {
      const copy = Buffer.from(frame);
      copy[5] = 77;
      copy[14 + 8]! -= 1;
      copy.writeUInt16BE(0x1234, 14 + 10);
      return copy;
    };
    const { report } = analyzed(pcap('ethernet', mirrored(packets, 2, routed)));
    expect(report.summary.mirrorCopies).toBe(packets.length);
  });

  it('tells equal packets apart from their copies', () => {
    const ack = framed('ethernet', tcp({ sport: 6379, dport: 40000, ack: 7, id: 0 }));
    const equal = [0n, 1_000_000n].map((after) => ({ frame: ack, at: START + 9_000_000_000n + after }));
    const { report } = analyzed(pcap('ethernet', mirrored([...turns(40), ...equal], 2)));
    const row = report.conversations.tcp.find((each: { a: { port: number } }) => each.a.port === 6379);
    expect(row.framesAToB).toBe(2);
  });

  const frames = (count: number, packet: (at: number) => Uint8Array, step = 100_000n) =>
    records(
      Array.from({ length: count }, (_, at) => framed('ethernet', packet(at))),
      step,
    );
  it.each([
    ['equal datagrams', frames(100, () => udp({ payload: 'hits:1|c' }))],
    ['equal acknowledgements', frames(100, () => tcp({ id: 0 }))],
    ['acknowledgements of IPv6', frames(100, (at) => tcp({ src: 'fd00::1', dst: 'fd00::2', ack: at >> 1 }))],
    [
      'a few segments sent again',
      frames(100, (at) => tcp({ seq: at - (at % 5 === 1 ? 1 : 0), payload: 'x' })),
    ],
    ['a SYN sent again', frames(2, () => tcp({ flags: 2 }))],
    ['segments sent again later', frames(100, (at) => tcp({ seq: at >> 1, payload: 'x' }), 20_000_000n)],
  ])('is none with %s', (_, packets) => {
    const { report } = analyzed(pcap('ethernet', packets));
    expect(report.summary.mirrorCopies).toBeUndefined();
    expect(Object.values(report.summary.protocols as number[]).reduce((sum, each) => sum + each, 0)).toBe(
      packets.length,
    );
  });

  needing('tshark')('leaves --format tshark as tshark counts', async () => {
    await expectAsTshark(fileOf(pcap('ethernet', mirrored(turns(20), 2))));
  });
});
