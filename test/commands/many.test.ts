import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { apiAnswer, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { nodeSide } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';

/** A capture of one packet of 14 bytes on Ethernet (pcap 2.4). */
const CAPTURE = gzipSync(
  Buffer.from(
    `d4c3b2a1${'02000400'}${'00000000'.repeat(2)}${'00000400'}${'01000000'}${'00000000'.repeat(2)}${'0e000000'.repeat(2)}${'00'.repeat(14)}`,
    'hex',
  ),
);
const SHA = createHash('sha256').update(CAPTURE).digest('hex');

const podOn = (node: string, name: string): V1Pod =>
  ({
    metadata: { name, namespace: 'default', uid: `0000-${name}`, labels: { app: 'web' } },
    spec: { nodeName: node, containers: [] },
    status: {
      phase: 'Running',
      podIP: '10.1.2.3',
      containerStatuses: [{ ...status('web'), containerID: `containerd://${'a'.repeat(64)}` }],
    },
  }) as never;

/**
 * A cluster with web-1 and web-2 on node-a and web-3 on node-b. `refused`: the pods whose recorders refuse. `cut`: those whose recorders
 * met a full disk.
 */
function clusterWith(
  overrides: Partial<Cluster> = {},
  refused: readonly string[] = [],
  cut: readonly string[] = [],
) {
  const logs = new Map<string, string[]>();
  const cluster = fakeCluster({
    copy: async (_ref, _path, directory, name) => {
      writeFileSync(join(directory, name), CAPTURE);
      return result();
    },
    followLogs: ({ pod }) => lines(logs.get(pod) ?? [], true),
    ...overrides,
  });
  for (const [node, name] of [
    ['node-a', 'web-1'],
    ['node-a', 'web-2'],
    ['node-b', 'web-3'],
  ] as const)
    cluster.pods.set(name, podOn(node, name));
  const create = cluster.createPod;
  cluster.createPod = (pod, dryRun) => {
    const args = pod.spec!.containers[0]!.args!;
    const values = (key: string) =>
      args.filter((each) => each.startsWith(key)).map((each) => each.slice(key.length));
    const uids = values('pod_uid=');
    logs.set(
      pod.metadata!.name!,
      values('nonce=').flatMap((nonce, at) => {
        const side = nodeSide(nonce);
        if (refused.some((name) => uids[at] === `0000-${name}`))
          return [side.event('hello'), side.event('refused', { code: 'pod-not-found' })];
        return [
          ...[side.event('hello'), side.event('capturing'), side.event('stopping', { reason: 'time' })],
          side.event('artifact', {
            role: 'packets',
            file: 'capture.pcap.gz',
            bytes: CAPTURE.length,
            sha256: SHA,
          }),
          side.event('end', {
            reason: 'time',
            status: 0,
            stopped: 1_790_000_060_000,
            packets: 1,
            dropped: 0,
            ...(cut.some((name) => uids[at] === `0000-${name}`) && { cut: 'space' }),
          }),
        ];
      }),
    );
    return create(pod, dryRun);
  };
  return cluster;
}

describe('a capture of several pods', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-many-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const pcap = (cluster: ReturnType<typeof clusterWith>, ...words: string[]) =>
    runOn(cluster, ['pcap', '-l', 'app=web', '--duration', '1s', '--output-dir', folder, ...words]);
  const creations = (cluster: ReturnType<typeof clusterWith>) =>
    cluster.calls.filter((call) => call === 'create').length;

  it('creates one debug pod on each node, and puts all packets into one file', async () => {
    const cluster = clusterWith();
    const { code, stderr, stdout } = await pcap(cluster);
    expect(code, stderr).toBe(0);
    expect(creations(cluster)).toBe(2);
    expect(stderr).toContain('2 pods on node-a, 1 pod on node-b: 2 debug pods');
    expect(stderr).toContain('node-a: capturing 2 pods for 1s');
    expect(stdout).toMatch(/web-3 +node-b +1 +0 /);
    expect(readdirSync(folder).map((name) => name.replace(/^.*\.pods_/, 'pods_'))).toEqual([
      'pods_default_3.pcapng.gz',
      'pods_default_3.receipt.json',
    ]);
  });

  it('keeps the others where one is gone: exit 5, and the reason', async () => {
    const { code, stderr } = await pcap(clusterWith({}, ['web-2']));
    expect(code).toBe(5);
    expect(stderr).toContain(
      'pod "web-2" in namespace "default" was not recorded: pod/web-2 is not running on node node-a',
    );
    expect(stderr).toContain('2 packets captured');
  });

  it('says whose packets are missing, because the disk of the node was full: exit 5', async () => {
    const { code, stderr } = await pcap(clusterWith({}, [], ['web-2']));
    expect(code).toBe(5);
    expect(stderr.match(/^warning: .*/gm)).toEqual([
      expect.stringMatching(
        /web-2.*: the recording is incomplete, only its beginning was kept: there was no space left for its file on the node$/,
      ),
    ]);
  });

  it('names the one that is gone with its namespace, to programs and in Markdown', async () => {
    const data = JSON.parse((await pcap(clusterWith({}, ['web-2']), '-o', 'json')).stdout);
    expect(faults('pcap', data)).toEqual([]);
    expect(data.failed).toMatchObject([{ target: 'pod/web-2', namespace: 'default', node: 'node-a' }]);
    const { stdout } = await pcap(clusterWith({}, ['web-2']), '--markdown');
    expect(stdout).toContain('- not captured: pod/web-2 in namespace default: ');
  });

  it('keeps what one node has where the other takes no debug pod', async () => {
    const cluster = clusterWith();
    const create = cluster.createPod;
    cluster.createPod = async (pod, dryRun) => {
      if (pod.spec!.nodeName === 'node-a') throw apiAnswer(403, 'denied by a webhook', 'Forbidden');
      return create(pod, dryRun);
    };
    const { code, stderr } = await pcap(cluster);
    expect(code).toBe(5);
    expect(stderr.match(/was not recorded: .*denied by a webhook/g)).toHaveLength(2);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('ends with the reason if nothing was recorded', async () => {
    const { code, stderr } = await pcap(clusterWith({}, ['web-1', 'web-2', 'web-3']));
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error: none of 3 pods was recorded: pod\/web-1 is not running/m);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says how to get each of the files if the folder for them was removed', async () => {
    const copy = async () => {
      rmSync(folder, { recursive: true, force: true });
      return result('', 1);
    };
    const { code, stderr } = await pcap(clusterWith({ copy }));
    mkdirSync(folder);
    expect(code, stderr).toBe(5);
    for (const name of ['web-1', 'web-2', 'web-3'])
      expect(stderr).toMatch(
        new RegExp(
          `^warning: pod "${name}" in namespace "default": the capture is finished .*the folder .* is gone\\nhint: .*kubectl cp .*${name}`,
          'm',
        ),
      );
    expect(stderr).toMatch(/^error: .* could not be copied: the folder .* is gone$/m);
  });

  it('says which pod appeared meanwhile', async () => {
    const cluster = clusterWith();
    const create = cluster.createPod;
    cluster.createPod = (pod, dryRun) => {
      cluster.pods.set('web-4', podOn('node-b', 'web-4'));
      return create(pod, dryRun);
    };
    const { code, stderr } = await pcap(cluster);
    expect(code).toBe(5);
    expect(stderr).toContain('pod web-4 appeared during the capture, and is not in the recording');
  });

  it('leaves out a pod that was named and is pending, exit 5, and refuses it alone, exit 3', async () => {
    const cluster = clusterWith();
    cluster.pods.set('web-9', { ...podOn('node-b', 'web-9'), status: { phase: 'Pending' } });
    const named = (...names: string[]) =>
      runOn(cluster, ['pcap', ...names, '--duration', '1s', '--output-dir', folder]);
    const several = await named('web-1', 'web-9');
    expect(several.code, several.stderr).toBe(5);
    expect(several.stderr).toContain(
      'pod "web-9" in namespace "default" is left out: it has no running container',
    );
    expect(readdirSync(folder).some((name) => name.endsWith('.pcapng.gz'))).toBe(true);
    const alone = await named('web-9');
    expect([alone.code, alone.stderr]).toEqual([
      3,
      expect.stringMatching(
        /^error: pod "web-9" in namespace "default" has no running container \(Pending\)$/m,
      ),
    ]);
  });

  it('goes on without the command, and names what it does not record: exit 5', async () => {
    const cluster = clusterWith({}, ['web-2']);
    cluster.pods.set('web-9', { ...podOn('node-b', 'web-9'), status: { phase: 'Pending' } });
    const { code, stderr, stdout } = await pcap(cluster, '--detach', '-o', 'json');
    expect(code, stderr).toBe(5);
    expect(stderr).toContain('pod "web-9" in namespace "default" is left out: it');
    expect(stderr).toContain('pod "web-2" in namespace "default" is not recorded: pod/web-2 is not running');
    expect(stderr).toMatch(/^error: 2 of 4 targets are not recorded$/m);
    const list = JSON.parse(stdout);
    expect(list).toMatchObject({
      kind: 'DetachedSessions',
      sessions: [
        { node: 'node-a', target: 'pod/web-1', targetNamespace: 'default' },
        { node: 'node-b', target: 'pod/web-3', targetNamespace: 'default' },
      ],
      failed: [
        { target: 'pod/web-9', namespace: 'default' },
        { target: 'pod/web-2', namespace: 'default', node: 'node-a' },
      ],
    });
    expect(faults('sessions', list)).toEqual([]);
    expect(list.sessions[0]).not.toHaveProperty('targets');
  });

  it('goes on without the command with several pods in one session, each with its namespace', async () => {
    const { code, stderr, stdout } = await pcap(clusterWith(), '--detach', '-o', 'json');
    expect(code, stderr).toBe(0);
    const list = JSON.parse(stdout);
    expect(faults('sessions', list)).toEqual([]);
    expect(list.sessions[0].targets).toEqual([
      { target: 'pod/web-1', namespace: 'default' },
      { target: 'pod/web-2', namespace: 'default' },
    ]);
    expect(list.sessions[1]).not.toHaveProperty('targets');
  });

  it('goes on without the command on the other node if one creates no debug pod', async () => {
    const cluster = clusterWith();
    const create = cluster.createPod;
    cluster.createPod = async (pod, dryRun) => {
      if (pod.spec!.nodeName === 'node-a') throw apiAnswer(403, 'denied by a webhook', 'Forbidden');
      return create(pod, dryRun);
    };
    const { code, stderr, stdout } = await pcap(cluster, '--detach', '-o', 'json');
    expect(code).toBe(5);
    expect(stderr).toMatch(/^error: 2 of 3 targets are not recorded$/m);
    expect(JSON.parse(stdout).failed.map(({ target }: { target: string }) => target)).toEqual([
      'pod/web-1',
      'pod/web-2',
    ]);
  });

  it('takes several nodes: one debug pod and one interface each, and --max-targets counts nodes', async () => {
    const nodes = (cluster: ReturnType<typeof clusterWith>, ...words: string[]) =>
      runOn(cluster, ['pcap', ...words, '--duration', '1s', '--output-dir', folder]);
    const cluster = clusterWith();
    const { code, stderr, stdout } = await nodes(
      cluster,
      ...['nodes', 'node-a', 'node-b', 'node-a', '--markdown'],
    );
    expect(code, stderr).toBe(0);
    expect(creations(cluster)).toBe(2);
    expect(stderr).toContain('node-a, node-b: 2 debug pods\n');
    expect(stdout).toMatch(/^### Packets of 2 nodes\n/);
    expect(stdout).toContain('| node node-b | 1 packet');
    expect(readdirSync(folder).map((name) => name.replace(/^.*_UTC\./, ''))).toEqual([
      'nodes_2.pcapng.gz',
      'nodes_2.receipt.json',
    ]);
    const shown = await nodes(clusterWith(), 'node/node-a', 'node/node-b');
    expect(shown.stdout).toMatch(/^NODE +PACKETS +DROPPED +SIZE\nnode-a +1 /m);
    const many = await nodes(clusterWith(), 'nodes', ...['a', 'b', 'c', 'd', 'e', 'f']);
    expect(many.code).toBe(2);
    expect(many.stderr).toContain('error: these targets are 6 nodes, and more than 10 pods or 5 nodes need');
    const data = JSON.parse((await nodes(clusterWith(), 'node/node-a', 'node/node-b', '-o', 'json')).stdout);
    expect(faults('pcap', data)).toEqual([]);
    expect(data.interfaces.map(({ name }: { name: string }) => name)).toEqual(['node-a', 'node-b']);
  });

  it('creates nothing if --detach would record on more nodes than allowed, or if there are too many targets', async () => {
    const cluster = clusterWith();
    const detached = await pcap(cluster, '--detach', '--max-concurrent', '1');
    expect(detached.code).toBe(2);
    expect(detached.stderr).toContain('record on 2 nodes at the same time, and --max-concurrent allows 1');
    const limited = await pcap(cluster, '--max-targets', '2');
    expect(limited.code).toBe(2);
    expect(limited.stderr).toMatch(/^default +web-3 +node-b$/m);
    expect(creations(cluster)).toBe(0);
  });
});
