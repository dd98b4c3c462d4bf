// Several targets at once: one debug pod on each node, one recorder in it for each pod.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faults } from '../schemas.ts';
import {
  debugPods,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  outputFolder,
  start,
  world,
} from './world.ts';

const SPACE = 'gkeprof-e2e-many';
/**
 * Each pod loads itself: with GET, but the one with the file /tmp/odd with LPOS of an element that a long list does not have. It
 * costs Redis much and its client nothing: Redis is busy up to its limit, however the machine shares out the rest.
 */
const LOAD = `until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done
redis-cli rpush mylist $(seq 1 5000) >/dev/null
while :; do
  if [ -e /tmp/odd ]; then redis-benchmark -q -c 2 -n 300 lpos mylist none >/dev/null
  else redis-benchmark -q -c 2 -n 1000 -t get >/dev/null; fi
done`;
const LABELS = { app: 'fleet' };

const deployment = () => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'fleet', namespace: SPACE },
  spec: {
    replicas: 4,
    selector: { matchLabels: LABELS },
    template: {
      metadata: { labels: LABELS },
      spec: {
        terminationGracePeriodSeconds: 0,
        enableServiceLinks: false,
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: LABELS },
          },
        ],
        containers: [
          {
            name: 'redis',
            image: world().images.redisFp,
            imagePullPolicy: 'IfNotPresent',
            command: ['redis-server', '--save', '', '--protected-mode', 'no'],
            resources: { limits: { cpu: '100m' } },
          },
          {
            name: 'load',
            image: world().images.redisFp,
            imagePullPolicy: 'IfNotPresent',
            command: ['sh', '-c', LOAD],
            resources: { limits: { cpu: '100m' } },
          },
        ],
      },
    },
  },
});

const service = () => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'fleet', namespace: SPACE },
  spec: { selector: LABELS, ports: [{ port: 6379 }] },
});

/** Of a Deployment that no node takes. */
const pending = () => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'nowhere', namespace: SPACE, labels: LABELS },
  spec: {
    nodeSelector: { 'no-such-label': 'true' },
    containers: [{ name: 'sleeper', image: world().images.debian, command: ['sleep', '100000'] }],
  },
});

const fleet = async (): Promise<ReadonlyArray<{ name: string; node: string }>> =>
  (
    await kubectl([
      ...['get', 'pods', '-n', SPACE, '-l', 'app=fleet,pod-template-hash', '--sort-by=.metadata.name'],
      ...['-o', 'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}'],
    ])
  )
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .map(([name, node]) => ({ name: name!, node: node! }));

const apply = (...objects: object[]) =>
  kubectl(['apply', '-f', '-'], objects.map((each) => JSON.stringify(each)).join('\n---\n'));

beforeAll(async () => {
  await kubectl(['create', 'namespace', SPACE]);
  await apply(deployment(), service());
  await kubectl(['rollout', 'status', '-n', SPACE, 'deploy/fleet', '--timeout=120s']);
  const [odd] = await fleet();
  await kubectl(['exec', '-n', SPACE, odd!.name, '-c', 'load', '--', 'touch', '/tmp/odd']);
  // Its last GETs may take seconds under its limit: it is odd when it runs LPOS.
  const stats = ['exec', '-n', SPACE, odd!.name, '-c', 'redis', '--', 'redis-cli', 'info', 'commandstats'];
  expect(
    await eventually(
      () => kubectl(stats),
      (text) => /^cmdstat_lpos:/m.test(text),
    ),
  ).toContain('lpos');
}, 180_000);
afterAll(async () => {
  await kubectl(['delete', 'namespace', SPACE, '--wait=false']);
});

describe('flamegraph of several pods', () => {
  leavesNothing();
  const output = outputFolder();
  const inFolder = () => ['-n', SPACE, '--output-dir', output.path()];

  it('records a deployment on two nodes with one debug pod each, and names the pod that differs', async () => {
    const pods = await fleet();
    expect(new Set(pods.map(({ node }) => node)).size).toBe(2);
    const words = ['flamegraph', 'deploy/fleet', '-c', 'redis', ...inFolder()];
    const run = start([...words, '--duration', '10s', '-o', 'json']);
    const most = new Set<string>();
    let isOver = false;
    const watched = (async () => {
      while (!isOver) {
        for (const pod of await debugPods()) most.add(pod);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    })();
    const { stdout, stderr, exitCode } = await run;
    isOver = true;
    await watched;
    expect(exitCode, String(stderr)).toBe(0);
    expect(most.size).toBe(2);
    const data = JSON.parse(String(stdout));
    expect(faults('flamegraph', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'FlameGraphs', failed: [] });
    expect(data.captures.map((each: { target: { name: string } }) => each.target.name).sort()).toEqual(
      pods.map(({ name }) => name),
    );
    const [first, ...others] = data.pods;
    expect(first, JSON.stringify(data.pods)).toMatchObject({ name: pods[0]!.name, comparison: 'differs' });
    expect(first.differences.map(({ name }: { name: string }) => name).join()).toMatch(/lpos|list/i);
    for (const { comparison } of others) expect(comparison).toBe('alike');
    // What perf saw and what the kernel counted are the same time.
    for (const { name, coresBusy, countedCores } of data.pods)
      expect(Math.abs(coresBusy - countedCores), name).toBeLessThan(0.03);
    const merged = output.files().filter((name) => name.endsWith('.flamegraph.svg'));
    expect(merged).toHaveLength(1);
    const picture = readFileSync(join(output.path(), merged[0]!), 'utf8');
    for (const { name } of pods) expect(picture).toContain(`${SPACE}/${name}`);
    expect(output.files().filter((name) => name.endsWith('.perf-script.txt.gz'))).toHaveLength(4);
    expect(output.files().filter((name) => name.endsWith('.receipt.json'))).toHaveLength(4);
  });

  it('shows a table to people, and draws each pod with --split', async () => {
    const [one, two] = await fleet();
    const words = ['flamegraph', 'pods', one!.name, two!.name, ...inFolder()];
    const run = await gkeprof([...words, '--duration', '3s', '-c', 'redis', '--split']);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^POD +NODE +SAMPLES +CORES +THROTTLED +DIFFERS/m);
    expect(run.stdout).toContain(one!.name);
    expect(output.files().filter((name) => name.endsWith('.flamegraph.svg'))).toHaveLength(3);
  });

  it('leaves a pod out that is on no node, says why, and keeps the others: exit 5', async () => {
    await apply(pending());
    try {
      const run = await gkeprof(['flamegraph', '-l', 'app=fleet', ...inFolder(), '--duration', '2s']);
      expect(run.code, run.stderr).toBe(5);
      expect(run.stderr).toContain('pod "nowhere" in namespace "gkeprof-e2e-many" is left out');
      expect(output.files().filter((name) => name.endsWith('.perf-script.txt.gz'))).toHaveLength(4);
      const words = ['flamegraph', 'pod/nowhere', ...inFolder(), '--duration', '2s'];
      const named = await gkeprof([...words, (await fleet())[0]!.name]);
      expect(named.code, named.stderr).toBe(5);
      expect(named.stderr).toContain('pod "nowhere" in namespace "gkeprof-e2e-many" is left out');
      const alone = await gkeprof(words);
      expect(alone.code, alone.stderr).toBe(3);
    } finally {
      await kubectl(['delete', 'pod', '-n', SPACE, 'nowhere', '--grace-period=0', '--force']);
    }
  });

  it('lists many pods and asks for --max-targets, before anything is created', async () => {
    const run = await gkeprof([
      ...['flamegraph', 'pods', '-A', '--max-targets', '3', '--output-dir', output.path()],
    ]);
    expect(run.code, run.stderr).toBe(2);
    expect(run.stderr).toMatch(/^NAMESPACE +POD +NODE/m);
    expect(run.stderr).toMatch(/hint: .*--max-targets \d+/);
    expect(output.files()).toEqual([]);
  });

  it('keeps all with Ctrl-C, and says what went while it recorded', async () => {
    const run = start(['flamegraph', 'svc/fleet', ...inFolder(), '--duration', '60s']);
    let said = '';
    run.stderr!.on('data', (text) => {
      said += text;
    });
    await eventually(
      async () => said,
      (text) => (text.match(/capturing 2 pods for/g) ?? []).length === 2,
    );
    const before = (await fleet()).map(({ name }) => name);
    const gone = before[3]!;
    await kubectl(['delete', 'pod', '-n', SPACE, gone, '--wait=false']);
    await eventually(
      async () => (await fleet()).map(({ name }) => name),
      (names) => !names.includes(gone) && names.some((name) => !before.includes(name)),
    );
    run.kill('SIGINT');
    const { exitCode, stderr } = await run;
    expect(exitCode, String(stderr)).toBe(5);
    expect(String(stderr)).toContain(gone);
    expect(String(stderr)).toMatch(/pod fleet-\S+ appeared during the capture/);
    expect(output.files().filter((name) => name.endsWith('.perf-script.txt.gz'))).toHaveLength(4);
    await kubectl(['rollout', 'status', '-n', SPACE, 'deploy/fleet', '--timeout=60s']);
  });

  it('goes on without its command, and is collected from elsewhere', async () => {
    const began = await gkeprof([
      ...['flamegraph', 'deploy/fleet', '-n', SPACE, '--duration', '3s', '--keep', '2m'],
      ...['--detach', '-o', 'name'],
    ]);
    expect(began.code, began.stderr).toBe(0);
    const ids = began.stdout.split('\n').filter(Boolean);
    expect(ids).toHaveLength(2);
    const listed = await gkeprof(['sessions', '-o', 'json']);
    expect(JSON.parse(listed.stdout).sessions.map(({ target }: { target: string }) => target)).toEqual([
      '2 pods',
      '2 pods',
    ]);
    for (const id of ids) {
      const got = await gkeprof(['sessions', 'attach', id, '--output-dir', output.path(), '-o', 'json']);
      expect(got.code, got.stderr).toBe(0);
      const data = JSON.parse(got.stdout);
      expect(faults('sessions', data)).toEqual([]);
      expect(data.captures).toHaveLength(2);
    }
    expect(output.files().filter((name) => name.endsWith('.perf-script.txt.gz'))).toHaveLength(4);
  });
});

describe('pcap of several pods', () => {
  leavesNothing();
  const output = outputFolder();

  it('makes one pcapng with an interface for each, in true order, and counts what both saw once', async () => {
    const pods = await fleet();
    const one = pods[0]!;
    const two = pods.find(({ node }) => node !== one.node)!;
    const address = await kubectl(['get', 'pod', '-n', SPACE, two.name, '-o', 'jsonpath={.status.podIP}']);
    const words = ['redis-benchmark', '-h', address, '-q', '-c', '2', '-n', '200000', '-t', 'get'];
    const load = execa(world().kubectl, ['exec', '-n', SPACE, one.name, '-c', 'load', '--', ...words], {
      env: { KUBECONFIG: world().admin },
      reject: false,
    });
    const run = await gkeprof([
      ...['pcap', one.name, two.name, '-n', SPACE, '--output-dir', output.path()],
      ...['--duration', '4s', '-o', 'json', '--analyze', '--', 'host', address, 'and', 'port', '6379'],
    ]);
    load.kill();
    expect(run.code, run.stderr).toBe(0);
    const data = JSON.parse(run.stdout);
    expect(faults('pcap', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'PacketCaptures', failed: [] });
    expect(output.files()).toHaveLength(2);
    const [file, receipt] = data.files.map(({ path }: { path: string }) => path);
    const { stdout: facts } = await execa('capinfos', ['-M', '-c', '-o', file]);
    const sum = data.interfaces.reduce((all: number, each: { packets: number }) => all + each.packets, 0);
    expect(facts).toMatch(new RegExp(`Number of packets: +${sum}$`, 'm'));
    expect(facts).toMatch(/Strict time order: +True/);
    const { stdout: named } = await execa('tshark', [
      '-r',
      file,
      '-T',
      'fields',
      '-e',
      'frame.interface_name',
    ]);
    for (const { name, packets } of data.interfaces)
      expect(
        named.split('\n').filter((line) => line === name),
        name,
      ).toHaveLength(packets);
    expect(data.interfaces.map(({ name }: { name: string }) => name).sort()).toEqual(
      [one, two].map(({ name }) => `${SPACE}/${name}`).sort(),
    );
    // Both nodes are this machine, so their clocks are one.
    const [offset] = data.clockOffsets;
    expect(Math.abs(offset.offsetNs)).toBeLessThanOrEqual(offset.boundNs);
    expect(data.analysis.redis).toBeTruthy();
    const analyzed = await gkeprof(['analyze', file, '-o', 'json', '--show', 'tcp']);
    expect(analyzed.stdout).toContain(one.name);
    expect(analyzed.stdout).toContain(two.name);
    expect((await gkeprof(['verify', receipt])).code).toBe(0);
  });

  it('records several nodes as one picture and one file of packets, and ps lists the processes of each', async () => {
    const [one, two] = world().nodes;
    const run = await gkeprof([
      ...['pcap', `node/${one}`, `node/${two}`, '--output-dir', output.path(), '--duration', '3s'],
      ...['-o', 'json', '--', 'tcp'],
    ]);
    expect(run.code, run.stderr).toBe(0);
    const data = JSON.parse(run.stdout);
    expect(faults('pcap', data)).toEqual([]);
    expect(data.interfaces.map(({ name }: { name: string }) => name).sort()).toEqual([one, two].sort());
    const graph = await gkeprof([
      ...['flamegraph', 'nodes', one!, two!, '--output-dir', output.path(), '--duration', '3s', '-o', 'json'],
    ]);
    expect(graph.code, graph.stderr).toBe(0);
    const profiles = JSON.parse(graph.stdout);
    expect(faults('flamegraph', profiles)).toEqual([]);
    expect(profiles.pods.map(({ name }: { name: string }) => name).sort()).toEqual([one, two].sort());
    const ps = await gkeprof(['ps', 'nodes', one!, two!, '-o', 'json']);
    expect(ps.code, ps.stderr).toBe(0);
    const nodes = new Set(JSON.parse(ps.stdout).processes.map(({ node }: { node: string }) => node));
    expect([...nodes].sort()).toEqual([one, two].sort());
  });

  it('keeps the file of each pod with --split', async () => {
    const [one, two] = await fleet();
    const words = ['pcap', `pod/${one!.name}`, `pod/${two!.name}`, '-n', SPACE, '--split'];
    const run = await gkeprof([...words, '--duration', '2s', '--output-dir', output.path()]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^NAMESPACE +POD +NODE +PACKETS +DROPPED +SIZE/m);
    expect(output.files().filter((name) => name.endsWith('.pcap.gz'))).toHaveLength(2);
    expect(output.files().filter((name) => name.endsWith('.pcapng.gz'))).toHaveLength(1);
  });
});
