import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { nearestNames } from '../../src/cli/suggest.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { checkNode, parseTarget, parseTargets, podTarget, type TargetFlags } from '../../src/plan/target.ts';

const ID = 'c'.repeat(64);
const pod = (overrides: { spec?: object; status?: object; metadata?: object } = {}): V1Pod =>
  ({
    metadata: { name: 'redis-0', namespace: 'redis', uid: 'u-1', ...overrides.metadata },
    spec: { nodeName: 'node-a', containers: [], ...overrides.spec },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
      containerStatuses: [
        { name: 'redis', containerID: `containerd://${ID}`, state: { running: {} } },
        { name: 'old', containerID: `containerd://${ID}`, state: { terminated: {} } },
      ],
      initContainerStatuses: [{ name: 'init', containerID: 'containerd://1', state: { terminated: {} } }],
      ...overrides.status,
    },
  }) as unknown as V1Pod;

const refusal = (work: () => unknown): GkeprofError => {
  try {
    work();
  } catch (error) {
    return error as GkeprofError;
  }
  throw new Error('it was not refused');
};

describe('parseTarget', () => {
  it.each([
    ['redis-0', 'pod', 'redis-0'],
    ['pod/redis-0', 'pod', 'redis-0'],
    ['po/redis-0', 'pod', 'redis-0'],
    ['PODS/redis-0', 'pod', 'redis-0'],
    ['node/gke-a.b', 'node', 'gke-a.b'],
    ['no/x', 'node', 'x'],
    ['svc/x', 'Service', 'x'],
    ['Service/x', 'Service', 'x'],
    ['cj/x', 'CronJob', 'x'],
    ['rc/x', 'ReplicationController', 'x'],
    ['deployment.apps/x', 'Deployment', 'x'],
    ['deploy.apps/x', 'Deployment', 'x'],
    ['deployments.v1.apps/x', 'Deployment', 'x'],
    ['statefulset.apps/x', 'StatefulSet', 'x'],
    ['job.batch/x', 'Job', 'x'],
    ['cronjobs.v1.batch/x', 'CronJob', 'x'],
    ['pods.v1./x', 'pod', 'x'],
    ['pods./x', 'pod', 'x'],
  ])('%s', (text, kind, name) => expect(parseTarget(text)).toEqual({ kind, name }));

  it.each([
    '',
    'pod/',
    '/x',
    'ing/x',
    'toString/x',
    'id.apps/abcdef0',
    'pod/a/b',
    'pod/A',
    '-x',
    'a b',
    '$(x)',
    'a;b',
    '../x',
    'x'.repeat(254),
  ])('refuses %j', (text) => {
    expect(refusal(() => parseTarget(text)).code).toBe(2);
  });
});

it.each([
  ['Redis-0', /^"Redis-0" cannot be the name of a pod: .*lower-case.*RFC 1123/, 'did you mean redis-0?'],
  ['node/A_b', /^"A_b" cannot be the name of a node/, 'kubectl get nodes lists the names'],
  ['redis-*', /^"redis-\*": wildcards are not supported/, expect.stringContaining('ps -l app=NAME')],
  ['pod/', /^missing the name of the pod$/, 'pod/NAME'],
  [
    'deployment.foo/x',
    /^"deployment\.foo" is not .*: deployments are in the API group "apps"/,
    /deployment\.apps/,
  ],
  ['deployments.v2.apps/x', /deployments are in the API group "apps", version v1$/, /deployment\.apps/],
  ['pod.apps/x', /pods are in the API group "" \(core\), version v1$/, /for example pod\/NAME/],
])('says what is wrong with %s', (text, message, hint) => {
  expect(refusal(() => parseTarget(text))).toMatchObject({
    message: expect.stringMatching(message),
    hint: hint instanceof RegExp ? expect.stringMatching(hint) : hint,
  });
});

describe('parseTargets', () => {
  const texts = (line: string, flags = {}) =>
    parseTargets(line.split(' '), flags).refs.map(({ kind, name }) => `${kind}/${name}`);

  it.each([
    ['pod/x pod/y', 'pod/x pod/y'],
    ['deploy/a sts/b', 'Deployment/a StatefulSet/b'],
    ['pod x', 'pod/x'],
    ['pods x y', 'pod/x pod/y'],
    ['x y', 'pod/x pod/y'],
    ['deployments.v1.apps x y', 'Deployment/x Deployment/y'],
    ['po,deploy x y', 'pod/x pod/y Deployment/x Deployment/y'],
    ['x deploy/y', 'pod/x Deployment/y'],
    ['pod pod', 'pod/pod'],
    ['x pod', 'pod/x pod/pod'],
    ['node x', 'node/x'],
    ['id abcdef0 123456', 'id/abcdef0 id/123456'],
  ])('%s', (line, want) => expect(texts(line).join(' ')).toBe(want));

  it('takes a kind alone for all objects of this kind, or for those with the labels', () => {
    expect(parseTargets(['pod'])).toEqual({
      refs: [],
      kinds: ['pod'],
      kindWord: 'pod',
      allNamespaces: false,
    });
    expect(parseTargets(['deploy,sts'], { selector: ' app=x ', allNamespaces: true })).toEqual({
      refs: [],
      kinds: ['Deployment', 'StatefulSet'],
      kindWord: 'deploy,sts',
      selector: 'app=x',
      allNamespaces: true,
    });
    expect(parseTargets([], { selector: 'app=x' })).toEqual({
      refs: [],
      kinds: ['pod'],
      selector: 'app=x',
      allNamespaces: false,
    });
  });

  it('takes several nodes, as kubectl does', () => {
    const nodes = [
      { kind: 'node', name: 'x' },
      { kind: 'node', name: 'y' },
    ];
    expect(parseTargets(['node/x', 'no/y']).refs).toEqual(nodes);
    expect(parseTargets(['nodes', 'x', 'y']).refs).toEqual(nodes);
  });

  it('gives the node to an id', () =>
    expect(parseTargets(['id/abcdef0'], { node: 'n' }).refs).toEqual([
      { kind: 'id', name: 'abcdef0', node: 'n' },
    ]));

  const SEPARATE =
    'there is no need to specify a resource type as a separate argument when passing arguments in resource/name form';
  const ACROSS = 'a resource cannot be retrieved by name across all namespaces';
  const WITH_NAME = 'name cannot be provided when a selector is specified';
  it.each<[string, TargetFlags, string | RegExp]>([
    ['pod x/y', {}, SEPARATE],
    ['pod pod/x', {}, SEPARATE],
    ['deploy/x pod', {}, SEPARATE],
    ['pod x', { allNamespaces: true }, ACROSS],
    ['pod/x', { allNamespaces: true }, ACROSS],
    ['pod x', { selector: 'a=b' }, WITH_NAME],
    ['pod/x', { selector: 'a=b' }, WITH_NAME],
    ['', {}, 'missing the name of the pod'],
    ['pods, x', {}, /cannot be the name of a pod/],
    ['job.foo x', {}, /jobs are in the API group "batch"/],
    ['pod/x node/y', {}, /^a node cannot be a target beside pods/],
    ['node/y node/z deploy/x', {}, /^a node cannot be a target beside pods/],
    ['nodes,pods x', {}, /^a node cannot be a target beside pods/],
    ['nodes', {}, 'all nodes at once are not supported'],
    ['node', { selector: 'a=b' }, 'all nodes at once are not supported'],
    ['id', {}, 'missing the id of a container'],
    ['id/abcdef0 id/1234567', { node: 'n' }, '--node works only with a single id/HEX'],
    ['pods', { node: 'n' }, '--node works only with id/HEX'],
  ])('refuses %s', (line, flags, message) => {
    const error = refusal(() => parseTargets(line.split(' '), flags));
    expect([error.code, error.message]).toEqual([
      2,
      message instanceof RegExp ? expect.stringMatching(message) : message,
    ]);
    expect(error.hint).toBeTruthy();
  });

  it('says what is missing', () => {
    expect(refusal(() => parseTargets([])).message).toBe('missing target');
    expect(refusal(() => parseTargets([], { selector: ' ' })).message).toBe('missing target');
    expect(refusal(() => parseTargets([], { allNamespaces: true })).message).toBe(
      'missing target: -A needs a kind or -l',
    );
  });
});

describe('podTarget', () => {
  it('holds every identity', () => {
    expect(podTarget(pod())).toEqual({
      kind: 'pod',
      namespace: 'redis',
      name: 'redis-0',
      uid: 'u-1',
      cgroupUids: ['u-1'],
      node: 'node-a',
      ips: ['10.0.0.1', 'fd00::1'],
      hostNetwork: false,
      containers: [
        { name: 'redis', id: ID, running: true },
        { name: 'old', id: ID, running: false },
        { name: 'init', id: '1', running: false },
      ],
    });
  });

  it('knows that the cgroup of a static pod is named after the hash of its manifest', () => {
    const target = podTarget(pod({ metadata: { annotations: { 'kubernetes.io/config.hash': 'abc' } } }));
    expect(target.cgroupUids).toEqual(['abc', 'u-1']);
  });

  it('takes the one address where the list is missing', () => {
    expect(podTarget(pod({ status: { podIPs: undefined } })).ips).toEqual(['10.0.0.1']);
  });

  it.each<[string, Parameters<typeof pod>[0], string | undefined, RegExp]>([
    [
      'a pod on no node',
      { spec: { nodeName: undefined }, status: { phase: 'Pending' } },
      undefined,
      /is not on a node yet \(Pending\)/,
    ],
    ['a finished pod', { status: { phase: 'Succeeded' } }, undefined, /has ended \(Succeeded\)/],
    ['a failed pod', { status: { phase: 'Failed' } }, undefined, /has ended \(Failed\)/],
    [
      'a pod without a running container',
      { status: { containerStatuses: [], phase: 'Pending' } },
      undefined,
      /has no running container \(Pending\)/,
    ],
    ['a container that is not there', {}, 'nope', /has no container "nope"/],
    ['a container that does not run', {}, 'old', /has a container "old", but it is not running/],
    ['gVisor', { spec: { runtimeClassName: 'gvisor' } }, undefined, /runs in gVisor/],
  ])('refuses %s', (_what, overrides, container, reason) => {
    const error = refusal(() => podTarget(pod(overrides), container));
    expect(error.message).toMatch(reason);
    expect(error.code).toBe(3);
    expect(error.hint).toBeTruthy();
  });
});

describe('checkNode', () => {
  const node = (status: string, os = 'linux') => ({
    metadata: { name: 'n' },
    status: {
      conditions: [{ type: 'Ready', status, message: 'kubelet stopped\nposting' }],
      nodeInfo: { operatingSystem: os },
    },
  });
  it('takes a ready Linux node, and no other', () => {
    expect(() => checkNode(node('True') as never, 'node/n')).not.toThrow();
    expect(refusal(() => checkNode(node('Unknown') as never, 'pod/x')).message).toBe(
      'node "n" of pod/x is not ready: kubelet stopped\\nposting',
    );
    expect(refusal(() => checkNode(node('True', 'windows') as never, 'node/n')).message).toMatch(/Windows/);
  });
  it('takes no node whose kubelet takes no pods, nor one without a kubelet', () => {
    const ready = node('True');
    const under = (type: string) => ({
      ...ready,
      status: { ...ready.status, conditions: [...ready.status.conditions, { type, status: 'True' }] },
    });
    for (const type of ['DiskPressure', 'PIDPressure'])
      expect(refusal(() => checkNode(under(type) as never, 'pod/x')).message).toBe(
        `node "n" has ${type}, so its kubelet takes no debug pod`,
      );
    expect(() => checkNode(under('MemoryPressure') as never, 'pod/x')).not.toThrow();
    const virtual = { ...ready, metadata: { name: 'n', labels: { type: 'virtual-kubelet' } } };
    expect(refusal(() => checkNode(virtual as never, 'pod/x')).message).toMatch(/virtual node/);
  });
});

describe('nearestNames', () => {
  it.each([
    ['redis-1', ['redis-0', 'redis-10', 'nginx'], ['redis-0', 'redis-10']],
    ['redis', ['redis-0', 'redis-1', 'x'], ['redis-0', 'redis-1']],
    ['flamgraph', ['flamegraph', 'pcap'], ['flamegraph']],
    ['zzzz', ['redis-0'], []],
  ])('%s of %j', (wanted, names, want) => expect(nearestNames(wanted, names)).toEqual(want));
});
