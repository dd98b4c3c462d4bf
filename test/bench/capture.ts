// `npm run bench:capture`: a million packets, beside capinfos and tshark: few long conversations of Redis, and 100,000
// short ones; then a file of 2 GB. Prints the finished rows of the table in docs/performance.md: for each line the least and the
// most of ROUNDS (3) rounds, CPU time (user and system together) first, then wall time on one core (taskset) and on all.
// NEIGHBOUR=1 keeps a core busy meanwhile. tshark's four runs are the runbook's, one after the other, once each.
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { FLAG, framed, pcap, START, tcp } from '../packets/packets.ts';

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
  /** User and system. */
  readonly cpu: number;
  readonly megabytes: number;
}

async function cost(words: readonly string[]): Promise<Cost> {
  const result = await execa('/usr/bin/time', ['-f', '%e %U %S %M', ...words], { stdout: 'ignore' });
  const [wall, user, system, kilobytes] = String(result.stderr)
    .trim()
    .split('\n')
    .at(-1)!
    .split(' ')
    .map(Number);
  return { wall: wall!, cpu: user! + system!, megabytes: kilobytes! / 1024 };
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

/** What several lines cost, one after the other. */
async function costOf(lines: readonly (readonly string[])[], pinned: boolean): Promise<Cost> {
  let sum: Cost = { wall: 0, cpu: 0, megabytes: 0 };
  for (const line of lines) {
    const each = await cost(pinned ? ['taskset', '-c', '0', ...line] : line);
    sum = {
      wall: sum.wall + each.wall,
      cpu: sum.cpu + each.cpu,
      megabytes: Math.max(sum.megabytes, each.megabytes),
    };
  }
  return sum;
}

/** Every round, on one core and on all. */
interface Rounds {
  readonly one: Cost[];
  readonly all: Cost[];
}

async function rounds(count: number, lines: readonly (readonly string[])[]): Promise<Rounds> {
  const made: Rounds = { one: [], all: [] };
  for (let round = 0; round < count; round += 1) {
    made.one.push(await costOf(lines, true));
    made.all.push(await costOf(lines, false));
  }
  return made;
}

/** `0.12`, or `0.12–0.15` where rounds differ. */
function range(values: readonly number[]): string {
  const text = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
  const [least, most] = [text(Math.min(...values)), text(Math.max(...values))];
  return least === most ? least : `${least}–${most}`;
}

/** How many times as much the other costs: the worst round against its best, and the reverse. */
function ratio(peer: readonly number[], ours: readonly number[]): string {
  return range([Math.min(...peer) / Math.max(...ours), Math.max(...peer) / Math.min(...ours)]);
}

const CORES = availableParallelism();

const print = (input: string, tool: string, { one, all }: Rounds, peer?: Rounds) => {
  const cpu = (each: Rounds) => [...each.one, ...each.all].map((cost) => cost.cpu);
  const wall = (costs: readonly Cost[]) => costs.map((cost) => cost.wall);
  const ours = { one, all };
  const cells = [
    input,
    tool,
    `${range(cpu(ours))} s`,
    `${range(wall(one))} s`,
    `${range(wall(all))} s`,
    `${Math.round(Math.max(...[...one, ...all].map(({ megabytes }) => megabytes)))} MB`,
    ...(peer
      ? [ratio(cpu(peer), cpu(ours)), ratio(wall(peer.one), wall(one)), ratio(wall(peer.all), wall(all))].map(
          (times) => `${times} ×`,
        )
      : ['', '', '']),
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
};

/** One run of each of both, as if one were made of them. */
const both = (some: Rounds, others: Rounds): Rounds => {
  const sums = (costs: readonly Cost[], more: readonly Cost[]) =>
    costs.map((each, at) => ({
      wall: each.wall + more[at % more.length]!.wall,
      cpu: each.cpu + more[at % more.length]!.cpu,
      megabytes: Math.max(each.megabytes, more[at % more.length]!.megabytes),
    }));
  return { one: sums(some.one, others.one), all: sums(some.all, others.all) };
};

await execa(process.execPath, [join(root, 'scripts/build.ts')]);
const neighbour = process.env.NEIGHBOUR
  ? execa('sh', ['-c', 'while :; do :; done'], { reject: false })
  : undefined;
try {
  process.stdout.write(
    `| input${neighbour ? ', one core busy' : ''} | tool | CPU time | wall, one core | wall, ${CORES} cores | memory | CPU time | one core | ${CORES} cores |\n${'| --- '.repeat(9)}|\n`,
  );
  for (const [name, path] of [
    ['1M packets, 50 long conversations', written('long.pcap', PACKETS, long(VALUE))],
    ['1M packets, 100,000 short ones', written('short.pcap', PACKETS, short)],
  ] as const) {
    const capinfos = await rounds(ROUNDS, [['capinfos', '-aceuxs', path]]);
    // One thread: on one core and on all it takes the same.
    const four = await costOf(seed(path), true);
    const tshark = both({ one: [four], all: [four] }, capinfos);
    const ours = (...words: string[]) => rounds(ROUNDS, [gkeprof(path, ...words)]);
    print(name, 'capinfos', capinfos);
    print('', 'gkeprof, summary', await ours('--format', 'tshark', '--show', 'summary'), capinfos);
    print('', 'capinfos and four runs of tshark', tshark);
    print('', 'gkeprof, the four parts', await ours('--format', 'tshark'), tshark);
    print('', 'gkeprof, the four as tables', await ours('--show', 'summary,ip,tcp,flags,syns'), tshark);
    print('', 'gkeprof, all with health and Redis', await ours(), tshark);
    print('', 'gkeprof, all rows (--all)', await ours('--all'), tshark);
  }
  const large = written('large.pcap', 4_000_000, long(`$1800\r\n${'v'.repeat(1800)}\r\n`));
  const capinfos = await rounds(1, [['capinfos', '-aceuxs', large]]);
  print('4M packets, 2.2 GB', 'capinfos', capinfos);
  print('', 'gkeprof, all with health and Redis', await rounds(1, [gkeprof(large)]));
} finally {
  neighbour?.kill();
}
