import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { nearestNames } from '../../src/cli/suggest.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { checkNode, parseTarget, podTarget } from '../../src/plan/target.ts';

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
  ])('%s', (text, kind, name) => expect(parseTarget(text)).toEqual({ kind, name }));

  it.each(['', 'pod/', 'svc/x', 'pod/a/b', 'pod/A', '-x', 'a b', '$(x)', 'a;b', '../x', 'x'.repeat(254)])(
    'refuses %j',
    (text) => {
      expect(refusal(() => parseTarget(text)).code).toBe(2);
    },
  );
});

it.each([
  ['Redis-0', /^"Redis-0" cannot be the name of a pod: .*lower-case.*RFC 1123/, 'did you mean redis-0?'],
  ['node/A_b', /^"A_b" cannot be the name of a node/, 'kubectl get nodes lists the names'],
  ['redis-*', /^"redis-\*": wildcards are not supported/, expect.stringContaining('ps -l app=NAME')],
  ['pod/', /^missing the name of the pod$/, 'pod/NAME'],
])('says what is wrong with %s', (text, message, hint) => {
  expect(refusal(() => parseTarget(text))).toMatchObject({ message: expect.stringMatching(message), hint });
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
