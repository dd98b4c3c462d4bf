// `npm run bench:profile [RAW]`: raw stacks → folded, raw → SVG and folded → SVG, beside inferno, each the best of ROUNDS (5) runs
// in turn. RAW is perf script text; without it this machine is recorded for 20 s while it works. The inputs are made
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
  readonly user: number;
  readonly megabytes: number;
}

/** Seconds and peak memory of a shell line, by GNU time. */
async function cost(line: string): Promise<Cost> {
  const result = await execa('/usr/bin/time', ['-f', '%e %U %M', 'sh', '-c', line], { stdout: 'ignore' });
  const [wall, user, kilobytes] = String(result.stderr).trim().split('\n').at(-1)!.split(' ').map(Number);
  return { wall: wall!, user: user!, megabytes: kilobytes! / 1024 };
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
  await writeFile(path, pods.flat().join(''));
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

const seconds = (value: number) => `${value.toFixed(2)} s`;

async function compare(
  title: string,
  ours: string,
  peers: ReadonlyArray<readonly [string, string]>,
): Promise<void> {
  const lines = [['gkeprof', ours] as const, ...peers];
  const best = lines.map(() => ({ wall: Infinity, user: Infinity, megabytes: 0 }));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [at, [, line]] of lines.entries()) {
      const got = await cost(line);
      const mine = best[at]!;
      mine.wall = Math.min(mine.wall, got.wall);
      mine.user = Math.min(mine.user, got.user);
      mine.megabytes = Math.max(mine.megabytes, got.megabytes);
    }
  const us = best[0]!;
  for (const [at, [name]] of lines.entries()) {
    const { wall, user, megabytes } = best[at]!;
    const ratio = at === 0 ? '' : `${(wall / us.wall).toFixed(2)} / ${(user / us.user).toFixed(2)}`;
    process.stdout.write(
      `| ${at === 0 ? title : ''} | ${name} | ${seconds(wall)} | ${seconds(user)} | ${Math.round(megabytes)} MB | ${ratio} |\n`,
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

process.stdout.write(
  '| input | tool | wall | user | memory | gkeprof is faster by (wall / user) |\n| --- | --- | --- | --- | --- | --- |\n',
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
await compare(`recording repeated, ${size(large)}`, fold(large), [
  ['inferno -n 1', collapse(1, large)],
  ['inferno -n 2', collapse(2, large)],
]);
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
