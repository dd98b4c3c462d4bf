import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/main.ts';
import { gkeprof } from '../command-line.ts';
import { framed, pcap, pcapng, records, START, tcp } from '../packets/packets.ts';
import { command, talk } from '../packets/redis/redis-stream.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-analyze-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, bytes: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

const redis = talk([
  ['>', command('GET', 'user:1')],
  ['<', '$-1\r\n'],
]);

describe('kubectl gkeprof analyze', () => {
  it('prints everything that it found as tables', async () => {
    const run = await gkeprof(['analyze', put('a.pcap', pcap('ethernet', redis))]);
    const text = run.stdout.toString();
    for (const part of [
      'Packets     5',
      'IPv4 conversations',
      'TCP conversations',
      'TCP flags',
      'SYNs',
      'TCP health',
      'Redis',
      'COMMAND  CALLS',
      'user:$NUMBER',
    ])
      expect(text).toContain(part);
    expect(text).toContain(
      'ip.addr == 10.0.0.1 && ip.addr == 10.0.0.2 && tcp.port == 40000 && tcp.port == 6379',
    );
    expect(text).not.toContain('UDP conversations');
    expect(run.stderr).toBe('');
    expect(run.code).toBe(0);
  });

  it('shows 20 rows a table, all with --all', async () => {
    const frames = Array.from({ length: 1500 }, (_, at) =>
      framed('ethernet', tcp({ sport: 1000 + at, flags: 2 })),
    );
    const path = put('a.pcap', pcap('ethernet', records(frames)));
    const some = (await gkeprof(['analyze', path, '--show', 'tcp,syns'])).stdout.toString();
    expect(some).toContain('TCP conversations (20 of 1500; --all shows them all)');
    expect(some).toContain('SYNs (20 of 1500; --all shows them all)');
    const all = (await gkeprof(['analyze', path, '--show', 'syns', '--all'])).stdout.toString();
    expect(all.split('\n').filter((line) => line.includes('10.0.0.2:6379'))).toHaveLength(1500);
  });

  it('names the pod where a receipt lies beside the file, and what pcapng names', async () => {
    const path = put('a.pcap.gz', gzipSync(pcap('ethernet', redis)));
    const target = {
      kind: 'pod',
      name: 'redis-0',
      namespace: 'default',
      ips: ['10.0.0.2'],
      hostNetwork: false,
    };
    put('a.receipt.json', JSON.stringify({ receiptVersion: 1, plan: { targets: [target] } }));
    expect((await gkeprof(['analyze', path])).stdout.toString()).toContain('redis-0 (10.0.0.2:6379)');
    const named = put(
      'b.pcapng',
      pcapng(redis, { faces: [{ link: 'ethernet' }], names: [['10.0.0.1', 'client\u001b[31m']] }),
    );
    const text = (await gkeprof(['analyze', named])).stdout.toString();
    expect(text).toContain('client\\x1b[31m (10.0.0.1:40000)');
    expect(text).not.toContain('\u001b');
  });

  it('prints JSON with whole lists, ISO times and base units', async () => {
    const run = await gkeprof([
      'analyze',
      put('a.pcap', pcap('ethernet', redis)),
      '-o',
      'json',
      '--timeline',
    ]);
    const report = JSON.parse(run.stdout.toString());
    expect(report).toMatchObject({
      kind: 'PacketAnalysis',
      version: 1,
      files: [{ format: 'pcap', cut: false, bytes: expect.any(Number) }],
      summary: { packets: 5, start: '2022-05-20T22:44:50.497803000Z', durationSeconds: 0.002 },
      conversations: {
        tcp: [{ a: { address: '10.0.0.1', port: 40000 }, framesAToB: 3, durationSeconds: 0.002 }],
      },
      tcpHealth: { connections: { opened: 1 } },
      redis: { commands: [{ command: 'GET', calls: 1 }] },
      timeline: { stepSeconds: 1, steps: [{ packets: 5, commands: 1 }] },
    });
    expect(report.syns[0]).toMatchObject({ time: '2022-05-20T22:44:50.497803000Z', flags: '··········S·' });
  });

  it('cuts one conversation out, as it is', async () => {
    const other = framed('ethernet', tcp({ src: '10.0.0.3', payload: 'x' }));
    const mixed = [...redis, { frame: other, at: START + 5_000_000n }];
    for (const [name, capture, alone] of [
      ['a.pcap', pcap('ethernet', mixed), pcap('ethernet', redis)],
      [
        'a.pcapng',
        pcapng(mixed, { faces: [{ link: 'ethernet' }] }),
        pcapng(redis, { faces: [{ link: 'ethernet' }] }),
      ],
    ] as const) {
      for (const [number, ends] of [
        '10.0.0.1:40000-10.0.0.2:6379',
        '10.0.0.2-10.0.0.1',
        '10.0.0.1',
      ].entries()) {
        const out = join(folder, `${number}.${name}`);
        const run = await gkeprof(['analyze', put(name, capture), '--conversation', ends, '--write', out]);
        expect(run.code).toBe(0);
        expect(readFileSync(out).equals(alone), `${name} ${ends}`).toBe(true);
        expect(statSync(out).mode & 0o777).toBe(0o600);
        expect(run.stdout.toString()).toContain('Packets     5');
      }
    }
    const none = await gkeprof([
      'analyze',
      join(folder, 'a.pcap'),
      '--conversation',
      '[fd00::1]:1-[fd00::2]:2',
    ]);
    expect(none.stderr).toBe('warning: no packet belongs to this conversation\n');
  });

  it('reads a rotated set in order of time, whatever the order of its names', async () => {
    const [first, second] = [redis.slice(0, 3), redis.slice(3)];
    const names = [put('0.pcap', pcap('ethernet', second)), put('1.pcap', pcap('ethernet', first))];
    const both = JSON.parse((await gkeprof(['analyze', ...names, '-o', 'json'])).stdout.toString());
    const one = JSON.parse(
      (await gkeprof(['analyze', put('2.pcap', pcap('ethernet', redis)), '-o', 'json'])).stdout.toString(),
    );
    // Which file a frame is of is said where there are several.
    expect(both.syns.map(({ file, frame }: { file: string; frame: number }) => [file, frame])).toEqual([
      [names[1], 1],
      [names[1], 2],
    ]);
    const syns = both.syns.map(({ file: _, ...syn }: { file: string }) => syn);
    expect({ ...both, files: [], syns }).toEqual({ ...one, files: [] });
    expect(both.files.map(({ name }: { name: string }) => name.at(-6))).toEqual(['1', '0']);
  });

  it('prints what there is when a live pipe is interrupted', async () => {
    let interrupt = () => {};
    const out: Buffer[] = [];
    let destroyed = false;
    const ended = main(['analyze', '-', '--show', 'summary'], {
      stdin: Object.assign(
        (async function* () {
          yield pcap('ethernet', redis);
          setImmediate(() => interrupt()); // What came is read, and more is asked for.
          await new Promise(() => {});
        })(),
        { destroy: () => (destroyed = true) },
      ),
      stdout: { write: (data) => out.push(Buffer.from(data as string)) },
      stderr: { write: () => {} },
      env: {},
      windows: false,
      engine: { node: '26.10.0', platform: 'linux/x64' },
      onSignal: (receive) => {
        interrupt = () => receive('SIGINT');
      },
    });
    expect(await ended).toBe(0);
    expect(Buffer.concat(out).toString()).toContain('Packets     5');
    expect(destroyed).toBe(true);
  });

  it('keeps a long list of SYNs on disk, whole', async () => {
    const frames = Array.from({ length: 150_000 }, (_, at) =>
      framed('raw', tcp({ flags: 2, seq: at, sport: 1 + (at % 60_000) })),
    );
    const path = put('flood.pcap', pcap('raw', records(frames, 1000n)));
    const temporary = mkdtempSync(join(folder, 'temporary-'));
    vi.stubEnv('TMPDIR', temporary);
    const text = (
      await gkeprof(['analyze', path, '--format', 'tshark', '--show', 'syns'], '', { TZ: 'UTC' })
    ).stdout.toString();
    const lines = text.trimEnd().split('\n');
    expect(lines).toHaveLength(150_000);
    lines.forEach((line, at) => {
      if (!line.endsWith(`\t${1 + (at % 60_000)}\t6379`)) throw new Error(`line ${at}: ${line}`);
    });
    vi.unstubAllEnvs();
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    [['analyze'], 'analyze: missing file', 2],
    [['analyze', 'a', '--show', 'what'], '--show: unknown part "what"', 2],
    [
      ['analyze', 'a', '--format', 'tshark', '--show', 'redis'],
      '--show redis cannot be used with --format tshark',
      2,
    ],
    [['analyze', 'a', '--format', 'tshark', '-o', 'json'], '--format and -o cannot be used together', 2],
    [['analyze', 'a', '--write', 'b'], '--write needs --conversation', 2],
    [['analyze', 'a', 'b', '--conversation', '1.1.1.1', '--write', 'c'], '--write takes one file', 2],
    [['analyze', 'a', '--conversation', 'x-y'], '"x-y" is not a conversation', 2],
    [['analyze', 'a', '--pattern', 'x'], 'is not REGEXP=NAME', 2],
    [['analyze', 'a', '--pattern', '(=x'], '--pattern: Invalid regular expression', 2],
    [['analyze', 'a', '--redact-key', 'k'], '--redact-key needs --redact', 2],
    [['analyze', 'a', 'b', '--redact', 'c'], '--redact takes one whole file', 2],
    [['analyze', '-', 'b'], 'stdin (-) cannot be combined with files', 2],
    [['analyze', '/nowhere/a.pcap'], 'cannot read /nowhere/a.pcap', 1],
    [['pcap', 'pod/x', '--show', 'redis'], '--show needs --analyze', 2],
    [['analyze', '@last'], '@last: the folder . has no file with packets', 1],
  ])('%j: %s', async (argv, words, code) => {
    const run = await gkeprof(argv as string[]);
    expect(run.stderr).toContain(words);
    expect(run.stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
    expect(run.code).toBe(code);
    expect(run.stdout.toString()).toBe('');
  });

  it('says what is no capture', async () => {
    const run = await gkeprof(['analyze', put('a.txt', 'hello, this is no capture')]);
    expect(run.stderr).toMatch(
      /^error: .*a\.txt: it is a text, neither pcap nor pcapng\nhint: a capture is pcap or pcapng, plain or compressed by gzip, zstd or xz\n$/,
    );
    expect(run.code).toBe(1);
  });
});
