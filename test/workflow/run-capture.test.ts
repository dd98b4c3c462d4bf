import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '../../src/cli/command.ts';
import type { CaptureOptions } from '../../src/cli/options.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { tcpdump } from '../../src/collectors/tcpdump/tcpdump.ts';
import { toolError } from '../../src/errors.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { findCaptureTarget, finishCapture, planCapture, runCapture } from '../../src/workflow/run-capture.ts';
import { apiAnswer, type FakeCluster, fakeCluster, lines } from '../fake-cluster.ts';
import { TCPDUMP } from '../plans.ts';
import { copy, giveRedis, shortly } from '../session/scene.ts';

let folder: string;
let said: string[];
beforeEach(() => {
  said = [];
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-capture-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A cluster with one pod to look at, whose debug pod says and gives what it should. */
function clusterWithPod(overrides: Partial<Cluster> = {}): FakeCluster {
  const cluster = fakeCluster({ copy, ...overrides });
  giveRedis(cluster, (side) => lines(side.script(), true));
  return cluster;
}

async function run(
  cluster: Cluster,
  finish: () => Promise<number>,
  interrupts = new Interrupts(),
): Promise<number> {
  const context = {
    log: new Log({ write: (text) => said.push(text) }),
    interrupts,
    openCluster: async () => cluster,
    now: () => Date.now(),
    sleep: shortly,
    stdout: { write: (text: string) => said.push(text) },
  } as unknown as Context;
  const debugPod = {
    namespace: 'gkeprof',
    image: 'tools:1',
    install: false,
    imagePullSecrets: [],
    leastPrivilege: false,
  };
  const options: CaptureOptions = {
    connection: {},
    debugPod,
    explain: false,
    format: { kind: 'text' },
    outputDir: folder,
    keepSeconds: 600,
    detach: false,
  };
  const found = (await findCaptureTarget({ options, ref: { kind: 'pod', name: 'redis-0' } }, context))!;
  const plan = planCapture(found, TCPDUMP, { durationSeconds: 1, maxBytes: 1000 });
  const recorded = (await runCapture(found, plan, tcpdump, ['opening'], context))!;
  return finishCapture(recorded, finish(), context);
}

describe('runCapture', () => {
  it('keeps a whole capture when what comes after it fails, and says how to go on: exit code 5', async () => {
    const cluster = clusterWithPod();
    const finish = async () => {
      throw new Error('ENOSPC: no space left on device, write');
    };
    await expect(run(cluster, finish)).rejects.toMatchObject({
      code: 5,
      message: expect.stringMatching(
        /\.pcap\.gz was recorded and verified, but processing it failed: ENOSPC/,
      ),
      hint: expect.stringMatching(/^kubectl gkeprof analyze \S+\.pcap\.gz$/),
    });
    expect(readdirSync(folder)).toHaveLength(1);
    expect([...cluster.pods.keys()]).toEqual(['redis-0']);
  });

  it('says that the debug pod is still there, whatever else failed', async () => {
    const cluster = clusterWithPod({
      deletePod: async () => {
        throw apiAnswer(500, 'etcd is away', 'InternalError');
      },
    });
    await expect(run(cluster, async () => 0)).rejects.toMatchObject({
      code: 5,
      message: expect.stringMatching(/was not removed.*kubectl delete pod -n gkeprof gkeprof-tcpdump-/),
    });
    said = [];
    const finish = async () => {
      throw toolError('it cannot be drawn');
    };
    await expect(run(cluster, finish)).rejects.toMatchObject({ message: 'it cannot be drawn' });
    expect(said.join('')).toMatch(/warning: the debug pod was not removed.*kubectl delete pod -n gkeprof/);
  });

  it('keeps a whole capture when Ctrl-C ends what comes after it: exit code 5', async () => {
    const cluster = clusterWithPod();
    const interrupts = new Interrupts();
    const finish = () => {
      setTimeout(() => interrupts.receive('SIGINT'), 10);
      return new Promise<number>(() => {});
    };
    await expect(run(cluster, finish, interrupts)).rejects.toMatchObject({
      code: 5,
      message: expect.stringMatching(
        /\.pcap\.gz was recorded and verified, but processing it was interrupted$/,
      ),
      hint: expect.stringMatching(/^kubectl gkeprof analyze \S+\.pcap\.gz$/),
    });
    expect(readdirSync(folder)).toHaveLength(1);
    expect([...cluster.pods.keys()]).toEqual(['redis-0']);
  });

  it('removes what an earlier command left, and says so after the result', async () => {
    const cluster = clusterWithPod();
    const left = {
      metadata: { name: 'gkeprof-tcpdump-old', creationTimestamp: new Date(0) },
      status: { phase: 'Succeeded', containerStatuses: [] },
    };
    cluster.pods.set('gkeprof-tcpdump-old', left as never);
    const finish = async () => {
      said.push('the result\n');
      return 0;
    };
    expect(await run(cluster, finish)).toBe(0);
    expect(said.join('')).toMatch(
      /the result\nremoved gkeprof-tcpdump-old, which an earlier command had left\n$/,
    );
    expect([...cluster.pods.keys()]).toEqual(['redis-0']);
  });
});
