import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { nodeSide } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';

const STACKS = gzipSync(
  '# cmdline : perf record\na  1/1  [000]  1.000000:  10101010 cycles: \n\t     55d0 f+0x1 (/bin/a)\n\n',
);
const SAMPLES = Buffer.from('PERFILE2 and the rest');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-cut-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A recording of a pod whose node announces this file, and says this at the end. */
async function record(verb: 'flamegraph' | 'pcap', file: string, data: Buffer, more: object) {
  const cluster = fakeCluster({
    copy: async (_ref, _path, directory, name) => {
      writeFileSync(join(directory, name), data);
      return result();
    },
  });
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
    const { event } = nodeSide(nonce);
    const sha256 = createHash('sha256').update(data).digest('hex');
    cluster.followLogs = () =>
      lines([
        event('hello', { kernel: '6.1' }),
        event('capturing'),
        event('tool', { version: 'perf version 6.12' }),
        event('stopping', { reason: 'time' }),
        event('artifact', { role: 'x', file, bytes: data.length, sha256 }),
        event('end', { reason: 'time', status: 0, stopped: 1_790_000_060_000, ...more }),
      ]);
    return create(pod, dryRun);
  };
  const run = await runOn(cluster, [verb, 'pod/redis-0', '--output-dir', folder, '-o', 'json']);
  const name = readdirSync(folder).find((each) => each.endsWith('.receipt.json'));
  return { ...run, receipt: JSON.parse(readFileSync(join(folder, name!), 'utf8')) };
}

const profile = (file: string, data: Buffer, more: object) => record('flamegraph', file, data, more);

describe('pcap', () => {
  it('keeps packets that the node could not compress, under their own name', async () => {
    const run = await record('pcap', 'capture.pcap', Buffer.from('packets'), { packets: 1 });
    expect(run.code).toBe(0);
    expect(run.receipt.artifact.file).toMatch(/\.netns_default_redis-0\.pcap$/);
    expect(readFileSync(join(folder, run.receipt.artifact.file), 'utf8')).toBe('packets');
  });
});

describe('flamegraph', () => {
  it('says that the recording is cut, in a line, in the receipt, in the result and by exit code 5', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, { cut: 'time' });
    expect(run.stderr).toMatch(
      /warning: the recording is not whole, .*perf script was out of time on the node\n/,
    );
    expect(run.code).toBe(5);
    expect(run.receipt.capture.cut).toBe('time');
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(JSON.parse(run.stdout)).toMatchObject({ cut: 'time', profile: { samples: 1 } });
    expect(faults('flamegraph', JSON.parse(run.stdout))).toEqual([]);
  });

  it('keeps the samples, where perf script made nothing of them', async () => {
    const run = await profile('perf.data', SAMPLES, { cut: 'failed' });
    expect(run.stderr).toMatch(
      /error: perf script failed or was killed on the node, and the names of functions are on the node: no flame graph; its raw samples are kept: \S+\.perf\.data\n/,
    );
    expect(run.code).toBe(5);
    expect(run.receipt).toMatchObject({ capture: { cut: 'failed' }, artifact: { bytes: SAMPLES.length } });
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.perf.data'))).toHaveLength(1);
  });

  it('says how many processes have no names, and is whole', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, { unnamed: 2 });
    expect(run.stderr).toMatch(/warning: perf did not read the files of 2 processes, .*\n/);
    expect(run.code).toBe(0);
    expect(run.receipt.capture.unnamedProcesses).toBe(2);
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(JSON.parse(run.stdout)).toMatchObject({ unnamedProcesses: 2 });
  });

  it('says nothing of it where there is nothing to say', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, {});
    expect(run.stderr).toBe('');
    expect(run.code).toBe(0);
    expect(Object.keys(run.receipt.capture)).not.toContain('cut');
    expect(Object.keys(run.receipt.capture)).not.toContain('unnamedProcesses');
  });
});
