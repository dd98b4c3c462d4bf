import { gzipSync, zstdCompressSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { gkeprof } from '../../command-line.ts';
import { expectAsTshark, fileOf } from '../judge.ts';
import * as make from '../packets.ts';

const { FLAG, framed, ip4, ip6, pcap, pcapng, records, START, tcp, udp } = make;

const back = (segment: make.Segment): make.Segment => ({
  src: '10.0.0.2',
  dst: '10.0.0.1',
  sport: 6379,
  dport: 40000,
  ...segment,
});

/** A connection with a handshake, a question, an answer, and its end. */
const talk = (port = 40000, six = false): Buffer[] => {
  const ends = six ? { src: 'fd00::1', dst: 'fd00::2' } : { src: '10.0.0.1', dst: '10.0.0.2' };
  const there = (more: make.Segment) => tcp({ ...ends, sport: port, dport: 6379, ...more });
  const here = (more: make.Segment) =>
    tcp({ src: ends.dst, dst: ends.src, sport: 6379, dport: port, ...more });
  return [
    there({ flags: FLAG.syn, seq: 99, options: [2, 4, 5, 180, 1, 3, 3, 7] }),
    here({ flags: FLAG.syn | FLAG.ack, seq: 499, ack: 100 }),
    there({ seq: 100, ack: 500 }),
    there({ flags: FLAG.psh | FLAG.ack, seq: 100, ack: 500, payload: '*1\r\n$4\r\nPING\r\n' }),
    here({ flags: FLAG.psh | FLAG.ack, seq: 500, ack: 114, payload: '+PONG\r\n' }),
    there({ flags: FLAG.fin | FLAG.ack, seq: 114, ack: 507 }),
    here({ flags: FLAG.fin | FLAG.ack, seq: 507, ack: 115 }),
    there({ flags: FLAG.rst, seq: 115 }),
  ];
};

const links = ['ethernet', 'sll', 'sll2', 'raw', 'null'] as const;

describe('--format tshark is what capinfos 4.0 and tshark 4.0 print', () => {
  it.each(links)('of connections, datagrams and ICMP: link %s', async (link) => {
    const quoted = ip4(
      '10.0.0.9',
      '10.0.0.1',
      1,
      Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), tcp({ flags: 2 })]),
    );
    const frames = [
      ...talk(),
      ...talk(40001, true),
      udp({}),
      udp({ src: '10.0.0.2', dst: '10.0.0.1', sport: 53, dport: 5000 }),
      udp({ src: 'fd00::1', dst: 'ff02::fb', sport: 9999, dport: 9998 }),
      ip4('10.0.0.1', '10.0.0.2', 1, Buffer.from([8, 0, 0, 0, 0, 1, 0, 1])),
      quoted,
      tcp({ src: '127.0.0.1', dst: '127.0.0.1', flags: 0xfff }),
      tcp({ src: '127.0.0.1', dst: '127.0.0.1', sport: 7, dport: 7 }),
    ].map((packet) => framed(link, packet));
    await expectAsTshark(fileOf(pcap(link, records(frames))));
  });

  it.each([
    [
      'nanoseconds',
      pcap(
        'ethernet',
        records(
          talk().map((each) => framed('ethernet', each)),
          1_234_567n,
        ),
        { nanoseconds: true },
      ),
    ],
    [
      'the other byte order',
      pcap('ethernet', records(talk().map((each) => framed('ethernet', each))), { big: true }),
    ],
    ['nothing', pcap('ethernet', [])],
    ['one packet', pcap('raw', records(talk().slice(0, 1)))],
    ['a second exactly', pcap('raw', records(talk().slice(0, 2), 1_000_000_000n))],
    ['backwards', pcap('raw', records(talk()).reverse())],
    [
      'cut packets',
      pcap(
        'raw',
        records(talk()).map((each, at) => ({
          ...each,
          frame: each.frame.subarray(0, 20 + 3 * at),
          length: each.frame.length,
        })),
      ),
    ],
    [
      'equally cut packets',
      pcap(
        'raw',
        records(talk()).map((each) => ({
          ...each,
          frame: each.frame.subarray(0, 38),
          length: each.frame.length,
        })),
      ),
    ],
    [
      'more than ten thousand',
      pcap(
        'raw',
        records(
          Array.from({ length: 10_500 }, (_, at) => tcp({ seq: at })),
          10_000n,
        ),
      ),
    ],
    ['VLAN', pcap('ethernet', records(talk().map((each) => make.vlan(each))))],
  ])('of %s', async (_, capture) => {
    await expectAsTshark(fileOf(capture));
  });

  it('of Accurate ECN, whose three flags are a number once both sides agreed', async () => {
    const number = (value: number) => value << 6;
    const packets: make.Framed[] = [];
    const put = (frame: Uint8Array, length = frame.length) =>
      packets.push({
        frame: frame.subarray(0, length),
        at: START + BigInt(packets.length),
        length: frame.length,
      });
    let sport = 1000;
    type Sent = readonly ['>' | '<', number, (readonly number[])?];
    const connection = (...sent: readonly Sent[]) => {
      sport += 1;
      let last: Buffer = Buffer.alloc(0);
      for (const [way, flags, options = []] of sent) {
        const seq = flags & FLAG.syn ? 1 : 2;
        const ends = { sport, dport: 80, flags, seq, ack: flags & FLAG.ack ? 2 : 0, options };
        last = way === '>' ? tcp(ends) : tcp(back({ ...ends, sport: 80, dport: sport }));
        put(last);
      }
      return last;
    };
    const quoting = (packet: Uint8Array) =>
      ip4('10.0.0.9', '10.0.0.1', 1, Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), packet]));
    const option = (kind: number, length: number, ...begins: number[]) => {
      const rest = new Array(length - 2 - begins.length).fill(0);
      return [kind, length, ...begins, ...rest, ...new Array((4 - (length & 3)) & 3).fill(1)];
    };
    const asked: Sent = ['>', FLAG.syn | number(7)];
    const granted: Sent = ['<', FLAG.syn | FLAG.ack | number(2)];
    const five = FLAG.ack | number(5);
    for (let value = 0; value < 8; value += 1) {
      connection(asked, ['<', FLAG.syn | FLAG.ack | number(value)], ['>', five], ['<', five | FLAG.psh]);
      connection(['>', FLAG.syn | number(value)], granted, ['<', five]);
      connection(asked, granted, ['>', FLAG.ack | number(value)], ['<', FLAG.rst | number(value)]);
    }
    connection(asked, ['<', five]);
    connection(granted, ['<', five], asked, ['<', five]);
    connection(asked, ['>', FLAG.syn], granted, ['>', five]);
    connection(asked, granted, ['<', FLAG.syn | FLAG.ack], ['>', five], ['>', 0xfff], ['>', 0xe00 | five]);
    for (const kind of [171, 172, 173, 174])
      for (let length = 2; length < 15; length += 1)
        connection(['>', five, option(kind, length)], ['<', five]);
    for (const kind of [253, 254])
      for (const code of [0xbf, 0xc0, 0xc1, 0xc2])
        for (let length = 4; length < 15; length += 1)
          connection(['>', five, option(kind, length, 0xac, code)], ['<', five]);
    for (const options of [
      [0, 172, 2, 1],
      [77, 1, 172, 2],
      [172, 11, 1, 1],
      [77, 2, 172, 2],
      [1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 172, 2, 1, 1],
    ])
      connection(['>', FLAG.syn, options], ['<', five]);
    const last = connection(asked, granted, ['>', five]);
    put(quoting(last));
    put(quoting(last.subarray(0, 36)));
    for (const length of [35, 36, 39]) put(last, length);
    // Another connection of the same ports begins without.
    put(tcp({ sport, dport: 80, flags: FLAG.syn, seq: 9000 }));
    put(tcp({ sport, dport: 80, flags: five, seq: 9001 }));
    const path = fileOf(pcap('raw', packets));
    await expectAsTshark(path);
    const run = await gkeprof(['analyze', path, '--show', 'flags']);
    expect(run.stdout.toString()).toContain('···-5-·AP···');
  });

  it.each(['ethernet', 'sll', 'sll2'] as const)(
    'of PPPoE, whatever stands before IP: link %s',
    async (link) => {
      const four = (last: number) => tcp({ src: `10.0.0.${last}`, dst: '10.1.0.1', flags: 2 });
      const six = (last: number) => tcp({ src: `fd00::${last}`, dst: 'fd01::1', flags: 2 });
      // The protocol of PPP in two bytes or in one; what is behind it.
      const forms: ReadonlyArray<[number[], Buffer]> = [
        [[0, 0x21], four(1)],
        [[0x21], four(2)],
        [[0, 0x57], six(1)],
        [[0x57], six(2)],
        [[0x21], six(3)],
        [[2, 0x81, 0, 1, 1, 64], four(3)],
        [[2, 0x83, 0, 1, 0, 64, 0, 2, 1, 64], six(4)],
        [[0xff, 3, 0, 0x21], four(4)],
        [[0xff, 3, 0x21], four(5)],
        [[0xc0, 0x21], Buffer.from([9, 1, 0, 8, 0, 0, 0, 0])],
        [[0xfd], four(6)],
        [[0x21], Buffer.alloc(0)],
        [[0x21], four(7).subarray(0, 1)],
      ];
      const frames = forms.map(([protocol, packet]) => {
        const length = protocol.length + packet.length;
        const session = Buffer.concat([
          Buffer.from([0x11, 0, 0, 1, length >>> 8, length & 255, ...protocol]),
          packet,
        ]);
        const frame = framed(link, session);
        frame.writeUInt16BE(0x8864, { ethernet: 12, sll: 14, sll2: 0 }[link]);
        return frame;
      });
      await expectAsTshark(fileOf(pcap(link, records(frames))));
    },
  );

  it.each([0, 2, 3, 6, 7, 9, 0x80 | 10, 0x80 | 20])('of pcapng with resolution %i', async (resolution) => {
    const frames = records(
      talk().map((each) => framed('ethernet', each)),
      1_234_567_890n,
    );
    await expectAsTshark(fileOf(pcapng(frames, { faces: [{ link: 'ethernet', resolution }] }), 'pcapng'));
  });

  it.each([
    [
      'several interfaces',
      {
        faces: [
          { link: 'ethernet', resolution: 3 },
          { link: 'raw', resolution: 9, name: 'eth1' },
        ],
      },
    ],
    ['an offset', { faces: [{ link: 'ethernet', offset: 3600 }, { link: 'raw' }] }],
    ['the other byte order', { faces: [{ link: 'ethernet' }, { link: 'raw' }], big: true }],
    [
      'names and statistics',
      { faces: [{ link: 'ethernet' }, { link: 'raw' }], names: [['10.0.0.1', 'client']], dropped: 7 },
    ],
  ] as const)('of pcapng with %s', async (_, choice) => {
    const frames = records(talk()).map((each, at) => ({
      ...each,
      face: at % 2,
      frame: at % 2 ? each.frame : framed('ethernet', each.frame),
    }));
    await expectAsTshark(fileOf(pcapng(frames, choice as never), 'pcapng'));
  });

  it('of pcapng without times', async () => {
    const frames = records(talk());
    await expectAsTshark(fileOf(pcapng(frames, { faces: [{ link: 'raw' }], simple: true }), 'pcapng'));
  });

  it.each([1, 2, 3])('of pcapng in %i sections, some of it without times', async (sections) => {
    const faces = [{ link: 'raw' }] as const;
    const parts = [true, false, true].map((simple) => pcapng(records(talk()), { faces, simple }));
    await expectAsTshark(fileOf(Buffer.concat(parts.slice(0, sections)), 'pcapng'));
    await expectAsTshark(fileOf(Buffer.concat(parts.slice(3 - sections).reverse()), 'pcapng'));
  });

  it.each([0xbad, 0x40000bad, 0x12345])('of pcapng with blocks of the kind %i', async (kind) => {
    const whole = pcapng(records(talk()), { faces: [{ link: 'raw' }] });
    const block = Buffer.alloc(20);
    for (const [at, word] of [kind, 20, 32_473, 0, 20].entries()) block.writeUInt32LE(word, 4 * at);
    const header = whole.readUInt32LE(4);
    const behind = header + whole.readUInt32LE(header + 4);
    const first = Buffer.concat([whole.subarray(0, behind), block, whole.subarray(behind)]);
    await expectAsTshark(fileOf(first, 'pcapng'));
    await expectAsTshark(fileOf(Buffer.concat([whole, block]), 'pcapng'));
  });

  it('of durations that lie between two digits', async () => {
    const frames = [31_250, 93_750, 50, 150, 250, 1_000_050, 156_250, 468_750].flatMap((micros, at) => {
      const begin = START + BigInt(at) * 5_000_000_000n;
      return [0, micros].map((after) => ({
        frame: tcp({ sport: 1000 + at }),
        at: begin + BigInt(after) * 1000n,
      }));
    });
    await expectAsTshark(fileOf(pcap('raw', frames)));
  });

  it('of ports that are used again', async () => {
    const syn = (seq: number) => tcp({ flags: FLAG.syn, seq });
    const granted = (seq: number, ack: number) => tcp(back({ flags: FLAG.syn | FLAG.ack, seq, ack }));
    for (const frames of [
      [syn(1), syn(1), syn(5), granted(9, 6), granted(9, 2)],
      [tcp({ seq: 100 }), syn(99), syn(100)],
      [granted(9, 2), syn(1), syn(7)],
      [syn(0), syn(0), syn(7)],
      [...talk(), ...talk(), syn(77), tcp({ seq: 78, ack: 3 })],
    ])
      await expectAsTshark(fileOf(pcap('raw', records(frames))));
  });

  it('of datagrams in pieces', async () => {
    const whole = udp({ payload: 'x'.repeat(100) }).subarray(20);
    const piece = (from: number, to: number, more = false) =>
      ip4('10.0.0.1', '10.0.0.2', 17, whole.subarray(from, to), {
        id: 7,
        fragment: (more ? 0x2000 : 0) | (from / 8),
      });
    const six = (from: number, to: number, more: 0 | 1) => {
      const body = udp({ src: 'fd00::1', dst: 'fd00::2', payload: 'x'.repeat(100) }).subarray(40);
      const header = Buffer.from([17, 0, (from >>> 8) & 255, (from & 0xf8) | more, 0, 0, 0, 9]);
      return ip6('fd00::1', 'fd00::2', 44, Buffer.concat([header, body.subarray(from, to)]));
    };
    for (const frames of [
      [piece(0, 40, true), piece(40, 108)],
      [piece(40, 108), piece(0, 40, true)],
      [piece(0, 40, true)],
      [piece(0, 40, true), piece(40, 108), piece(0, 40, true), piece(40, 108)],
      [piece(0, 40, true), piece(48, 108), piece(40, 48, true)],
      [six(0, 40, 1), six(40, 108, 0)],
    ])
      await expectAsTshark(fileOf(pcap('raw', records(frames))));
  });

  it('of headers that lie', async () => {
    const changed = (change: (packet: Buffer) => void, packet = tcp({ payload: 'hello', flags: 24 })) => {
      const copy = Buffer.from(packet);
      change(copy);
      return framed('ethernet', copy);
    };
    const frames = [
      changed((packet) => packet.writeUInt8(0x44, 0)),
      changed((packet) => packet.writeUInt16BE(10, 2)),
      changed((packet) => packet.writeUInt16BE(0, 2)),
      changed((packet) => packet.writeUInt16BE(500, 2)),
      changed((packet) => packet.writeUInt8(0x40, 32)),
      changed((packet) => packet.writeUInt8(0xf0, 32)),
      changed((packet) => packet.writeUInt8(1, 10)),
      ...[0, 4, 8, 400, 65535].map((length) =>
        changed((packet) => packet.writeUInt16BE(length, 24), udp({ payload: 'abcdef' })),
      ),
    ];
    await expectAsTshark(fileOf(pcap('ethernet', records(frames))));
  });

  it('of first pieces that were cut, and of times that no clock has', async () => {
    const body = tcp({ payload: 'x'.repeat(100), flags: 24 }).subarray(20);
    const piece = ip4('10.0.0.1', '10.0.0.2', 6, body, { fragment: 0x2000, totalLength: 900 });
    const frames = records([piece, piece.subarray(0, 60), tcp({ flags: 2 })]);
    const capture = pcap('raw', frames);
    capture.writeUInt32LE(1_048_579, capture.length - 16 - 40 + 4);
    await expectAsTshark(fileOf(capture));
  });

  it('of IPv6 with headers in between', async () => {
    const segment = tcp({ src: 'fd00::1', dst: 'fd00::2', flags: FLAG.syn }).subarray(40);
    const hop = (next: number) => Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
    const packet = ip6('fd00::1', 'fd00::2', 0, Buffer.concat([hop(60), hop(6), segment]));
    await expectAsTshark(fileOf(pcap('raw', records([packet, packet]))));
  });

  it.each([
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'EST5EDT',
    'XYZ-3',
  ])('in the time zone %s, summer and winter', async (zone) => {
    const winter = 1_641_000_000_000_000_000n;
    const frames = [
      { frame: tcp({ flags: FLAG.syn }), at: winter },
      { frame: tcp({ flags: FLAG.syn, sport: 3 }), at: START },
      { frame: tcp({ flags: FLAG.syn, sport: 4 }), at: 2_220_000_000_000_000_000n },
    ];
    await expectAsTshark(fileOf(pcap('raw', frames)), zone);
  });

  it('of a cut file, with a warning and exit code 0', async () => {
    const whole = pcap('raw', records(talk()));
    for (const cut of [30, whole.length - 4, whole.length - 30]) {
      const path = fileOf(whole.subarray(0, cut));
      await expectAsTshark(path);
      const run = await gkeprof(['analyze', path]);
      expect(run.stderr).toMatch(
        /^warning: .* appears to have been cut short in the middle of a packet: \d packets? w/,
      );
      expect(run.code).toBe(0);
    }
  });

  it('of several files, one behind the other', async () => {
    const paths = [0, 1].map((at) => fileOf(pcap('raw', records(talk()).slice(4 * at, 4 * at + 4))));
    const run = await gkeprof(['analyze', ...paths, '--format', 'tshark', '--show', 'summary'], '', {
      TZ: 'UTC',
    });
    const { stdout } = await execa('capinfos', ['-aceuxs', ...paths], {
      env: { LC_ALL: 'C', TZ: 'UTC' },
      stripFinalNewline: false,
    });
    expect(run.stdout.toString()).toBe(stdout);
  });

  it('the same compressed, from stdin, and all parts one behind the other', async () => {
    const whole = pcap('raw', records(talk()));
    const plain = await gkeprof(
      ['analyze', fileOf(whole), '--format', 'tshark', '--show', 'ip,tcp,flags,syns'],
      '',
      { TZ: 'UTC' },
    );
    expect(plain.stdout.toString()).toContain('IPv4 Conversations');
    for (const packed of [gzipSync(whole), zstdCompressSync(whole), whole]) {
      const run = await gkeprof(
        ['analyze', '-', '--format', 'tshark', '--show', 'ip,tcp,flags,syns'],
        packed,
        { TZ: 'UTC' },
      );
      expect(run.stdout.toString()).toBe(plain.stdout.toString());
    }
  });
});
