// `npm run bench:stacks`: what a recording of a Redis pod costs that pod and the node, for each way to walk a stack. The same for
// `waits` and for `flamegraph --off-cpu`: `npm run bench:waits-cost`.
// redis-benchmark runs all the time. Its requests are counted over windows of a few seconds, by turns without and with a
// recording at 99 Hz, each with a recording against the mean of the windows before and after it: a machine that grows slower or
// faster favours neither. CPU time and memory of the debug pod are from its cgroup. The recording is detached, so that only what
// is on the node costs something. WAYS=fp,dwarf chooses ways, ROUNDS=3 the number of recordings, LOAD='-c 1 -t get' the load. Prints
// figures, asserts none.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensureCluster } from '../cluster/index.ts';
import { WAYS, wordsOf } from '../stacks/programs.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 10);
/** What can be recorded of a pod: with the verb `flamegraph` by a way to walk a stack, or waits. */
const RECORDINGS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(WAYS.map((way) => [way, ['flamegraph', ...wordsOf(way)]])),
  waits: ['waits'],
  'off-cpu': ['flamegraph', '--off-cpu'],
};
const named = process.argv.slice(2);
const ways = process.env.WAYS?.split(',') ?? (named.length > 0 ? named : WAYS);
const LOAD = process.env.LOAD?.split(' ') ?? ['-c', '8', '-t', 'lrange_100'];
/** Of a window, and how much longer the recording is. */
const SECONDS = 5;
const MARGIN = 4;
const NAMESPACE = 'gkeprof-bench-stacks';
const root = fileURLToPath(new URL('../..', import.meta.url));

await execa(process.execPath, [join(root, 'scripts/build.ts')]);
const cluster = await ensureCluster();
if (!cluster.owned) throw new Error('the figures come from the cgroups of a cluster on this machine');
const env = {
  KUBECONFIG: cluster.kubeconfig,
  PATH: [join(root, 'dist'), cluster.binDir, process.env.PATH].join(delimiter),
};
const folder = await mkdtemp(join(tmpdir(), 'gkeprof-bench-'));
const kubectl = async (words: readonly string[], input?: string) =>
  (await execa('kubectl', words, { env, ...(input === undefined ? {} : { input }) })).stdout;

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};

/** How many commands the server has answered, and when. */
async function answered(): Promise<{ readonly commands: number; readonly at: number }> {
  const text = await kubectl([
    ...['exec', '-n', NAMESPACE, 'redis', '-c', 'load', '--'],
    ...['redis-cli', 'info', 'stats'],
  ]);
  const commands = /^total_commands_processed:(\d+)/m.exec(text)?.[1];
  if (commands === undefined) throw new Error(`redis-cli printed something else:\n${text}`);
  return { commands: Number(commands), at: performance.now() };
}

/** Requests a second over one window. */
async function throughput(): Promise<number> {
  const before = await answered();
  await delay(SECONDS * 1000);
  const after = await answered();
  return (1000 * (after.commands - before.commands)) / (after.at - before.at);
}

/** The cgroups of a pod, one in each hierarchy. */
async function cgroupsOf(uid: string): Promise<string[]> {
  const { stdout } = await execa('find', [
    '/sys/fs/cgroup',
    '-type',
    'd',
    '-name',
    `*pod${uid.replaceAll('-', '[-_]')}*`,
  ]);
  return stdout.split('\n').filter(Boolean);
}

/** The first of these files that there is in one of the cgroups. */
async function readFirst(cgroups: readonly string[], ...names: string[]): Promise<string | undefined> {
  for (const name of names)
    for (const cgroup of cgroups) {
      const text = await readFile(join(cgroup, name), 'utf8').catch(() => undefined);
      if (text !== undefined) return text;
    }
  return undefined;
}

/** CPU seconds of a cgroup, by either version. */
async function cpuSeconds(cgroups: readonly string[]): Promise<number | undefined> {
  const v1 = await readFirst(cgroups, 'cpuacct.usage');
  if (v1 !== undefined) return Number(v1) / 1e9;
  const usec = /^usage_usec (\d+)$/m.exec((await readFirst(cgroups, 'cpu.stat')) ?? '')?.[1];
  return usec === undefined ? undefined : Number(usec) / 1e6;
}

/** CPU seconds of the tools that record (perf, perl for waits, or the unwinder) in these cgroups, from the scheduler. */
async function samplerSeconds(cgroups: readonly string[]): Promise<number> {
  const pids = new Set<string>();
  for (const cgroup of cgroups)
    for (const entry of await readdir(cgroup, { recursive: true }).catch(() => []))
      if (entry.endsWith('cgroup.procs'))
        for (const pid of (await readFile(join(cgroup, entry), 'utf8').catch(() => '')).split('\n'))
          if (pid !== '') pids.add(pid);
  let sum = 0;
  for (const pid of pids) {
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
    if (!/^(perf|perl|gkeprof-unwinder?)/.test(name)) continue;
    for (const task of await readdir(`/proc/${pid}/task`).catch(() => []))
      sum +=
        Number(
          (await readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8').catch(() => '0')).split(' ')[0],
        ) / 1e9;
  }
  return sum;
}

interface Cost {
  /** Requests a second while it is recorded. */
  readonly rate: number;
  /** Cores that the debug pod used while redis-benchmark ran, and of these its sampler. */
  readonly cores: number;
  readonly sampler: number;
  /** CPU seconds of its whole life, and the most memory that it has had, in MB. */
  readonly cpu: number;
  readonly memory: number;
}

async function recorded(way: string): Promise<Cost> {
  const recording = RECORDINGS[way];
  if (!recording) throw new Error(`${way} is not one of ${Object.keys(RECORDINGS)}`);
  const words = [
    ...[
      'gkeprof',
      ...recording,
      'pod/redis',
      '-c',
      'redis',
      '-n',
      NAMESPACE,
      '--image',
      cluster.images.tools,
    ],
    ...['--duration', `${SECONDS + MARGIN}s`, '--detach', '-o', 'name'],
  ];
  // The laptop's part is not of the node, and here it would take its time from the same two processors.
  const id = (await execa('kubectl', words, { env, stdin: 'ignore' })).stdout.trim();
  const selector = ['-l', `gkeprof.dev/session=${id}`, '-o', 'jsonpath={.items[0].metadata.uid}'];
  const uid = await kubectl(['get', 'pods', '-n', 'gkeprof', ...selector]);
  const cgroups = await cgroupsOf(uid);
  let ended = false;
  let cpu = 0;
  let memory = 0;
  // Its cgroup goes with the pod: what is read last before that is what it has used in all.
  const watching = (async () => {
    while (!ended) {
      cpu = Math.max(cpu, (await cpuSeconds(cgroups)) ?? 0);
      const most = await readFirst(cgroups, 'memory.max_usage_in_bytes', 'memory.peak');
      memory = Math.max(memory, Number(most ?? 0) / 1e6);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  const [cpuBefore, samplerBefore, began] = [
    await cpuSeconds(cgroups),
    await samplerSeconds(cgroups),
    performance.now(),
  ];
  const rate = await throughput();
  const seconds = (performance.now() - began) / 1000;
  const cpuAfter = await cpuSeconds(cgroups);
  if (cpuBefore === undefined || cpuAfter === undefined)
    throw new Error('the cgroup of the debug pod cannot be read');
  const cores = (cpuAfter - cpuBefore) / seconds;
  const sampler = ((await samplerSeconds(cgroups)) - samplerBefore) / seconds;
  if (seconds > SECONDS + MARGIN - 1) throw new Error('the recording ended before the window did');
  await execa('kubectl', ['gkeprof', 'sessions', 'attach', id, '--output-dir', folder], {
    env,
    stdin: 'ignore',
  });
  ended = true;
  await watching;
  return { rate, cores, sampler, cpu, memory };
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

await execa('kubectl', ['create', 'namespace', NAMESPACE], { env, reject: false });
try {
  await kubectl(['apply', '-f', '-'], await kubectl(['gkeprof', 'manifests']));
  const container = { image: cluster.images.redisStock, imagePullPolicy: 'IfNotPresent' };
  const server = ['redis-server', '--save', '', '--protected-mode', 'no'];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'redis' },
    spec: {
      nodeName: cluster.nodes[0],
      terminationGracePeriodSeconds: 1,
      enableServiceLinks: false,
      containers: [
        { ...container, name: 'redis', command: server },
        { ...container, name: 'load', command: ['sleep', '100000'] },
      ],
    },
  };
  await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], JSON.stringify(pod));
  await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', 'pod/redis', '--timeout=120s']);
  const words = ['redis-benchmark', '-l', '-q', ...LOAD];
  const load = execa('kubectl', ['exec', '-n', NAMESPACE, 'redis', '-c', 'load', '--', ...words], {
    env,
    stdout: 'ignore',
    reject: false,
  });
  await delay(3000);
  for (const way of ways) {
    const ratios: number[] = [];
    const costs: Cost[] = [];
    let before = await throughput();
    for (let round = 1; round <= ROUNDS; round += 1) {
      const cost = await recorded(way);
      const after = await throughput();
      const without = (before + after) / 2;
      before = after;
      costs.push(cost);
      ratios.push(cost.rate / without);
      process.stdout.write(
        `${way} ${round}: ${without.toFixed(0)} requests/s without, ${cost.rate.toFixed(0)} with: ratio ${ratios.at(-1)!.toFixed(3)}; ` +
          `debug pod ${percent(cost.cores)} of a core, of these its sampler ${percent(cost.sampler)}; ` +
          `${cost.cpu.toFixed(2)} CPU s and ${cost.memory.toFixed(0)} MB in all\n`,
      );
    }
    const mean = ratios.reduce((sum, each) => sum + each, 0) / ROUNDS;
    const variance = ratios.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, ROUNDS - 1);
    const of = (read: (cost: Cost) => number) => median(costs.map(read));
    process.stdout.write(
      `${way}, medians of ${ROUNDS}: ratio ${median(ratios).toFixed(3)} (mean ${mean.toFixed(3)} ± ${Math.sqrt(variance / ROUNDS).toFixed(3)}, aim: at least 0.98, for waits 0.99); ` +
        `debug pod ${percent(of(({ cores }) => cores))} of a core, beside its sampler ` +
        `${percent(of(({ cores, sampler }) => cores - sampler))} (aim for fp: under 1 %); ` +
        `${of(({ cpu }) => cpu).toFixed(2)} CPU s and ${of(({ memory }) => memory).toFixed(0)} MB in all\n`,
    );
  }
  load.kill();
} finally {
  await execa('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false'], { env, reject: false });
  await rm(folder, { recursive: true, force: true });
  if (cluster.started) await cluster.down();
}
