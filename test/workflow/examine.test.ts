import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { Context } from '../../src/cli/command.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { answerOf, failureOf } from '../../src/doctor/check.ts';
import { clusterError } from '../../src/errors.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { parseTarget } from '../../src/plan/target.ts';
import { type Bounds, type Examination, examine } from '../../src/workflow/examine.ts';
import { HEALTHY, nodeWith } from '../doctor/scene.ts';
import { apiAnswer, bytes, type FakeCluster, fakeCluster } from '../fake-cluster.ts';
import { shortly } from '../session/scene.ts';

const SNAPSHOT = ['cgroup:cgroup2fs ', 'pmu:cpu', 'btf:yes', '/proc/sys/kernel/kptr_restrict:1', 'whole:yes'];

const REDIS = {
  metadata: { name: 'redis-0', namespace: 'redis', uid: 'u' },
  spec: { nodeName: 'node-b', containers: [] },
  status: {
    phase: 'Running',
    containerStatuses: [
      { name: 'redis', containerID: `containerd://${'a'.repeat(64)}`, state: { running: {} } },
    ],
  },
} as unknown as V1Pod;

/** A cluster that answers everything, with redis-0 on node-b, but for these answers. */
function clusterWith(more: Partial<Cluster> = {}, created: V1Pod[] = []): FakeCluster {
  const nodes: V1Node[] = [nodeWith({ name: 'node-a', conditions: [] }), nodeWith({ name: 'node-b' })];
  const zipped = gzipSync(SNAPSHOT.join('\n'));
  const header = `${zipped.length} ${createHash('sha256').update(zipped).digest('hex')}\n`;
  const cluster: FakeCluster = fakeCluster({
    namespace: 'redis',
    listNodes: async () => nodes,
    readNode: async (name) => {
      const node = nodes.find(({ metadata }) => metadata?.name === name);
      if (!node) throw apiAnswer(404, `nodes "${name}" not found`, 'NotFound');
      return node;
    },
    readPod: async (_namespace, name) => {
      const pod = name === 'redis-0' ? REDIS : cluster.pods.get(name);
      if (!pod) throw apiAnswer(404, `pods "${name}" not found`, 'NotFound');
      return pod;
    },
    listPods: async () => [REDIS],
    execStream: () => bytes(Buffer.concat([Buffer.from(header), zipped])),
    async createPod(pod, dryRun) {
      created.push(pod);
      if (!dryRun)
        cluster.pods.set(pod.metadata!.name!, {
          ...pod,
          status: { phase: 'Running', containerStatuses: [{ name: 'capture', state: { running: {} } }] },
        } as V1Pod);
      return pod;
    },
    ...more,
  });
  return cluster;
}

/** Examines, and tells whether something was left waiting. */
async function run(
  cluster: Cluster | Promise<Cluster>,
  target?: string,
  more: { readonly bounds?: Partial<Bounds>; readonly context?: Partial<Context> } = {},
) {
  let isUnfinished = false;
  const context = {
    interrupts: new Interrupts(),
    log: new Log({ write: () => {} }),
    openCluster: async () => cluster,
    kubectlVersion: async () => 'v1.34.1',
    leaveUnfinished: () => {
      isUnfinished = true;
    },
    now: () => Date.now(),
    sleep: shortly,
    ...more.context,
  } as unknown as Context;
  const request: Examination = {
    options: {
      connection: {},
      debugPod: HEALTHY.debugPod,
      explain: false,
      format: { kind: 'text' },
      lingerSeconds: 0,
    },
    ...(target !== undefined && { ref: parseTarget(target), text: target }),
  };
  const bounds = { kubectl: 1000, login: 1000, answer: 1000, node: 20_000, ...more.bounds };
  return { facts: await examine(request, context, bounds), isUnfinished: () => isUnfinished };
}

const argsOf = (pod: V1Pod): string => pod.spec!.containers[0]!.args!.join(' ');

describe('without a target', () => {
  it('creates nothing, and submits the pods of flamegraph and pcap as dry runs, on a node that is ready', async () => {
    const dryRuns: boolean[] = [];
    const created: V1Pod[] = [];
    const cluster = clusterWith({
      createPod: async (pod, dryRun) => {
        dryRuns.push(dryRun);
        created.push(pod);
        return pod;
      },
    });
    const { facts } = await run(cluster);
    expect(dryRuns).toEqual([true, true]);
    expect(created.map(({ spec }) => spec?.nodeName)).toEqual(['node-b', 'node-b']);
    expect(created.map(argsOf)).toEqual([
      expect.stringContaining('collector=perf scope=node'),
      expect.stringContaining('collector=tcpdump scope=node'),
    ]);
    expect(facts.target).toBeUndefined();
    expect(facts.kernel).toBeUndefined();
    expect(answerOf(facts.nodes)).toHaveLength(2);
    expect(facts.rights.every(({ isAllowed }) => answerOf(isAllowed) === true)).toBe(true);
  });

  it('asks for rights where each is needed', async () => {
    const asked: string[] = [];
    await run(
      clusterWith({
        askAccess: async ({ namespace, verb, resource, subresource }) => {
          asked.push(`${verb} ${resource}${subresource ? `/${subresource}` : ''} in "${namespace}"`);
          return true;
        },
      }),
    );
    expect(asked).toEqual(
      expect.arrayContaining([
        'get pods in "redis"',
        'get nodes in ""',
        'list pods in ""',
        'create pods/exec in "gkeprof"',
        'get pods/log in "gkeprof"',
      ]),
    );
  });
});

describe('with a target', () => {
  it('asks its node by one debug pod, and deletes it', async () => {
    const created: V1Pod[] = [];
    const cluster = clusterWith({}, created);
    const { facts } = await run(cluster, 'pod/redis-0');
    expect(answerOf(facts.kernel!)).toEqual({ cgroup: 'v2', pmu: true, btf: true, kptrRestrict: 1 });
    expect(cluster.calls).toEqual(['create', 'create', 'create', 'delete']);
    expect(cluster.pods.size).toBe(0);
    expect(created.map(argsOf)).toEqual([
      expect.stringContaining('collector=perf scope=pod'),
      expect.stringContaining('collector=tcpdump scope=netns'),
      expect.stringContaining('collector=inspect'),
    ]);
    expect(answerOf(facts.nodes)!.map(({ metadata }) => metadata?.name)).toEqual(['node-b']);
  });

  it('knows the node of a pod that cannot be recorded, and leaves the node in peace', async () => {
    const pod = { ...REDIS, spec: { ...REDIS.spec, runtimeClassName: 'gvisor' } } as V1Pod;
    const cluster = clusterWith({ readPod: async () => pod });
    const { facts } = await run(cluster, 'pod/redis-0');
    expect(answerOf(facts.target!)).toMatchObject({
      refusal: { reason: expect.stringMatching(/gVisor/) },
      pod,
    });
    expect(answerOf(facts.nodes)).toHaveLength(1);
    expect(failureOf(facts.kernel!)?.reason).toMatch(/no target that can be recorded/);
    expect(cluster.calls).toEqual(['create', 'create']); // The dry runs.
  });

  it('says what does not exist, with a similar name', async () => {
    const { facts } = await run(clusterWith(), 'pod/redis-9');
    expect(failureOf(facts.target!)).toEqual({
      reason: 'pod "redis-9" not found in namespace "redis"',
      hint: 'did you mean redis-0?',
      code: 404,
    });
    expect(failureOf((await run(clusterWith(), 'node/nope')).facts.target!)?.code).toBe(404);
  });

  it('creates nothing without the right to delete it', async () => {
    const cluster = clusterWith({ isAllowed: async ({ verb }) => verb !== 'delete' });
    const { facts } = await run(cluster, 'pod/redis-0');
    expect(failureOf(facts.kernel!)).toEqual({
      reason: 'not created, because you lack a right that it needs',
      isSilent: true,
    });
    expect(cluster.calls).toEqual(['create', 'create']); // The dry runs.
  });

  it('creates nothing if the dry run is refused, or changed', async () => {
    const refused = clusterWith({ createPod: () => Promise.reject(apiAnswer(403, 'denied by a policy')) });
    const { facts } = await run(refused, 'pod/redis-0');
    expect(failureOf(facts.admission.pcap)).toMatchObject({ code: 403 });
    expect(refused.calls).toEqual(['create', 'create']);
    const changed = clusterWith({
      createPod: async (pod) => ({
        ...pod,
        spec: { ...pod.spec!, containers: [...pod.spec!.containers, { name: 'istio' }] },
      }),
    });
    expect(answerOf((await run(changed, 'pod/redis-0')).facts.admission.flamegraph)).toEqual([
      'container "istio" was added',
    ]);
    expect(changed.calls).toEqual(['create', 'create']);
  });
});

it('finds out that the node cannot start the debug pod, and deletes it', async () => {
  const cluster = clusterWith({}, []);
  const waiting = { reason: 'ErrImagePull', message: 'connection refused' };
  const readPod: Cluster['readPod'] = async (_namespace, name) =>
    name === 'redis-0'
      ? REDIS
      : ({
          ...cluster.pods.get(name),
          status: { phase: 'Pending', containerStatuses: [{ name: 'capture', state: { waiting } }] },
        } as V1Pod);
  const { facts } = await run(Object.assign(cluster, { readPod }), 'pod/redis-0');
  expect(failureOf(facts.kernel!)?.reason).toMatch(/cannot pull the image/);
  expect(failureOf(facts.kernel!)?.isSilent).toBeUndefined();
  expect(cluster.calls.at(-1)).toBe('delete');
});

describe('what fails', () => {
  it('does not end what else is asked', async () => {
    const fails = () => Promise.reject(apiAnswer(500, 'etcd is slow'));
    const { facts } = await run(clusterWith({ readNamespace: fails, askAccess: fails }));
    expect(failureOf(facts.namespace)).toMatchObject({ code: 500 });
    expect(facts.rights.every(({ isAllowed }) => failureOf(isAllowed)?.code === 500)).toBe(true);
    expect(answerOf(facts.admission.pcap)).toEqual([]);
  });

  it('is not asked if the user may create no pods', async () => {
    const cluster = clusterWith({ askAccess: async ({ verb }) => verb !== 'create' });
    const { facts } = await run(cluster);
    expect(failureOf(facts.admission.pcap)?.reason).toMatch(/you may not create pods/);
    expect(cluster.calls).toEqual([]);
  });

  it('is told once where nothing is answered', async () => {
    const dead = () => Promise.reject(clusterError('the cluster is unreachable: connect ECONNREFUSED'));
    const { facts } = await run(
      clusterWith({
        whoAmI: dead,
        askAccess: dead,
        readNamespace: dead,
        listNodes: dead,
        readPod: dead,
        createPod: dead,
      }),
      'pod/redis-0',
    );
    expect(JSON.stringify(facts).match(/ECONNREFUSED/g)).toHaveLength(1);
    expect(failureOf(facts.target!)).toEqual({ reason: 'the cluster was not reached', isSilent: true });
  });

  it('is everything but kubectl if there is no cluster', async () => {
    const { facts } = await run(Promise.reject(clusterError('no kubeconfig was found')), 'pod/redis-0');
    expect(failureOf(facts.door)?.reason).toBe('no kubeconfig was found');
    expect(answerOf(facts.kubectl)).toBe('v1.34.1');
    expect(failureOf(facts.kernel!)).toMatchObject({ isSilent: true });
  });
});

describe('what does not answer', () => {
  const never = <T>() => new Promise<T>(() => {});

  it('is waited for within its own bound, and the rest is known', async () => {
    const cluster = clusterWith({ readNamespace: never });
    const { facts, isUnfinished } = await run(cluster, undefined, { bounds: { answer: 100 } });
    expect(failureOf(facts.namespace)).toEqual({ reason: 'no answer within 0.1 s', isSilent: true });
    expect(answerOf(facts.nodes)).toHaveLength(2);
    expect(isUnfinished()).toBe(true);
  });

  it('may be kubectl or the login', async () => {
    const late = {
      bounds: { kubectl: 50, login: 50 },
      context: { kubectlVersion: never } as Partial<Context>,
    };
    const { facts } = await run(never(), undefined, late);
    expect(failureOf(facts.kubectl)?.isSilent).toBe(true);
    expect(failureOf(facts.door)?.isSilent).toBe(true);
  });

  it('leaves nothing behind where all answered', async () =>
    expect((await run(clusterWith())).isUnfinished()).toBe(false));
});

it('ends with the error of the interruption after Ctrl-C', async () => {
  const interrupts = new Interrupts();
  const cluster = clusterWith({
    whoAmI: async () => {
      interrupts.receive('SIGINT');
      return 'jane';
    },
  });
  await expect(run(cluster, undefined, { context: { interrupts } })).rejects.toThrow('interrupted');
});
