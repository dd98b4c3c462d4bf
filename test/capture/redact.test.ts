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
import { PacketReader } from '../../src/capture/reader.ts';
import { Pseudonyms } from '../../src/capture/redact/pseudonyms.ts';
import { Redactor } from '../../src/capture/redact/redact.ts';
import { gkeprof } from '../command-line.ts';
import { Frames } from './frames.ts';
import { address, framed, ip4, type Link, pcap, pcapng, records, START, tcp, udp } from './packets.ts';
import { command, talk } from './redis-stream.ts';

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
      `error: --redact and ${named}: not together, because --redact makes a copy and prints no analysis\nhint: redact first, then analyze the copy\n`,
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
    expect(run.stderr).toContain('is no key: a key is 64 hexadecimal digits');
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
      'other users of this computer can read or change',
    ],
    [
      'that others can change',
      (key) => chmodSync(key, 0o620),
      'other users of this computer can read or change',
    ],
    ...(process.getuid?.() === 0 ? asRoot : []),
    [
      'that is a pipe',
      (key) => execFileSync('sh', ['-c', 'rm "$1" && mkfifo -m 600 "$1"', 'sh', key]),
      'is no key',
    ],
    ['that is a link to nothing', (key) => execFileSync('ln', ['-sf', `${key}-x`, key]), 'cannot write'],
    ['that never ends', (key) => execFileSync('ln', ['-sf', '/dev/zero', key]), 'is no key'],
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
