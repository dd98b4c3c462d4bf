import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytes, fakeCluster } from '../fake-cluster.ts';
import { golden } from '../golden.ts';
import { faults } from '../schemas.ts';
import { CRIO, GKE_V2, id, type NodeScene } from '../snapshot/nodes.ts';
import { snapshotText } from '../snapshot/scene.ts';
import { runOn } from './on-cluster.ts';

/** A command against a node of which only this is known. */
async function on({ pods, snapshot }: NodeScene, ...words: string[]) {
  const zipped = gzipSync(snapshot);
  const header = `${zipped.length} ${createHash('sha256').update(zipped).digest('hex')}\n`;
  const cluster = fakeCluster({
    namespace: 'redis',
    execStream: () => bytes(Buffer.concat([Buffer.from(header), zipped])),
    listAllPods: async () => [...pods],
    listNodes: async () =>
      pods.map(({ spec }) => ({
        metadata: { name: spec!.nodeName! },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      })),
    listPods: async (namespace) => pods.filter((pod) => pod.metadata?.namespace === namespace),
    readPod: async (_namespace, name) =>
      pods.find((pod) => pod.metadata?.name === name) ?? cluster.pods.get(name)!,
  });
  return runOn(cluster, words);
}

const SCENES = { 'gke-v2': GKE_V2, 'cri-o': CRIO } as const;

describe.each(Object.entries(SCENES))('a node that cannot be booted here: %s', (name, scene) => {
  it('ps of the node and of a pod', async () => {
    const node = await on(scene, 'ps', 'node/node-a');
    expect(node.code).toBe(0);
    golden(`who/${name}.ps-node.txt`, node.stdout);
    const pod = await on(scene, 'ps', 'pod/redis-0', '-o', 'wide');
    golden(`who/${name}.ps-pod.txt`, pod.stdout);
    expect(pod.calls).toEqual(['create', 'delete']);
  });

  it('whois of every process', async () => {
    const run = await on(scene, 'whois', 'node/node-a', '--match', '.', '-o', 'wide');
    expect(run.code).toBe(0);
    golden(`who/${name}.whois.txt`, run.stdout);
  });
});

it.each([
  ['ps', 'node/node-a'],
  ['whois', 'node/node-a', '--match', '.'],
])('prints nothing beside a result for programs: %s', async (...words) => {
  for (const format of ['json', 'yaml', 'name', 'jsonpath={.kind}']) {
    const run = await on(GKE_V2, ...words, '-o', format);
    expect([run.code, run.stderr]).toEqual([0, '']);
  }
});

describe('ps of several targets', () => {
  const clone = (changes: object, at: number) => {
    const [first] = GKE_V2.pods;
    const metadata = { ...first!.metadata, name: `more-${at}`, uid: `uid-${at}` };
    return { ...first!, metadata, ...changes };
  };

  it('shows the processes of each pod once', async () => {
    const both = await on(GKE_V2, 'ps', 'pods', '-A', '-o', 'name');
    expect(both).toMatchObject({ code: 0, stdout: '1002\n1003\n1010\n1011\n1020\n', stderr: '' });
    expect(both.calls).toEqual(['create', 'delete']);
    const twice = await on(GKE_V2, 'ps', 'pod/redis-0', 'pod/redis-0', '-o', 'name');
    expect(twice).toMatchObject({ code: 0, stdout: '1002\n1003\n' });
    expect((await on(GKE_V2, 'ps', 'pod', 'redis-0', '-o', 'name')).stdout).toBe(twice.stdout);
  });

  it('says which pods it left out, with exit code 5', async () => {
    const pods = [...GKE_V2.pods, clone({ spec: {}, status: { phase: 'Pending' } }, 1)];
    const run = await on({ ...GKE_V2, pods }, 'ps', '-A', '-l', 'app=redis-0');
    expect(run.code).toBe(5);
    expect(run.stderr).toContain(
      'warning: pod "more-1" in namespace "redis" was left out: it is not on a node yet (Pending)\n',
    );
  });

  it('creates nothing on more than five nodes without --max-targets', async () => {
    const pods = [1, 2, 3, 4, 5].map((at) => clone({ spec: { nodeName: `node-${at}` } }, at));
    const scene = { ...GKE_V2, pods: [...GKE_V2.pods, ...pods] };
    const run = await on(scene, 'ps', 'pods', '-A');
    expect([run.code, run.calls]).toEqual([2, []]);
    expect(run.stderr).toMatch(/^NAMESPACE +POD +NODE\n.*redis +more-1 +node-1\n.*need --max-targets\n$/s);
    expect((await on(scene, 'ps', 'pods', '-A', '--max-targets', '8', '--dry-run')).code).toBe(0);
  });

  it.each([
    [['pod/x', '-l', 'a=b'], 'name cannot be provided when a selector is specified'],
    [['pod/x', 'node/y'], 'a node cannot be a target beside pods'],
    [['pod', 'x', '-A'], 'a resource cannot be retrieved by name across all namespaces'],
    [['pods', '--max-targets', '0'], '--max-targets: "0" is not a whole number'],
    [[], 'missing target'],
  ])('refuses %j', async (words, message) => {
    await expect(on(GKE_V2, 'ps', ...words)).rejects.toThrow(message);
  });
});

describe('whois on cgroup v2', () => {
  const json = async (...words: string[]) =>
    JSON.parse((await on(GKE_V2, 'whois', 'node/node-a', ...words, '-o', 'json')).stdout).owners;

  it('is not taken in by cgroups that a container made after another’s name', async () => {
    expect(await json('1011')).toMatchObject([{ pod: 'web', container: 'app', containerId: id('d') }]);
    expect((await json('--container', id('a'))).map((each: { pid: number }) => each.pid)).toEqual([1002]);
  });

  it('finds a static pod by its name in the API, by its sandbox and by its address', async () => {
    expect(await json('1020')).toMatchObject([
      { pod: 'kube-proxy-node-a', container: 'kube-proxy', sandboxId: id('8') },
    ]);
    expect((await on(GKE_V2, 'ps', 'kube-proxy-node-a', '-n', 'kube-system', '-o', 'name')).stdout).toBe(
      '1020\n',
    );
    expect((await json('--ip', '10.128.0.9'))[0]).toMatchObject({ pid: 1020 });
    expect((await json('--ip', 'FD00:0::1')).length).toBe(3);
  });

  it('prints targets with -o name, each once', async () => {
    const run = await on(GKE_V2, 'whois', 'node/node-a', '1', '1002', '1003', '1011', '77', '-o', 'name');
    expect(run.stdout).toBe('node/node-a\npod/redis-0\npod/web\n');
    expect([run.code, run.stderr]).toEqual([5, expect.stringContaining('no process 77 on node node-a')]);
  });
});

describe('id/HEX --node', () => {
  it('is the pod of a sandbox, which its node knows', async () => {
    const run = await on(GKE_V2, 'ps', `id/${id('c').slice(0, 13)}`, '--node', 'node-a', '-o', 'name');
    expect(run).toMatchObject({ code: 0, stdout: '1002\n1003\n' });
    expect(run.calls).toEqual(['create', 'delete', 'create', 'delete']);
    const pcap = await on(GKE_V2, 'pcap', `id/${id('8')}`, '--node', 'node-a', '--dry-run', 'client');
    expect(pcap).toMatchObject({
      code: 0,
      calls: [],
      stderr: expect.stringContaining('would be asked first'),
    });
    expect(pcap.stdout).toContain('collector=inspect');
  });

  it('asks nobody about a container, and says what is on no node', async () => {
    const run = await on(GKE_V2, 'flamegraph', `id/${id('a')}`, '--node', 'node-a', '--dry-run', 'client');
    expect(run.stdout).toContain(`container_id=${id('a')}`);
    const none = await on(GKE_V2, 'ps', 'id/77777777', '--node', 'node-a');
    expect([none.code, none.stderr]).toEqual([
      3,
      expect.stringContaining('no container or sandbox that runs'),
    ]);
    await expect(on(GKE_V2, 'ps', 'pod/x', '--node', 'node-a')).rejects.toThrow(
      '--node works only with id/HEX',
    );
  });

  it('and --pid of a dry run asks nobody either', async () => {
    const run = await on(GKE_V2, 'flamegraph', 'node/node-a', '--pid', '1002', '--dry-run', 'client');
    expect(run).toMatchObject({
      code: 0,
      calls: [],
      stderr: expect.stringContaining('would be asked first'),
    });
  });
});

describe('what comes from a node', () => {
  it('stays text, whatever it is called', async () => {
    const evil = '\u001b[2J\n$(id)\u202e';
    const scene: NodeScene = {
      pods: [],
      snapshot: [
        snapshotText({
          pid: 7,
          comm: evil,
          argv: [`x${evil}`],
          cgroup: `0::/a${evil.replace('\n', '')}.service`,
          uid: 5,
        }),
        'mnt:/proc/7/ns/mnt mnt:[1]',
        '/proc/7/root/etc/passwd:\u001b[31mroot:x:5:5::/:',
        'crictl-ps:\u001b[2Jboom',
        'crictl-pods:x',
      ].join('\n'),
    };
    for (const words of [
      ['ps', 'node/node-a'],
      ['ps', 'node/node-a', '-o', 'wide'],
      ['whois', 'node/node-a', '7', '-o', 'wide'],
    ]) {
      const { stdout, stderr } = await on(scene, ...words);
      expect(`${stdout}${stderr}`).not.toMatch(/[\u001b\u202e]/);
      expect(stdout).toContain('x\\x1b[2J\\n$(id)\\u202e');
    }
    const { stdout } = await on(scene, 'ps', 'node/node-a', '-o', 'json');
    expect(stdout).not.toMatch(/[\u001b]/);
    expect(JSON.parse(stdout).processes[0]).toMatchObject({ argv: [`x${evil}`], comm: evil });
  });

  it('is said where it was not read to its end, of what is shown', async () => {
    const processes = [
      { pid: 7, argv: ['long'], uid: 5 },
      { pid: 8, argv: ['short'] },
    ];
    const scene: NodeScene = {
      pods: [],
      snapshot: [
        snapshotText(...processes),
        'command-bytes 7:4096',
        'mnt:/proc/7/ns/mnt mnt:[1]',
        'passwd-cut:7',
      ].join('\n'),
    };
    const run = await on(scene, 'ps', 'node/node-a', '-o', 'json');
    expect(run.code).toBe(0);
    expect(run.stderr).toContain('warning: node node-a: 1 command line was not read to the end');
    expect(run.stderr).toContain('warning: node node-a: /etc/passwd of 1 process was not read to the end');
    const data = JSON.parse(run.stdout);
    expect(data.processes.map((each: { argvCut?: true }) => each.argvCut)).toEqual([true, undefined]);
    expect(faults('ps', data)).toEqual([]);
    expect((await on(scene, 'ps', 'node/node-a')).stderr).toContain('1 command line was not read');
    expect((await on(scene, 'whois', 'node/node-a', '7')).stderr).toContain('1 command line was not read');
    // Nobody is told of another one's long command line, unless it could have matched.
    expect((await on(scene, 'whois', 'node/node-a', '8')).stderr).not.toContain('warning');
    expect((await on(scene, 'ps', 'node/node-a', '--match', 'short')).stderr).toContain(
      '--match saw only what was read',
    );
  });

  it('may be missing where the answer ended at its bound: said, and exit code 5', async () => {
    const scene: NodeScene = { pods: [], snapshot: snapshotText({ pid: 7 }).replace('whole:yes', '') };
    const run = await on(scene, 'ps', 'node/node-a');
    expect([run.code, run.stderr]).toEqual([
      5,
      expect.stringContaining('the answer was too long to be read whole'),
    ]);
  });
});
