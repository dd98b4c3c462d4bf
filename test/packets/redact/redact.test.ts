import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PacketReader } from '../../../src/packets/file/reader.ts';
import { Pseudonyms } from '../../../src/packets/redact/pseudonyms.ts';
import { Redactor } from '../../../src/packets/redact/redact.ts';
import { gkeprof } from '../../command-line.ts';
import { fc } from '../../properties.ts';
import { Frames } from '../frames.ts';
import { address, framed, ip4, ip6, type Link, pcap, pcapng, records, START, tcp, udp } from '../packets.ts';
import { command, talk } from '../redis/redis-stream.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-redact-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes, { mode: 0o600 });
  return path;
};

async function redacted(capture: Uint8Array, ...flags: string[]): Promise<string> {
  const path = join(folder, 'copy.pcap');
  const run = await gkeprof(['analyze', put('own.pcap', capture), '--redact', path, ...flags]);
  expect(run.stderr).not.toContain('error');
  expect(run.code).toBe(0);
  return path;
}

/** What tshark reads of fields, a line a packet; checksums are verified. */
async function fields(path: string, ...names: string[]): Promise<string[]> {
  const checks = ['ip', 'tcp', 'udp'].flatMap((each) => ['-o', `${each}.check_checksum:TRUE`]);
  const result = await execa('tshark', [
    '-n',
    ...checks,
    '-r',
    path,
    '-T',
    'fields',
    ...names.flatMap((name) => ['-e', name]),
  ]);
  return result.stdout.split('\n');
}

// The sample key and addresses of the authors' own program.
const KEY = Uint8Array.from([
  21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121, 101, 39,
  98, 87, 76, 45, 42, 132, 34, 2,
]);

describe('pseudonyms', () => {
  it.each([
    ['128.11.68.132', '135.242.180.132'],
    ['129.118.74.4', '134.136.186.123'],
    ['130.132.252.244', '133.68.164.234'],
    ['141.223.7.43', '141.167.8.160'],
  ])('are those of Crypto-PAn: %s is %s', (own, made) => {
    const bytes = Uint8Array.from(address(own));
    new Pseudonyms(KEY).address(bytes, 0, 4);
    expect([...bytes].join('.')).toBe(made);
  });

  it('keep prefixes, of both families, and what is nobody’s', () => {
    const names = new Pseudonyms(KEY);
    const made = (text: string) => {
      const bytes = Uint8Array.from(address(text));
      names.address(bytes, 0, bytes.length as 4);
      return bytes;
    };
    const shared = (one: Uint8Array, other: Uint8Array) => {
      const bits = (bytes: Uint8Array) =>
        [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
      const [a, b] = [bits(one), bits(other)];
      let count = 0;
      while (count < a.length && a[count] === b[count]) count += 1;
      return count;
    };
    const pairs = [
      ['10.1.2.3', '10.1.2.77'],
      ['10.1.2.3', '10.9.0.1'],
      ['fd00:1:2:3::5', 'fd00:1:2:4::9'],
    ] as const;
    for (const [one, other] of pairs)
      expect(shared(made(one), made(other))).toBe(shared(address(one), address(other)));
    for (const same of ['127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.5', '::1', 'ff02::1'])
      expect(Buffer.from(made(same))).toEqual(address(same));
  });
});

describe('pseudonyms of addresses that hold others', () => {
  const names = new Pseudonyms(KEY);
  const made = (text: string) => Buffer.from(names.addressOf(address(text)));
  const link = (hex: string, group?: string) => {
    const bytes = Buffer.from(hex.replaceAll(':', ''), 'hex');
    names.link(bytes, 0, group === undefined ? undefined : address(group));
    return bytes;
  };
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const shared = (one: Uint8Array, other: Uint8Array) => {
    let bit = 0;
    while (bit < 8 * one.length && !(((one[bit >> 3]! ^ other[bit >> 3]!) << (bit & 7)) & 0x80)) bit += 1;
    return bit;
  };

  it('keep private, link-local, shared and unique local ones recognisable, and make up the rest', () => {
    const kinds: ReadonlyArray<[string, number]> = [
      ['10.0.0.0', 8],
      ['100.64.0.0', 10],
      ['169.254.0.0', 16],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
      ['fd00::', 8],
      ['fc00::', 8],
      ['fe80::', 64],
      ['fec0::', 10],
      ['2002::', 16],
      ['64:ff9b::', 96],
      ['64:ff9b:1::', 96],
      ['::ffff:0:0', 96],
    ];
    for (const [prefix, length] of kinds)
      fc.assert(
        fc.property(bytes(16), bytes(16), (one, other) => {
          const own = [one, other].map((rest) => {
            const all = Buffer.from(address(prefix));
            for (let bit = length; bit < 8 * all.length; bit += 1)
              all[bit >> 3]! |= rest[bit >> 3]! & (0x80 >> (bit & 7));
            return all;
          });
          const copies = own.map((each) => names.addressOf(each));
          for (const copy of copies)
            expect(shared(copy, address(prefix)), prefix).toBeGreaterThanOrEqual(length);
          // What holds a link address or IPv4 is made up as that is alone.
          const common = shared(own[0]!, own[1]!);
          if (length < 96 && common < 64 && prefix !== '2002::')
            expect(shared(copies[0]!, copies[1]!)).toBe(common);
        }),
        { seed: 1, numRuns: 100 },
      );
  });

  it('make no other address look like one of these, or like a group', () => {
    const isKind = (all: Uint8Array) =>
      all.length === 4
        ? [0, 10, 127].includes(all[0]!) ||
          all[0]! >= 224 ||
          (all[0] === 192 && all[1] === 168) ||
          (all[0] === 172 && all[1]! >> 4 === 1) ||
          (all[0] === 169 && all[1] === 254) ||
          (all[0] === 100 && all[1]! >> 6 === 1)
        : all[0]! >> 5 !== 1 || (all[0] === 0x20 && (all[1] === 2 || (all[1] === 1 && !all[2] && !all[3])));
    const seen = new Map<string, string>();
    for (const length of [4, 16])
      fc.assert(
        fc.property(bytes(length), (own) => {
          if (length === 16) own[0] = 0x20 | (own[0]! & 31);
          if (isKind(own)) return;
          const copy = names.addressOf(own);
          expect(isKind(copy)).toBe(false);
          const [before, after] = [own, copy].map((each) => Buffer.from(each).toString('hex'));
          expect(seen.get(after!) ?? before).toBe(before);
          seen.set(after!, before!);
        }),
        { seed: 2, numRuns: 2000 },
      );
  });

  it('make up IPv4 in IPv6 as it is alone', () => {
    const four = made('198.51.100.77');
    expect(made('::ffff:c633:644d').subarray(12)).toEqual(four);
    expect(made('::c633:644d').subarray(12)).toEqual(four);
    expect(made('64:ff9b::c633:644d').subarray(12)).toEqual(four);
    expect(made('2002:c633:644d:7::9').subarray(2, 6)).toEqual(four);
    expect(made('fe80::5efe:c633:644d').subarray(8)).toEqual(
      Buffer.concat([address('::5efe:0:0').subarray(8, 12), four]),
    );
    expect(made('fe80::200:5efe:c633:644d').subarray(12)).toEqual(four);
    const teredo = made('2001:0:c633:644d:8000:f0f0:39cc:9bb2');
    expect(teredo.subarray(0, 4)).toEqual(address('2001::').subarray(0, 4));
    expect(teredo.subarray(4, 8)).toEqual(four);
    expect(Buffer.from(teredo.subarray(12).map((byte) => byte ^ 255))).toEqual(four);
    expect(made('::ffff:7f00:1')).toEqual(address('::ffff:7f00:1'));
  });

  it('make up link addresses in interface identifiers as they are alone', () => {
    const own = link('00:1b:21:c0:ff:ee');
    for (const prefix of ['fe80:', '2001:db8:7:7']) {
      const six = made(`${prefix}:21b:21ff:fec0:ffee`);
      expect([six[8]! ^ 2, six[9], six[10], six[13], six[14], six[15]]).toEqual([...own]);
      expect(six.subarray(11, 13)).toEqual(Buffer.from([0xff, 0xfe]));
    }
  });

  it('make up groups like the addresses that they are of, and their link addresses like them', () => {
    for (const own of ['2001:db8::12:3456', 'fe80::21b:21ff:fe12:3456', 'fd00::ab12:3456']) {
      const group = made('ff02::1:ff12:3456');
      expect(group.subarray(0, 13)).toEqual(address('ff02::1:ff00:0').subarray(0, 13));
      expect(group.subarray(13)).toEqual(made(own).subarray(13));
      for (const known of ['ff02::1:ff12:3456', undefined])
        expect(link('33:33:ff:12:34:56', known).subarray(3)).toEqual(group.subarray(13));
    }
    expect(link('00:00:00:12:34:56').subarray(3)).toEqual(made('ff02::1:ff12:3456').subarray(13));
    const prefix = made('2001:db8:77:88::').subarray(0, 8);
    for (const group of [
      'ff3e:40:2001:db8:77:88:4000:1',
      'ff7e:340:2001:db8:77:88:4000:1',
      'fffe:40:2001:db8:77:88:4000:1',
    ]) {
      expect(made(group).subarray(4, 12), group).toEqual(prefix);
      expect(made(group).subarray(12)).toEqual(address(group).subarray(12));
      expect(made(group)[3]).toBe(0x40);
    }
    // A prefix of 32 bits, with zeros behind it.
    expect(made('ff3e:20:2001:db8::1').subarray(4, 12)).toEqual(
      Buffer.concat([made('2001:db8::').subarray(0, 4), Buffer.alloc(4)]),
    );
    // More bits than the length says.
    expect(made('ff3e:30:2001:db8:77:88::1').subarray(4, 12)).toEqual(prefix);
    // The router 2001:db8:77:88::3.
    const routed = made('ff7e:340:2001:db8:77:88:4000:1');
    expect(routed[2]! & 15).toBe(made('2001:db8:77:88::3')[15]! & 15);
    // An interface identifier (RFC 4489).
    expect(made('ff32:ff:21b:21ff:fec0:ffee:4000:1').subarray(4, 12)).toEqual(
      made('fe80::21b:21ff:fec0:ffee').subarray(8),
    );
    // 23 of its bits are in the link address.
    const four = made('234.198.51.100');
    expect(four).toEqual(Buffer.from([234, ...made('198.51.100.0').subarray(0, 3)]));
    expect(link('01:00:5e:46:33:64', '234.198.51.100').subarray(3)).toEqual(
      Buffer.from([four[1]! & 127, four[2]!, four[3]!]),
    );
    expect(link('01:00:5e:46:33:64').subarray(3)).not.toEqual(Buffer.from([0x46, 0x33, 0x64]));
    const glop = made('233.251.240.7');
    expect([glop[0], glop[3]]).toEqual([233, 7]);
    expect(glop.subarray(1, 3)).not.toEqual(Buffer.from([251, 240]));
  });

  it('leave groups that say nothing of anybody', () => {
    for (const group of [
      'ff02::1',
      'ff02::fb',
      'ff05::1:3',
      'ff3e::8000:1',
      '224.0.0.251',
      '239.255.255.250',
      '232.1.2.3',
      '233.252.0.1',
    ])
      expect(made(group), group).toEqual(address(group));
    for (const group of [
      '33:33:00:00:00:01',
      '33:33:00:01:00:03',
      '01:00:5e:00:00:fb',
      'ff:ff:ff:ff:ff:ff',
      '01:80:c2:00:00:0e',
    ])
      expect(link(group).toString('hex'), group).toBe(group.replaceAll(':', ''));
    expect(link('01:00:5e:7f:ff:fa', '239.255.255.250').toString('hex')).toBe('01005e7ffffa');
  });
});

describe('--redact', () => {
  const secret = 'TOPSECRET';
  const redis = talk([
    ['>', command('SET', `key:${secret}`, secret) + command('CONFIG', 'GET', 'maxmemory')],
    ['<', `+OK\r\n*2\r\n$9\r\n${secret}\r\n:42\r\n`],
    ['>', command('AUTH', secret)],
    ['<', `-ERR ${secret} is wrong\r\n+${secret}\r\n,3.14\r\n`],
  ]);
  const others = records([
    framed('ethernet', udp({ payload: secret })),
    framed(
      'ethernet',
      tcp({
        dport: 80,
        payload: secret,
        flags: 24,
        options: [30, 8, 1, 2, 10, 0, 0, 1, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
      }),
    ),
    framed(
      'ethernet',
      ip4(
        '10.0.0.9',
        '10.0.0.1',
        1,
        Buffer.concat([Buffer.from([3, 3, 0, 0, 0, 0, 0, 0]), tcp({ payload: secret })]),
      ),
    ),
    framed('ethernet', ip4('10.0.0.1', '10.0.0.2', 1, Buffer.from([8, 0, 0, 0, 0, 1, 0, 1, 80, 81]))),
    framed('ethernet', ip4('10.0.0.1', '10.0.0.2', 17, Buffer.from(secret), { fragment: 0x2001 })),
    framed(
      'ethernet',
      ip4('10.0.0.1', '10.0.0.2', 6, tcp({}).subarray(20), { options: [7, 7, 4, 10, 0, 0, 1, 0] }),
    ),
    framed('ethernet', tcp({ src: 'fd00::1', dst: 'fd00::2', payload: secret })),
    Buffer.from(
      'ffffffffffff0200000000010806000108000604000102000000000a0a000001000000000000 0a000002'.replace(
        ' ',
        '',
      ),
      'hex',
    ),
    Buffer.concat([Buffer.alloc(12, 2), Buffer.from([0x88, 0xcc]), Buffer.from(secret)]),
  ]);

  it.each(['cut', 'mask'])('leaves no payload, no address and no wrong checksum: %s', async (payload) => {
    const capture = pcap('ethernet', [...redis, ...others]);
    // Of one key: with any, a checksum that ends in 10 before an urgent pointer and a no-op reads as the address, now and then.
    const key = join(folder, `key-${payload}`);
    writeFileSync(key, '5a'.repeat(32), { mode: 0o600 });
    const path = await redacted(capture, '--redact-payload', payload, '--redact-key', key);
    const bytes = readFileSync(path);
    expect(bytes.includes(secret)).toBe(false);
    expect(bytes.includes(Buffer.from([10, 0, 0, 1]))).toBe(false);
    expect(bytes.includes(Buffer.from([10, 0, 0, 2]))).toBe(false);
    expect(bytes.includes(address('fd00::1'))).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // 0 is bad, 1 good, 2 not verified: the rest of the packet is not there.
    const states = await fields(path, 'ip.checksum.status', 'tcp.checksum.status', 'udp.checksum.status');
    expect(states).toHaveLength(redis.length + others.length);
    for (const state of states)
      expect(state.split('\t').flatMap((each) => each.split(','))).not.toContain('0');
    expect(states.some((state) => state.startsWith('1\t1'))).toBe(true);
    const lengths = (file: string) => fields(file, 'frame.len', 'frame.time_epoch', 'tcp.len');
    expect(await lengths(path)).toEqual(await lengths(join(folder, 'own.pcap')));
  });

  it('keeps the headers behind PPPoE with a protocol of one byte, and no address', async () => {
    const packet = tcp({ flags: 24, payload: secret });
    const session = Buffer.from([0x88, 0x64, 0x11, 0, 0, 1, 0, packet.length + 1, 0x21]);
    const frame = Buffer.concat([Buffer.alloc(12, 2), session, packet]);
    const path = await redacted(pcap('ethernet', records([frame])));
    expect(readFileSync(path).includes(address('10.0.0.1'))).toBe(false);
    expect(readFileSync(path).includes(secret)).toBe(false);
    expect(await fields(path, 'tcp.dstport')).toEqual(['6379']);
  });

  it.each(['ethernet', 'sll', 'sll2', 'raw', 'null'] as const)(
    'leaves no address and no payload of frames however odd: link %s',
    (link) => {
      for (const payload of ['cut', 'mask'] as const) {
        const frames = new Frames(7);
        const packets = records(Array.from({ length: 2000 }, () => frames.next(link)).flat());
        const parts: Uint8Array[] = [];
        const redactor = new Redactor(new Pseudonyms(KEY), payload, (bytes) => parts.push(bytes.slice()));
        new PacketReader(redactor).push(pcap(link, packets));
        const copy = Buffer.concat(parts);
        expect(redactor.packets).toBe(packets.length);
        expect(copy.includes('PING')).toBe(false);
        expect(copy.includes(address('2001:db8::1').subarray(0, 15))).toBe(false);
        for (const target of ['172.16.0.1', '172.16.0.2', '172.16.0.3', '192.0.2.1'])
          expect(copy.includes(address(target)), target).toBe(false);
      }
    },
  );

  it('leaves no bits of an address in groups, in IPv6, in its link address, or in what carries it', async () => {
    const [mac, four, six] = [Buffer.from('001b21c0ffee', 'hex'), address('198.51.100.77'), '2001:db8:77:88'];
    const eui = `${six}:21b:21ff:fec0:ffee`;
    const ether = (target: string, type: number, ...packet: Uint8Array[]) =>
      Buffer.concat([Buffer.from(target, 'hex'), mac, Buffer.from([type >> 8, type & 255]), ...packet]);
    const asked = (dst: string, link: string) => ether(link, 0x86dd, tcp({ src: eui, dst }));
    const icmp6 = (dst: string, link: string, ...body: Uint8Array[]) =>
      ether(link, 0x86dd, ip6(`fe80::21b:21ff:fec0:ffee`, dst, 58, Buffer.concat(body)));
    const target = address(eui);
    const frames = [
      asked('ff02::1:ffc0:ffee', '3333ffc0ffee'),
      asked(`ff3e:40:${six}:4000:1`, '333340000001'),
      asked(`ff7e:340:${six}:4000:1`, '333340000001'),
      asked('::ffff:c633:644d', '001b21c0ffee'),
      asked('64:ff9b::c633:644d', '001b21c0ffee'),
      asked('2002:c633:644d::1', '001b21c0ffee'),
      asked('2001:0:c633:644d:0:0:39cc:9bb2', '001b21c0ffee'),
      asked('fe80::5efe:c633:644d', '001b21c0ffee'),
      // A neighbour is asked for and answers; a group is listened to; an error quotes; a router redirects.
      icmp6(
        'ff02::1:ffc0:ffee',
        '3333ffc0ffee',
        Buffer.from([135, 0, 0, 0, 0, 0, 0, 0]),
        target,
        Buffer.from([1, 1]),
        mac,
      ),
      icmp6(
        'ff02::1',
        '333300000001',
        Buffer.from([136, 0, 0, 0, 0, 0, 0, 0]),
        target,
        Buffer.from([2, 1]),
        mac,
      ),
      icmp6(
        'ff02::16',
        '333300000016',
        Buffer.from([143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0]),
        address('ff02::1:ffc0:ffee'),
      ),
      icmp6(eui, '001b21c0ffee', Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), tcp({ src: eui, dst: eui })),
      icmp6('ff02::1', '333300000001', Buffer.from([137, 0, 0, 0, 0, 0, 0, 0]), target, target),
      ether('01005e463364', 0x0800, udp({ src: '198.51.100.77', dst: '234.198.51.100' })),
      ether(
        '01005e000016',
        0x0800,
        ip4(
          '198.51.100.77',
          '224.0.0.22',
          2,
          Buffer.concat([Buffer.from([0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0]), address('234.198.51.100')]),
        ),
      ),
      ether(
        '001b21c0ffee',
        0x0800,
        ip4(
          '198.51.100.77',
          '198.51.100.77',
          1,
          Buffer.concat([
            Buffer.from([5, 1, 0, 0]),
            four,
            tcp({ src: '198.51.100.77', dst: '198.51.100.77' }),
          ]),
        ),
      ),
      ether('ffffffffffff', 0x0806, Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]), mac, four, Buffer.alloc(6), four),
      // Labels without an end, and tags: what stands in them is not known.
      ether('001b21c0ffee', 0x8847, Buffer.from([0, 0, 0, 64, 0, 0, 0, 64]), four, four, mac, mac),
      ether('001b21c0ffee', 0x8100, Buffer.from([0, 1, 0x12, 0x34]), four, mac),
      ether('3333ffc0ffee', 0x1234, four, mac),
      ether('01005e463364', 0x1234, four, mac),
    ];
    // Link addresses of tunnels are addresses of IP.
    const cooked = (hardware: number, address: Uint8Array, packet: Uint8Array) =>
      Buffer.concat([
        Buffer.from([0, 0, hardware >> 8, hardware & 255, 0, address.length]),
        address.subarray(0, 8),
        Buffer.alloc(Math.max(0, 8 - address.length), 0xc0),
        Buffer.from([8, 0]),
        packet,
      ]);
    const cooked2 = (hardware: number, address: Uint8Array, packet: Uint8Array) =>
      Buffer.concat([
        Buffer.from([8, 0, 0, 0, 0, 0, 0, 2, hardware >> 8, hardware & 255, 0, address.length]),
        address.subarray(0, 8),
        Buffer.alloc(Math.max(0, 8 - address.length), 0xc0),
        packet,
      ]);
    const inside = udp({ src: '198.51.100.77', dst: '198.51.100.77' });
    const odd = address('203.0.113.77');
    const links = [mac, four, odd, address(eui), Buffer.concat([mac, mac, mac, four])];
    const files: ReadonlyArray<[Link, Uint8Array[]]> = [
      ['ethernet', frames],
      ['sll', links.map((each) => cooked(778, each, inside))],
      ['sll2', links.map((each) => cooked2(778, each, inside))],
    ];
    const key = join(folder, 'key');
    writeFileSync(key, '5a'.repeat(32), { mode: 0o600 });
    for (const [linkType, packets] of files) {
      const path = await redacted(pcap(linkType, records(packets)), '--redact-key', key);
      const copy = readFileSync(path);
      for (const [name, bits] of Object.entries({
        'a link address': mac.subarray(3),
        'the beginning of one': mac.subarray(0, 3),
        'one as an identifier': Buffer.from('021b21', 'hex'),
        'three bytes of IPv4': four.subarray(0, 3),
        'the end of IPv4': four.subarray(1),
        'IPv4 turned over': Buffer.from(four.map((byte) => byte ^ 255)),
        'IPv4 in a group': Buffer.from([0x46, 0x33, 0x64]),
        'another of IPv4': odd.subarray(0, 3),
        'a prefix': address(`${six}::`).subarray(0, 4),
        'the rest of a prefix': address(`${six}::`).subarray(4, 8),
      }))
        expect(copy.includes(bits), `${name} on ${linkType}`).toBe(false);
      rmSync(path);
    }
  });

  it('keeps headers right for tshark where addresses hold others', async () => {
    const frame = (dst: string) =>
      framed('ethernet', tcp({ src: 'fe80::21b:21ff:fec0:ffee', dst, flags: 2 }));
    const targets = ['ff02::1:ffc0:ffee', '64:ff9b::c633:644d', '2002:c633:644d::1', 'fd00::7', 'fe80::1'];
    const path = await redacted(pcap('ethernet', records(targets.map(frame))));
    const lines = (await fields(path, 'ipv6.dst', 'ipv6.src', 'tcp.checksum.status')).map((line) =>
      line.split('\t'),
    );
    const begins = ['ff02::1:ff', '64:ff9b::', '2002:', 'fd', 'fe80::'];
    expect(lines.map(([dst], at) => dst!.startsWith(begins[at]!))).toEqual(begins.map(() => true));
    expect(lines.every(([, src, status]) => src!.startsWith('fe80::') && status === '1')).toBe(true);
  });

  it('leaves of Redis what its analysis needs: types, lengths, names', async () => {
    const path = await redacted(pcap('ethernet', redis), '--redact-payload', 'mask');
    const run = await gkeprof(['analyze', path, '-o', 'json']);
    const report = JSON.parse(run.stdout.toString()).redis;
    expect(report.commands.map((each: { command: string }) => each.command).sort()).toEqual([
      'AUTH',
      'CONFIG|GET',
      'SET',
    ]);
    expect(report.errors).toEqual({ ERR: 1 });
    expect(readFileSync(path).toString('latin1')).toContain('-ERR xxxxxxxxx');
  });

  it('writes over everything where it is not sure what stands there', async () => {
    const packets = talk(
      [
        ['>', command('SET', 'a', '*2\r\n$3\r\nGET\r\n$9\r\nTOPSECRET\r\n'.repeat(20))],
        ['<', '+OK\r\n'],
      ],
      { segment: 90 },
    );
    for (let missing = 3; missing < packets.length; missing += 1) {
      const path = await redacted(
        pcap(
          'ethernet',
          packets.filter((_, at) => at !== missing),
        ),
        '--redact-payload',
        'mask',
      );
      expect(readFileSync(path).includes('SECRET'), `without packet ${missing}`).toBe(false);
      rmSync(path);
    }
  });

  it.each(['sll', 'sll2', 'raw', 'null'] as const)('knows the link %s', async (link: Link) => {
    const frames = redis.map(({ frame, at }) => ({ frame: framed(link, frame.subarray(14)), at }));
    const path = await redacted(pcap(link, frames));
    expect(readFileSync(path).includes(secret)).toBe(false);
    expect((await fields(path, 'tcp.dstport')).filter(Boolean)).toHaveLength(redis.length);
    expect((await fields(path, 'ip.src')).filter((each) => each.startsWith('10.0.0.'))).toEqual([]);
  });

  it.each([
    ['-o json', '-o'],
    ['-o name', '-o'],
    ['-o jsonpath={.kind}', '-o'],
    ['--markdown', '--markdown'],
    ['--format tshark', '--format'],
    ['--html page.html', '--html'],
    ['--timeline', '--timeline'],
    ['--show tcp', '--show'],
    ['--all', '--all'],
    ['--inner', '--inner'],
    ['--show-keys', '--show-keys'],
    ['--pattern a=b', '--pattern'],
    ['--explain', '--explain'],
  ])('is refused together with %s, which it would not do', async (flags, named) => {
    const copy = join(folder, 'copy.pcap');
    const own = put('own.pcap', pcap('ethernet', redis));
    const run = await gkeprof(['analyze', own, '--redact', copy, ...flags.split(' ')]);
    expect(run.stderr).toBe(
      `error: --redact and ${named} cannot be used together: --redact makes a copy and prints no analysis\nhint: redact first, then analyze the copy\n`,
    );
    expect(run.stdout.toString()).toBe('');
    expect(run.code).toBe(2);
    expect(existsSync(copy)).toBe(false);
  });

  it('is not refused for what is preset', async () => {
    const copy = join(folder, 'copy.pcap');
    const own = put('own.pcap', pcap('ethernet', redis));
    const run = await gkeprof(['analyze', own, '--redact', copy], '', { GKEPROF_SHOW: 'tcp' });
    expect(run.code).toBe(0);
    expect(existsSync(copy)).toBe(true);
  });

  it('keeps of pcapng times and links, and no name, comment or filter', async () => {
    for (const simple of [false, true]) {
      const capture = pcapng(redis, {
        faces: [{ link: 'ethernet', resolution: 9, name: 'eth-of-alice' }],
        names: [['10.0.0.1', 'alice']],
        simple,
      });
      const path = await redacted(capture);
      expect(readFileSync(path).includes('alice')).toBe(false);
      expect(readFileSync(path).includes(secret)).toBe(false);
      if (!simple)
        expect((await fields(path, 'frame.time_epoch'))[0]).toBe(
          `${Number(START / 1_000_000_000n)}.497803000`,
        );
      expect((await fields(path, 'tcp.flags.str')).filter(Boolean)).toHaveLength(redis.length);
      rmSync(path);
    }
  });

  it('gives the same addresses for the same key, others without one, and makes the key for its owner alone', async () => {
    const capture = pcap('ethernet', redis);
    const key = join(folder, 'key');
    const sources = async (...flags: string[]) => {
      const path = await redacted(capture, ...flags);
      const first = (await fields(path, 'ip.src'))[0];
      rmSync(path);
      return first;
    };
    const first = await sources('--redact-key', key);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(await sources('--redact-key', key)).toBe(first);
    expect(await sources()).not.toBe(await sources());
    writeFileSync(key, 'not a key');
    const run = await gkeprof([
      'analyze',
      put('a.pcap', capture),
      '--redact',
      join(folder, 'x.pcap'),
      '--redact-key',
      key,
    ]);
    expect(run.stderr).toContain('is not a key file, which contains 64 hexadecimal digits');
    expect(run.code).toBe(1);
    expect(existsSync(join(folder, 'x.pcap'))).toBe(false);
  });

  const asRoot: ReadonlyArray<[string, (key: string) => void, string]> = [
    ['of another user', (key) => chownSync(key, 65_534, 65_534), 'belongs to another user'],
  ];
  it.each<[string, (key: string) => void, string]>([
    [
      'that others can read',
      (key) => chmodSync(key, 0o644),
      'other users of this machine can read or change',
    ],
    [
      'that others can change',
      (key) => chmodSync(key, 0o620),
      'other users of this machine can read or change',
    ],
    ...(process.getuid?.() === 0 ? asRoot : []),
    [
      'that is a pipe',
      (key) => execFileSync('sh', ['-c', 'rm "$1" && mkfifo -m 600 "$1"', 'sh', key]),
      'is not a key file',
    ],
    ['that is a link to nothing', (key) => execFileSync('ln', ['-sf', `${key}-x`, key]), 'cannot write'],
    ['that never ends', (key) => execFileSync('ln', ['-sf', '/dev/zero', key]), 'is not a key file'],
  ])('takes no key %s', async (_what, change, words) => {
    const key = join(folder, 'planted');
    writeFileSync(key, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    change(key);
    const copy = join(folder, 'copy.pcap');
    const run = await gkeprof([
      'analyze',
      put('a.pcap', pcap('ethernet', redis)),
      '--redact',
      copy,
      '--redact-key',
      key,
    ]);
    expect(run.stderr).toContain(words);
    expect(run.code).toBe(1);
    expect(existsSync(copy)).toBe(false);
    expect(existsSync(`${key}-x`)).toBe(false);
    rmSync(key);
  });
});
