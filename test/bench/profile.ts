// `npm run bench:profile [RAW]`: raw stacks → folded, raw → SVG and folded → SVG, beside inferno, ROUNDS (5) times in turn, on two
// cores and on one. A figure is how many times longer the peer takes, from the least to the most of the rounds; above 1 we are faster. RAW is perf script text; without it this machine is recorded for 20 s while it works. The inputs are made
// of it: as it is, repeated to 1 GB, and one made up in which nearly every stack is new.

import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { infernoBin } from './inferno.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kubectl-gkeprof-test/bench');
mkdirSync(folder, { recursive: true });

interface Cost {
  readonly wall: number;
  /** User and system time of all of its threads and processes. */
  readonly cpu: number;
  readonly megabytes: number;
}

/** Where the commands may run: threads that hide work show on one core, and in the CPU time. */
const PLACES = [
  ['two cores', []],
  ['one core', ['taskset', '-c', '0']],
] as const;

/** Seconds and peak memory of a shell line, by GNU time. */
async function cost(line: string, place: readonly string[]): Promise<Cost> {
  const [command, ...words] = [...place, '/usr/bin/time', '-f', '%e %U %S %M', 'sh', '-c', line];
  const result = await execa(command!, words, { stdout: 'ignore' });
  const [wall, user, system, kilobytes] = String(result.stderr)
    .trim()
    .split('\n')
    .at(-1)!
    .split(' ')
    .map(Number);
  return { wall: wall!, cpu: user! + system!, megabytes: kilobytes! / 1024 };
}

async function record(): Promise<string> {
  const text = join(folder, 'recorded.txt');
  if (existsSync(text)) return text;
  process.stderr.write('recording this machine for 20 s\n');
  const data = join(folder, 'recorded.data');
  const work = execa(
    'sh',
    [
      '-c',
      `for i in 1 2 3 4 5 6; do ${root}/node_modules/.bin/tsc --noEmit -p ${root}; find / -xdev -name x >/dev/null 2>&1; done`,
    ],
    { reject: false },
  );
  await execa('perf', [
    'record',
    '-e',
    'cpu-clock',
    '-F',
    '4999',
    '-a',
    '-g',
    '-o',
    data,
    '--',
    'sleep',
    '20',
  ]);
  work.kill('SIGTERM');
  const fields = 'comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso';
  await execa('perf', ['script', '--header', '--no-inline', '-i', data, '-F', fields], {
    stdout: { file: text },
    buffer: false,
  });
  return text;
}

/** The file again and again, up to so many bytes. */
async function repeated(file: string, name: string, bytes: number): Promise<string> {
  const path = join(folder, name);
  if (existsSync(path) && statSync(path).size >= bytes) return path;
  const out = createWriteStream(path);
  for (let written = 0; written < bytes; written += statSync(file).size)
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
      if (!out.write(chunk)) await once(out, 'drain');
  out.end();
  await once(out, 'finish');
  return path;
}

/** Folded stacks of 25 pods that do the same: sorted, as stackcollapse-perf.pl and inferno write them. */
async function ofPods(folded: string): Promise<string> {
  const path = join(folder, 'pods.folded');
  const lines = (await readFile(folded, 'utf8')).split('\n').filter(Boolean);
  const pods = Array.from({ length: 25 }, (_, pod) => lines.map((line) => `redis-${10 + pod};${line}\n`));
  await writeFile(
    path,
    pods.map((each) => Buffer.from(each.join(''))),
  );
  return path;
}

/** 100 MB in which nearly every stack is new: 30 frames of 4,000 functions by chance, the first ten of few. */
async function mostlyNew(): Promise<string> {
  const path = join(folder, 'mostly-new.txt');
  if (existsSync(path)) return path;
  const out = createWriteStream(path);
  let state = 42;
  const chance = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let sample = 0, bytes = 0; bytes < 100e6; sample += 1) {
    const lines = [
      `worker-${chance(16)} ${100 + chance(16)}/200 [00${chance(2)}] ${(1000 + sample / 999).toFixed(6)}:   10101010 cpu-clock: `,
    ];
    for (let depth = 0; depth < 30; depth += 1) {
      const number = chance(depth > 20 ? 6 : 4000);
      lines.push(
        `\t    55d0${(0x10000000 + number * 512).toString(16)} service::module_${number % 60}::function_${number}+0x${(number % 256).toString(16)} (/usr/bin/service)`,
      );
    }
    const text = `${lines.join('\n')}\n\n`;
    bytes += text.length;
    if (!out.write(text)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
  return path;
}

/** The least and the most of several figures. */
const range = (values: readonly number[]): string => {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((each) => each.toFixed(2));
  return least === most ? least! : `${least}–${most}`;
};

/**
 * Runs the commands in turn, ROUNDS times on two cores and on one, and prints for each peer how many times longer it took
 * than ours did in the same round: wall on both, and CPU time of the rounds of both.
 */
async function compare(
  title: string,
  ours: string,
  peers: ReadonlyArray<readonly [string, string]>,
  rounds = ROUNDS,
): Promise<void> {
  const lines = [ours, ...peers.map(([, line]) => line)];
  const got = lines.map(() => new Map<string, Cost[]>(PLACES.map(([name]) => [name, []])));
  for (let round = 0; round < rounds; round += 1)
    for (const [name, place] of PLACES)
      for (const [at, line] of lines.entries()) got[at]!.get(name)!.push(await cost(line, place));
  const all = (at: number) => PLACES.flatMap(([name]) => got[at]!.get(name)!);
  const memory = (at: number) => Math.round(Math.max(...all(at).map(({ megabytes }) => megabytes)));
  const wall = got[0]!.get('two cores')!.map((each) => each.wall);
  for (const [at, [peer]] of peers.entries()) {
    const walls = PLACES.map(([name]) =>
      range(got[at + 1]!.get(name)!.map((each, round) => each.wall / got[0]!.get(name)![round]!.wall)),
    );
    const cpu = range(all(at + 1).map((each, run) => each.cpu / all(0)[run]!.cpu));
    process.stdout.write(
      `| ${at === 0 ? `${title}: ${range(wall)} s` : ''} | ${peer} | ${[...walls, cpu].join(' | ')} | ${memory(0)} / ${memory(at + 1)} MB |\n`,
    );
  }
}

await execa('node', ['scripts/build.ts'], { cwd: root });
const inferno = await infernoBin();
const raw = process.argv[2] ?? (await record());
const gkeprof = `node ${root}/dist/kubectl-gkeprof render`;
const fold = (file: string) =>
  `${gkeprof} ${file} --weight period --format folded --output - 2>&1 >/dev/null`;
const collapse = (n: number, file = '') => `${inferno}/inferno-collapse-perf -n ${n} ${file} 2>/dev/null`;
const size = (file: string) => `${Math.round(statSync(file).size / 1e6)} MB`;

// Somebody else who works: NEIGHBOUR=1 keeps one processor busy beside the commands.
const neighbour = process.env.NEIGHBOUR
  ? execa('sh', ['-c', 'while :; do :; done'], { reject: false })
  : undefined;
process.stdout.write(
  '| input, and our time | peer | wall, two cores | wall, one core | CPU time | memory, ours / its |\n| --- | --- | --- | --- | --- | --- |\n',
);
await compare(`recording, ${size(raw)}`, fold(raw), [
  ['inferno -n 1', collapse(1, raw)],
  ['inferno -n 2', collapse(2, raw)],
]);
const packed = `${raw}.gz`;
if (!existsSync(packed)) await execa('sh', ['-c', `gzip -1k ${raw}`]);
await compare(`the same, .gz, ${size(packed)}`, fold(packed), [
  ['gzip -dc, inferno -n 1', `gzip -dc ${packed} | ${collapse(1)}`],
]);
const fresh = await mostlyNew();
await compare(`mostly new stacks, ${size(fresh)}`, fold(fresh), [['inferno -n 1', collapse(1, fresh)]]);
const large = await repeated(raw, 'large.txt', 1e9);
await compare(
  `recording repeated, ${size(large)}`,
  fold(large),
  [
    ['inferno -n 1', collapse(1, large)],
    ['inferno -n 2', collapse(2, large)],
  ],
  Math.min(ROUNDS, 2),
);
for (const file of [raw, fresh])
  await compare(
    `${file === raw ? 'recording' : 'mostly new stacks'} → SVG, ${size(file)}`,
    `${gkeprof} ${file} --weight period --format svg --output - 2>&1 >/dev/null`,
    [
      [
        'inferno -n 1, inferno-flamegraph',
        `${collapse(1, file)} | ${inferno}/inferno-flamegraph 2>/dev/null`,
      ],
    ],
  );
const foldedOf = async (file: string, name: string) => {
  const path = join(folder, name);
  await execa('sh', ['-c', `${collapse(1, file)} > ${path}`]);
  return path;
};
const recording = await foldedOf(raw, 'recording.folded');
for (const [title, folded] of [
  ['folded', recording],
  ['folded, 25 pods', await ofPods(recording)],
  ['folded, mostly new stacks', await foldedOf(fresh, 'mostly-new.folded')],
] as const)
  await compare(
    `${title} → SVG, ${size(folded)}`,
    `${gkeprof} ${folded} --format svg --output - 2>&1 >/dev/null`,
    [['inferno-flamegraph', `${inferno}/inferno-flamegraph ${folded} 2>/dev/null`]],
  );
neighbour?.kill('SIGKILL');
