// Where the time of threads goes, beside what programs know about themselves.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GroupFacts, WaitsFacts } from '../../src/waits/facts.ts';
import { faults } from '../schemas.ts';
import {
  captures,
  createNamespace,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  outputFolder,
  start,
  world,
} from './world.ts';

const SPACE = 'gkeprof-e2e-waits';
const WAITER = readFileSync(new URL('../programs/waiter.pl', import.meta.url), 'utf8');

interface Container {
  readonly name: string;
  readonly command: readonly string[];
  readonly image?: string;
  readonly cpuLimit?: string;
  /** Without one, a container gets next to nothing on a busy machine. */
  readonly cpuRequest?: string;
}

const pod = (
  name: string,
  node: 0 | 1 | undefined,
  containers: readonly Container[],
  labels: Readonly<Record<string, string>> = {},
) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: SPACE, labels },
  spec: {
    ...(node === undefined
      ? { nodeSelector: { 'no-such-label': 'true' } }
      : { nodeName: world().nodes[node] }),
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    containers: containers.map(({ name: container, command, image, cpuLimit, cpuRequest }) => ({
      name: container,
      image: image ?? world().images.debian,
      imagePullPolicy: 'IfNotPresent',
      command,
      resources: {
        ...(cpuLimit !== undefined && { limits: { cpu: cpuLimit } }),
        ...(cpuRequest !== undefined && { requests: { cpu: cpuRequest } }),
      },
      volumeMounts: [
        { name: 'programs', mountPath: '/programs' },
        { name: 'data', mountPath: '/data' },
      ],
    })),
    volumes: [
      { name: 'programs', configMap: { name: 'programs' } },
      { name: 'data', emptyDir: {} },
    ],
  },
});

const perl = (...words: string[]) => ['perl', '/programs/waiter.pl', ...words];
/** Runs all the time on one CPU. `exec` gives it the name. */
const spinner = (name: string) => [
  ...['taskset', '-c', '1', 'perl', '-e'],
  `$0 = '${name}'; while (1) { for (1 .. 1000) {} }`,
];
const REDIS = ['redis-server', '--save', '', '--protected-mode', 'no', '--io-threads', '50'];

const apply = (...objects: object[]) =>
  kubectl(['apply', '-f', '-'], objects.map((each) => JSON.stringify(each)).join('\n---\n'));
const ready = (...names: string[]) =>
  kubectl([
    ...['wait', '-n', SPACE, '--for=condition=Ready', '--timeout=240s'],
    ...names.map((name) => `pod/${name}`),
  ]);
const ipOf = (name: string) => kubectl(['get', 'pod', '-n', SPACE, name, '-o', 'jsonpath={.status.podIP}']);

const SERVERS = [0, 1, 2, 3, 4].map((number) => `server-${number}`);
/** The one that the worker asks. */
const PEER = 'server-3';

beforeAll(async () => {
  await createNamespace(SPACE);
  await apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'programs', namespace: SPACE },
      data: { 'waiter.pl': WAITER },
    },
    ...SERVERS.map((name) => pod(name, 1, [{ name: 'server', command: perl('serve', '7000', '30') }])),
    pod(
      'quiet',
      0,
      [{ name: 'redis', image: world().images.redisStock, command: REDIS, cpuRequest: '500m' }],
      { app: 'fleet' },
    ),
    pod('nowhere', undefined, [{ name: 'sleeper', command: ['sleep', '100000'] }], { app: 'fleet' }),
  );
  await ready(...SERVERS, 'quiet');
  const [peer, redis] = [await ipOf(PEER), await ipOf('quiet')];
  await apply(
    // Only one of its containers has a limit, so the pod as a whole has none.
    pod('worker', 0, [
      {
        name: 'app',
        command: perl(
          ...['work', 'sleep=20', `peer=${peer}:7000`, 'lock=10', 'disk=5', 'file=/data/file', 'spin=30'],
        ),
        cpuLimit: '200m',
      },
      { name: 'side', command: ['sleep', '100000'] },
    ]),
    pod('blocked', 1, [
      {
        name: 'client',
        image: world().images.redisStock,
        command: ['redis-cli', '-h', redis, 'blpop', 'nothing', '0'],
      },
    ]),
  );
  await ready('worker', 'blocked');
});
afterAll(async () => {
  await kubectl(['delete', 'namespace', SPACE, '--wait=false']);
});

type Reported = WaitsFacts & { readonly finding: string };
interface Result {
  readonly target: { readonly name: string };
  readonly waits: Reported;
  readonly files: ReadonlyArray<{ readonly role: string; readonly path: string }>;
}

const groupOf = ({ groups }: WaitsFacts, name: string): GroupFacts => {
  const found = groups.find((group) => group.name === name);
  expect(found, `${name} among ${groups.map((group) => group.name)}`).toBeDefined();
  return found!;
};

/** What the worker knows of itself, in µs since its start, at a time in ms since 1970. */
async function logOf(): Promise<ReadonlyArray<{ at: number; figures: Record<string, number> }>> {
  const lines = (await kubectl(['logs', '-n', SPACE, 'worker', '-c', 'app', '--timestamps'])).split('\n');
  return lines.flatMap((line) => {
    const [, time, json] = /^(\S+) (\{.*\})$/.exec(line) ?? [];
    return json === undefined ? [] : [{ at: Date.parse(time!), figures: JSON.parse(json) }];
  });
}

describe('waits of a program that knows what it waits for', () => {
  leavesNothing();
  const output = outputFolder();

  it('has its shares, names the right one of five peers, and says how much was throttled', async () => {
    const begun = await eventually(logOf, (log) => log.length > 2);
    expect(begun.length).toBeGreaterThan(2);
    const run = await gkeprof([
      ...['waits', 'pod/worker', '-c', 'app', '-n', SPACE, '--output-dir', output.path()],
      ...['--duration', '40s', '-o', 'json'],
    ]);
    expect(run.code, run.stderr).toBe(0);
    const result = JSON.parse(run.stdout) as Result;
    expect(faults('waits', result)).toEqual([]);
    const { waits } = result;
    const worker = groupOf(waits, 'worker');

    const log = await logOf();
    const from = Date.parse(waits.startedAt!);
    const nearest = (time: number) =>
      log.reduce((one, other) => (Math.abs(other.at - time) < Math.abs(one.at - time) ? other : one)).figures;
    const [first, last] = [nearest(from), nearest(from + 1000 * waits.seconds)];
    const known = (...names: string[]) =>
      names.reduce((sum, name) => sum + last[name]! - first[name]!, 0) / (last.wall! - first.wall!);
    const { shares } = worker;
    // Three points; on a busy machine the sampler looks less often, and then five standard deviations of so few looks.
    const looks = waits.seconds * waits.looksPerSecond.lowest;
    const near = (real: number) => Math.max(0.03, 5 * Math.sqrt((real * (1 - real)) / looks));
    const wrong = Object.entries({
      running: [shares.running, known('run')],
      'throttled and queued': [shares.throttled + shares.queued, known('delay')],
      network: [shares.network, known('peer')],
      lock: [shares.lock, known('lock')],
      disk: [shares.disk, known('disk')],
      sleep: [shares.sleep, known('sleep')],
    }).filter(([, [found, real]]) => !(Math.abs(found! - real!) < near(real!)));
    expect(wrong, JSON.stringify({ shares, looks: waits.looksPerSecond })).toEqual([]);
    expect(Object.values(shares).reduce((sum, each) => sum + each)).toBeCloseTo(1, 4);

    const peers = worker.waits.filter(({ peer }) => peer !== undefined);
    expect(peers.map(({ peer }) => peer)).toEqual([
      { name: `pod/${PEER}`, address: await ipOf(PEER), port: 7000, protocol: 'tcp', direction: 'out' },
    ]);
    const [limit, ...others] = waits.throttling;
    expect(others).toEqual([]);
    expect(limit).toMatchObject({ container: 'app', limitCores: 0.2 });
    expect(limit!.throttledPeriods).toBeGreaterThan(0);
    // The kernel's time is that of all threads of the container: the worker's is nearly all of it, and never more.
    expect(Math.abs(shares.throttled - limit!.throttledSeconds / waits.seconds)).toBeLessThan(0.03);
    expect(waits.finding).toMatch(
      /^What stands out: the thread worker spent .*throttled by the CPU limit of 200m/,
    );
    expect(waits.finding).toContain(`waiting for pod/${PEER}:7000 (network)`);
  });
});

describe('waits of several pods', () => {
  leavesNothing();
  const output = outputFolder();
  const inFolder = () => ['-n', SPACE, '--output-dir', output.path()];

  it('tells idle from blocked, and shows a pool as one row', async () => {
    const run = await gkeprof([
      ...['waits', 'pods', 'quiet', 'blocked', ...inFolder()],
      ...['--duration', '10s', '-o', 'json'],
    ]);
    expect(run.code, run.stderr).toBe(0);
    const data = JSON.parse(run.stdout) as { readonly captures: readonly Result[] };
    expect(faults('waits', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'WaitsOfPods', failed: [] });
    const of = (name: string) => data.captures.find(({ target }) => target.name === name)!.waits;

    const quiet = of('quiet');
    const redis = groupOf(quiet, 'redis-server').shares;
    // On a busy machine it may stand in the queue each time that it looks at its clock.
    expect(redis.idle + redis.queued + redis.running, JSON.stringify(redis)).toBeGreaterThan(0.98);
    expect(redis.idle).toBeGreaterThan(0.1);
    expect(groupOf(quiet, 'io_thd_N').threads).toBe(49);
    if (redis.queued < 0.05)
      expect(quiet.finding).toMatch(
        /^No wait stands out: for (?:9\d|100)\.\d % of the time the threads were idle/,
      );

    const blocked = of('blocked');
    const [wait] = groupOf(blocked, 'redis-cli').waits;
    expect(wait).toMatchObject({
      category: 'network',
      peer: { name: 'pod/quiet', port: 6379, direction: 'out' },
    });
    expect(wait!.share).toBeGreaterThan(0.95);
    expect(blocked.finding).toContain('waiting for pod/quiet:6379 (network)');
  });

  it('tells the queue of a CPU from throttling, and names who had the CPU', async () => {
    await apply(
      pod('victim', 0, [{ name: 'victim', command: spinner('victim'), cpuRequest: '500m' }]),
      pod('greedy', 0, [{ name: 'greedy', command: spinner('greedy'), cpuRequest: '500m' }]),
    );
    await ready('victim', 'greedy');
    const words = ['waits', 'pod/victim', ...inFolder(), '--duration', '10s', '-o', 'json'];
    const run = await gkeprof(words);
    await kubectl(['delete', 'pod', '-n', SPACE, 'victim', 'greedy', '--now']);
    expect(run.code, run.stderr).toBe(0);
    // Two threads that always want the same CPU get halves of it, or less if others want it too.
    const victim = (JSON.parse(run.stdout) as Result).waits;
    const { shares } = groupOf(victim, 'victim');
    expect(shares.queued).toBeGreaterThan(0.3);
    expect(shares.running + shares.queued).toBeGreaterThan(0.97);
    // Programs outside of pods may have had more of it. The names of threads of other pods are not recorded.
    const others = victim.ranInstead.filter(
      ({ container }) => container !== undefined && container !== 'victim',
    );
    expect(others[0]).toMatchObject({ pod: 'pod/greedy', container: 'greedy' });
    expect(victim.finding).toMatch(
      /^What stands out: the thread victim spent \d+\.\d % in the queue of a CPU \(for /,
    );
  });

  it('keeps what was recorded if a pod cannot be, with exit code 5', async () => {
    const run = await gkeprof(['waits', '-l', 'app=fleet', ...inFolder(), '--duration', '2s']);
    expect(run.code, run.stderr).toBe(5);
    expect(run.stderr).toMatch(/warning: pod "nowhere" in namespace "\S+" is left out/);
    expect(run.stdout).toMatch(/^Pod \S+\/quiet on \S+\n\nPROCESS +THREADS +COUNT /);
    expect(output.files()).toHaveLength(3);
  });

  it('prints tables, writes a page, and reads the recording again with the same names', async () => {
    const run = await gkeprof(['waits', 'pod/blocked', ...inFolder(), '--duration', '2s']);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^THREADS +COUNT +.*NETWORK/);
    expect(run.stdout).toMatch(/\nredis-cli +network +\d+\.\d % +to pod\/quiet:6379\n/);
    const [recording] = output.files().filter((name) => name.endsWith('.waits.txt.gz'));
    const page = readFileSync(join(output.path(), recording!.replace(/txt\.gz$/, 'html')), 'utf8');
    expect(page).toContain('pod/quiet:6379');
    const receipt = join(output.path(), recording!.replace(/waits\.txt\.gz$/, 'receipt.json'));
    expect(faults('receipt', JSON.parse(readFileSync(receipt, 'utf8')))).toEqual([]);
    expect((await gkeprof(['verify', receipt])).code).toBe(0);
    const again = await gkeprof(['render', join(output.path(), recording!), '--output-dir', output.path()]);
    expect(again.code, again.stderr).toBe(0);
    const tables = (text: string) => text.slice(0, text.indexOf('\n\n', text.indexOf('What stands out')));
    expect(tables(again.stdout)).toBe(tables(run.stdout));
  });

  it('goes on without the command, and sessions collect gets the file', async () => {
    const run = await gkeprof([
      'waits',
      'pod/blocked',
      ...inFolder().slice(0, 2),
      '--duration',
      '2s',
      '--detach',
      '-o',
      'json',
    ]);
    expect(run.code, run.stderr).toBe(0);
    const { session } = JSON.parse(run.stdout) as { readonly session: string };
    const collected = await gkeprof(['sessions', 'attach', session, '--output-dir', output.path()]);
    expect(collected.code, collected.stderr).toBe(0);
    expect(collected.stderr).toMatch(/see it: kubectl gkeprof render \S+\.waits\.txt\.gz/);
    const [recording] = output.files().filter((name) => name.endsWith('.waits.txt.gz'));
    const rendered = await gkeprof([
      'render',
      join(output.path(), recording!),
      '--output-dir',
      output.path(),
    ]);
    expect(rendered.stdout).toMatch(/\nredis-cli +network +\d+\.\d % +to pod\/quiet:6379\n/);
  });

  it('keeps what was recorded until Ctrl-C', async () => {
    const run = start(['waits', 'pod/blocked', ...inFolder(), '--duration', '10m']);
    await captures(run);
    run.kill('SIGINT');
    const { exitCode, stdout, stderr } = await run;
    expect(exitCode, String(stderr)).toBe(0);
    expect(String(stdout)).toMatch(/\nredis-cli +network +\d+\.\d % +to pod\/quiet:6379\n/);
    expect(String(stderr)).toContain('(interrupted)');
  });

  it('works with only the privileges that it needs', async () => {
    const run = await gkeprof([
      ...['waits', 'pod/blocked', ...inFolder(), '--duration', '3s', '--least-privilege', '-o', 'json'],
    ]);
    expect(run.code, run.stderr).toBe(0);
    const { waits } = JSON.parse(run.stdout) as Result;
    expect(groupOf(waits, 'redis-cli').waits[0]).toMatchObject({ peer: { name: 'pod/quiet' } });
  });
});
