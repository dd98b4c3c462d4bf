// `npm run bench:capture`: a million packets, beside capinfos and tshark, each the best of ROUNDS (3) runs in turn: few
// long conversations of Redis, and 100,000 short ones. tshark's four runs are the runbook's, one after the other. Then
// memory on a file of 2 GB.
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { FLAG, framed, pcap, START, tcp } from '../capture/packets.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const PACKETS = 1_000_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kubectl-gkeprof-test/bench');
mkdirSync(folder, { recursive: true });

const GET = '*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n';
const VALUE = `$32\r\n${'v'.repeat(32)}\r\n`;

/** Writes a capture of `count` packets, 20 µs apart, where it is not there yet. */
function written(name: string, count: number, packet: (at: number) => Buffer): string {
  const path = join(folder, name);
  if (existsSync(path)) return path;
  process.stderr.write(`making ${name}\n`);
  const file = openSync(`${path}.part`, 'w');
  writeSync(file, pcap('ethernet', []));
  let parts: Buffer[] = [];
  const flush = () => {
    writeSync(file, Buffer.concat(parts));
    parts = [];
  };
  for (let at = 0; at < count; at += 1) {
    const frame = packet(at);
    const time = START + BigInt(at) * 20_000n;
    const header = Buffer.alloc(16);
    header.writeUInt32LE(Number(time / 1_000_000_000n), 0);
    header.writeUInt32LE(Number((time % 1_000_000_000n) / 1000n), 4);
    header.writeUInt32LE(frame.length, 8);
    header.writeUInt32LE(frame.length, 12);
    parts.push(header, frame);
    if (parts.length > 4000) flush();
  }
  flush();
  closeSync(file);
  renameSync(`${path}.part`, path);
  return path;
}

/** 50 connections that ask and are answered, each segment acknowledged. */
function long(value: string): (at: number) => Buffer {
  const flows = Array.from({ length: 50 }, (_, flow) => ({
    src: `10.0.${flow % 5}.${flow + 1}`,
    sport: 40_000 + flow,
    asked: 1000 + flow,
    answered: 5000 + flow,
  }));
  return (at) => {
    const flow = flows[(at >> 2) % flows.length]!;
    const there = { src: flow.src, dst: '10.1.0.1', sport: flow.sport, dport: 6379, id: at & 0xffff };
    const back = { src: '10.1.0.1', dst: flow.src, sport: 6379, dport: flow.sport, id: at & 0xffff };
    let packet: Buffer;
    if ((at & 3) === 0) {
      packet = tcp({ ...there, seq: flow.asked, ack: flow.answered, flags: 24, payload: GET });
      flow.asked += GET.length;
    } else if ((at & 3) === 1) {
      packet = tcp({ ...back, seq: flow.answered, ack: flow.asked, flags: 24, payload: value });
      flow.answered = (flow.answered + value.length) >>> 0;
    } else if ((at & 3) === 2) packet = tcp({ ...there, seq: flow.asked, ack: flow.answered });
    else packet = tcp({ ...back, seq: flow.answered, ack: flow.asked });
    return framed('ethernet', packet);
  };
}

/** Connections of ten packets, twenty at a time. */
function short(at: number): Buffer {
  const connection = Math.floor(at / 200) * 20 + (at % 20);
  const src = `10.${2 + (connection >> 14)}.${(connection >> 8) & 63}.${1 + (connection % 250)}`;
  const sport = 1024 + ((connection * 7) % 60_000);
  const there = { src, dst: '10.1.0.1', sport, dport: 6379 };
  const back = { src: '10.1.0.1', dst: src, sport: 6379, dport: sport };
  const [asked, answered] = [connection * 13 + 1, connection * 17 + 1];
  const [to, fro] = [asked + GET.length, answered + VALUE.length];
  const packets = [
    () => tcp({ ...there, seq: asked - 1, flags: FLAG.syn }),
    () => tcp({ ...back, seq: answered - 1, ack: asked, flags: FLAG.syn | FLAG.ack }),
    () => tcp({ ...there, seq: asked, ack: answered }),
    () => tcp({ ...there, seq: asked, ack: answered, flags: 24, payload: GET }),
    () => tcp({ ...back, seq: answered, ack: to }),
    () => tcp({ ...back, seq: answered, ack: to, flags: 24, payload: VALUE }),
    () => tcp({ ...there, seq: to, ack: fro }),
    () => tcp({ ...there, seq: to, ack: fro, flags: FLAG.fin | FLAG.ack }),
    () => tcp({ ...back, seq: fro, ack: to + 1, flags: FLAG.fin | FLAG.ack }),
    () => tcp({ ...there, seq: to + 1, ack: fro + 1 }),
  ];
  return framed('ethernet', packets[Math.floor((at % 200) / 20)]!());
}

interface Cost {
  readonly wall: number;
  readonly user: number;
  readonly megabytes: number;
}

async function cost(words: readonly string[]): Promise<Cost> {
  const result = await execa('/usr/bin/time', ['-f', '%e %U %M', ...words], { stdout: 'ignore' });
  const [wall, user, kilobytes] = String(result.stderr).trim().split('\n').at(-1)!.split(' ').map(Number);
  return { wall: wall!, user: user!, megabytes: kilobytes! / 1024 };
}

const gkeprof = (...words: string[]) => [join(root, 'dist/kubectl-gkeprof'), 'analyze', ...words];
const seed = (path: string) =>
  [
    ['-q', '-z', 'conv,ip'],
    ['-q', '-z', 'conv,tcp'],
    ['-T', 'fields', '-e', 'tcp.flags.str'],
    [
      ...['-Y', 'tcp.flags.syn == 1', '-T', 'fields', '-e', 'frame.time', '-e', 'tcp.flags.str'],
      ...['-e', 'ip.src', '-e', 'ip.dst', '-e', 'tcp.srcport', '-e', 'tcp.dstport'],
    ],
  ].map((words) => ['tshark', '-r', path, ...words]);

/** The best of several runs, each of one line or of some one after the other. */
async function best(rounds: number, lines: readonly (readonly string[])[]): Promise<Cost> {
  let least: Cost | undefined;
  for (let round = 0; round < rounds; round += 1) {
    let sum: Cost = { wall: 0, user: 0, megabytes: 0 };
    for (const line of lines) {
      const each = await cost(line);
      sum = {
        wall: sum.wall + each.wall,
        user: sum.user + each.user,
        megabytes: Math.max(sum.megabytes, each.megabytes),
      };
    }
    if (!least || sum.wall < least.wall) least = sum;
  }
  return least!;
}

const print = (input: string, tool: string, { wall, user, megabytes }: Cost, ratio = '') =>
  process.stdout.write(
    `| ${input} | ${tool} | ${wall.toFixed(2)} s | ${user.toFixed(2)} s | ${Math.round(megabytes)} MB | ${ratio} |\n`,
  );
const times = (peer: Cost, ours: Cost) => (peer.wall / ours.wall).toFixed(peer.wall / ours.wall < 10 ? 2 : 0);

await execa(process.execPath, [join(root, 'scripts/build.ts')]);
process.stdout.write(
  '| input | tool | wall | user | memory | gkeprof is faster by |\n| --- | --- | --- | --- | --- | --- |\n',
);
for (const [name, path] of [
  ['1M packets, 50 long conversations', written('long.pcap', PACKETS, long(VALUE))],
  ['1M packets, 100,000 short ones', written('short.pcap', PACKETS, short)],
] as const) {
  const summary = await best(2 * ROUNDS, [gkeprof(path, '--format', 'tshark', '--show', 'summary')]);
  const capinfos = await best(2 * ROUNDS, [['capinfos', '-aceuxs', path]]);
  const four = await best(ROUNDS, [gkeprof(path, '--format', 'tshark')]);
  const tshark = await best(1, seed(path));
  const asTables = await best(ROUNDS, [gkeprof(path, '--show', 'summary,ip,tcp,flags,syns')]);
  const all = await best(ROUNDS, [gkeprof(path)]);
  print(name, 'gkeprof, summary', summary);
  print('', 'capinfos', capinfos, times(capinfos, summary));
  print('', 'gkeprof, the four parts', four);
  print(
    '',
    'capinfos and four runs of tshark',
    { ...tshark, wall: tshark.wall + capinfos.wall },
    times({ ...tshark, wall: tshark.wall + capinfos.wall }, four),
  );
  print('', 'gkeprof, the four as tables', asTables);
  print(
    '',
    'gkeprof, all with health and Redis',
    all,
    `${(all.wall / four.wall).toFixed(2)} times the four, ${(all.wall / asTables.wall).toFixed(2)} as tables`,
  );
}
const large = written('large.pcap', 4_000_000, long(`$1800\r\n${'v'.repeat(1800)}\r\n`));
print('4M packets, 2.2 GB', 'gkeprof, all with health and Redis', await best(1, [gkeprof(large)]));
print('', 'capinfos', await best(1, [['capinfos', '-aceuxs', large]]));
