import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faults } from '../schemas.ts';
import { gkeprof, kubectl, leavesNothing, NAMESPACE, outputFolder, type Run, world } from './world.ts';

/** Redis as Debian builds it, and the one of test/cluster with frame pointers, each with a container that makes its load. */
const PODS = { stock: 'ways-stock', fp: 'ways-fp' } as const;

const podOf = (name: string, image: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    nodeName: world().nodes[1],
    terminationGracePeriodSeconds: 1,
    enableServiceLinks: false,
    containers: [
      ['redis', 'redis-server', '--save', '', '--protected-mode', 'no'],
      ['load', 'sleep', 'infinity'],
    ].map(([container, ...command]) => ({
      name: container,
      image,
      imagePullPolicy: 'IfNotPresent',
      command,
    })),
  },
});

/**
 * Commands whose time is spent in the code of Redis itself: the C library has no frame pointers in either image. Each takes
 * about a millisecond, so that little is left for the network, whose share differs from run to run.
 */
const COMMANDS = {
  keys: 'keys none:*',
  lpos: 'lpos list none',
  lcs: 'lcs one other len',
  bitcount: 'bitcount big',
} as const;
const LUA = ["eval 'local s = 0 for i = 1, 20000 do s = s + i end return s' 0"];

const DATA = `
until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done
redis-cli flushall >/dev/null
i=0
{ while [ $i -lt 15000 ]; do echo "set key:$i $i"; echo "rpush list value-$i"; i=$((i + 1)); done; } | redis-cli >/dev/null
redis-cli set one "$(head -c 700 /dev/zero | tr '\\0' a)" >/dev/null
redis-cli set other "$(head -c 700 /dev/zero | tr '\\0' b)" >/dev/null
redis-cli setrange big 10000000 x >/dev/null
`;

const execIn = (pod: string, script: string) =>
  kubectl(['exec', '-n', NAMESPACE, pod, '-c', 'load', '--', 'sh', '-c', script]);

/** Microseconds that Redis spent in each command since the last time it was asked. */
async function commandTimes(pod: string): Promise<Map<string, number>> {
  const text = await execIn(pod, 'redis-cli info commandstats; redis-cli config resetstat >/dev/null');
  return new Map(
    [...text.matchAll(/^cmdstat_(\w+):calls=\d+,usec=(\d+)/gm)].map(([, name, usec]) => [
      name!,
      Number(usec),
    ]),
  );
}

describe('--call-graph', () => {
  leavesNothing();
  const output = outputFolder();

  beforeAll(async () => {
    const { redisStock, redisFp } = world().images;
    const pods = [podOf(PODS.stock, redisStock), podOf(PODS.fp, redisFp)];
    await kubectl(['apply', '-f', '-'], pods.map((pod) => JSON.stringify(pod)).join('\n---\n'));
    const names = Object.values(PODS).map((name) => `pod/${name}`);
    await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', ...names, '--timeout=120s']);
    for (const name of Object.values(PODS)) await execIn(name, DATA);
  });
  afterAll(async () => {
    await kubectl([
      'delete',
      'pod',
      '-n',
      NAMESPACE,
      ...Object.values(PODS),
      '--ignore-not-found',
      '--wait=false',
    ]);
  });

  /** Records the pod under a load of these commands, one client each, and returns what Redis counted meanwhile. */
  async function record(pod: string, commands: readonly string[], words: readonly string[]) {
    const clients = commands.map(
      (each) =>
        `timeout 150 redis-benchmark -q -c 1 -n 100000000 ${each} >/dev/null 2>&1 & clients="$clients $!"`,
    );
    // dash has no jobs in a subshell, so `kill $(jobs -p)` would kill nobody.
    const wait = 'until [ -e /tmp/stop ]; do sleep 0.2; done; kill $clients';
    const load = execIn(pod, ['rm -f /tmp/stop', ...clients, wait].join('\n')).catch(() => {});
    const counts = `redis-cli info commandstats | grep -c '${commands.map((each) => `cmdstat_${each.split(' ')[0]}:`).join('\\|')}'`;
    await execIn(pod, `until [ "$(${counts})" = ${commands.length} ]; do sleep 0.2; done`);
    await commandTimes(pod);
    const run = await gkeprof([
      ...['flamegraph', `pod/${pod}`, '-c', 'redis', '-n', NAMESPACE, '--duration', '8s'],
      ...['--frequency', '997', '--format', 'folded', '--output-dir', output.path(), ...words],
    ]);
    const times = await commandTimes(pod);
    await execIn(pod, 'touch /tmp/stop');
    await load;
    expect(run.stderr).toContain('Results:');
    return { run, times, ...sharesOf(run.stdout) };
  }

  it('finds by DWARF in Debian’s Redis what frame pointers show in a Redis that has them', async () => {
    const commands = Object.values(COMMANDS);
    const dwarf = await record(PODS.stock, commands, ['--call-graph', 'dwarf']);
    const fp = await record(PODS.fp, commands, ['--call-graph', 'fp']);
    expect(dwarf.run.stderr).toContain('stacks: DWARF, 16 KiB');
    for (const { samples } of [dwarf, fp]) expect(samples).toBeGreaterThanOrEqual(1000);
    const ofCommands = /^[a-z]+Command\b/;
    const error = Math.hypot(dwarf.error(ofCommands), fp.error(ofCommands));
    expect(Math.abs(dwarf.share(ofCommands) - fp.share(ofCommands))).toBeLessThan(Math.max(0.03, 5 * error));
    // Redis itself counts how long each command took: of these four, each has its share of the samples. It counts by the clock, so
    // waits for a CPU are a further error where there are few samples.
    const known = Object.keys(COMMANDS).map((name) => dwarf.times.get(name) ?? 0);
    const all = known.reduce((sum, each) => sum + each);
    const named = dwarf.share(/^(keys|lpos|lcs|bitcount)Command\b/);
    for (const [at, name] of Object.keys(COMMANDS).entries()) {
      const own = new RegExp(`^${name}Command\\b`);
      const share = dwarf.share(own) / named;
      expect(Math.abs(share - known[at]! / all), name).toBeLessThan(Math.max(0.03, 7 * dwarf.error(own)));
    }
  });

  it('ends with the line that finds the missing callers, and the line keeps its word', async () => {
    // The Lua in Redis is built without frame pointers.
    const fp = await record(PODS.stock, LUA, ['--call-graph', 'fp']);
    expect(fp.run.stderr.replaceAll(/\n +/g, ' ')).toMatch(/% of the stacks end before the start/);
    const line = /^hint: to see the missing callers: kubectl gkeprof (.*)$/m.exec(fp.run.stderr)![1]!;
    expect(line).toMatch(/ --call-graph dwarf$/);
    const better = await record(PODS.stock, LUA, line.split(' ').slice(-2));
    for (const { samples } of [fp, better]) expect(samples).toBeGreaterThanOrEqual(1000);
    // evalCommand ends with a call of evalGenericCommand, which takes its place on the stack.
    expect(fp.share(/^evalGenericCommand\b/)).toBeLessThan(0.3);
    expect(better.share(/^evalGenericCommand\b/)).toBeGreaterThan(0.7);
  });

  it.each([
    ['of one debug pod', [`pod/${PODS.stock}`, `pod/${PODS.fp}`]],
    ['of two debug pods', [`pod/${PODS.fp}`, '--vs', `pod/${PODS.stock}`]],
  ])('finds the stacks of all targets in the way that one of them needs: %s', async (_, targets) => {
    const alone = await gkeprof([
      ...['flamegraph', `pod/${PODS.fp}`, '-c', 'redis', '-n', NAMESPACE, '--duration', '1s'],
      ...['--output-dir', output.path()],
    ]);
    expect(alone.stderr).toContain('stacks: frame pointers, because');
    let before: string[] = [];
    const record = () => {
      before = output.files();
      return gkeprof([
        ...['flamegraph', ...targets, '-c', 'redis', '-n', NAMESPACE, '--duration', '2s'],
        ...['--output-dir', output.path()],
      ]);
    };
    // A debug pod that is ready waits four seconds for the other one, which a busy node may start later.
    const tooLate = ({ stderr }: Run) => /^stacks of all targets: frame pointers, /m.test(stderr);
    let run = await record();
    for (let tries = 1; tries < 4 && tooLate(run); tries += 1) run = await record();
    const receipts = output
      .files()
      .filter((name) => name.endsWith('.receipt.json') && !before.includes(name))
      .map((name) => JSON.parse(readFileSync(join(output.path(), name), 'utf8')));
    expect(
      receipts.flatMap((receipt) => faults('receipt', receipt)),
      run.stderr,
    ).toEqual([]);
    const stacks = receipts.map(({ plan, capture }) => [plan.targets[0].name, capture.stacks]);
    expect(Object.fromEntries(stacks)).toEqual({
      [PODS.stock]: { way: 'ebpf', why: 'libraries' },
      [PODS.fp]: { way: 'ebpf', why: 'others' },
    });
    expect(run.stderr.match(/^stacks.*: eBPF, because/gm), run.stderr).toHaveLength(1);
  });

  it('records two pods of one node by eBPF at the same moment', async () => {
    const run = await gkeprof([
      ...['flamegraph', `pod/${PODS.stock}`, '--vs', `pod/${PODS.fp}`, '-n', NAMESPACE, '--duration', '2s'],
      ...['--call-graph', 'ebpf', '--output-dir', output.path()],
    ]);
    // An idle Redis may have no sample; what counts is that neither recording was refused.
    expect(run.stderr.match(/^Results:$/gm), run.stderr).toHaveLength(2);
    expect(run.stderr).not.toMatch(/^error: /m);
  });

  it('refuses eBPF where the image has no unwinder, and says why auto chose its way', async () => {
    const words = ['flamegraph', `pod/${PODS.stock}`, '-n', NAMESPACE, '--duration', '1s'];
    const folder = ['--output-dir', output.path()];
    const auto = await gkeprof([...words, ...folder]);
    expect(auto.stderr).toMatch(/^stacks: .*, because /m);
    const ebpf = await gkeprof([...words, ...folder, '--call-graph', 'ebpf'], { plainImage: true });
    expect(ebpf.stderr).toMatch(/error: .*has no gkeprof-unwinder/);
    expect(ebpf.code).toBe(4);
  });
});

/** The samples in the folded stacks that a command wrote, and the share of those that have such a function. */
function sharesOf(stdout: string) {
  const path = /^Folded stacks: +(.*)$/m.exec(stdout)![1]!;
  const stacks = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => ({
      frames: line.slice(0, line.lastIndexOf(' ')).split(';'),
      count: Number(line.split(' ').at(-1)),
    }));
  const sum = (some: typeof stacks) => some.reduce((total, { count }) => total + count, 0);
  const samples = sum(stacks);
  const share = (name: RegExp) =>
    sum(stacks.filter(({ frames }) => frames.some((frame) => name.test(frame)))) / samples;
  /** The standard error of a share: of few samples, which a busy machine has, it is large. */
  const error = (name: RegExp) => Math.sqrt((share(name) * (1 - share(name))) / samples);
  return { samples, share, error };
}
