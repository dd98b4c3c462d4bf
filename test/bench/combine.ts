// `npm run bench:combine`: four captures of 250 MB each are combined, in turn with mergecap, ROUNDS (5) times. Prints the
// median of both and the median of the ratios of each round: without compression, and as captures are, compressed both before
// and after, where mergecap's output goes through gzip -1 and is read again by capinfos, because the combined file is read
// again too. The peak of memory is that of the process that combines.
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { openInput } from '../../src/files/input.ts';
import { Log } from '../../src/output/log.ts';
import { combine } from '../../src/packets/combine/combine.ts';
import { type CaptureFile, combineCaptures } from '../../src/workflow/combine-captures.ts';
import { FLAG, framed, pcap, START, tcp } from '../packets/packets.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const SIZE = Number(process.env.SIZE ?? 250e6);
const FILES = 4;
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kubectl-gkeprof-test/bench');

const nameOf = (at: number) => join(folder, `combine-${SIZE}-${at}.pcap`);

/** Packets between each two neighbours, half of them full. Their payload can be compressed to about a half, as text can. */
function make(at: number): void {
  const path = nameOf(at);
  if (existsSync(path)) return;
  let state = at + 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const text = Buffer.from(Array.from({ length: 1 << 20 }, () => '0123456789abcdef'.charCodeAt(random(16))));
  const [own, other] = [`10.1.${at}.1`, `10.1.${at ^ 1}.1`];
  const header = framed('sll2', tcp({ src: own, dst: other, flags: FLAG.ack, payload: 'x' }));
  const head = header.subarray(0, header.length - 1);
  const file = openSync(path, 'w');
  writeSync(file, pcap('sll2', []));
  let parts: Buffer[] = [];
  let micros = START / 1000n;
  for (let size = 0, number = 0; size < SIZE; number += 1) {
    micros += BigInt(random(60));
    const length = [0, 20, 100, 1400, 1400, 1400][random(6)]!;
    const from = random(text.length - length);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Number(micros / 1_000_000n), 0);
    record.writeUInt32LE(Number(micros % 1_000_000n), 4);
    record.writeUInt32LE(head.length + length, 8);
    record.writeUInt32LE(head.length + length, 12);
    const packet = Buffer.from(head);
    packet.writeUInt16BE(40 + length, 22);
    packet.writeUInt16BE(number & 0xffff, 24);
    packet.writeUInt32BE(number >>> 0, 44);
    parts.push(record, packet, text.subarray(from, from + length));
    size += 16 + head.length + length;
    if (parts.length > 30_000 || size >= SIZE) {
      writeSync(file, Buffer.concat(parts));
      parts = [];
    }
  }
  closeSync(file);
}

const captures = (ending: string): CaptureFile[] =>
  Array.from({ length: FILES }, (_, at) => ({
    ...{ path: `${nameOf(at)}${ending}`, node: `node-${at % 2}`, namespace: 'bench', pod: `pod-${at}` },
    ...{ ips: [`10.1.${at}.1`], interface: 'any', scope: 'netns', filter: '' },
  }));

/** What is measured, in a process of its own. */
async function ours(kind: 'plain' | 'gzip'): Promise<void> {
  const began = performance.now();
  if (kind === 'gzip') {
    const log = new Log({ write() {} }, { quiet: true });
    const made = await combineCaptures(
      captures('.gz'),
      { directory: folder, base: 'combined' },
      { stdin: process.stdin, log },
    );
    report(began);
    rmSync(made.path);
    return;
  }
  const path = join(folder, 'combined.pcapng');
  const file = await open(path, 'w');
  const inputs = await Promise.all(
    captures('').map(async (each) => ({
      ...each,
      chunks: (await openInput(each.path, process.stdin)).chunks,
    })),
  );
  await combine(inputs, 'bench', async (bytes) => {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
  });
  await file.close();
  report(began);
  rmSync(path);
}

const report = (began: number) =>
  console.log(
    JSON.stringify({
      seconds: (performance.now() - began) / 1000,
      maxRss: process.resourceUsage().maxRSS / 1024,
    }),
  );

async function theirs(kind: 'plain' | 'gzip'): Promise<number> {
  const out = join(folder, `merged.pcapng${kind === 'gzip' ? '.gz' : ''}`);
  const files = captures(kind === 'gzip' ? '.gz' : '').map(({ path }) => path);
  const line =
    kind === 'gzip'
      ? 'out=$1; shift; mergecap -w - "$@" | gzip -1 >"$out" && capinfos -c "$out"'
      : 'out=$1; shift; mergecap -w "$out" "$@"';
  const began = performance.now();
  await execa('sh', ['-c', line, 'sh', out, ...files]);
  const seconds = (performance.now() - began) / 1000;
  rmSync(out);
  return seconds;
}

const median = (values: readonly number[]) =>
  [...values].sort((one, other) => one - other)[values.length >> 1]!;

if (process.argv[2] === 'plain' || process.argv[2] === 'gzip') await ours(process.argv[2]);
else {
  mkdirSync(folder, { recursive: true });
  for (let at = 0; at < FILES; at += 1) {
    make(at);
    if (!existsSync(`${nameOf(at)}.gz`)) await execa('gzip', ['-1', '-k', nameOf(at)]);
  }
  const bytes = captures('').reduce((sum, { path }) => sum + statSync(path).size, 0);
  for (const kind of ['plain', 'gzip'] as const) {
    const [own, other, ratios, memory]: number[][] = [[], [], [], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      const { stdout } = await execa(process.execPath, [fileURLToPath(import.meta.url), kind]);
      const { seconds, maxRss } = JSON.parse(stdout);
      const merged = await theirs(kind);
      own!.push(seconds);
      other!.push(merged);
      ratios!.push(seconds / merged);
      memory!.push(maxRss);
    }
    console.log(
      `${kind}: ${(bytes / 1e6).toFixed(0)} MB in ${FILES} files: ${median(own!).toFixed(2)} s (${(bytes / 1e6 / median(own!)).toFixed(0)} MB/s), mergecap ${median(other!).toFixed(2)} s, median ratio ${median(ratios!).toFixed(2)} (${ratios!.map((each) => each.toFixed(2)).join(', ')}), peak ${Math.max(...memory!).toFixed(0)} MiB`,
    );
  }
}
