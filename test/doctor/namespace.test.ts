import { describe, expect, it } from 'vitest';
import type { Facts } from '../../src/doctor/facts.ts';
import { checkAdmission, checkImage, checkNamespace, checkPodSecurity } from '../../src/doctor/namespace.ts';
import { HEALTHY, nodeWith, refusal, silence } from './scene.ts';

const labelled = (level?: string): Facts['namespace'] => ({
  value: {
    metadata: { name: 'gkeprof', labels: level ? { 'pod-security.kubernetes.io/enforce': level } : {} },
  },
});
const both = (admission: Facts['admission']['pcap']): Facts['admission'] => ({
  flamegraph: admission,
  pcap: admission,
});
const forbidden = refusal(403, 'namespaces "gkeprof" is forbidden: User "jane" cannot get resource');
const violates = refusal(403, 'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged');
const missing = refusal(404, 'Error from server (NotFound): namespaces "gkeprof" not found');
const unasked = { failure: { reason: 'not asked, because you may not create pods' } };
const inNamespace = (namespace: string): Facts['debugPod'] => ({ ...HEALTHY.debugPod, namespace });
const SET_UP = 'kubectl gkeprof manifests | kubectl apply -f -';

describe('the namespace', () => {
  it.each<[string, Partial<Facts>, string, string | undefined]>([
    ['is there', {}, 'ok', undefined],
    ['is not there', { namespace: missing, admission: both(missing) }, 'problem', SET_UP],
    [
      'of another name is not there',
      { namespace: missing, debugPod: inNamespace('other') },
      'problem',
      'kubectl create namespace other',
    ],
    [
      'is not there, as only a dry run tells',
      { namespace: forbidden, admission: both(missing) },
      'problem',
      SET_UP,
    ],
    ['is there, as only a dry run tells', { namespace: forbidden }, 'ok', undefined],
    ['may not be looked at', { namespace: forbidden, admission: both(unasked) }, 'unknown', undefined],
    [
      'is not known without a cluster',
      { namespace: silence(), admission: both(silence()) },
      'unknown',
      undefined,
    ],
  ])('%s', (_what, more, status, fix) => {
    const found = checkNamespace({ ...HEALTHY, ...more });
    expect([found.status, found.fix]).toEqual([status, fix]);
  });
});

describe('Pod Security', () => {
  it.each<[string, Partial<Facts>, string, RegExp]>([
    ['privileged', { namespace: labelled('privileged') }, 'ok', /^enforces "privileged"$/],
    [
      'baseline',
      { namespace: labelled('baseline'), admission: both(violates) },
      'problem',
      /^enforces "baseline"/,
    ],
    [
      'restricted, though nothing was asked',
      { namespace: labelled('restricted'), admission: both(unasked) },
      'problem',
      /restricted/,
    ],
    ['no level, and admitted', { namespace: labelled() }, 'ok', /no level of its own/],
    [
      'no level, but the default of the cluster',
      { namespace: labelled(), admission: both(violates) },
      'problem',
      /^enforces "baseline"/,
    ],
    [
      'no level, and nothing was asked',
      { namespace: labelled(), admission: both(unasked) },
      'unknown',
      /no dry run/,
    ],
    ['unreadable, and admitted', { namespace: forbidden }, 'ok', /dry run was admitted/],
    ['unreadable, and refused', { namespace: forbidden, admission: both(violates) }, 'problem', /baseline/],
    [
      'unreadable, and nothing was asked',
      { namespace: forbidden, admission: both(unasked) },
      'unknown',
      /not known/,
    ],
    ['of no namespace', { namespace: missing, admission: both(missing) }, 'unknown', /does not exist/],
  ])('%s', (_what, more, status, found) => {
    expect(checkPodSecurity({ ...HEALTHY, ...more })).toMatchObject({
      status,
      found: expect.stringMatching(found),
    });
  });

  it('never advises to open a namespace that is not for debug pods', () => {
    const facts = { ...HEALTHY, namespace: labelled('baseline') };
    expect(checkPodSecurity(facts).fix).toBe(SET_UP);
    expect(checkPodSecurity({ ...facts, debugPod: inNamespace('shop') }).fix).toMatch(
      /^Use a namespace for debug pods alone/,
    );
  });

  it('says that --least-privilege does not help', () => {
    const debugPod = { ...HEALTHY.debugPod, leastPrivilege: true };
    expect(checkPodSecurity({ ...HEALTHY, debugPod, namespace: labelled('baseline') }).found).toContain(
      'also with --least-privilege',
    );
  });
});

describe('admission', () => {
  it.each<[string, Facts['admission']['pcap'], string, RegExp]>([
    ['of the pod as it is', { value: [] }, 'ok', /unchanged/],
    ['of another pod', { value: ['container "istio" was added'] }, 'problem', /"istio" was added/],
    ['refused', refusal(403, 'denied by policy x', 'a policy'), 'problem', /denied by policy x/],
    ['into no namespace', missing, 'unknown', /does not exist/],
    ['not asked', unasked, 'unknown', /not asked/],
    ['without an answer', silence('no answer within 10 s'), 'unknown', /no answer/],
  ])('%s', (_what, admission, status, found) => {
    expect(checkAdmission(admission, HEALTHY.debugPod)).toMatchObject({
      status,
      found: expect.stringMatching(found),
    });
  });
});

describe('the image', () => {
  const { debugPod } = HEALTHY;
  const short = { ...debugPod, image: 'debian:trixie-slim' };
  const docker = nodeWith({ status: { images: [{ names: ['docker.io/library/debian:trixie-slim'] }] } });
  const none = nodeWith({ status: { images: [] } });
  it.each<[string, Pick<Facts, 'debugPod' | 'nodes'>, string, RegExp]>([
    ['is on the node', HEALTHY, 'ok', /which the node has/],
    ['is on all nodes', { debugPod, nodes: { value: [nodeWith(), nodeWith()] } }, 'ok', /all nodes have/],
    ['is on some nodes', { debugPod, nodes: { value: [nodeWith(), none] } }, 'ok', /pulls/],
    [
      'is on the node by its long name',
      { debugPod: short, nodes: { value: [docker] } },
      'ok',
      /the node has/,
    ],
    ['is not on an unknown node', { debugPod, nodes: silence() }, 'ok', /pulls/],
    [
      'must be on the node already',
      { debugPod: { ...debugPod, imagePullPolicy: 'Never' }, nodes: { value: [none] } },
      'warning',
      /Never/,
    ],
    [
      'has no tools',
      { debugPod: { ...short, install: true }, nodes: { value: [docker] } },
      'warning',
      /installed/,
    ],
  ])('%s', (_what, facts, status, found) => {
    expect(checkImage(facts)).toMatchObject({ status, found: expect.stringMatching(found) });
  });
});
