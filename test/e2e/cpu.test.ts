import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEBIAN } from '../cluster/images.ts';
import {
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  start,
  world,
} from './world.ts';

// What the kernel says about the same cgroups while a recording runs, read without us: test/node/cpu.test.ts has the other version.

const container = (name: string, command: readonly string[], limits = {}) => ({
  ...{ name, image: DEBIAN.reference, imagePullPolicy: 'IfNotPresent', command },
  resources: { limits: { memory: '32Mi', ...limits } },
});
const podOf = (name: string, containers: readonly object[]) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
    spec: {
      nodeName: world().nodes[0],
      terminationGracePeriodSeconds: 0,
      restartPolicy: 'Never',
      containers,
    },
  });

/** The folders of the container's cgroup in the trees of the two controllers, which may be the same one. */
async function cgroupsOf(pod: string, name: string): Promise<{ cpu: string; cpuacct: string }> {
  const { metadata, status } = JSON.parse(await kubectl(['get', 'pod', pod, '-n', NAMESPACE, '-o', 'json']));
  const id: string = status.containerStatuses
    .find((each: { name: string }) => each.name === name)
    .containerID.replace(/^.*:\/\//, '');
  const found = (tree: string): string => {
    const below = (readdirSync(tree, { recursive: true }) as string[]).find((each) =>
      each.endsWith(`pod${metadata.uid}/${id}`),
    );
    if (below === undefined) throw new Error(`no cgroup of ${id} below ${tree}`);
    return join(tree, below);
  };
  return { cpu: found('/sys/fs/cgroup/cpu/'), cpuacct: found('/sys/fs/cgroup/cpuacct/') };
}

interface Reading {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledSeconds: number;
  readonly usedSeconds: number;
}

function read({ cpu, cpuacct }: Awaited<ReturnType<typeof cgroupsOf>>): Reading {
  const stat = new Map(
    readFileSync(join(cpu, 'cpu.stat'), 'utf8')
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  return {
    at: Date.now(),
    periods: Number(stat.get('nr_periods')),
    throttledPeriods: Number(stat.get('nr_throttled')),
    throttledSeconds: Number(stat.get('throttled_time')) / 1e9,
    usedSeconds: Number(readFileSync(join(cpuacct, 'cpuacct.usage'), 'utf8')) / 1e9,
  };
}

const nearest = (readings: readonly Reading[], at: number): Reading =>
  readings.reduce((best, each) => (Math.abs(each.at - at) < Math.abs(best.at - at) ? each : best));

const SPIN = ['sh', '-c', 'while :; do :; done & while :; do :; done'];
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

describe('the line about the CPU', () => {
  leavesNothing();
  const output = outputFolder();

  beforeAll(async () => {
    const containers = [container('spin', SPIN, { cpu: '200m' }), container('quiet', ['sleep', '100000'])];
    await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], podOf('limited', containers));
    await kubectl(['wait', '-n', NAMESPACE, 'pod/limited', '--for=condition=Ready', '--timeout=120s']);
  });
  afterAll(async () => {
    await kubectl(['delete', '-n', NAMESPACE, 'pod/limited', '--now']);
  });

  it('agrees with cpu.stat of a container at its limit, within 3 points', async () => {
    const cgroups = await cgroupsOf('limited', 'spin');
    const readings: Reading[] = [];
    const clock = setInterval(() => readings.push(read(cgroups)), 10);
    const run = await gkeprof([
      ...['flamegraph', 'limited', '-c', 'spin', '-n', NAMESPACE, '--duration', '15s'],
      ...['--output-dir', output.path(), '-o', 'json', '-v'],
    ]).finally(() => clearInterval(clock));
    expect(run.code).toBe(0);
    const { cpu, startedAt } = JSON.parse(run.stdout);
    const begin = nearest(readings, Date.parse(startedAt));
    const end = nearest(readings, Date.parse(startedAt) + 1000 * cpu.seconds);
    const seconds = (end.at - begin.at) / 1000;
    const points = (ours: number, theirs: number) => Math.abs(100 * (ours - theirs));
    const shown = JSON.stringify({ cpu, begin, end });
    expect(cpu, shown).toMatchObject({
      limitCores: 0.2,
      throttling: { by: 'container', container: 'spin', limitCores: 0.2 },
      threads: 2,
      threadsEnded: 0,
    });
    // Each thread is read a moment before or after its container. In between its threads may use up at most the quota of one
    // period (20 ms), at the begin and at the end of the recording.
    expect(Math.abs(1 - cpu.runQueueCoverage) * cpu.usedSeconds, shown).toBeLessThan(2 * 0.02);
    expect(
      points(cpu.usedSeconds / cpu.seconds, (end.usedSeconds - begin.usedSeconds) / seconds),
      shown,
    ).toBeLessThan(3);
    const { periods, throttledPeriods } = cpu.throttling;
    expect(periods).toBeGreaterThan(100);
    expect(
      points(
        throttledPeriods / periods,
        (end.throttledPeriods - begin.throttledPeriods) / (end.periods - begin.periods),
      ),
      shown,
    ).toBeLessThan(3);
    expect(
      points(cpu.throttledSeconds / cpu.seconds, (end.throttledSeconds - begin.throttledSeconds) / seconds),
      shown,
    ).toBeLessThan(3);
    // Two threads that want to run all the time wait whenever they do not run.
    expect(points((cpu.runQueueSeconds + cpu.usedSeconds) / (2 * cpu.seconds), 1), shown).toBeLessThan(3);
    const line =
      /by the kernel's counters, 0\.\d+ of 0\.20 cores: throttled in \d+ % of periods, [\d.]+ s; waited [\d.]+ s for a CPU/;
    expect(oneLine(run.stderr)).toMatch(line);
    const picture = output.files().find((file) => file.endsWith('.svg'))!;
    expect(readFileSync(join(output.path(), picture), 'utf8')).toMatch(line);
  });

  it('names the container that does the work, when an idle one was recorded: exit 4', async () => {
    const run = await gkeprof([
      ...['flamegraph', 'limited', '-c', 'quiet', '-n', NAMESPACE, '--duration', '2s'],
      ...['--output-dir', output.path()],
    ]);
    expect(run.code).toBe(4);
    expect(oneLine(run.stderr)).toMatch(
      /0 samples: container quiet of pod\/limited was idle, it used \d+ ms of CPU time in \S+; container spin of the same pod used [\d.]+ m?s: profile that one with -c spin/,
    );
  });

  it('says that the target ended, when there are no samples because of that: exit 4', async () => {
    const command = ['sh', '-c', 'until [ -e /tmp/end ]; do sleep 1000; done'];
    await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], podOf('brief', [container('brief', command)]));
    try {
      await kubectl(['wait', '-n', NAMESPACE, 'pod/brief', '--for=condition=Ready', '--timeout=120s']);
      const { cpu } = await cgroupsOf('brief', 'brief');
      const pids = () =>
        readFileSync(join(cpu, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
      const run = start([
        ...['flamegraph', 'brief', '-n', NAMESPACE, '--duration', '20s', '--output-dir', output.path()],
      ]);
      let said = '';
      run.stderr!.on('data', (text) => {
        said += text;
      });
      await eventually(
        async () => said,
        (text) => text.includes('capturing for'),
      );
      for (const pid of pids()) process.kill(pid, 'SIGKILL');
      const { exitCode, stderr } = await run;
      expect(oneLine(String(stderr))).toMatch(
        /0 samples: (?:pod\/brief ended after|all processes of pod\/brief had ended before the recording did)/,
      );
      expect(exitCode).toBe(4);
    } finally {
      await kubectl(['delete', '-n', NAMESPACE, 'pod/brief', '--now']);
    }
  });
});
