import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import type { PodOwner } from '../../src/cluster/resources.ts';
import { parseTargets, type Target, type TargetFlags } from '../../src/plan/target.ts';
import { findTarget } from '../../src/workflow/find-target.ts';
import { changedSet, checkMany, findTargetSet } from '../../src/workflow/find-targets.ts';
import { apiAnswer, fakeCluster, status } from '../fake-cluster.ts';

interface Made {
  readonly namespace?: string;
  readonly node?: string;
  readonly phase?: string;
  readonly owner?: string;
  readonly labels?: Record<string, string>;
  readonly containers?: readonly string[];
  readonly deleted?: true;
  readonly gvisor?: true;
}

const pod = (name: string, made: Made = {}): V1Pod => {
  const { namespace = 'default', node = 'node-a', phase = 'Running', owner, containers = ['app'] } = made;
  const [kind = '', ownerName = ''] = owner?.split('/') ?? [];
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      labels: made.labels ?? {},
      ...(owner && { ownerReferences: [{ kind, name: ownerName, controller: true }] }),
      ...(made.deleted && { deletionTimestamp: new Date(0) }),
    },
    spec: {
      ...(phase !== 'Pending' && { nodeName: node }),
      ...(made.gvisor && { runtimeClassName: 'gvisor' }),
    },
    status: {
      phase,
      containerStatuses: containers.map((each, at) => ({
        ...status(each),
        containerID: `containerd://${name.length}${at}abcdef`,
      })),
    },
  } as unknown as V1Pod;
};

const ofDeployment = (deployment: string, name: string, made: Made = {}): V1Pod =>
  pod(name, {
    owner: `ReplicaSet/${deployment}-5d9`,
    ...made,
    labels: { 'pod-template-hash': '5d9', ...made.labels },
  });

const owner = (text: string, more: Partial<PodOwner['metadata']> = {}, selector?: object): PodOwner => {
  const [namespace = '', name = ''] = text.split('/');
  return { metadata: { namespace, name, ...more }, ...(selector && { spec: { selector } }) } as PodOwner;
};

const hasLabels = (labels: Readonly<Record<string, string>> = {}, selector: string | undefined) =>
  (selector ?? '')
    .split(',')
    .every((each) => each === '' || labels[each.split('=')[0]!] === each.split('=')[1]);

/** A cluster with these pods and owners, whose reads are recorded. */
function clusterOf(
  pods: V1Pod[],
  owners: Partial<Record<string, PodOwner[]>> = {},
  overrides: Partial<Cluster> = {},
) {
  const reads: string[] = [];
  const node = (name: string): V1Node => ({
    metadata: { name },
    status: { conditions: [{ type: 'Ready', status: name === 'node-down' ? 'Unknown' : 'True' }] },
  });
  const asked = <T>(text: string, answer: T): T => {
    reads.push(text);
    return answer;
  };
  const cluster = fakeCluster({
    async readPod(namespace, name) {
      reads.push(`pod ${name}`);
      const found = pods.find(({ metadata }) => metadata?.name === name && metadata.namespace === namespace);
      if (!found) throw apiAnswer(404, `pods "${name}" not found`, 'NotFound');
      return found;
    },
    listPods: async (namespace, selector) =>
      asked(
        `pods -n ${namespace}${selector ? ` -l ${selector}` : ''}`,
        pods.filter(
          ({ metadata }) => metadata?.namespace === namespace && hasLabels(metadata.labels, selector),
        ),
      ),
    listAllPods: async (_node, selector) =>
      asked(
        `pods -A${selector ? ` -l ${selector}` : ''}`,
        pods.filter(({ metadata }) => hasLabels(metadata?.labels, selector)),
      ),
    async readService(namespace, name) {
      reads.push(`service ${name}`);
      const found = owners.services?.find(
        ({ metadata }) => metadata?.name === name && metadata.namespace === namespace,
      );
      if (!found) throw apiAnswer(404, `services "${name}" not found`, 'NotFound');
      return found;
    },
    listPodOwners: async (resource, namespace, selector) =>
      asked(
        `${resource} ${namespace ?? '-A'}${selector ? ` -l ${selector}` : ''}`,
        (owners[resource] ?? []).filter(
          ({ metadata }) => namespace === undefined || metadata?.namespace === namespace,
        ),
      ),
    async readNode(name) {
      reads.push(`node ${name}`);
      if (/^(web|pod|none)/.test(name)) throw apiAnswer(404, `nodes "${name}" not found`, 'NotFound');
      return node(name);
    },
    listNodes: async () =>
      asked(
        'nodes',
        ['a', 'b', 'c', 'd', 'e', 'down'].map((each) => node(`node-${each}`)),
      ),
    ...overrides,
  });
  return { cluster, reads };
}

const find = async (
  line: string,
  { cluster }: { readonly cluster: Cluster },
  { container, ...flags }: TargetFlags & { readonly container?: string } = {},
) => findTargetSet(parseTargets(line === '' ? [] : line.split(' '), flags), container, cluster);

const names = (targets: readonly Target[]) =>
  targets.map((each) => (each.kind === 'pod' ? `${each.namespace}/${each.name}` : each.node)).join(' ');

const WEB = [
  ofDeployment('web', 'web-2', { node: 'node-b' }),
  ofDeployment('web', 'web-1'),
  ofDeployment('web-old', 'other'),
];

describe('findTargetSet', () => {
  it('finds all pods of a workload by one list, sorted, and reads each node once', async () => {
    const scene = clusterOf([...WEB, ofDeployment('web', 'web-3', { node: 'node-b' })]);
    expect(names((await find('deploy/web', scene)).targets)).toBe(
      'default/web-1 default/web-2 default/web-3',
    );
    expect(scene.reads).toEqual(['pods -n default', 'node node-a', 'node node-b']);
  });

  it.each<[string, TargetFlags, string, string]>([
    ['pod/web-1 pod/web-1 deploy/web', {}, 'default/web-1 default/web-2', 'pods -n default'],
    ['deploy/web sts/db', {}, 'default/db-0 default/web-1 default/web-2', 'pods -n default'],
    ['web-2 web-1', {}, 'default/web-1 default/web-2', 'pod web-2, pod web-1'],
    ['', { selector: 'app=x' }, 'default/db-0', 'pods -n default -l app=x'],
    ['pods', { selector: 'app=x', allNamespaces: true }, 'default/db-0 other/db-0', 'pods -A -l app=x'],
    ['sts', { allNamespaces: true }, 'default/db-0 other/db-0', 'pods -A'],
    ['deploy', {}, 'default/other default/web-1 default/web-2', 'pods -n default'],
    [
      'deploy',
      { selector: 'a=b' },
      'default/web-1 default/web-2',
      'deployments default -l a=b, pods -n default',
    ],
    ['svc/db', {}, 'default/db-0', 'service db, pods -n default -l app=x'],
    ['svc/db svc/db2', {}, 'default/db-0', 'service db, service db2, pods -n default -l app=x'],
    ['svc/db deploy/web', {}, 'default/db-0 default/web-1 default/web-2', 'service db, pods -n default'],
    ['svc', { allNamespaces: true }, 'default/db-0 third/t', 'services -A, pods -A'],
    ['cronjob/tidy', {}, 'default/tidy-1-x', 'jobs default, pods -n default'],
    ['job/tidy-1', {}, 'default/tidy-1-x', 'pods -n default'],
    ['rc/old', {}, 'default/old-x', 'pods -n default'],
  ])('%s %o', async (line, flags, want, reads) => {
    const scene = clusterOf(
      [
        ...WEB,
        pod('db-0', { owner: 'StatefulSet/db', labels: { app: 'x' } }),
        pod('db-0', { owner: 'StatefulSet/db', labels: { app: 'x' }, namespace: 'other' }),
        pod('tidy-1-x', { owner: 'Job/tidy-1' }),
        pod('tidy-0-x', { owner: 'Job/tidy-0', phase: 'Succeeded' }),
        pod('byhand-x', { owner: 'Job/byhand' }),
        pod('t', { labels: { app: 'y' }, namespace: 'third' }),
        pod('t', { labels: { app: 'y' }, namespace: 'other' }),
        pod('old-x', { owner: 'ReplicationController/old' }),
      ],
      {
        deployments: [owner('default/web')],
        services: [
          owner('default/db', {}, { app: 'x' }),
          owner('default/db2', {}, { app: 'x' }),
          owner('third/t', {}, { app: 'y' }),
          owner('default/none'),
        ],
        jobs: [
          owner('default/tidy-0', { ownerReferences: [{ kind: 'CronJob', name: 'tidy', controller: true }] }),
          owner('default/tidy-1', { ownerReferences: [{ kind: 'CronJob', name: 'tidy', controller: true }] }),
          owner('default/byhand', { ownerReferences: [{ kind: 'CronJob', name: 'tidy' }] }),
        ],
      },
    );
    expect(names((await find(line, scene, flags)).targets)).toBe(want);
    expect(scene.reads.filter((each) => !each.startsWith('node ')).join(', ')).toBe(reads);
  });

  it('lists the nodes once if there are many, or reads each for who may not list them', async () => {
    const pods = ['a', 'b', 'c', 'd', 'e'].map((each) =>
      ofDeployment('web', `web-${each}`, { node: `node-${each}` }),
    );
    const scene = clusterOf(pods);
    expect((await find('deploy/web', scene)).targets).toHaveLength(5);
    expect(scene.reads).toEqual(['pods -n default', 'nodes']);
    const { cluster } = clusterOf(
      pods,
      {},
      {
        listNodes: async () => {
          throw apiAnswer(403, 'nodes is forbidden', 'Forbidden');
        },
      },
    );
    expect((await find('deploy/web', { cluster })).targets).toHaveLength(5);
  });

  it('does not take trouble of the API server for a missing node', async () => {
    const { cluster } = clusterOf(
      WEB,
      {},
      {
        readNode: async () => {
          throw apiAnswer(500, 'etcd is down');
        },
      },
    );
    await expect(find('deploy/web', { cluster })).rejects.toThrow('etcd is down');
  });

  it('takes a ReplicaSet for that of a Deployment only if its name has the hash of the pod', async () => {
    const odd = pod('odd', { owner: 'ReplicaSet/web-abc', labels: { 'pod-template-hash': '5d9' } });
    const scene = clusterOf([...WEB, odd]);
    expect(names((await find('deploy/web', scene)).targets)).toBe('default/web-1 default/web-2');
    expect(names((await find('rs/web-abc', scene)).targets)).toBe('default/odd');
  });

  it('lists pods that were named if there are many of them', async () => {
    const all = Array.from({ length: 12 }, (_, at) => `x-${at}`);
    const scene = clusterOf(all.map((name) => pod(name)));
    expect((await find(`pods ${all.join(' ')}`, scene)).targets).toHaveLength(12);
    expect(scene.reads).toEqual(['pods -n default', 'node node-a']);
  });

  const TROUBLED: ReadonlyArray<[string, Made, string]> = [
    ['web-pending', { phase: 'Pending' }, 'is not on a node yet (Pending)'],
    [
      'web-gvisor',
      { gvisor: true },
      'runs in gVisor: the node sees only its sandbox, not its functions or sockets',
    ],
    ['web-down', { node: 'node-down' }, 'cannot be observed: node "node-down" is not ready'],
    ['web-gone', { node: 'none' }, 'cannot be observed: node "none" not found'],
    ['web-bare', { containers: ['other'] }, 'has no container "app"'],
  ];

  it('passes over what came with a workload and is no possible target, and says why', async () => {
    const scene = clusterOf([
      ...WEB,
      ...TROUBLED.map(([name, made]) => ofDeployment('web', name, made)),
      ofDeployment('web', 'web-deleted', { deleted: true }),
      ofDeployment('web', 'web-evicted', { phase: 'Failed' }),
    ]);
    const { targets, passed, seen } = await find('deploy/web', scene, { container: 'app' });
    expect(names(targets)).toBe('default/web-1 default/web-2');
    expect(targets).toMatchObject([{ container: { name: 'app' } }, { container: { name: 'app' } }]);
    expect(passed.map(({ name, why }) => [name, why])).toEqual(
      [...TROUBLED.map(([name, , why]) => [name, why]), ['web-deleted', 'is being deleted']].toSorted(
        ([a], [b]) => (a! < b! ? -1 : 1),
      ),
    );
    expect(seen.size).toBe(9);
  });

  it.each<[string, string]>([
    ['web-pending', 'pod "web-pending" in namespace "default" is not on a node yet (Pending)'],
    ['web-gvisor', 'pod "web-gvisor" in namespace "default" runs in gVisor'],
    ['web-down', 'node "node-down" of pod/web-down is not ready'],
    ['web-gone', 'node "none" of pod/web-gone not found'],
    ['web-bare', 'pod "web-bare" in namespace "default" has no container "app"'],
  ])('refuses %s if it was named alone', async (name, message) => {
    const scene = clusterOf([...WEB, ...TROUBLED.map(([each, made]) => ofDeployment('web', each, made))]);
    await expect(find(`pod/${name}`, scene, { container: 'app' })).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining(message),
    });
  });

  it.each(TROUBLED)('passes over %s if it was named beside others: %j', async (name, made, why) => {
    const scene = clusterOf([...WEB, ofDeployment('web', name, made)]);
    for (const line of [`web-1 ${name}`, `pod/${name} pod/web-1`]) {
      const { targets, passed } = await find(line, scene, { container: 'app' });
      expect(names(targets)).toBe('default/web-1');
      expect(passed.map((each) => [each.name, each.why])).toEqual([[name, why]]);
    }
    const { passed } = await find(`deploy/web pod/${name}`, scene, { container: 'app' });
    expect(passed.map((each) => each.name)).toEqual([name]);
  });

  it('passes over a pod that has ended if it was named beside others', async () => {
    const scene = clusterOf([...WEB, ofDeployment('web', 'web-evicted', { phase: 'Failed' })]);
    const { targets, passed } = await find('web-1 web-evicted', scene);
    expect(names(targets)).toBe('default/web-1');
    expect(passed).toMatchObject([
      { name: 'web-evicted', why: expect.stringContaining('has ended (Failed)') },
    ]);
  });

  it('refuses several that were named if none of them is possible', async () => {
    const pods = ['web-1', 'web-2'].map((name) => ofDeployment('web', name, { phase: 'Pending' }));
    await expect(find('web-1 web-2', clusterOf(pods))).rejects.toMatchObject({
      code: 3,
      message: expect.stringMatching(
        /^none of the 2 pods that were found is a possible target: pod "web-1" /,
      ),
    });
  });

  it('throws what is wrong if nothing is left', async () => {
    const pending = ofDeployment('web', 'web-1', { phase: 'Pending' });
    await expect(find('deploy/web', clusterOf([pending]))).rejects.toMatchObject({
      code: 3,
      message: 'pod "web-1" in namespace "default" is not on a node yet (Pending)',
      hint: 'kubectl describe pod -n default web-1',
    });
    const both = [pending, ofDeployment('web', 'web-2', { node: 'node-down' })];
    await expect(find('deploy/web', clusterOf(both))).rejects.toThrow(
      'none of the 2 pods that were found is a possible target: pod "web-1" in namespace "default" is not',
    );
  });

  it.each<[string, TargetFlags, string, string]>([
    ['deploy/wbe', {}, 'deployment "wbe" not found in namespace "default"', 'did you mean web?'],
    [
      'deploy/zzz',
      {},
      'deployment "zzz" not found in namespace "default"',
      'choose its namespace with -n; kubectl get deployments -A shows all deployments',
    ],
    [
      'deploy/idle',
      {},
      'deployment "idle" has no running pod in namespace "default"',
      'kubectl get deployments,pods -n default',
    ],
    [
      'cj/idle',
      {},
      'cronjob "idle" has no running pod in namespace "default"',
      'kubectl get cronjobs,pods -n default',
    ],
    [
      'cj/none',
      {},
      'cronjob "none" not found in namespace "default"',
      'choose its namespace with -n; kubectl get cronjobs -A shows all cronjobs',
    ],
    ['svc/wbe', {}, 'service "wbe" not found in namespace "default"', 'did you mean web?'],
    [
      'svc/web',
      {},
      'service "web" has no running pod in namespace "default"',
      'kubectl get services,pods -n default',
    ],
    [
      'svc/bare',
      {},
      'service "bare" in namespace "default" has no selector, so it does not say which pods are behind it',
      'kubectl get endpointslices -n default -l kubernetes.io/service-name=bare',
    ],
    [
      'web-1 deploy/none',
      {},
      'deployment "none" not found in namespace "default"',
      'choose its namespace with -n; kubectl get deployments -A shows all deployments',
    ],
    ['pod/web-9', {}, 'pod "web-9" not found in namespace "default"', 'did you mean web-1 or web-2?'],
    [
      'pods web-1 deploy web',
      {},
      'pod "deploy" not found in namespace "default"',
      '"deploy" was taken for the name of a pod: to name several kinds, write deploy/NAME',
    ],
    [
      '',
      { selector: 'a=b' },
      'the selector "a=b" matches no running pod in namespace "default"',
      'kubectl get pods -n default --show-labels',
    ],
    [
      'sts,ds',
      {},
      'no statefulset or daemonset in namespace "default" has a running pod',
      'kubectl get statefulsets,daemonsets -n default',
    ],
    [
      'deploy',
      { selector: 'a=b', allNamespaces: true },
      'the selector "a=b" matches no deployment with a running pod in any namespace',
      'kubectl get deployments -A --show-labels',
    ],
    [
      'id/999999',
      {},
      'no container\'s id begins with "999999"',
      'the id of a sandbox is known only to its node: add --node NAME',
    ],
  ])('says what there is not: %s', async (line, flags, message, hint) => {
    const scene = clusterOf(WEB, {
      deployments: flags.selector ? [] : [owner('default/web'), owner('default/idle')],
      cronjobs: [owner('default/idle')],
      services: [owner('default/web', {}, { app: 'nothing' }), owner('default/bare')],
    });
    await expect(find(line, scene, flags)).rejects.toMatchObject({ code: 3, message, hint });
  });

  it('tells who may not list workloads what is certain', async () => {
    const { cluster } = clusterOf(
      [],
      {},
      {
        listPodOwners: async () => {
          throw apiAnswer(403, 'deployments.apps is forbidden', 'Forbidden');
        },
      },
    );
    await expect(find('deploy/web', { cluster })).rejects.toThrow('deployment "web" has no running pod');
  });

  it('hints at a pod whose name was taken for a kind', async () => {
    const { targets, notes } = await find('pod', clusterOf([...WEB, pod('pod')]));
    expect(targets).toHaveLength(4);
    expect(notes).toEqual([
      '"pod" was taken for a kind, as kubectl does; the pod of this name alone is pod/pod',
    ]);
    expect((await find('pod', clusterOf(WEB))).notes).toEqual([]);
  });

  it('takes each container that an id names, and not beside its whole pod', async () => {
    const scene = () => clusterOf([pod('web-1', { containers: ['app', 'proxy'] })]);
    const ids = await find('id/51abcdef id/50abcdef id/50abcde', scene());
    expect(ids.targets).toMatchObject([{ container: { name: 'app' } }, { container: { name: 'proxy' } }]);
    const whole = await find('id/51abcdef pod/web-1', scene());
    expect(whole.targets).toHaveLength(1);
    expect(whole.targets[0]).not.toHaveProperty('container');
  });

  it('takes a node alone', async () => {
    expect((await find('node node-a', clusterOf([]))).targets).toEqual([{ kind: 'node', node: 'node-a' }]);
    await expect(find('node/node-down', clusterOf([]))).rejects.toThrow('node "node-down" is not ready');
  });
});

it('findTarget takes the only pod that can be one, and refuses several', async () => {
  const ref = parseTargets(['deploy/web']).refs[0]!;
  const one = clusterOf([WEB[0]!, ofDeployment('web', 'web-3', { phase: 'Pending' })]);
  expect(await findTarget(ref, undefined, one.cluster)).toMatchObject({ name: 'web-2' });
  await expect(findTarget(ref, undefined, clusterOf(WEB).cluster)).rejects.toMatchObject({
    message: 'deployment "web" has 2 pods, but this command takes one',
    hint: 'name one of them: pod/web-1, pod/web-2',
  });
});

describe('checkMany', () => {
  const some = (count: number, nodes: number) =>
    Array.from(
      { length: count },
      (_, at) => ({ kind: 'pod', namespace: 'default', name: `p-${at}`, node: `n-${at % nodes}` }) as Target,
    );
  const check = (targets: readonly Target[], max?: number, limits?: { pods: number; nodes: number }) => {
    const lines: string[] = [];
    try {
      checkMany(targets, max, { line: (text) => lines.push(text) }, limits);
      return { lines };
    } catch (error) {
      return { lines, error };
    }
  };

  it.each<[number, number, number | undefined]>([
    [10, 5, undefined],
    [11, 6, 11],
    [100, 50, 100],
  ])('takes %d pods on %d nodes with --max-targets %s', (pods, nodes, max) =>
    expect(check(some(pods, nodes), max)).toEqual({ lines: [] }),
  );

  it.each<[number, number, number | undefined, string]>([
    [
      11,
      1,
      undefined,
      'these targets are 11 pods on 1 node, and more than 10 pods or 5 nodes need --max-targets',
    ],
    [
      6,
      6,
      undefined,
      'these targets are 6 pods on 6 nodes, and more than 10 pods or 5 nodes need --max-targets',
    ],
    [3, 1, 2, 'these targets are 3 pods on 1 node, which is more than --max-targets 2 allows'],
  ])(
    'refuses %d pods on %d nodes with --max-targets %s, after it has listed them',
    (pods, nodes, max, message) => {
      const { lines, error } = check(some(pods, nodes), max);
      expect(error).toMatchObject({ code: 2, message, hint: `to take all of them: --max-targets ${pods}` });
      expect(lines).toHaveLength(pods + 1);
      expect(lines[0]).toMatch(/^NAMESPACE +POD +NODE$/);
      expect(lines[1]).toMatch(/^default +p-0 +n-0$/);
    },
  );

  it('lists no more than 50', () => {
    const { lines } = check(some(120, 2));
    expect([lines.length, lines.at(-1)]).toEqual([52, '… and 70 more']);
  });

  it('counts only the nodes where it is they that cost something', () => {
    const limits = { pods: Number.POSITIVE_INFINITY, nodes: 5 };
    expect(check(some(100, 5), undefined, limits)).toEqual({ lines: [] });
    expect(check(some(100, 6), undefined, limits).error).toMatchObject({
      message: 'these targets are 100 pods on 6 nodes, and more than 5 nodes need --max-targets',
    });
  });
});

describe('changedSet', () => {
  const look = async (
    line: string,
    before: V1Pod[],
    after: V1Pod[],
    overrides: Partial<Cluster> = {},
    flags: TargetFlags = {},
  ) => {
    const refs = parseTargets(line === '' ? [] : line.split(' '), flags);
    const set = await findTargetSet(refs, undefined, clusterOf(before).cluster);
    const scene = clusterOf(after, {}, overrides);
    return { ...(await changedSet(set, refs, scene.cluster)), reads: scene.reads };
  };

  it('names the pods that appeared, those that have ended already among them', async () => {
    const fresh = [ofDeployment('web', 'web-9'), ofDeployment('web', 'web-8', { phase: 'Failed' })];
    expect(await look('deploy/web', WEB, [...WEB, ...fresh])).toEqual({
      changes: ['pod web-8 appeared during the capture', 'pod web-9 appeared during the capture'],
      reads: ['pods -n default'],
    });
    const all = await look(
      'pods',
      [pod('a')],
      [pod('a'), pod('b', { namespace: 'other' })],
      {},
      { allNamespaces: true },
    );
    expect(all.changes).toEqual(['pod other/b appeared during the capture']);
  });

  it('knows the pods that it passed over, and those that had ended', async () => {
    const known = [
      ...WEB,
      ofDeployment('web', 'web-5', { phase: 'Pending' }),
      ofDeployment('web', 'web-6', { phase: 'Failed' }),
    ];
    const now = [...WEB, ofDeployment('web', 'web-5')];
    expect((await look('deploy/web', known, now)).changes).toEqual([]);
  });

  it('asks nothing about pods that were named', async () =>
    expect(await look('web-1 web-2', WEB, [])).toEqual({ changes: [], reads: [] }));

  it('is not worried if there is no pod any more', async () => {
    expect(await look('deploy/web', WEB, [])).toMatchObject({ changes: [] });
    const other = await look('deploy/web deploy/web-old', WEB, [ofDeployment('web-old', 'new')]);
    expect(other.changes).toEqual(['pod new appeared during the capture']);
    expect(other).not.toHaveProperty('unknown');
  });

  it('says why it does not know', async () =>
    expect(
      await look('deploy/web', WEB, [], {
        listPods: async () => {
          throw apiAnswer(500, 'etcd is down');
        },
      }),
    ).toMatchObject({ changes: [], unknown: expect.stringContaining('etcd is down') }));

  it('counts those that are too many to name', async () => {
    const many = Array.from({ length: 25 }, (_, at) => ofDeployment('web', `new-${10 + at}`));
    const { changes } = await look('deploy/web', WEB, [...WEB, ...many]);
    expect([changes.length, changes.at(-1)]).toEqual([21, '5 more pods appeared during the capture']);
  });
});
