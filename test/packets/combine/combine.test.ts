import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { SourceError } from '../../../src/packets/combine/source-queue.ts';
import type { Packet } from '../../../src/packets/file/packet.ts';
import { PacketReader, UnknownFormatError } from '../../../src/packets/file/reader.ts';
import { fieldsOf, fileOf } from '../judge.ts';
import { type Framed, framed, type Link, pcap, pcapng, START, tcp, udp } from '../packets.ts';
import { combined, numbers } from './combined.ts';

const run = async (program: string, ...words: string[]) => (await execa(program, words)).stdout;

/** Packets at random times, of random sizes; those of one file differ from all others. */
function traffic(seed: number, link: Link, count: number): Framed[] {
  const random = numbers(seed);
  let at = START + BigInt(seed * 1000);
  return Array.from({ length: count }, (_, number) => {
    at += BigInt(random(3) === 0 ? 0 : random(2_000_000) * 1000);
    const payload = `${seed}.${number}.${'x'.repeat(random(random(20) === 0 ? 1400 : 90))}`;
    const frame = framed(link, number % 2 ? tcp({ payload, id: number & 0xffff }) : udp({ payload }));
    return { frame, at, ...(random(9) === 0 && { length: frame.length + random(1000) }) };
  });
}

interface Read {
  readonly face: number;
  readonly time: string;
  readonly length: number;
  readonly bytes: string;
}

function read(file: Uint8Array): Read[] {
  const packets: Read[] = [];
  const reader = new PacketReader({
    packet({ interface: face, seconds, nanos, length, bytes, at, end }: Packet) {
      const time = `${seconds}.${String(nanos).padStart(9, '0')}`;
      packets.push({ face, time, length, bytes: Buffer.from(bytes.subarray(at, end)).toString('hex') });
    },
  });
  reader.push(file);
  const end = reader.end();
  expect(end).toMatchObject({ format: 'pcapng', cut: false });
  expect(end).not.toHaveProperty('damage');
  expect(end).not.toHaveProperty('malformed');
  return packets;
}

describe('a combined file', () => {
  it.each([1 << 16, 4096, 333, 61])(
    'has the packets of mergecap, read in pieces of %i bytes',
    async (size) => {
      const sources = [
        pcap('ethernet', traffic(1, 'ethernet', 400)),
        pcap('sll2', traffic(2, 'sll2', 300), { nanoseconds: true }),
        pcap('sll2', traffic(3, 'sll2', 500), { big: true }),
      ];
      const { file, packets } = await combined(
        sources.map((source, at) => [{ pod: `web-${at}` }, source] as const),
        size,
      );
      expect(packets).toBe(1200);
      const merged = `${fileOf(new Uint8Array(0))}.pcapng`;
      await run('mergecap', '-w', merged, ...sources.map((source) => fileOf(source)));
      const path = fileOf(file, 'pcapng');
      const fields = ['frame.time_epoch', 'frame.len', 'frame.cap_len', 'frame.encap_type'];
      // Of one time, mergecap takes another of the files first.
      expect((await fieldsOf(path, fields)).sort()).toEqual((await fieldsOf(merged, fields)).sort());
      const raw = async (of: string) => (await run('tshark', '-n', '-r', of, '-x')).split('\n\n').sort();
      expect(await raw(path)).toEqual(await raw(merged));
      expect(await run('capinfos', '-o', path)).toMatch(/Strict time order: +True/);
    },
  );

  it('is in strict order although files are only nearly so, as reordercap would make it', async () => {
    const random = numbers(7);
    const shaken = [4, 5].map((seed) => {
      const packets = traffic(seed, 'sll2', 600).map((packet) => ({
        ...packet,
        at: packet.at + BigInt(random(20_000) * 1000),
      }));
      return pcap('sll2', packets);
    });
    const made = await combined(
      shaken.map((source, at) => [{ pod: `web-${at}` }, source] as const),
      2048,
    );
    const reordered = made.sources.map((source) => source.reordered);
    for (const count of reordered) expect(count).toBeGreaterThan(50);
    expect(made.sources.map(({ late }) => late)).toEqual([0, 0]);
    const path = fileOf(made.file, 'pcapng');
    expect(await run('capinfos', '-o', path)).toMatch(/Strict time order: +True/);
    const [merged, ordered] = [`${path}.merged`, `${path}.ordered`];
    await run('mergecap', '-w', merged, ...shaken.map((source) => fileOf(source)));
    expect(await run('capinfos', '-o', merged)).toMatch(/Strict time order: +False/);
    await run('reordercap', merged, ordered);
    const fields = ['frame.time_epoch', 'frame.len', 'udp.payload', 'tcp.payload'];
    expect((await fieldsOf(path, fields)).sort()).toEqual((await fieldsOf(ordered, fields)).sort());
  });

  it('keeps the order of one time: of a file, and of the inputs', async () => {
    const same = (name: string) =>
      [1, 2, 3].map((number) => ({ frame: framed('raw', udp({ payload: `${name}${number}` })), at: START }));
    const { file } = await combined([
      [{ pod: 'a' }, pcap('raw', same('a'))],
      [{ pod: 'b' }, pcap('raw', same('b'))],
    ]);
    const payloads = read(file).map(({ bytes }) => Buffer.from(bytes, 'hex').subarray(28).toString());
    expect(payloads).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3']);
  });

  it('counts a packet that comes later than the window, and loses none', async () => {
    const at = (ms: number) => START + BigInt(ms) * 1_000_000n;
    const times = [0, 100, 200, 20, 300, 210];
    const packets = times.map((ms) => ({ frame: framed('raw', udp({ payload: `${ms}` })), at: at(ms) }));
    const made = await combined([[{}, pcap('raw', packets)]], 60);
    const got = read(made.file).map(({ bytes }) => Buffer.from(bytes, 'hex').subarray(28).toString());
    expect(got.sort()).toEqual(times.map(String).sort());
    expect(made.sources[0]).toMatchObject({ packets: 6, reordered: 2 });
    expect(made.sources[0]!.late).toBeGreaterThan(0);
  });

  it('holds back little of a file, whatever its times are', async () => {
    // All packets have one time, so that the window alone would keep all of them.
    const frame = framed('ethernet', udp({ payload: 'x'.repeat(1400) }));
    const source = pcap('ethernet', new Array(20_000).fill({ frame, at: START }));
    // Counted in bytes that were read and not written yet: the memory of the process depends on the garbage collector.
    let [taken, written, most] = [0, 0, 0];
    const { combine } = await import('../../../src/packets/combine/combine.ts');
    const { podOf, streamed } = await import('./combined.ts');
    async function* counted() {
      for await (const chunk of streamed(source)) {
        taken += chunk.length;
        yield chunk;
      }
    }
    const made = await combine([{ ...podOf(), chunks: counted() }], 'x', async (bytes) => {
      most = Math.max(most, taken - written);
      written += bytes.length;
    });
    expect(made.packets).toBe(20_000);
    expect(source.length).toBeGreaterThan(28e6);
    // What waits for the order of times (4 MiB), and one buffer to write (1 MiB).
    expect(most).toBeLessThan(8e6);
  });

  it('describes each interface so that Wireshark shows whose it is', async () => {
    const packet = (link: Link) => [{ frame: framed(link, udp({ payload: 'hello' })), at: START + 7n }];
    const { file } = await combined([
      [
        {
          pod: 'web-0',
          node: 'node-a',
          ips: ['10.1.0.1', 'fd00::1'],
          filter: 'port 6379',
          counts: { received: 12, dropped: 3 },
        },
        pcap('ethernet', packet('ethernet'), { snapLength: 96 }),
      ],
      [
        {
          pod: 'redis-0',
          namespace: 'db',
          node: 'node-b',
          interface: 'eth0',
          counts: { received: 1, dropped: 0 },
        },
        pcap('sll2', packet('sll2'), { nanoseconds: true }),
      ],
    ]);
    const path = fileOf(file, 'pcapng');
    const [one, other] = await fieldsOf(path, [
      'frame.interface_name',
      'frame.interface_description',
      'frame.encap_type',
      'frame.time_epoch',
    ]);
    expect(one!.slice(0, 2)).toEqual(['shop/web-0', 'pod shop/web-0 on node-a, interface any, scope netns']);
    expect(other!.slice(0, 2)).toEqual([
      'db/redis-0',
      'pod db/redis-0 on node-b, interface eth0, scope netns',
    ]);
    expect([one![2], other![2]]).toEqual(['1', '210']);
    expect(one![3]).toBe('1653086690.497803000');
    expect(other![3]).toBe('1653086690.497803007');
    const about = await run('capinfos', path);
    expect(about).toContain('Number of interfaces in file: 2');
    expect(about).toContain('Name = shop/web-0');
    expect(about).toContain('Description = pod shop/web-0 on node-a, interface any, scope netns');
    expect(about).toContain('Filter string = port 6379');
    expect(about).toMatch(/Time resolution = 0x06[\s\S]*Time resolution = 0x09/);
    expect(about).toMatch(/Capture length = 96\n[\s\S]*Capture length = 262144\n/);
    expect(about.match(/Number of stat entries = 1/g)).toHaveLength(2);
    const lost = new Map<number, number>();
    const reader = new PacketReader({ packet() {}, dropped: (face, count) => lost.set(face, count) });
    reader.push(file);
    expect([...lost]).toEqual([
      [0, 3],
      [1, 0],
    ]);
  });

  it('keeps all that is whole of files that are cut or damaged', async () => {
    const packets = traffic(6, 'ethernet', 30);
    const whole = pcap('ethernet', packets);
    const broken = Buffer.from(whole);
    const at = 24 + packets.slice(0, 10).reduce((sum, { frame }) => sum + 16 + frame.length, 0);
    broken.writeUInt32LE(0x7fffffff, at + 8);
    const { file, sources } = await combined([
      [{ pod: 'whole' }, whole],
      [{ pod: 'cut' }, whole.subarray(0, whole.length - 1)],
      [{ pod: 'broken' }, broken],
      [{ pod: 'empty' }, whole.subarray(0, 24)],
    ]);
    expect(sources.map(({ packets: count, end }) => [count, end.cut, end.damage !== undefined])).toEqual([
      [30, false, false],
      [29, true, false],
      [10, false, true],
      [0, false, false],
    ]);
    const counts = [0, 0, 0, 0];
    for (const { face } of read(file)) counts[face]! += 1;
    expect(counts).toEqual([30, 29, 10, 0]);
  });

  it('refuses what is no capture of tcpdump, and passes on what goes wrong', async () => {
    const good = pcap('raw', traffic(8, 'raw', 3));
    const pcapngFile = pcapng(traffic(8, 'raw', 3), { faces: [{ link: 'raw' }] });
    await expect(
      combined([
        [{}, good],
        [{}, pcapngFile],
      ]),
    ).rejects.toBeInstanceOf(SourceError);
    await expect(combined([[{}, Buffer.from('hello, world, this is a text')]])).rejects.toBeInstanceOf(
      UnknownFormatError,
    );
    await expect(combined([[{}, Buffer.alloc(0)]])).rejects.toBeInstanceOf(UnknownFormatError);
    await expect(combined([[{}, good.subarray(0, 20)]])).rejects.toBeInstanceOf(SourceError);
    const { combine } = await import('../../../src/packets/combine/combine.ts');
    const { podOf, streamed } = await import('./combined.ts');
    const full = async () => Promise.reject(new Error('the disk is full'));
    await expect(combine([{ ...podOf(), chunks: streamed(good) }], 'x', full)).rejects.toThrow(
      'the disk is full',
    );
    async function* breaking() {
      yield good.subarray(0, 50);
      throw new Error('a read error');
    }
    await expect(combine([{ ...podOf(), chunks: breaking() }], 'x', async () => {})).rejects.toThrow(
      'a read error',
    );
  });
});
