import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { tcpdump } from '../../src/collectors/tcpdump/tcpdump.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { onlyResult, runSession } from '../../src/session/session.ts';
import type { SessionContext } from '../../src/session/session-context.ts';
import { type FakeCluster, result, status } from '../fake-cluster.ts';
import { planOf, TCPDUMP } from '../plans.ts';

/** One session of tcpdump: the plan, what the node has to say and to give, and the laptop that runs it. */
export const PLAN = planOf(TCPDUMP);
export const DATA = Buffer.from('a pcap, as far as these tests are concerned');
export const SHA = createHash('sha256').update(DATA).digest('hex');
export const FILE_NAME = 'node-a.20260921_141320_UTC.netns_redis_redis-0.pcap.gz';

/** Fields that every event of its name has. */
const FIELDS: Readonly<Record<string, object>> = {
  hello: { collector: 'tcpdump', kernel: '6.1' },
  progress: { bytes: 0, free: 2 ** 30 },
};

/** The node's script: it numbers its events as it says them. */
export function nodeSide(nonce = PLAN.session.nonce) {
  let seq = 0;
  const event = (name: string, more: object = {}) => {
    seq += 1;
    return JSON.stringify({
      ...{ gkeprof: 1, seq, nonce, t: 1_790_000_000_000 + seq, event: name },
      ...FIELDS[name],
      ...more,
    });
  };
  const artifact = () =>
    event('artifact', { role: 'packets', file: 'capture.pcap.gz', bytes: DATA.length, sha256: SHA });
  const end = (reason = 'time') =>
    event('end', {
      reason,
      status: 0,
      stopped: 1_790_000_060_000,
      packets: 5,
      received: 5,
      dropped: 0,
      buffer: 16384,
    });
  const script = (reason = 'time') => [
    event('hello'),
    event('capturing'),
    event('tool', { version: 'tcpdump 4.99' }),
    event('stopping', { reason }),
    artifact(),
    end(reason),
  ];
  return { event, artifact, end, script };
}

/** `kubectl cp` that brings the file whole. */
export const copy: Cluster['copy'] = async (_ref, _path, directory, name) => {
  writeFileSync(join(directory, name), DATA);
  return result();
};

/** What a session needs of the world: nobody reads or interrupts it, and it waits for nothing, unless `more` says so. */
export const contextOf = (
  cluster: FakeCluster,
  more: Partial<Omit<SessionContext, 'cluster'>> = {},
): SessionContext => ({
  cluster,
  log: new Log({ write: () => {} }),
  interrupts: new Interrupts(),
  now: () => Date.now(),
  sleep: async () => {},
  ...more,
});

let clock = 0;
let isRunning = false;
const sleepers = new Map<() => void, number>();

/** Milliseconds by the clock of `shortly`. */
export const shortClock = (): number => clock;

/** Moves the clock as long as somebody sleeps, and wakes whoever has slept enough. */
async function run(): Promise<void> {
  isRunning = true;
  while (sleepers.size > 0) {
    await delay(1);
    clock += 50;
    for (const [wake, due] of [...sleepers].sort(([, one], [, other]) => one - other))
      if (due <= clock && sleepers.delete(wake)) wake();
  }
  isRunning = false;
}

/**
 * Waits as a session does, fifty times as fast. It has a clock of its own, which stands still while the machine does something else:
 * what is shorter than something else stays shorter, however busy the machine is.
 */
export const shortly: SessionContext['sleep'] = (ms, signal) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      sleepers.delete(wake);
      reject(signal!.reason);
    };
    const wake = () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    signal?.addEventListener('abort', abort, { once: true });
    sleepers.set(wake, clock + ms);
    if (!isRunning) void run();
  });

/** The laptop, made anew for every test: a folder, an ear for Ctrl-C, and what was said to people. */
export function laptop() {
  let directory: string;
  let said: string[];
  let interrupts: Interrupts;
  beforeEach(() => {
    said = [];
    interrupts = new Interrupts();
    directory = mkdtempSync(join(tmpdir(), 'gkeprof-session-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const context = (cluster: FakeCluster): SessionContext =>
    contextOf(cluster, {
      interrupts,
      log: new Log({ write: (text) => said.push(text) }),
      sleep: shortly,
    });
  return {
    run: async (cluster: FakeCluster, plan = PLAN) =>
      onlyResult(await runSession([plan], tcpdump, directory, context(cluster))),
    runAll: (cluster: FakeCluster, plans: readonly Plan[]) =>
      runSession(plans, tcpdump, directory, context(cluster)),
    interrupt: (signal: Parameters<Interrupts['receive']>[0] = 'SIGINT') => interrupts.receive(signal),
    files: () => readdirSync(directory),
    path: (name: string) => join(directory, name),
    said: () => said.join(''),
  };
}

/** Gives the cluster the running pod redis-0; `log` is what a debug pod that is created prints. */
export function giveRedis(
  cluster: FakeCluster,
  log: (side: ReturnType<typeof nodeSide>) => ReturnType<Cluster['followLogs']>,
): void {
  cluster.pods.set('redis-0', {
    metadata: { name: 'redis-0', namespace: 'default', uid: 'u' },
    spec: { nodeName: 'node-a', containers: [] },
    status: {
      phase: 'Running',
      podIP: '10.1.2.3',
      containerStatuses: [{ ...status('redis'), containerID: `containerd://${'a'.repeat(64)}` }],
    },
  } as never);
  const create = cluster.createPod;
  cluster.createPod = (pod, dryRun) => {
    const nonce = pod.spec!.containers[0]!.args!.find((each) => each.startsWith('nonce='))!.slice(6);
    cluster.followLogs = () => log(nodeSide(nonce));
    return create(pod, dryRun);
  };
}
