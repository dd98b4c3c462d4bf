import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gkeprof, kubectl, leavesNothing, outputFolder, world } from './world.ts';

const SPACE = 'gkeprof-e2e-by-pod';
const SPIN = 'while :; do :; done';
// Copies in short-lived processes: much of it is time in the kernel.
const COPY = 'while :; do dd if=/dev/zero of=/dev/null bs=64k count=500 2>/dev/null; done';

/** Loads in thousandths of a core by pod and container: each is held to its limit by the kernel. */
const LOADS: Readonly<
  Record<string, Readonly<Record<string, readonly [millicores: number, script: string]>>>
> = {
  half: { spin: [500, SPIN] },
  pair: { one: [200, SPIN], two: [300, COPY] },
  tenth: { spin: [100, SPIN] },
};

const podOf = (name: string, node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: SPACE },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 0,
    containers: Object.entries(LOADS[name] ?? { spin: [100, SPIN] }).map(
      ([container, [millicores, script]]) => ({
        name: container,
        image: world().images.debian,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', script],
        resources: { limits: { cpu: `${millicores}m`, memory: '64Mi' } },
      }),
    ),
  },
});

/** The files with the kernel's count of CPU time of every cgroup below a name, by the name of the cgroup's folder. */
function counters(folder: string, name: string, found: string[] = [], depth = 0): string[] {
  for (const each of readdirSync(folder, { withFileTypes: true })) {
    if (!each.isDirectory() || depth > 8) continue;
    const path = join(folder, each.name);
    if (each.name.replaceAll('_', '-').includes(name)) found.push(path);
    else counters(path, name, found, depth + 1);
  }
  return found;
}

/** CPU time of a cgroup in seconds; undefined where this hierarchy does not count it. */
function cpuSeconds(cgroup: string): number | undefined {
  const read = (file: string) => {
    try {
      return readFileSync(join(cgroup, file), 'utf8');
    } catch {
      return '';
    }
  };
  const nanoseconds = read('cpuacct.usage');
  if (nanoseconds) return Number(nanoseconds) / 1e9;
  const usage = /^usage_usec (\d+)$/m.exec(read('cpu.stat'))?.[1];
  return usage === undefined ? undefined : Number(usage) / 1e6;
}

interface Usage {
  readonly name: string;
  readonly coresBusy: number;
  readonly samples: number;
}
interface OwnerJson extends Usage {
  readonly kind: string;
  readonly podUid?: string;
  readonly containers: readonly Usage[];
}

describe('a node, by pod', () => {
  leavesNothing();
  const output = outputFolder();

  beforeAll(async () => {
    await kubectl(
      ['apply', '-f', '-'],
      `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${SPACE}"}}`,
    );
    const [node, other] = world().nodes;
    const pods = [...Object.keys(LOADS).map((name) => podOf(name, node)), podOf('far', other)];
    await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }));
    await kubectl(['wait', '-n', SPACE, '--for=condition=Ready', 'pod', '--all', '--timeout=120s']);
  });
  afterAll(() => kubectl(['delete', 'namespace', SPACE, '--wait=false']));

  it('has the cores of each pod and container within 3 points of the counters of their cgroups', async () => {
    const [node] = world().nodes;
    const pods = JSON.parse(await kubectl(['get', 'pods', '-n', SPACE, '-o', 'json'])).items as Array<{
      metadata: { name: string; uid: string };
      status: { containerStatuses: Array<{ name: string; containerID: string }> };
    }>;
    const files = new Map<string, string>();
    for (const { metadata, status } of pods) {
      const [pod] = counters('/sys/fs/cgroup', `pod${metadata.uid}`).filter(
        (each) => cpuSeconds(each) !== undefined,
      );
      files.set(metadata.name, pod!);
      for (const { name, containerID } of status.containerStatuses)
        files.set(`${metadata.name} ${name}`, counters(pod!, containerID.replace(/^.*\//, ''))[0]!);
    }
    // The kernel's counters all the while: which of them are of the recording is known when it has ended.
    const readings: Array<{ readonly at: number; readonly seconds: ReadonlyMap<string, number> }> = [];
    const stopped = new AbortController();
    const reading = (async () => {
      while (!stopped.signal.aborted) {
        readings.push({
          at: Date.now(),
          seconds: new Map([...files].map(([name, file]) => [name, cpuSeconds(file)!])),
        });
        await delay(100);
      }
    })();
    // Half a core has 7,485 samples then, with a standard error of at most 87 samples (less, for the kernel's periods are regular):
    // that is 0.6 points, and 3 points are five of them.
    const run = await gkeprof([
      ...['flamegraph', `node/${node}`, '-t', '30s', '--frequency', '499'],
      ...['--output-dir', output.path(), '-o', 'json'],
    ]);
    stopped.abort();
    await reading;
    expect(run.code, run.stderr).toBe(0);
    const { startedAt, profile } = JSON.parse(run.stdout);
    const from = Date.parse(startedAt);
    const to = from + profile.durationSeconds * 1000;
    const during = readings.filter(({ at }) => at >= from && at <= to);
    const counted = (name: string): number => {
      const [first, last] = [during[0]!, during.at(-1)!];
      return (1000 * (last.seconds.get(name)! - first.seconds.get(name)!)) / (last.at - first.at);
    };
    const owners: readonly OwnerJson[] = profile.owners;
    const table: Array<readonly [name: string, samples: number, counters: number]> = [];
    for (const [name, containers] of Object.entries(LOADS)) {
      const row = owners.find((each) => each.name === `${SPACE}/${name}`)!;
      table.push([name, row.coresBusy, counted(name)]);
      expect(row.containers.map((each) => each.name).sort()).toEqual(Object.keys(containers).sort());
      for (const each of row.containers)
        table.push([`${name} ${each.name}`, each.coresBusy, counted(`${name} ${each.name}`)]);
    }
    for (const [name, samples, kernel] of table) {
      expect(kernel, name).toBeGreaterThan(0.02);
      expect(
        Math.abs(samples - kernel),
        `${name}: ${samples} by samples, ${kernel} by the kernel`,
      ).toBeLessThan(0.03);
    }
    // The kernel is apart. Both nodes share it here, so the other node's pods are in the table too, by their UIDs.
    expect(owners.some(({ kind }) => kind === 'kernel')).toBe(true);
    const far = pods.find(({ metadata }) => metadata.name === 'far')!.metadata.uid;
    expect(owners.find(({ podUid }) => podUid === far)).toMatchObject({ kind: 'pod', name: `pod ${far}` });

    const raw = join(output.path(), output.files().find((name) => name.endsWith('.perf-script.txt.gz'))!);
    const render = (...words: string[]) => gkeprof(['render', raw, '--output', '-', ...words]);
    const folded = await render('--format', 'folded');
    expect(folded.stdout).toMatch(new RegExp(`^${SPACE}/pair;two;dd;`, 'm'));
    expect(folded.stdout).toMatch(new RegExp(`^${SPACE}/half;spin;sh;`, 'm'));
    const neighbours = await render('--format', 'folded', '--except', `${SPACE}/pair`);
    expect(neighbours.stderr).toContain(
      `${owners.find(({ name }) => name === `${SPACE}/pair`)!.samples} samples of the pod ${SPACE}/pair are left out`,
    );
    expect(neighbours.stdout).not.toContain(`${SPACE}/pair`);
    expect(neighbours.stdout).toContain(`${SPACE}/half`);
  });

  it('leaves a pod out of the picture with --except', async () => {
    const run = await gkeprof([
      ...['flamegraph', `node/${world().nodes[0]}`, '--except', 'pod/half', '-n', SPACE],
      ...['-t', '3s', '--output-dir', output.path()],
    ]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(new RegExp(`^[1-9]\\d* samples of the pod ${SPACE}/half are left out`, 'm'));
    const svg = readFileSync(
      join(output.path(), output.files().find((name) => name.endsWith('.svg'))!),
      'utf8',
    );
    expect(svg).toContain(`<title>${SPACE}/pair`);
    // A sentence says what was left out; no frame is of that pod.
    expect(svg).not.toContain(`<title>${SPACE}/half`);
  });

  it('refuses to leave out a pod of another node', async () => {
    const run = await gkeprof(['flamegraph', `node/${world().nodes[0]}`, '--except', 'far', '-n', SPACE]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(`runs on ${world().nodes[1]}, not on ${world().nodes[0]}`);
  });
});
