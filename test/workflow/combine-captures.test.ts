import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '../../src/cli/command.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { SessionResult } from '../../src/session/result.ts';
import { clockOffsetText, combineRecordings, verifyCombined } from '../../src/workflow/combine-captures.ts';
import { gkeprof } from '../command-line.ts';
import { FLAG, type Framed, framed, pcap, START, tcp } from '../packets/packets.ts';
import { planOf, podOf, TCPDUMP } from '../plans.ts';
import { faults } from '../schemas.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gkeprof-combine-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const CLIENT = podOf({ namespace: 'shop', name: 'web-0', node: 'node-a', ips: ['10.1.0.1'] });
const SERVER = podOf({ namespace: 'db', name: 'redis-0', node: 'node-b', ips: ['10.1.1.2'] });

/** A conversation as both ends see it, 3 ms apart by their clocks. */
function bothEnds(): [Buffer, Buffer] {
  const sides: [Framed[], Framed[]] = [[], []];
  for (let number = 0; number < 40; number += 1) {
    const isThere = number % 2 === 0;
    const ends = isThere
      ? { src: '10.1.0.1', dst: '10.1.1.2', sport: 40000, dport: 6379 }
      : { src: '10.1.1.2', dst: '10.1.0.1', sport: 6379, dport: 40000 };
    const payload = isThere ? '*1\r\n$4\r\nPING\r\n' : '+PONG\r\n';
    const packet = tcp({
      ...ends,
      seq: 1 + (number >> 1) * (isThere ? 14 : 7),
      ack: 1 + (isThere ? (number >> 1) * 7 : ((number >> 1) + 1) * 14),
      flags: FLAG.ack | FLAG.psh,
      payload,
      id: number + 1,
    });
    const frame = framed('sll2', packet);
    const sent = START + BigInt(number) * 1_000_000n;
    sides[0].push({ frame, at: sent + (isThere ? 0n : 100_000n) });
    sides[1].push({ frame, at: sent + (isThere ? 100_000n : 0n) + 3_000_000n });
  }
  return [pcap('sll2', sides[0]), pcap('sll2', sides[1])];
}

interface Recording {
  readonly plan: Plan;
  readonly result: SessionResult;
}

function recording(pod: typeof CLIENT, capture: Buffer, ending = '.pcap.gz'): Recording {
  const base = join(directory, `${pod.node}.netns_${pod.namespace}_${pod.name}`);
  const file = ending === '.pcap.gz' ? gzipSync(capture) : capture;
  writeFileSync(base + ending, file, { mode: 0o600 });
  const sha256 = createHash('sha256').update(file).digest('hex');
  const plan = { ...planOf(TCPDUMP, pod), node: pod.node };
  const result: SessionResult = {
    reached: { context: 'prod', server: 'https://api.example:6443', isCurrent: true },
    artifact: { path: base + ending, base, bytes: file.length, sha256, resumedBytes: 0 },
    isRaw: ending === '.pcap',
    unnamedProcesses: 0,
    ended: 'time',
    stoppedBy: 'limit',
    toolStatus: 0,
    startedAt: 0,
    stoppedAt: 1000,
    kernel: '6.1.0',
    toolVersion: 'tcpdump',
    imageId: 'image@sha256:0',
    last: { event: 'end', packets: 40, received: 41, dropped: 1 } as SessionResult['last'],
    targetChanges: [],
    removed: Promise.resolve(),
  };
  return { plan, result };
}

function contextOf() {
  const said: string[] = [];
  const interrupts = new Interrupts();
  const log = new Log({ write: (text) => said.push(text) });
  return { context: { log, interrupts, stdin: [] } as unknown as Context, said, interrupts };
}

const combine = async (recordings: readonly Recording[], keep = false, into = directory) => {
  const { context, said } = contextOf();
  const made = await combineRecordings(recordings, { directory: into, base: 'two-pods', keep }, context);
  return { ...made, said: said.join('') };
};

const names = () => readdirSync(directory).sort();

describe('the recordings of several pods', () => {
  it('become one verified file with its receipt, and the files of the pods are removed', async () => {
    const [client, server] = bothEnds();
    const { files, receipt, failure } = await combine([
      recording(CLIENT, client),
      recording(SERVER, server, '.pcap'),
    ]);
    expect(failure).toBeUndefined();
    expect(names()).toEqual(['two-pods.pcapng.gz', 'two-pods.receipt.json']);
    expect(files.map(({ role, path }) => [role, path])).toEqual([
      ['packets', join(directory, 'two-pods.pcapng.gz')],
      ['receipt', join(directory, 'two-pods.receipt.json')],
    ]);
    for (const { path } of files) expect(statSync(path).mode & 0o777).toBe(0o600);
    const written = JSON.parse(readFileSync(files[1]!.path, 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(receipt)));
    expect(faults('combined-receipt', written)).toEqual([]);
    expect(written.combined).toMatchObject({
      packets: 80,
      interfaces: [
        {
          name: 'shop/web-0',
          node: 'node-a',
          namespace: 'shop',
          pod: 'web-0',
          packets: 40,
          reordered: 0,
          late: 0,
        },
        { name: 'db/redis-0', node: 'node-b', packets: 40 },
      ],
      clockOffsets: [
        {
          nodes: ['node-a', 'node-b'],
          offsetNs: 3_000_000,
          boundNs: 101_000,
          matched: { forward: 20, back: 20 },
        },
      ],
    });
    expect(written.recordings).toMatchObject([
      {
        plan: { node: 'node-a', targets: [{ name: 'web-0' }] },
        capture: { packets: { captured: 40, droppedByKernel: 1 } },
      },
      { plan: { node: 'node-b' }, artifact: { file: 'node-b.netns_db_redis-0.pcap' } },
    ]);
    const { stdout } = await execa('capinfos', [files[0]!.path]);
    expect(stdout).toMatch(/Number of packets: +80\n/);
    expect(stdout).toMatch(/Strict time order: +True/);
    expect(stdout).toContain('Name = shop/web-0');
    expect(stdout).toContain('Filter string = port 6379');
  });

  it('can be checked by verify, and read by analyze with the names of the pods', async () => {
    const [client, server] = bothEnds();
    const { files } = await combine([recording(CLIENT, client), recording(SERVER, server)]);
    const verified = await gkeprof(['verify', files[1]!.path]);
    expect([verified.code, verified.stderr]).toEqual([0, '']);
    const analyzed = JSON.parse((await gkeprof(['analyze', files[0]!.path, '-o', 'json'])).stdout.toString());
    expect(analyzed.conversations.tcp).toMatchObject([
      { a: { name: 'web-0' }, b: { name: 'redis-0' }, framesAToB: 20, framesBToA: 20 },
    ]);
    expect(analyzed.redis.commands).toMatchObject([{ command: 'PING', calls: 20 }]);
    expect(analyzed.summary).toMatchObject({ packets: 80, repeats: 40, lostByTheSystem: 2 });
    // Without the receipt, the file itself tells the names.
    rmSync(files[1]!.path);
    const alone = JSON.parse((await gkeprof(['analyze', files[0]!.path, '-o', 'json'])).stdout.toString());
    expect(alone).toEqual(analyzed);
    const page = join(directory, 'page.html');
    await gkeprof(['analyze', files[0]!.path, '--html', page]);
    expect(readFileSync(page, 'utf8')).toContain('two-pods.pcapng.gz');
  });

  it('keep their own files, with a receipt of each, if that is wanted', async () => {
    const [client, server] = bothEnds();
    const { files } = await combine([recording(CLIENT, client), recording(SERVER, server)], true);
    expect(names()).toHaveLength(6);
    expect(files.map(({ path }) => path).sort()).toEqual(names().map((name) => join(directory, name)));
    const receipts = files.filter(({ role }) => role === 'receipt').map(({ path }) => path);
    expect((await gkeprof(['verify', ...receipts])).code).toBe(0);
    for (const path of receipts.slice(1))
      expect(faults('receipt', JSON.parse(readFileSync(path, 'utf8')))).toEqual([]);
  });

  it('are never written over another file', async () => {
    const [client, server] = bothEnds();
    writeFileSync(join(directory, 'two-pods.pcapng.gz'), 'mine');
    const { files } = await combine([recording(CLIENT, client), recording(SERVER, server)]);
    expect(files[0]!.path).toBe(join(directory, 'two-pods.2.pcapng.gz'));
    expect(files[1]!.path).toBe(join(directory, 'two-pods.2.receipt.json'));
    expect(readFileSync(join(directory, 'two-pods.pcapng.gz'), 'utf8')).toBe('mine');
    expect((await gkeprof(['verify', files[1]!.path])).code).toBe(0);
  });

  it('keep a file that is cut or damaged, and its whole packets are in the combined file', async () => {
    const [client, server] = bothEnds();
    const broken = Buffer.from(server);
    let at = 24;
    for (let number = 0; number < 10; number += 1) at += 16 + broken.readUInt32LE(at + 8);
    broken.writeUInt32LE(0x7fffffff, at + 8);
    for (const [bad, why, whole] of [
      [server.subarray(0, server.length - 5), 'cut short in the middle of a packet', 39],
      [broken, 'damaged after packet 10', 10],
    ] as const) {
      const { files, receipt, said } = await combine([recording(CLIENT, client), recording(SERVER, bad)]);
      expect(said).toContain(`${join(directory, 'node-b.netns_db_redis-0.pcap.gz')} of db/redis-0 is ${why}`);
      expect(said).toContain('the file of db/redis-0 is kept');
      expect(files.map(({ role }) => role)).toEqual(['packets', 'receipt', 'packets', 'receipt']);
      const [, other] = receipt!.combined.interfaces;
      expect(other!.incomplete).toContain(why);
      expect(other!.packets).toBe(whole);
      expect(existsSync(files[2]!.path)).toBe(true);
      expect(existsSync(join(directory, 'node-a.netns_shop_web-0.pcap.gz'))).toBe(false);
      for (const name of names()) rmSync(join(directory, name));
    }
  });

  it('all stay if they cannot be combined, and nothing else is left behind', async () => {
    const [client] = bothEnds();
    const text = Buffer.from('this is a text, and no capture at all');
    const { files, receipt, failure, said } = await combine([
      recording(CLIENT, client),
      recording(SERVER, text),
    ]);
    expect(receipt).toBeUndefined();
    expect(failure).toContain('neither pcap nor pcapng');
    expect(said).toContain('the captures were not combined');
    expect(said).toContain('the file of each pod is kept');
    expect(files.map(({ path }) => path).sort()).toEqual(names().map((name) => join(directory, name)));
    expect(names()).toHaveLength(4);
    for (const name of names().filter((each) => each.endsWith('.receipt.json')))
      expect((await gkeprof(['verify', join(directory, name)])).code).toBe(0);
    for (const name of names()) rmSync(join(directory, name));
    const gone = recording(SERVER, client);
    rmSync(gone.result.artifact.path);
    expect((await combine([recording(CLIENT, client), gone])).failure).toContain('no such file');
    expect(names()).toHaveLength(3);
    for (const name of names()) rmSync(join(directory, name));
    const [other] = bothEnds();
    const nowhere = join(directory, 'none');
    expect(
      (await combine([recording(CLIENT, client), recording(SERVER, other)], false, nowhere)).failure,
    ).toContain('ENOENT');
    expect(names()).toHaveLength(4);
  });

  it('all stay if the command is interrupted', async () => {
    const [client, server] = bothEnds();
    const { context, interrupts } = contextOf();
    const recordings = [recording(CLIENT, client), recording(SERVER, server)];
    const combining = combineRecordings(recordings, { directory, base: 'two-pods', keep: false }, context);
    interrupts.receive('SIGINT');
    await expect(combining).rejects.toThrow('interrupted');
    expect(names()).toHaveLength(4);
    expect(names().some((name) => name.startsWith('two-pods') || name.startsWith('.gkeprof'))).toBe(false);
  });

  it('fit a disk that is full: the file that was begun is removed', async () => {
    const [client, server] = bothEnds();
    const small = join(directory, 'small');
    mkdirSync(small);
    chmodSync(small, 0o700);
    const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'none', small], { reject: false });
    if (mounted.failed) throw new Error(mounted.stderr);
    try {
      const { failure } = await combine([recording(CLIENT, client), recording(SERVER, server)], false, small);
      expect(failure).toMatch(/no space left|ENOSPC/i);
      expect(readdirSync(small)).toEqual([]);
      expect(names()).toHaveLength(5);
    } finally {
      await execa('umount', [small]);
    }
  });
});

describe('the check of a combined file', () => {
  it('fails for a file with fewer packets, other packets, or no end', async () => {
    const [client, server] = bothEnds();
    const { files, receipt } = await combine([recording(CLIENT, client), recording(SERVER, server)]);
    const end = { format: 'pcap', snapLength: 0, cut: false } as const;
    const sources = receipt!.combined.interfaces.map((each) => ({ ...each, end }));
    const made = { packets: 80, sources, offsets: [] };
    const check = (path: string, like: typeof made = made) =>
      verifyCombined(path, like, [] as never, undefined);
    await check(files[0]!.path);
    const less = { ...made, sources: [sources[0]!, { ...sources[1]!, packets: 41 }] };
    await expect(check(files[0]!.path, less)).rejects.toThrow('80 packets');
    const bytes = { ...made, sources: [{ ...sources[0]!, capturedBytes: 1 }, sources[1]!] };
    await expect(check(files[0]!.path, bytes)).rejects.toThrow('can be read');
    const whole = gunzipSync(readFileSync(files[0]!.path));
    const cut = join(directory, 'cut.pcapng');
    writeFileSync(cut, whole.subarray(0, whole.length - 8));
    await expect(check(cut)).rejects.toThrow('can be read');
    writeFileSync(cut, readFileSync(files[0]!.path).subarray(0, -3));
    await expect(check(cut)).rejects.toThrow('can be read');
  });
});

it('says how far clocks are apart, or why it is not known', () => {
  const nodes = ['node-a', 'node-b'] as const;
  const matched = { forward: 20, back: 30 };
  expect(clockOffsetText({ nodes, matched, offsetNs: -1_234_567, boundNs: 100_001 })).toBe(
    'clocks: node-b is 1.235 ms behind node-a, ± 0.101 ms (20 and 30 packets seen on both nodes); the times are not corrected',
  );
  expect(clockOffsetText({ nodes, matched: { forward: 0, back: 0 }, unknown: 'no-packets' })).toBe(
    'clocks of node-a and node-b: offset not known: no packet was captured on both nodes (packets to the address of a Service are not matched, because the node translates it)',
  );
});
