// Programs whose shares of CPU time are known, recorded by each way to walk a stack. A few of them here; `npm run test:stacks`
// records all of them by all ways and prints the table. GKEPROF_TEST_STACKS and GKEPROF_TEST_WAYS choose some (`c-fp,python`, `fp`).
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ensureProgramsImage } from '../cluster/programs.ts';
import {
  commandMicroseconds,
  type Measured,
  measure,
  type Parts,
  type Row,
  readSpent,
  renderTable,
  worstDifference,
} from '../stacks/measure.ts';
import { PARTS, PROGRAMS, type Program, TRUTH, WAYS, type Way, wordsOf } from '../stacks/programs.ts';
import { eventually, gkeprof, kubectl, leavesNothing, NAMESPACE, outputFolder, world } from './world.ts';

/** Of a list in the environment, each word one of those that there are: a mistyped one would test nothing. */
function choose<T extends string>(variable: string, known: readonly T[]): readonly T[] | undefined {
  const words = process.env[variable]?.split(',');
  const unknown = words?.filter((word) => !known.includes(word as T)) ?? [];
  if (unknown.length > 0) throw new Error(`${variable}: ${unknown} is not one of ${known}`);
  return words as readonly T[] | undefined;
}

const MORE = ['neighbour', 'twins', 'redis'];
const chosen = choose('GKEPROF_TEST_STACKS', ['all', ...MORE, ...PROGRAMS.map(({ name }) => name)]);
const all = chosen?.includes('all');
const isChosen = (name: string, quick = false) => (chosen ? all || chosen.includes(name) : quick);
const programs = PROGRAMS.filter(({ name, quick }) => isChosen(name, quick));
const chosenWays = choose('GKEPROF_TEST_WAYS', WAYS);
// fp comes first: what auto finds is compared with it.
const ways = WAYS.filter((way) => !chosenWays || chosenWays.includes(way)).toSorted(
  (a, b) => Number(b === 'fp') - Number(a === 'fp'),
);

/** More often than users sample, so that a few seconds are enough samples. */
const HZ = 499;
const LEAST_SAMPLES = 1000;
/** As many are aimed at, because what a program gets of the CPUs changes. */
const AIM_SAMPLES = 2000;
/** Percentage points. */
const TOLERANCE = 3;
const LEAST_KNOWN = 0.95;

/** Commands whose last step may be a jump into the function that does the work: it is then the one in the stack. */
const REDIS_PARTS: Parts = {
  get: /^get(Generic)?Command(\.|$)/,
  set: /^set(Generic)?Command(\.|$)/,
  lrange: /^(lrangeCommand|addList\w*RangeReply)(\.|$)/,
  hgetall: /^(h|genericH)getallCommand(\.|$)/,
};

/** Three clients at once, each with one kind of load, for as long as the pod lives. */
const REDIS_LOAD = `until redis-cli ping; do sleep 0.1; done
for i in $(seq 200); do echo "rpush list element-$i"; echo "hset hash field-$i value-$i"; done | redis-cli >/dev/null
bench() { while :; do redis-benchmark -q -c 2 -P 8 -n 100000 "$@" >/dev/null; done; }
bench -t set,get & bench lrange list 0 99 & bench hgetall hash & wait`;

/** Redis shares the two CPUs with its clients. */
const REDIS_SECONDS = 15;

let image = '';
const pods: string[] = [];
const rows: Row[] = [];

/** Keeps a row for the table; in a long run it is printed at once too, so that an interrupted one leaves what it has found. */
function report(row: Row): void {
  rows.push(row);
  if (chosen) process.stdout.write(renderTable([row]).split('\n')[1]!.concat('\n'));
}

interface Container {
  readonly name: string;
  readonly command: readonly string[];
  readonly image?: string;
}

/** A pod of its own on the first node, by default of the programs' image; removed after the test. */
async function runPod(name: string, containers: readonly Container[], restartPolicy = 'Always') {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: world().nodes[0],
      restartPolicy,
      terminationGracePeriodSeconds: 1,
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      containers: containers.map((each) => ({
        image,
        imagePullPolicy: 'IfNotPresent',
        // Otherwise it would get next to nothing beside pods that request some.
        resources: { requests: { cpu: '250m' } },
        ...each,
      })),
    },
  };
  await kubectl(['create', '-n', NAMESPACE, '-f', '-'], JSON.stringify(pod));
  pods.push(name);
  await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${name}`, '--timeout=300s']);
}

/**
 * Until a program has printed what it has spent: by then an interpreter has read it, and a JIT compiled it. Returns how many
 * seconds of a recording give enough samples, which is a matter of how busy the machine is.
 */
async function warm(pod: string, container = ''): Promise<number> {
  const words = container === '' ? [] : ['-c', container];
  const read = async () => readSpent(await kubectl(['logs', '-n', NAMESPACE, pod, ...words]));
  const spent = await eventually(read, (found) => found !== undefined);
  expect(spent, `${pod} prints nothing`).toBeDefined();
  return Math.min(90, Math.max(4, Math.ceil(AIM_SAMPLES / HZ / spent!.cores)));
}

const inPod = (pod: string, ...words: string[]) => kubectl(['exec', '-n', NAMESPACE, pod, '--', ...words]);

describe('stacks', () => {
  leavesNothing();
  const output = outputFolder();

  // The first time it is built, which takes minutes.
  beforeAll(async () => {
    image = await ensureProgramsImage();
  }, 1_800_000);
  afterEach(async () => {
    if (pods.length > 0)
      await kubectl(['delete', 'pod', '-n', NAMESPACE, '--ignore-not-found', '--wait', ...pods.splice(0)]);
  });
  afterAll(() => {
    if (chosen) process.stdout.write(`\n${renderTable(rows)}\n`);
  });

  interface Recording {
    /** The way that it was really recorded by. */
    readonly by: string;
    readonly folded: string;
    readonly raw: string;
    readonly bytes: number;
    /** Every file that was written, decompressed, by its name. */
    readonly files: ReadonlyMap<string, string>;
    readonly stdout: string;
  }

  async function record(
    target: string,
    label: string,
    seconds: number,
    words: readonly string[],
    codes: readonly number[] = [0],
  ): Promise<Recording> {
    const folder = join(output.path(), label);
    const run = await gkeprof([
      ...['flamegraph', target, '-n', NAMESPACE, '--duration', `${seconds}s`, '--frequency', String(HZ)],
      ...['--format', 'svg,folded,json,speedscope,pprof', '-o', 'json', '--output-dir', folder, ...words],
    ]);
    expect(codes, run.stderr).toContain(run.code);
    const result = JSON.parse(run.stdout) as {
      stacks: { way: string };
      files: Array<{ role: string; path: string }>;
    };
    const text = (path: string) => {
      const bytes = readFileSync(path);
      return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
    };
    const of = (role: string) => result.files.find((file) => file.role === role)!.path;
    return {
      by: result.stacks.way,
      folded: text(of('folded')),
      raw: text(of('stacks')),
      bytes: statSync(of('stacks')).size,
      files: new Map(result.files.map(({ path }) => [path, text(path)])),
      stdout: run.stdout,
    };
  }

  /** A way that was asked for, and the one that it came to. */
  const asked = (way: Way, by: string) => (way === by ? way : `${way}: ${by}`);

  /** What is wrong with a recording of a program whose functions have to be named. */
  function faultsOf(measured: Measured, truth: Readonly<Record<string, number>>): string[] {
    const worst = worstDifference(measured.shares, truth);
    return [
      ...(measured.samples < LEAST_SAMPLES ? [`${measured.samples} samples`] : []),
      ...(measured.known < LEAST_KNOWN ? [`the function is in ${(measured.known * 100).toFixed(1)} %`] : []),
      ...(worst > TOLERANCE ? [`${worst.toFixed(1)} points from the true shares`] : []),
    ];
  }

  /** Whoever lets us choose gets no fewer names than by frame pointers. The two are different recordings. */
  function lessThanByFp(program: string, { known }: Measured): string[] {
    const byFp = rows.find((row) => row.program === program && row.way === 'fp')?.measured.known;
    return byFp !== undefined && known < byFp - TOLERANCE / 100
      ? [`the function is in ${(known * 100).toFixed(1)} %, and by fp in ${(byFp * 100).toFixed(1)} %`]
      : [];
  }

  async function recordProgram(program: Program, way: Way, pod: string): Promise<string[]> {
    const { name, namedBy, nameless, endsAfter = 0, meanwhile } = program;
    // Of AIM_SAMPLES at HZ per second of CPU time: how much longer it takes until the program has ended.
    const seconds = Math.ceil((await warm(pod)) * Math.max(1, (endsAfter * HZ) / AIM_SAMPLES));
    // A target that ended is incomplete, although nothing of it is missing.
    const codes = name === 'container-ends' ? [0, 5] : [0];
    const recording = record(`pod/${pod}`, `${name}-${way}`, seconds, wordsOf(way), codes);
    if (meanwhile) {
      // In the middle of the recording, which takes a second or two to begin.
      await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / 2 + 1500));
      await inPod(pod, 'sh', '-c', meanwhile);
    }
    const { folded, bytes, by } = await recording;
    const log = await kubectl(['logs', '-n', NAMESPACE, pod]);
    const spent = readSpent(log)?.shares ?? {};
    const measured = measure(folded, PARTS);
    const required = nameless === true || namedBy.includes(way);
    report({ program: name, way: asked(way, by), measured, truth: TRUTH, bytes, required });
    const wrong = folded.split('\n').filter((line) => /other_\w+/.test(line));
    return [
      ...(worstDifference(spent, TRUTH) > 0.5 ? [`it has spent ${JSON.stringify(spent)}`] : []),
      ...(endsAfter && !log.includes('ended') ? ['it did not end'] : []),
      ...(wrong.length > 0 ? [`names of another program: ${wrong[0]}`] : []),
      ...(nameless && measured.known > 0 ? ['names that the file does not have'] : []),
      ...(nameless && measured.samples < LEAST_SAMPLES ? [`${measured.samples} samples`] : []),
      ...(namedBy.includes(way) ? faultsOf(measured, TRUTH) : []),
      ...(way === 'auto' ? lessThanByFp(name, measured) : by === way ? [] : [`it was recorded by ${by}`]),
    ].map((fault) => `${name} by ${way}: ${fault}`);
  }

  it.each(programs)('of $name are what it has spent', async (program) => {
    const { name, command, endsAfter, meanwhile } = program;
    // One that ends or is replaced is no more what it was for the next way.
    const needsOwn = endsAfter !== undefined || meanwhile !== undefined;
    const faults: string[] = [];
    for (const way of ways) {
      const pod = needsOwn ? `program-${name}-${way}` : `program-${name}`;
      if (!pods.includes(pod))
        await runPod(pod, [{ name: 'program', command }], endsAfter ? 'Never' : 'Always');
      faults.push(...(await recordProgram(program, way, pod)));
      if (needsOwn) await kubectl(['delete', 'pod', '-n', NAMESPACE, '--wait', ...pods.splice(0)]);
    }
    expect(faults).toEqual([]);
  });

  it.runIf(isChosen('neighbour', true))(
    'of a pod have nothing of the pod beside it, in any file',
    async () => {
      await runPod('target', [{ name: 'program', command: ['/programs/c-fp'] }]);
      await runPod('beside', [{ name: 'program', command: ['/programs/neighbour'] }]);
      const seconds = await warm('target');
      for (const way of ways) {
        const [{ files, stdout, folded }, beside] = (await Promise.all(
          ['target', 'beside'].map((pod) => record(`pod/${pod}`, `${pod}-${way}`, seconds, wordsOf(way))),
        )) as [Recording, Recording];
        expect(measure(folded, PARTS).known).toBeGreaterThan(LEAST_KNOWN);
        expect(files.size).toBe(7);
        for (const [path, text] of [...files, ['stdout', stdout] as const])
          expect(text.includes('not_yours_neighbour'), path).toBe(false);
        // It was there to be seen.
        const parts: Parts = { neighbour: /^not_yours_neighbour$/ };
        expect(measure(beside.folded, parts).known).toBeGreaterThan(LEAST_KNOWN);
      }
    },
  );

  it.runIf(isChosen('twins'))(
    'of two containers of one image are told apart, and named in both',
    async () => {
      const command = ['/programs/c-fp'];
      await runPod('twins', [
        { name: 'a', command },
        { name: 'b', command },
      ]);
      const seconds = await warm('twins', 'b');
      // Lost samples are told with the pid 0, because nobody knows whose they were.
      const pids = (raw: string) =>
        new Set([...raw.matchAll(/^\S.*?\s([1-9]\d*)\/\d+\s+\[/gm)].map(([, pid]) => pid));
      for (const way of ways) {
        const both = await record('pod/twins', `twins-${way}`, seconds, wordsOf(way));
        const one = await record('pod/twins', `twin-${way}`, seconds, ['-c', 'b', ...wordsOf(way)]);
        expect([pids(both.raw).size, pids(one.raw).size]).toEqual([2, 1]);
        expect(pids(both.raw)).toContain([...pids(one.raw)][0]);
        for (const [program, { folded, bytes }] of Object.entries({ twins: both, twin: one })) {
          const measured = measure(folded, PARTS);
          report({ program, way, measured, truth: TRUTH, bytes, required: true });
          expect(faultsOf(measured, TRUTH), `${program} by ${way}`).toEqual([]);
        }
      }
    },
  );

  it.runIf(isChosen('redis'))(
    'of Debian’s Redis name the command in as many samples as those of a Redis with frame pointers do',
    async () => {
      const { redisFp, redisStock } = world().images;
      const withPointers = await recordRedis('redis-fp', redisFp, 'fp', true);
      const faults: string[] = [];
      for (const way of ways) {
        const required = way !== 'fp';
        const measured = await recordRedis('redis-stock', redisStock, way, required);
        const less = (withPointers.known - measured.known) * 100;
        if (required && Math.abs(less) > TOLERANCE)
          faults.push(`by ${way}: a command in ${less.toFixed(1)} points less of the samples`);
      }
      expect(faults).toEqual([]);
    },
  );

  /** A Redis under a steady mix of commands. The truth about them is what it has counted itself meanwhile. */
  async function recordRedis(name: string, from: string, way: Way, required: boolean): Promise<Measured> {
    const pod = `${name}-${way}`;
    await runPod(pod, [
      { name: 'redis', image: from, command: ['redis-server', '--save', '', '--protected-mode', 'no'] },
      { name: 'load', image: from, command: ['sh', '-c', REDIS_LOAD] },
    ]);
    const info = () => inPod(pod, 'redis-cli', 'info', 'commandstats');
    await eventually(info, (text) => (commandMicroseconds(text).lrange ?? 0) > 1e6);
    const before = commandMicroseconds(await info());
    const { folded, bytes, by } = await record(`pod/${pod}`, pod, REDIS_SECONDS, [
      '-c',
      'redis',
      ...wordsOf(way),
    ]);
    const after = commandMicroseconds(await info());
    await kubectl(['delete', 'pod', '-n', NAMESPACE, '--wait', ...pods.splice(0)]);
    const spent = Object.keys(REDIS_PARTS).map((each) => [each, after[each]! - before[each]!] as const);
    const sum = spent.reduce((total, [, us]) => total + us, 0);
    const truth = Object.fromEntries(spent.map(([each, us]) => [each, us / sum]));
    const measured = measure(folded, REDIS_PARTS);
    report({ program: name, way: asked(way, by), measured, truth, bytes, required });
    if (required) {
      expect(measured.samples).toBeGreaterThanOrEqual(LEAST_SAMPLES);
      expect(worstDifference(measured.shares, truth), `${name} by ${way}`).toBeLessThan(TOLERANCE);
    }
    return measured;
  }
});
