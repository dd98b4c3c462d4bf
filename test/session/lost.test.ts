import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { clusterError, type GkeprofError } from '../../src/errors.ts';
import { apiAnswer, type FakeCluster, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { laptop, nodeSide, PLAN } from './scene.ts';

/** The capture container dies before it can say how it ended. */
const { run, files, path } = laptop();

const RAW = Buffer.from('what tcpdump had written');
const SUM = createHash('sha256').update(RAW).digest('hex');
const DEATH = { terminated: { reason: 'OOMKilled', exitCode: 137 } };

/** Its log has `said`, its container is dead, and of `salvage` the shell in `files` says this. */
function dead(
  said: readonly string[],
  salvage = result('', 1, 'stat: cannot stat'),
  state = DEATH,
): FakeCluster {
  const cluster = fakeCluster({
    followLogs: () => lines(said),
    exec: async (_ref, argv) => (argv.includes('salvage') ? salvage : result()),
    copy: async (_ref, _path, directory, name) => {
      writeFileSync(join(directory, name), RAW);
      return result();
    },
  });
  const create = cluster.createPod;
  cluster.createPod = async (...words) => {
    const pod = await create(...words);
    cluster.pods.get(PLAN.debugPod.name)!.status!.containerStatuses = [status('capture', state)] as never;
    return pod;
  };
  return cluster;
}

const failure = (cluster: FakeCluster) => run(cluster).catch((each: unknown) => each as GkeprofError);
const capturing = () => {
  const node = nodeSide();
  return [node.event('hello'), node.event('capturing'), node.event('progress', { packets: 3, bytes: 24 })];
};

describe('a capture container that died', () => {
  it('leaves what its tool had written: fetched through `files`, verified, said to be lost', async () => {
    const cluster = dead(capturing(), result(`${RAW.length}\n${SUM}  -\n`));
    const got = await run(cluster);
    await got.removed;
    expect(got).toMatchObject({ ended: 'lost', last: { packets: 3 }, artifact: { sha256: SUM } });
    expect(files()).toEqual(['node-a.20260921_141320_UTC.netns_redis_redis-0.pcap']);
    expect(readFileSync(path(files()[0]!)).equals(RAW)).toBe(true);
    expect(cluster.calls).toContain('copy /gkeprof/out/capture.pcap');
    expect(cluster.pods.size).toBe(0);
  });

  it.each([
    ['nothing was written', result('', 1, 'stat: cannot stat')],
    ['an empty file', result(`0\n${'0'.repeat(64)}  -\n`)],
  ])('has lost all: %s', async (_what, salvage) => {
    const cluster = dead(capturing(), salvage);
    expect(await failure(cluster)).toMatchObject({
      code: 4,
      message: expect.stringMatching(/nothing is left of the capture: OOMKilled \(status 137\)$/),
    });
    expect(cluster.pods.size).toBe(0);
    expect(files()).toEqual([]);
  });

  it('is fetched from though its end cannot be looked up', async () => {
    const cluster = dead(capturing(), result(`${RAW.length}\n${SUM}  -\n`));
    const look = cluster.readPod;
    let looks = 0;
    cluster.readPod = async (...words) => {
      looks += 1;
      if (looks > 2) throw apiAnswer(500, 'etcd is away');
      return look(...words);
    };
    expect((await run(cluster)).ended).toBe('lost');
  });

  it('never began: the words of the container runtime, and what to look at', async () => {
    const message = 'exec: "/bin/bash": stat /bin/bash:\nno such file or directory';
    const state = { terminated: { reason: 'StartError', exitCode: 128, message } };
    const cluster = dead([], undefined, state);
    expect(await failure(cluster)).toMatchObject({
      code: 4,
      message:
        'the capture container ended before it captured anything: StartError (status 128): exec: "/bin/bash": stat /bin/bash:\\nno such file or directory',
      hint: expect.stringContaining('image/Dockerfile'),
    });
    expect(cluster.pods.size).toBe(0);
  });
});

describe('a debug pod that someone else ends', () => {
  it.each<[string, Partial<Awaited<ReturnType<Cluster['readPod']>>>, RegExp]>([
    [
      'deletes',
      { metadata: { deletionTimestamp: new Date() }, status: { phase: 'Running' } },
      /somebody else deleted the debug pod \S+ during the capture/,
    ],
    [
      'evicts',
      { status: { phase: 'Failed', reason: 'Evicted', message: 'disk\x1bpressure' } },
      /the cluster ended the debug pod: Evicted: disk\\x1bpressure/,
    ],
  ])('%s', async (_what, later, reason) => {
    const cluster = dead(capturing());
    const look = cluster.readPod;
    let looks = 0;
    cluster.readPod = async (...words) => {
      looks += 1;
      return looks === 1 ? look(...words) : later;
    };
    expect(await failure(cluster)).toMatchObject({ code: 3, message: expect.stringMatching(reason) });
    expect(cluster.calls.at(-1)).toBe('delete');
  });
});

it('says that kubectl is missing instead of waiting for a log that cannot come', async () => {
  const missing = clusterError('kubectl was not found on PATH', 'install kubectl');
  const cluster = fakeCluster({
    followLogs: () => lines([]),
    exec: async () => {
      throw missing;
    },
  });
  expect(await failure(cluster)).toBe(missing);
  expect(cluster.pods.size).toBe(0);
});
