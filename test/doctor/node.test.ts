import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/doctor/check.ts';
import type { Facts } from '../../src/doctor/facts.ts';
import {
  checkArchitecture,
  checkAutopilot,
  checkDisk,
  checkGvisor,
  checkPressure,
  checkReadiness,
  checkRuntime,
  checkTarget,
  checkVirtual,
  quantityBytes,
} from '../../src/doctor/node.ts';
import { HEALTHY, type NodeTraits, nodeWith, POD, refusal, silence } from './scene.ts';

type Row = [
  what: string,
  check: (facts: Facts) => Finding,
  traits: NodeTraits,
  status: string,
  found: RegExp,
];

describe('a node', () => {
  const { target: _, ...noTarget } = HEALTHY;
  const info = (nodeInfo: object) => ({ status: { nodeInfo } });
  it.each<Row>([
    ['ready', checkReadiness, {}, 'ok', /^ready$/],
    ['cordoned', checkReadiness, { cordoned: true }, 'ok', /^ready, cordoned \(debug pods start there/],
    ['not ready', checkReadiness, { conditions: [] }, 'problem', /not ready/],
    ['with Windows', checkReadiness, info({ operatingSystem: 'windows' }), 'problem', /windows/],
    ['without pressure', checkPressure, {}, 'ok', /no pressure/],
    [
      'with a full disk',
      checkPressure,
      { conditions: ['Ready', 'DiskPressure'] },
      'problem',
      /takes no pods/,
    ],
    ['with too many processes', checkPressure, { conditions: ['PIDPressure'] }, 'problem', /PIDPressure/],
    ['with little memory', checkPressure, { conditions: ['MemoryPressure'] }, 'warning', /may evict/],
    ['with a disk', checkDisk, {}, 'ok', /^94 GiB for pods$/],
    [
      'with a small disk',
      checkDisk,
      { status: { allocatable: { 'ephemeral-storage': '900Mi' } } },
      'warning',
      /900 MiB/,
    ],
    ['with an unknown disk', checkDisk, { status: { allocatable: {} } }, 'unknown', /does not report/],
    ['for amd64', checkArchitecture, {}, 'ok', /^amd64$/],
    [
      'for arm64',
      checkArchitecture,
      info({ architecture: 'arm64' }),
      'warning',
      /arm64: the image must be built/,
    ],
    ['for s390x', checkArchitecture, info({ architecture: 's390x' }), 'warning', /never tried/],
    ['for an unknown architecture', checkArchitecture, info({}), 'unknown', /does not report/],
    ['with a kubelet', checkVirtual, {}, 'ok', /real/],
    ['of virtual kubelet', checkVirtual, { labels: { type: 'virtual-kubelet' } }, 'problem', /virtual node/],
    [
      'of Fargate',
      checkVirtual,
      { labels: { 'eks.amazonaws.com/compute-type': 'fargate' } },
      'problem',
      /virtual/,
    ],
    ['without sandboxes', checkGvisor, {}, 'ok', /not for GKE Sandbox/],
    ['for sandboxes', checkGvisor, { labels: { 'sandbox.gke.io/runtime': 'gvisor' } }, 'warning', /gVisor/],
    ['of a Standard cluster', checkAutopilot, {}, 'ok', /not a node of GKE Autopilot/],
    ['with containerd', checkRuntime, {}, 'ok', /^containerd:/],
    ['with CRI-O', checkRuntime, info({ containerRuntimeVersion: 'cri-o://1.34.0' }), 'ok', /^cri-o:/],
    ['with another runtime', checkRuntime, info({ containerRuntimeVersion: 'rkt://1' }), 'warning', /rkt/],
    ['with an unknown runtime', checkRuntime, info({}), 'unknown', /does not report/],
  ])('%s', (_what, check, traits, status, found) => {
    const facts: Facts = { ...noTarget, nodes: { value: [nodeWith(traits)] } };
    expect(check(facts)).toMatchObject({ status, found: expect.stringMatching(found) });
  });

  it('with a plain Debian may be arm64, for which Debian has the tools', () => {
    const debugPod = { ...HEALTHY.debugPod, install: true };
    const nodes = { value: [nodeWith(info({ architecture: 'arm64' }))] };
    expect(checkArchitecture({ debugPod, nodes }).status).toBe('ok');
  });
});

describe('several nodes', () => {
  const of = (...all: NodeTraits[]): Facts => ({
    ...HEALTHY,
    nodes: { value: all.map((each, at) => nodeWith({ name: `node-${at}`, ...each })) },
  });
  it('are described together', () => {
    expect(checkReadiness(of({}, {}))).toEqual({ status: 'ok', found: '2 nodes: ready' });
    expect(checkReadiness(of({}, {}, { cordoned: true })).found).toMatch(
      /^3 nodes: 2 × ready; 1 × ready, cordoned/,
    );
  });
  it('are a problem only if a debug pod can run on none', () => {
    expect(checkReadiness(of({}, { conditions: [] }))).toEqual({
      status: 'warning',
      found: '1 of 2 nodes: node "node-1" is not ready',
      fix: 'kubectl describe node node-1',
    });
    expect(checkReadiness(of({ conditions: [] }, { conditions: [] }))).toMatchObject({
      status: 'problem',
      found: '2 of 2 nodes: node "node-0" is not ready, and 1 more',
    });
  });
  it('may be none, or not known', () => {
    expect(checkReadiness(of()).status).toBe('problem');
    const facts = { ...HEALTHY, nodes: refusal(403, 'nodes is forbidden', 'ask') };
    expect(checkReadiness(facts)).toEqual({ status: 'unknown', found: 'nodes is forbidden', fix: 'ask' });
    for (const check of [
      checkPressure,
      checkDisk,
      checkArchitecture,
      checkVirtual,
      checkRuntime,
      checkAutopilot,
    ])
      expect(check(facts)).toEqual({ status: 'unknown', found: 'no node is known' });
  });
});

describe('the target', () => {
  it.each<[string, NonNullable<Facts['target']>, string, RegExp]>([
    ['was found', HEALTHY.target!, 'ok', /^pod\/redis-0$/],
    [
      'cannot be recorded',
      { value: { text: 'redis-0', refusal: { reason: 'has ended', hint: 'kubectl get pods' } } },
      'problem',
      /has ended/,
    ],
    ['does not exist', refusal(404, 'pod "x" not found', 'did you mean y?'), 'problem', /not found/],
    ['is several pods', { failure: { reason: 'deployment "x" has 3 pods' } }, 'problem', /has 3 pods/],
    ['may not be read', refusal(403, 'pods is forbidden'), 'unknown', /forbidden/],
    ['is not known without a cluster', silence(), 'unknown', /not reached/],
  ])('%s', (_what, target, status, found) =>
    expect(checkTarget({ target })).toMatchObject({ status, found: expect.stringMatching(found) }),
  );

  it('is a pod in gVisor, or one beside such pods', () => {
    const inGvisor = { ...POD, spec: { ...POD.spec, runtimeClassName: 'gvisor' } } as V1Pod;
    const target = (pod: V1Pod) => ({ value: { text: 'x', pod } });
    const nodes = { value: [nodeWith({ labels: { 'sandbox.gke.io/runtime': 'gvisor' } })] };
    expect(checkGvisor({ target: target(inGvisor), nodes }).status).toBe('problem');
    expect(checkGvisor({ target: target(POD), nodes }).status).toBe('ok');
  });
});

describe('Autopilot', () => {
  const warden = refusal(403, 'GKE Warden rejected the request: [denied by autogke-disallow-privilege]');
  const node = (traits: NodeTraits): Facts['nodes'] => ({ value: [nodeWith(traits)] });
  const key = 'cloud.google.com/gke-autopilot';
  it.each<[string, Facts['nodes'], Facts['admission'], string]>([
    ['is what GKE Warden says', node({}), { flamegraph: warden, pcap: warden }, 'problem'],
    [
      'has nodes with this prefix',
      node({ name: 'gk3-x' }),
      { flamegraph: silence(), pcap: silence() },
      'problem',
    ],
    [
      'has nodes with this label',
      node({ labels: { [key]: 'true' } }),
      { flamegraph: silence(), pcap: silence() },
      'problem',
    ],
    [
      'has nodes with this taint',
      node({ taints: [{ key, effect: 'NoSchedule' }] }),
      { flamegraph: silence(), pcap: silence() },
      'problem',
    ],
    ['may have been told to allow it', node({ name: 'gk3-x' }), HEALTHY.admission, 'ok'],
  ])('%s', (_what, nodes, admission, status) =>
    expect(checkAutopilot({ nodes, admission }).status).toBe(status),
  );
});

it('reads quantities as Kubernetes writes them', () => {
  expect(
    ['1Ki', '1.5Gi', '94Gi', '2e3', '5M', '98831908', '100m', '1x', 'Gi', ''].map(quantityBytes),
  ).toEqual([1024, 1.5 * 2 ** 30, 94 * 2 ** 30, 2000, 5e6, 98831908, 0.1, undefined, undefined, undefined]);
});
