import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { needing } from '../needing.ts';
import { fieldsOf, theirs } from '../packets/judge.ts';
import { FLAG, framed, pcap, pcapng, records, tcp } from '../packets/packets.ts';
import { troubled } from '../packets/troubled.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-evidence-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

const there = (more: object) => tcp({ seq: 100, ack: 500, ...more });
const again = there({ payload: 'question' });
const unanswered = tcp({ sport: 7, flags: FLAG.syn });
const refused = [
  tcp({ sport: 8, flags: FLAG.syn, seq: 9 }),
  tcp({ src: '10.0.0.2', dst: '10.0.0.1', sport: 6379, dport: 8, flags: FLAG.rst | FLAG.ack, ack: 10 }),
];

/** Two packets that are well, one that is sent again, half a second apart. */
const sentAgain = (start = 0) =>
  records(
    [again, there({ seq: 108, payload: 'more' }), again].map((packet) => framed('ethernet', packet)),
    500_000_000n,
  ).map((each) => ({ ...each, at: each.at + BigInt(start) * 1_000_000_000n }));

const text = async (...words: string[]): Promise<string> => {
  const run = await gkeprof(['analyze', ...words]);
  expect(run.stderr).toBe('');
  expect(run.code).toBe(0);
  return run.stdout.toString();
};
const json = async (...words: string[]) => JSON.parse(await text(...words, '-o', 'json'));

describe('every trouble leads back to its evidence', () => {
  it('with frame numbers in the tables, the page and the block of Markdown', async () => {
    const path = put('a.pcap', pcap('ethernet', sentAgain()));
    expect(await text(path)).toMatch(/^retransmissions +1 +3$/m);
    expect(await text(path)).toContain('A 1 retransmissions, first: frame 3');
    expect(await text(path, '--markdown')).toContain('retransmissions 1 (frames 3)');
    const page = join(folder, 'a.html');
    await gkeprof(['analyze', path, '--html', page]);
    expect(readFileSync(page, 'utf8')).toContain('<td>retransmissions</td><td>1</td><td>3</td>');
  });

  it('with the first few frames of many, and how many are left off', async () => {
    const frames = Array.from({ length: 12 }, (_, at) =>
      framed('ethernet', tcp({ sport: 1000 + at, flags: FLAG.syn })),
    );
    const path = put('a.pcap', pcap('ethernet', records(frames)));
    const { evidence } = (await json(path, '--show', 'health')).tcpHealth;
    expect(evidence).toEqual({
      unanswered: { count: 12, first: [1, 2, 3, 4, 5].map((frame) => ({ frame })), leftOff: 7 },
    });
    expect(await text(path, '--show', 'health')).toMatch(
      /^connections without an answer +12 +1, 2, 3, 4, 5 and 7 more$/m,
    );
    expect((await text(path, '--show', 'syns')).split('\n')[4]).toMatch(/^ +2 /);
  });

  it('and says which file a frame is of, where several are read', async () => {
    const paths = [
      put('b.pcap', pcap('ethernet', sentAgain(9))),
      put('a.pcap', pcap('ethernet', sentAgain())),
    ];
    const { tcpHealth, expert } = await json(...paths, '--show', 'health,expert');
    // The file that begins later comes second; its first packets repeat what the other has.
    expect(tcpHealth.evidence.retransmissions.first).toEqual([
      { frame: 3, file: paths[1] },
      { frame: 1, file: paths[0] },
      { frame: 2, file: paths[0] },
      { frame: 3, file: paths[0] },
    ]);
    expect(expert.map(({ frame, file }: { frame: number; file: string }) => [frame, file])).toEqual([
      [3, paths[1]],
      [1, paths[0]],
      [2, paths[0]],
      [3, paths[0]],
    ]);
    expect(await text(...paths, '--show', 'expert')).toMatch(/^a\.pcap:3 +1\.000000000 +Retransmission /m);
  });

  it('packet by packet, with what became of each SYN', async () => {
    const frames = [unanswered, ...refused, again, again].map((packet) => framed('ethernet', packet));
    const path = put('a.pcap', pcap('ethernet', records(frames)));
    expect(await text(path, '--show', 'expert')).toBe(
      [
        '',
        'Packets with problems',
        'FRAME         TIME  WHAT            FROM            TO',
        '    1  0.000000000  SYN unanswered  10.0.0.1:7      10.0.0.2:6379',
        '    2  0.001000000  SYN refused     10.0.0.1:8      10.0.0.2:6379',
        '    3  0.002000000  Reset           10.0.0.2:6379   10.0.0.1:8',
        '    5  0.004000000  Retransmission  10.0.0.1:40000  10.0.0.2:6379',
        '',
      ].join('\n'),
    );
  });

  it('and keeps a long list on disk, whole', async () => {
    const frames = Array.from({ length: 140_000 }, () => framed('raw', again));
    const path = put('a.pcap', pcap('raw', records(frames, 1000n)));
    const lines = (await text(path, '--show', 'expert', '--all')).trimEnd().split('\n');
    expect(lines).toHaveLength(3 + 139_999);
    expect(lines.at(-1)).toContain('140000');
    expect(await text(path, '--show', 'expert')).toContain(
      'Packets with problems (20 of 139999; --all shows them all)',
    );
  });

  needing('tshark')('with filters that find in Wireshark what was counted', async () => {
    const path = put('a.pcap', pcap('ethernet', troubled(5, 1500)));
    const { evidence } = (await json(path, '--show', 'health')).tcpHealth;
    const found = Object.entries(
      evidence as Record<string, { count: number; first: object[]; filter?: string }>,
    );
    expect(found).toHaveLength(13);
    for (const [kind, { count, first, filter }] of found) {
      if (filter === undefined) continue;
      const line = `tshark -n -r "$1" -Y '${filter}' -T fields -e frame.number`;
      const frames = (await theirs(line, path, 'UTC')).trimEnd().split('\n').map(Number);
      expect([kind, frames.length, frames.slice(0, first.length)]).toEqual([
        kind,
        count,
        first.map((each) => (each as { frame: number }).frame),
      ]);
    }
    expect(await text(path, '--show', 'health', '-o', 'wide')).toContain('tcp.analysis.window_full\n');
  });

  it('finds connections that were not opened by their numbers, as long as there are few', async () => {
    const frames = [unanswered, ...refused].map((packet) => framed('ethernet', packet));
    const { evidence } = (await json(put('a.pcap', pcap('ethernet', records(frames))), '--show', 'health'))
      .tcpHealth;
    expect(evidence.refused.filter).toBe('frame.number in {2}');
    expect(evidence.unanswered.filter).toBe('frame.number in {1}');
  });

  needing('tshark')(
    'numbers frames as Wireshark does behind blocks of pcapng that are no packets',
    async () => {
      const block = (type: number, body: Buffer): Buffer => {
        const bytes = Buffer.alloc(12 + body.length);
        bytes.writeUInt32LE(type, 0);
        bytes.writeUInt32LE(bytes.length, 4);
        body.copy(bytes, 8);
        bytes.writeUInt32LE(bytes.length, bytes.length - 4);
        return bytes;
      };
      const empty = pcapng([], { faces: [{ link: 'ethernet' }] });
      const whole = pcapng(sentAgain(), { faces: [{ link: 'ethernet' }] });
      const journal = Buffer.from('__REALTIME_TIMESTAMP=1653086690497803\nMESSAGE=x\n\0\0\0');
      const sysdig = Buffer.alloc(28);
      sysdig.writeUInt32LE(26, 18);
      const path = put(
        'a.pcapng',
        Buffer.concat([
          empty,
          block(9, journal.subarray(0, journal.length & ~3)),
          block(0xbad, Buffer.from([0, 0, 0, 1, 1, 2, 3, 4])),
          block(0x204, sysdig),
          block(0x216, sysdig),
          block(0x221, sysdig),
          whole.subarray(empty.length),
        ]),
      );
      const rows = await fieldsOf(path, ['frame.number', 'tcp.analysis.retransmission']);
      const theirFrames = rows.filter((row) => row[1]).map((row) => Number(row[0]));
      expect(theirFrames).toHaveLength(1);
      const { expert } = await json(path, '--show', 'expert');
      expect(expert.map(({ frame }: { frame: number }) => frame)).toEqual(theirFrames);
    },
  );
});

describe('conversations are sorted', () => {
  /** Three connections: one of many packets, one of many bytes, one that is long, sends again, and answers late. */
  const mixed = () => {
    const at = (millis: number, packet: Buffer) => ({
      frame: framed('ethernet', packet),
      at: 1_653_086_690_000_000_000n + BigInt(millis) * 1_000_000n,
    });
    const back = { src: '10.0.0.2', dst: '10.0.0.1', sport: 6379 };
    return [
      at(0, tcp({ sport: 3, flags: FLAG.syn, seq: 99 })),
      at(10, tcp({ sport: 1, flags: FLAG.syn, seq: 99 })),
      at(11, tcp({ ...back, dport: 1, flags: FLAG.syn | FLAG.ack, seq: 499, ack: 100 })),
      at(12, tcp({ sport: 1, seq: 100, ack: 500 })),
      at(13, tcp({ sport: 1, seq: 100, ack: 500, flags: 25 })),
      at(14, tcp({ ...back, dport: 1, seq: 500, ack: 101 })),
      at(20, tcp({ sport: 2, payload: 'x'.repeat(1000) })),
      at(21, tcp({ sport: 2, seq: 2000, payload: 'x'.repeat(1000) })),
      at(30, tcp({ ...back, dport: 3, flags: FLAG.syn | FLAG.ack, seq: 499, ack: 100 })),
      at(60, tcp({ sport: 3, seq: 100, ack: 500, payload: 'x' })),
      at(400, tcp({ sport: 3, seq: 100, ack: 500, payload: 'x' })),
    ];
  };

  it.each([
    ['packets', [1, 3, 2]],
    ['bytes', [2, 1, 3]],
    ['start', [3, 1, 2]],
    ['duration', [3, 1, 2]],
    ['rtt', [3, 1, 2]],
    ['retransmissions', [3, 1, 2]],
    ['troubles', [3, 1, 2]],
  ])('by %s', async (sort, ports) => {
    const path = put('a.pcap', pcap('ethernet', mixed()));
    const words = [path, '--show', 'tcp,ip', '--sort', sort];
    const { conversations } = await json(...words);
    expect(conversations.tcp.map(({ a }: { a: { port: number } }) => a.port)).toEqual(ports);
    const rows = (await text(...words)).split('\n').filter((line) => line.includes('tcp.port'));
    expect(rows.map((row) => Number(/^10\.0\.0\.1:(\d)/.exec(row)![1]))).toEqual(ports);
  });

  it('by nothing that is not known', async () => {
    const run = await gkeprof(['analyze', put('a.pcap', pcap('ethernet', mixed())), '--sort', 'size']);
    expect([run.code, run.stderr]).toEqual([
      2,
      'error: --sort: unknown value "size"\nhint: values: packets, bytes, start, duration, rtt, retransmissions, troubles\n',
    ]);
    const tshark = await gkeprof([
      'analyze',
      join(folder, 'a.pcap'),
      '--format',
      'tshark',
      '--sort',
      'bytes',
    ]);
    expect([tshark.code, tshark.stderr]).toEqual([
      2,
      'error: --sort cannot be used with --format tshark, which has its own order\nhint: leave --format out\n',
    ]);
  });

  it('and shows round trips in wide tables alone', async () => {
    const path = put('a.pcap', pcap('ethernet', mixed()));
    expect(await text(path, '--show', 'tcp')).not.toContain('RTT');
    const wide = await text(path, '--show', 'tcp', '-o', 'wide');
    expect(wide).toContain('FIRST RTT');
    expect(wide).toMatch(/^10\.0\.0\.1:1 .* 2 ms +1 ms \/ 1 ms \/ 1 ms +1 ms \/ 1 ms \/ 1 ms +0 B +0 B /m);
  });
});
