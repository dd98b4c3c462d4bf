// The waits of programs with many threads: a pool, and thousands.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WaitsFacts } from '../../src/waits/facts.ts';
import { ensureProgramsImage } from '../cluster/programs.ts';
import {
  createNamespace,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  outputFolder,
  world,
} from './world.ts';

const SPACE = 'gkeprof-e2e-waits-threads';
const programOf = (name: string) => fileURLToPath(new URL(`../programs/${name}`, import.meta.url));
const text = (name: string) => readFileSync(programOf(name), 'utf8');

const pod = (
  name: string,
  node: 0 | 1,
  image: string,
  command: readonly string[],
  containers: readonly string[] = ['main'],
) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: SPACE } },
  spec: {
    nodeName: world().nodes[node],
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    volumes: [{ name: 'programs', configMap: { name: 'programs' } }],
    containers: containers.map((container) => ({
      ...{ name: container, image, imagePullPolicy: 'IfNotPresent', command },
      // Without a request, a container gets next to nothing on a busy machine.
      resources: { requests: { cpu: '200m' } },
      volumeMounts: [{ name: 'programs', mountPath: '/programs-of-test' }],
    })),
  },
});
const apply = (...objects: object[]) =>
  kubectl(['apply', '-f', '-'], objects.map((each) => JSON.stringify(each)).join('\n---\n'));
const ready = (...names: string[]) =>
  kubectl([
    'wait',
    '-n',
    SPACE,
    '--for=condition=Ready',
    '--timeout=240s',
    ...names.map((each) => `pod/${each}`),
  ]);

const THREADS = 50;
/** Of a job each 15 ms that takes 300 ms, 20 of the threads have one at a time. */
const [ANSWER, PAUSE] = ['300', '15'];
const MANY = 2000;
/** Each of them has as many threads: together more than the sampler looks at. */
const CONTAINERS = ['one', 'two', 'three'];
const START = 'until [ -e /tmp/here ]; do sleep 0.1; done; exec "$0" "$@"';
const AS_SOON_AS_HERE = ['bash', '-c', START, '/tmp/waiting'];
const MANY_ROLES = [`many=${MANY}`, ...Array.from({ length: 20 }, () => 'cycle')];
/** What src/collectors/waits/waits.sh gives the sampler. */
const MOST = 4000;

describe('waits of many threads', () => {
  leavesNothing();
  const output = outputFolder();

  beforeAll(async () => {
    const image = await ensureProgramsImage();
    await createNamespace(SPACE);
    await apply(
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'programs', namespace: SPACE } },
        data: { 'waiter.pl': text('waiter.pl'), 'pool.py': text('pool.py') },
      },
      pod('backend', 1, world().images.debian, [
        'perl',
        '/programs-of-test/waiter.pl',
        'serve',
        '7000',
        ANSWER,
      ]),
      pod('many', 0, world().images.debian, [...AS_SOON_AS_HERE, ...MANY_ROLES], CONTAINERS),
    );
    await ready('backend', 'many');
    const ip = await kubectl(['get', 'pod', '-n', SPACE, 'backend', '-o', 'jsonpath={.status.podIP}']);
    const program = ['python3', '/programs-of-test/pool.py', String(THREADS), ip, '7000', PAUSE];
    await apply(pod('pool', 0, image, program));
    await ready('pool');
  }, 1_800_000);
  afterAll(async () => {
    await kubectl(['delete', 'namespace', SPACE, '--wait=false']);
  });

  /** What the threads of the pool know of themselves, in seconds since they began, by the time in ms since 1970. */
  async function logOf(): Promise<ReadonlyArray<{ at: number; figures: Record<string, number> }>> {
    const lines = (await kubectl(['logs', '-n', SPACE, 'pool', '--timestamps'])).split('\n');
    return lines.flatMap((line) => {
      const [, time, json] = /^(\S+) (\{.*\})$/.exec(line) ?? [];
      return json === undefined ? [] : [{ at: Date.parse(time!), figures: JSON.parse(json) }];
    });
  }

  async function recorded(seconds: number, ...target: readonly string[]) {
    const run = await gkeprof([
      ...['waits', ...target, '-n', SPACE, '--output-dir', output.path()],
      ...['--duration', `${seconds}s`, '-o', 'json'],
    ]);
    expect(run.code, run.stderr).toBe(0);
    return { waits: JSON.parse(run.stdout).waits as WaitsFacts & { finding: string }, stderr: run.stderr };
  }

  it('shows a pool of 50 threads as one row, with the shares that it knows of itself', async () => {
    expect((await eventually(logOf, (log) => log.length > 2)).length).toBeGreaterThan(2);
    const { waits, stderr } = await recorded(20, 'pod/pool');
    const found = waits.groups.filter(({ name }) => name.startsWith('pool'));
    expect(found.map(({ name, threads, process }) => ({ name, threads, process }))).toEqual([
      { name: 'pool-N-thread-N', threads: THREADS, process: 'python3' },
    ]);
    const { shares, waits: peers } = found[0]!;
    const from = Date.parse(waits.startedAt!);
    const to = from + 1000 * waits.seconds;
    const log = await eventually(logOf, (lines) => lines.at(-1)!.at >= to);
    /** Between the two lines around a time, which are a second apart. */
    const figureAt = (time: number, name: string) => {
      const next = log.findIndex(({ at }) => at >= time);
      const [before, after] = [log[next - 1]!, log[next]!];
      const part = (time - before.at) / (after.at - before.at);
      return before.figures[name]! + part * (after.figures[name]! - before.figures[name]!);
    };
    const grown = (name: string) => figureAt(to, name) - figureAt(from, name);
    const known = (name: string) => grown(name) / grown('wall');
    const shown = JSON.stringify({ shares, peer: known('peer'), queue: known('queue'), stderr });
    // What it measures of itself has in it the time that its threads stood in the queue of a CPU.
    const queued = shares.queued + shares.running;
    const raw = output.files().find((name) => name.endsWith('.waits.txt.gz'))!;
    const looks = gunzipSync(readFileSync(join(output.path(), raw)))
      .toString()
      .match(/^look /gm)!.length;
    expect(looks).toBeGreaterThan(10 * THREADS);
    expect(Math.abs(shares.network - known('peer')), shown).toBeLessThan(0.03 + queued);
    expect(Math.abs(shares.condition - known('queue')), shown).toBeLessThan(0.03 + queued);
    expect(shares.network + shares.condition + queued, shown).toBeGreaterThan(0.97);
    const [peer, ...others] = peers.filter(({ category }) => category === 'network');
    expect(others).toEqual([]);
    expect(peer).toMatchObject({ peer: { name: 'pod/backend', port: 7000, direction: 'out' } });
    expect(waits.finding).toMatch(
      /^What stands out: the 50 threads pool-N-thread-N spent \d+\.\d % waiting for pod\/backend:7000 \(network\)/,
    );
  });

  it('tells what 2,000 threads cost, looks less often by itself, and counts the threads that it does not look at', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-waiting-'));
    const path = join(folder, 'waiting');
    await execa('cc', ['-O1', '-pthread', '-static', '-o', path, programOf('waiting.c')]);
    const program = readFileSync(path).toString('base64');
    rmSync(folder, { recursive: true });
    const receive = 'base64 -d >/tmp/waiting; chmod +x /tmp/waiting; touch /tmp/here';
    const inPod = (container: string, command: string, input = '') =>
      kubectl(['exec', '-i', '-n', SPACE, 'many', '-c', container, '--', 'sh', '-c', command], input);
    let all = 0;
    for (const container of CONTAINERS) {
      await inPod(container, receive, program);
      const log = () => kubectl(['logs', '-n', SPACE, 'many', '-c', container]);
      expect(await eventually(log, (lines) => lines.includes('ready'))).toContain('ready');
      all += Number(await inPod(container, 'ls /proc/1/task | wc -l'));
    }

    const run = await gkeprof([
      ...['waits', 'pod/many', '-c', 'one', '-n', SPACE, '--output-dir', output.path(), '--duration', '8s'],
    ]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^waiting +many +2000 .*$/m);
    expect(run.stdout).toMatch(/^waiting +cycle +20 .*$/m);
    expect(run.stdout).not.toContain('too many to look at');
    expect(run.stderr).toMatch(
      /there were only \d+(\.\d)? looks per second at times, so that the looks did not cost/,
    );
    expect(run.stderr).toMatch(/the looks took \S+ of CPU time, \d+\.\d % of a core\n/);

    const { waits } = await recorded(4, 'pod/many');
    expect(waits.threads).toBe(MOST);
    expect(waits.missedThreads).toBe(all - MOST);
  });
});
