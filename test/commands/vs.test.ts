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

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-vs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const BUSY = gzipSync(
  Array.from(
    { length: 200 },
    (_, at) =>
      `a  1/1  [000]  1.${String(at).padStart(3, '0')}:  10101010 cycles: \n\t 55d0 f+0x1 (/bin/a)\n\t 55d1 main+0x1 (/bin/a)\n\n`,
  ).join(''),
);
const IDLE = gzipSync('# cmdline : perf record\n# event : cycles\n');

/** Runs a command: the recordings of pods and nodes by their names; undefined for a pod that the node does not find. */
async function recorded(recordings: Readonly<Record<string, Buffer | undefined>>, words: readonly string[]) {
  const logs = new Map<string, string[]>();
  const files = new Map<string, Buffer>();
  const cluster = fakeCluster({
    copy: async ({ pod }, _path, directory, name) => {
      writeFileSync(join(directory, name), files.get(pod)!);
      return result();
    },
    followLogs: ({ pod }) => lines(logs.get(pod) ?? [], true),
  });
  for (const name of Object.keys(recordings))
    cluster.pods.set(name, {
      metadata: { name, namespace: 'default', uid: `0000-${name}` },
      spec: { nodeName: 'node-a', containers: [] },
      status: {
        phase: 'Running',
        podIP: '10.1.2.3',
        containerStatuses: [{ ...status('app'), containerID: `containerd://${'a'.repeat(64)}` }],
      },
    } as never);
  const create = cluster.createPod;
  cluster.createPod = (pod, dryRun) => {
    const value = (key: string) =>
      pod.spec!.containers[0]!.args!.find((each) => each.startsWith(key))?.slice(key.length);
    const { event } = nodeSide(value('nonce=')!);
    const uid = value('pod_uid=');
    const data = recordings[uid === undefined ? pod.spec!.nodeName! : uid.slice('0000-'.length)];
    const name = pod.metadata!.name!;
    if (data) files.set(name, data);
    const sha256 = data && createHash('sha256').update(data).digest('hex');
    logs.set(
      name,
      data
        ? [
            ...[event('hello'), event('capturing'), event('tool', { version: 'perf version 6.12' })],
            event('stopping', { reason: 'time' }),
            event('artifact', { role: 'stacks', file: 'perf-script.txt.gz', bytes: data.length, sha256 }),
            event('end', { reason: 'time', status: 0, stopped: 1_790_000_060_000 }),
          ]
        : [event('hello'), event('refused', { code: 'pod-not-found' })],
    );
    return create(pod, dryRun);
  };
  return runOn(cluster, ['flamegraph', '--output-dir', folder, ...words]);
}

const compared = (recordings: Readonly<Record<string, Buffer | undefined>>, ...words: readonly string[]) =>
  recorded(recordings, ['pod/one', '--vs', 'pod/other', ...words]);

describe('flamegraph --vs for programs', () => {
  it('has both recordings and what differs', async () => {
    const { code, stdout, stderr } = await compared({ one: BUSY, other: BUSY }, '-o', 'json');
    expect(code, stderr).toBe(0);
    const data = JSON.parse(stdout);
    expect(faults('flamegraph', data)).toEqual([]);
    expect(data).toMatchObject({
      before: { target: { name: 'other' } },
      after: { target: { name: 'one' } },
      comparison: { changed: false },
    });
  });

  it('has both recordings and says why they are not compared if one has no samples: exit 4', async () => {
    const why = 'the two recordings are not compared: pod/other has no samples';
    const { code, stdout, stderr } = await compared({ one: BUSY, other: IDLE }, '-o', 'json');
    expect(code, stderr).toBe(4);
    const data = JSON.parse(stdout);
    expect(faults('flamegraph', data)).toEqual([]);
    expect(data).toMatchObject({
      before: { target: { name: 'other' }, profile: { samples: 0 } },
      after: { target: { name: 'one' }, profile: { samples: 200 } },
      notCompared: why,
    });
    expect(stderr).toContain(`warning: ${why}\n`);
    const shown = await compared({ one: IDLE, other: IDLE }, '--markdown');
    expect(shown.code).toBe(4);
    expect(shown.stdout).toContain('not compared: pod/other and pod/one have no samples');
    expect(shown.stdout.match(/^### CPU profile of pod default\/o/gm)).toHaveLength(2);
  });

  it('has the only recording if the other failed: exit 5', async () => {
    const { code, stdout, stderr } = await compared({ one: BUSY, other: undefined }, '-o', 'json');
    expect(code, stderr).toBe(5);
    const data = JSON.parse(stdout);
    expect(faults('flamegraph', data)).toEqual([]);
    expect(data).toMatchObject({
      after: { target: { name: 'one' }, profile: { samples: 200 } },
      notCompared: expect.stringMatching(/^only one of the two recordings succeeded: pod\/other is not/),
    });
    expect(data).not.toHaveProperty('before');
  });
});

describe('flamegraph of several nodes', () => {
  const BOTH = { 'node-a': BUSY, 'node-b': BUSY };
  const nodes = (...words: string[]) => recorded(BOTH, ['nodes', 'node-a', 'node-b', ...words]);

  it('is one picture with the nodes outside of their stacks, and a table by node', async () => {
    const { code, stdout, stderr } = await nodes('--format', 'folded', '--split');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('node-a, node-b: 2 debug pods\n');
    expect(stdout).toMatch(/^NODE +SAMPLES +CORES/m);
    expect(stdout).toMatch(/^node-b +200 /m);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('no node differs from the others');
    const files = readdirSync(folder).filter((name) => name.endsWith('.folded'));
    expect(files.map((name) => name.replace(/\.\d.*_UTC\./, ' '))).toEqual([
      '2-nodes nodes_2.folded',
      'node-a all_cpus.folded',
      'node-b all_cpus.folded',
    ]);
    expect(readFileSync(join(folder, files[0]!), 'utf8').split('\n').sort()).toEqual([
      '',
      // 200 samples of 10101010 cycles each: several recordings are weighed by their periods.
      'node-a;a;main;f 2020202000',
      'node-b;a;main;f 2020202000',
    ]);
  });

  it('is data by node for programs, and a table in Markdown', async () => {
    const { code, stdout, stderr } = await nodes('-o', 'json');
    expect(code, stderr).toBe(0);
    const data = JSON.parse(stdout);
    expect(faults('flamegraph', data)).toEqual([]);
    expect(data.pods.map(({ name, namespace }: Record<string, string>) => [name, namespace])).toEqual([
      ['node-a', undefined],
      ['node-b', undefined],
    ]);
    expect((await nodes('--markdown')).stdout).toMatch(/^\| node +\| samples +\|/m);
  });

  it.each([
    ['--pid', '7', /--pid needs its node as the only target/],
    ['--except', 'pod/x', /--except needs a whole node as its only target/],
    ['--vs', 'node/c', /--vs compares one target with another/],
  ])('cannot be together with %s', async (flag, value, message) => {
    await expect(nodes(flag, value)).rejects.toThrow(message);
  });
});
